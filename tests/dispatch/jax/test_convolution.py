"""Convolutions on JAX."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from lasagne_next.ops import convolve, convolve_transposed
from tests.backends import MODES, compile_on
from tests.ops.convolutions import CASES, Case, check_on

pytest.importorskip("jax")


# Two filters for each of three channels, which XLA would do in a loop.
SHARED_CHANNELS = Case(
    (2, 3, 7, 6), (6, 1, 3, 2), (2, 1), ((1, 2), (0, 1)), (1, 2), 3, True
)
# An image large enough for XLA's own gradient, and one for two positions of filters.
LARGE = Case((2, 3, 13, 17), (2, 3, 2, 3), (1, 1), ((0, 1), (2, 0)), (1, 2), 1, True)
SHORT = Case((2, 3, 7, 6), (5, 3, 1, 2), (2, 1), ((1, 2), (0, 1)), (1, 3), 1, True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_those_of_the_definition(dtype):
    """Catches another padding, flip, group or type than those of the numpy version."""
    cases = CASES[::3] if dtype == "float64" else CASES[:5]
    check_on(MODES["jax"], [*cases, SHARED_CHANNELS, LARGE, SHORT], dtype)


def test_unknown_sizes_are_found_while_tracing():
    """Catches sizes that JAX only knows when it runs, behind strided layers."""
    x = pt.tensor("x", shape=(None, 2, None, None), dtype="float64")
    V, W = (pt.tensor(shape=(3, n, 2, 3), dtype="float64") for n in (2, 3))
    y = convolve(convolve(x, V, stride=2), W, stride=(1, 2))
    outputs = pytensor.grad(pt.sqr(y).sum(), [x, V, W])
    outputs.append(convolve_transposed(y, W, stride=(1, 2)))
    function = compile_on(MODES["jax"], [x, V, W], outputs)
    check = pytensor.function([x, V, W], outputs, mode="FAST_COMPILE")
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3, 2, 2, 3)), rng.normal(size=(3, 3, 2, 3))
    for sizes in ((7, 11), (8, 12)):
        image = rng.normal(size=(2, 2, *sizes))
        results = zip(function(image, *weights), check(image, *weights), strict=True)
        for value, wanted in results:
            np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-9)


def test_sizes_must_be_known():
    """Catches an error from inside JAX that says nothing of the size."""
    x, size = pt.tensor("x", shape=(1, 2, 3), dtype="float64"), pt.lvector("size")
    y = convolve_transposed(x, np.ones((2, 1, 4)), stride=2, output_size=size)
    function = pytensor.function([x, size], y, mode=MODES["jax"])
    with pytest.raises(NotImplementedError, match=r"known on JAX .* got size"):
        function(np.ones((1, 2, 3)), np.array([8]))


def test_it_runs_without_rewrites():
    """Catches an operation that is known only after some rewrite has met it."""
    x = pt.tensor("x", shape=(1, 2, 3), dtype="float64")
    function = pytensor.function(
        [x], convolve(x, np.ones((1, 2, 3))), mode=Mode(linker="jax", optimizer=None)
    )
    np.testing.assert_allclose(function(np.ones((1, 2, 3))), [[[6.0]]])


def test_filters_that_jax_has_left_serve_the_python_backend():
    """Catches sums into a view that numpy leaves to JAX, whose arrays are no views."""
    W = pytensor.shared(np.ones((2, 3, 2, 2)), shape=(2, 3, 2, 2))
    jax_mode = pytensor.compile.mode.get_mode("JAX")
    pytensor.function([], [], updates={W: W + 1}, mode=jax_mode)()
    y = convolve_transposed(np.ones((1, 2, 3, 3)), W, stride=2)
    value = pytensor.function([], y, mode="FAST_COMPILE")()
    np.testing.assert_allclose(value, np.full((1, 3, 6, 6), 4.0))
