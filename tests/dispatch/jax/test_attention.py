"""Attention on JAX."""

import numpy as np
import pytensor
import pytest

from tests.backends import MODES, compile_on
from tests.ops.attentions import SIZES, values, with_gradients

pytest.importorskip("jax")


@pytest.mark.parametrize(("masked", "dtype"), [(True, "float32"), (False, "float64")])
def test_it_computes_what_numpy_does(masked, dtype):
    """Catches rows in which nothing is allowed, double precision, keys repeated."""
    graph = with_gradients(masked, dtype)
    wanted = pytensor.function(*graph, mode=pytensor.compile.mode.Mode("py", None))
    run = compile_on(MODES["jax"], *graph)
    for size in SIZES[:2]:
        arrays = values(size, masked, dtype)
        for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
            assert value.dtype == dtype
            atol = 1e-5 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(value, other, atol=atol * abs(other).max())
    arrays = values(SIZES[0], masked, dtype)
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(arrays[0], arrays[1], arrays[2][:, :, :1], *arrays[3:])
