"""Convolution round a circle."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import CircularCorrelation, convolve_circularly
from lasagne_next.testing import check_op
from tests.backends import MODES, compile_on
from tests.dtypes import double_variables
from tests.reference import circular as reference

SHAPES = [(2, 6), (3, 7), (5, 1), (3, 2)]  # even, prime, and where nothing turns


@pytest.fixture(scope="module", params=MODES)
def functions(request):
    """Give convolution, correlation and gradients in both precisions."""
    inputs, outputs = [], []
    for dtype in ("float64", "float32"):
        x, y = pt.matrix("x", dtype=dtype), pt.matrix("y", dtype=dtype)
        c = pt.vector("c", dtype=dtype)
        convolved = convolve_circularly(x.T.copy().T, c)
        gradients = pytensor.grad((convolved * y).sum(), [x, c])
        inputs += [x, y, c]
        outputs += [convolved, CircularCorrelation()(x, y), *gradients]
    function = compile_on(MODES[request.param], inputs, outputs)
    half = pytensor.function(inputs[3:], outputs[4:], mode="FAST_COMPILE")
    return function, half


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_follows_the_definition(functions, shape):
    """Catches a wrong direction, odd lengths cut to even ones, layouts, upcasts."""
    rng = np.random.default_rng(1)
    x, y, c = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape[1])
    backwards = np.roll(c[::-1], 1)
    wanted = [
        reference.convolve(x, c),
        reference.correlate(x, y),
        reference.convolve(y, backwards),
        reference.correlate(x, y),
    ]
    arrays = [x, y, c, *(each.astype("float32") for each in (x, y, c))]
    results = [np.asarray(each) for each in functions[0](*arrays)]
    for got, correct in zip(results[:4], wanted, strict=True):
        np.testing.assert_allclose(got, correct, rtol=1e-10, atol=1e-12)
    for got, correct in zip(results[4:], wanted, strict=True):
        assert got.dtype == "float32"
        np.testing.assert_allclose(got, correct, rtol=1e-5, atol=1e-5)
    assert not double_variables(functions[1])


def test_every_backend_refuses_lengths_that_differ(functions):
    """Catches kernels that read behind the end of a vector."""
    x = np.ones((2, 3))
    singles = [each.astype("float32") for each in (x, x, x[0])]
    for length in (5, 2, 1):  # spectra of 2 are as long as those of 3
        with pytest.raises(ValueError, match="the lengths of x and c differ"):
            functions[0](x, x, np.ones(length), *singles)
    with pytest.raises(ValueError, match="CircularCorrelation: the shapes of x and"):
        functions[0](x, x[:1], x[0], *singles)


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_slopes_of_slopes_agree_with_finite_differences(shape):
    """Catches a wrong gradient of a gradient, and wrong shapes."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, *shape))
    check_op(convolve_circularly, [x, y[0]])
    check_op(CircularCorrelation(), [x, y])


def test_bad_operands_are_refused():
    """Catches a graph that fails only when it runs."""
    x, c = pt.matrix("x", shape=(2, 3)), pt.vector("c", shape=(5,))
    with pytest.raises(ValueError, match=r"number of columns, got \[3, 5\]"):
        convolve_circularly(x, c)
    with pytest.raises(TypeError, match="c must have 1 axes"):
        convolve_circularly(x, x)
    with pytest.raises(TypeError, match="c must be of type"):
        convolve_circularly(x, pt.lvector("c"))
    with pytest.raises(TypeError, match="y must have 2 axes"):
        CircularCorrelation()(x, c)
    with pytest.raises(ValueError, match=r"number of rows, got \[2, 7\]"):
        CircularCorrelation()(x, np.ones((7, 3), x.dtype))
