"""Gated recurrent units on Numba."""

import numpy as np
import pytensor
import pytest

from lasagne_next.ops import gru_sequence
from tests.backends import MODES, compile_on
from tests.ops.sequences import SIZES, values, with_gradients

PLAIN = {"masked": False, "backwards": False}
ALL = dict.fromkeys(PLAIN, True)
CASES = [
    pytest.param(ALL, 0.5, "float32", id="all-clipped-float32"),
    pytest.param(PLAIN, 0, "float64", id="plain-float64", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("options", "clip", "dtype"), CASES)
def test_it_computes_what_numpy_does(options, clip, dtype):
    """Catches rows and columns at the edge of a block, threads, a mask left out."""
    graph = with_gradients(gru_sequence, options, dtype, gates=3, grad_clipping=clip)
    wanted = pytensor.function(*graph, mode=pytensor.compile.mode.Mode("py", None))
    run = compile_on(MODES["numba"], *graph)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    for size in [*SIZES, (3, 70, 40), (2, 0, 3), (0, 2, 3)]:
        arrays = values(size, options, dtype, gates=3)
        arrays[1] /= np.sqrt(size[2]).astype(dtype)
        for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
            assert (value.dtype, value.shape) == (np.dtype(dtype), other.shape)
            scale = abs(other).max(initial=1)
            np.testing.assert_allclose(value, other, atol=tolerance * scale)
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(*arrays[:2], arrays[2][:, :2], *arrays[3:])
    arrays = values(SIZES[0], options, dtype, gates=3)
    for index in range(3, len(arrays)):  # the mask
        with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
            run(*arrays[:index], arrays[index][:, :1], *arrays[index + 1 :])
