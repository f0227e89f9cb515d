"""Attention on Numba."""

import numpy as np
import pytensor
import pytest

from tests.backends import MODES, compile_on
from tests.ops.attentions import EMPTY, SIZES, values, with_gradients

CASES = [
    pytest.param(True, "float32", id="masked-float32"),
    pytest.param(False, "float64", id="plain-float64", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("masked", "dtype"), CASES)
def test_it_computes_what_numpy_does(masked, dtype):
    """Catches keys at the edge of a block, threads, a mask left out, NaNs lost."""
    graph = with_gradients(masked, dtype)
    wanted = pytensor.function(*graph, mode=pytensor.compile.mode.Mode("py", None))
    run = compile_on(MODES["numba"], *graph)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for size in [*SIZES, (2, 2, 130, 70, 33, 65), (4, 4, 64, 64, 32, 32), *EMPTY[:2]]:
        arrays = values(size, masked, dtype)
        for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
            assert (value.dtype, value.shape) == (np.dtype(dtype), other.shape)
            scale = abs(other).max(initial=1)
            np.testing.assert_allclose(value, other, atol=tolerance * scale)
    arrays = values(SIZES[0], masked, dtype)
    arrays[0] = arrays[0].copy()
    arrays[0][:, 1, 0] = np.nan  # all scores of a query
    for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
        np.testing.assert_array_equal(np.isnan(value), np.isnan(other))
        assert np.isnan(value).any()
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(*arrays[:1], arrays[1][:, :, 1:], *arrays[2:])
