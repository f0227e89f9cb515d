"""Gated recurrent units on JAX."""

import numpy as np
import pytensor
import pytest

from lasagne_next.ops import gru_sequence
from tests.backends import MODES, compile_on
from tests.ops.sequences import SIZES, values, with_gradients

pytest.importorskip("jax")

PLAIN = {"masked": False, "backwards": False}
ALL = dict.fromkeys(PLAIN, True)
CASES = [
    pytest.param(ALL, 0.5, "float32", id="all-clipped-float32"),
    pytest.param(PLAIN, 0, "float64", id="plain-float64"),
]


@pytest.mark.parametrize(("options", "clip", "dtype"), CASES)
def test_it_computes_what_numpy_does(options, clip, dtype):
    """Catches a step that reads its neighbour on the wrong side, or has none."""
    graph = with_gradients(gru_sequence, options, dtype, gates=3, grad_clipping=clip)
    wanted = pytensor.function(*graph, mode=pytensor.compile.mode.Mode("py", None))
    run = compile_on(MODES["jax"], *graph)
    for size in [*SIZES[:2], (0, 2, 3)]:
        arrays = values(size, options, dtype, gates=3)
        for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
            assert value.dtype == dtype
            atol = 1e-4 if dtype == "float32" else 1e-10
            np.testing.assert_allclose(value, other, atol=atol)
