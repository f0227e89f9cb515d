"""Pooling on JAX: the same numbers as in Python."""

import numpy as np
import pytest

from tests.backends import MODES, compile_on
from tests.ops.poolings import GRAPHS, arrays, outputs

pytest.importorskip("jax")


@pytest.mark.parametrize("name", GRAPHS)
def test_it_computes_what_python_does(name):
    """Catches windows, ties or divisors that are others in XLA."""
    case, mode = GRAPHS[name]
    x, results = outputs(case, mode, "float32")
    on_jax = compile_on(MODES["jax"], [x], results)
    on_python = compile_on(MODES["python"], [x], results)
    for value in arrays(case, "float32")[::2]:
        got, wanted = on_jax(value), on_python(value)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == "float32"
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
