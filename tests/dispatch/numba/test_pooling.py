"""Pooling on Numba: the same numbers as in Python, from any memory."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import pool
from lasagne_next.ops.pooling import MaxPoolGradient
from tests.backends import MODES, compile_on
from tests.ops.poolings import GRAPHS, arrays, outputs


@pytest.mark.parametrize(
    "name",
    [
        "images, max",
        "volumes, average_exc_pad",
        pytest.param("sequences, max", marks=pytest.mark.slow),
    ],
)
def test_it_computes_what_python_does(name):
    """Catches windows, ties or divisors that are others in the kernels."""
    case, mode = GRAPHS[name]
    x, results = outputs(case, mode, "float32")
    on_numba = compile_on(MODES["numba"], [x], results)
    on_python = compile_on(MODES["python"], [x], results)
    # Each layout of memory is compiled for, so that one graph has to do for all.
    values = arrays(case, "float32")
    for value in values if name == "sequences, max" else values[:1]:
        got, wanted = on_numba(value), on_python(value)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == "float32"
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_large_inputs_are_shared_out_among_threads():
    """Catches planes left out or done twice, and numbers of another type misread."""
    x, slope = pt.ftensor4("x"), pt.dtensor4("slope")
    y = pool(x, (2, 3), (1, 2))
    back = MaxPoolGradient(y.owner.op.windows)
    outputs = [y, back(x, y, slope.astype("float32")), back(x, y, slope)]
    on_numba = compile_on(MODES["numba"], [x, slope], outputs)
    on_python = compile_on(MODES["python"], [x, slope], outputs)
    generator = np.random.default_rng(1)
    image = generator.normal(size=(3, 43, 29, 31)).astype("float32")
    slopes = generator.normal(size=(3, 43, 28, 15))
    results = on_numba(image, slopes), on_python(image, slopes)
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_what_is_no_number_spreads():
    """Catches comparisons that lose a NaN."""
    x = pt.tensor3("x", dtype="float64")
    function = compile_on(MODES["numba"], [x], pool(x, 2))
    value = function(np.array([[[np.nan, 1, 2, np.nan, 3, 4]]]))
    np.testing.assert_array_equal(value[0, 0], [np.nan, np.nan, 4])
