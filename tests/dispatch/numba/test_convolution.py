"""Convolutions on Numba."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from lasagne_next.ops import convolve
from tests.backends import MODES, compile_on
from tests.ops.convolutions import CASES, check_on


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_those_of_the_definition(dtype):
    """Catches another padding, flip, group or type than those of the numpy version."""
    check_on(MODES["numba"], CASES[1::9] if dtype == "float64" else CASES[3:4], dtype)


def test_views_and_unknown_sizes_are_taken():
    """Catches memory that is read as if it lay in one piece."""
    x, W = (pt.tensor4(name, dtype="float64") for name in "xW")
    y = convolve(x, W, stride=(1, 2))
    outputs = [y, *pytensor.grad(pt.sqr(y).sum(), [x, W])]
    function = compile_on(MODES["numba"], [x, W], outputs)
    check = pytensor.function([x, W], outputs, mode="FAST_COMPILE")
    rng = np.random.default_rng(1)
    image, weights = rng.normal(size=(8, 6, 7, 2)), rng.normal(size=(5, 4, 3, 3))
    for x_value, W_value in (
        (image.T, weights[:, :, ::-1][:, 1:].transpose(0, 2, 3, 1)[:, :, :, :2]),
        (image.transpose(1, 3, 0, 2)[::-1, :, ::2], weights.T[:, 1:, ::-1, ::-1]),
        (image.T[:0, :2], np.broadcast_to(weights[:1, :2], (4, 2, 3, 3))),
    ):
        if x_value.shape[1] != W_value.shape[1]:
            x_value = np.repeat(x_value, 2, axis=1)[:, : W_value.shape[1]]
        results = zip(function(x_value, W_value), check(x_value, W_value), strict=True)
        for value, wanted in results:
            np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-9)


def test_misfits_are_refused():
    """Catches windows beyond the end of the input."""
    x, W = (pt.tensor3(name, dtype="float64") for name in "xW")
    function = compile_on(MODES["numba"], [x, W], convolve(x, W))
    with pytest.raises(ValueError, match="the filters do not fit into the input"):
        function(np.ones((1, 2, 3)), np.ones((1, 2, 4)))
    with pytest.raises(ValueError, match="batch, channels or filters do not fit"):
        function(np.ones((1, 2, 3)), np.ones((1, 3, 3)))


def test_it_runs_without_rewrites():
    """Catches an operation that is known only after some rewrite has met it."""
    x = pt.tensor("x", shape=(1, 2, 3), dtype="float64")
    function = pytensor.function(
        [x], convolve(x, np.ones((1, 2, 3))), mode=Mode(linker="numba", optimizer=None)
    )
    np.testing.assert_allclose(function(np.ones((1, 2, 3))), [[[6.0]]])
