"""Pooling on Numba: the same numbers as in Python, from any memory."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import pool
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


def test_what_is_no_number_spreads():
    """Catches comparisons that lose a NaN."""
    x = pt.tensor3("x", dtype="float64")
    function = compile_on(MODES["numba"], [x], pool(x, 2))
    value = function(np.array([[[np.nan, 1, 2, np.nan, 3, 4]]]))
    np.testing.assert_array_equal(value[0, 0], [np.nan, np.nan, 4])
