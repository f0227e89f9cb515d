"""The modes on which every number is checked."""

import importlib.util

import pytensor
import pytest
from pytensor.compile.mode import FAST_COMPILE, Mode

MODES = {"python": FAST_COMPILE, "numba": Mode(linker="numba", optimizer="fast_run")}
if importlib.util.find_spec("jax") is not None:
    # By floatX at its first import of JAX, PyTensor decides whether 64 bits exist.
    with pytensor.config.change_flags(floatX="float64"):
        import pytensor.link.jax.dispatch
    MODES["jax"] = Mode(linker="jax", optimizer="fast_run")

# For tests of many graphs that other tests compile for Numba one by one.
slow_on_numba = pytest.mark.parametrize(
    "backend_mode",
    ["python", pytest.param("numba", marks=pytest.mark.slow), "jax"],
    indirect=True,
)


def compile_on(mode, inputs, outputs, **kwargs):
    """Compile with errors of the rewriter raised, not swallowed."""
    with pytensor.config.change_flags(on_opt_error="raise"):
        return pytensor.function(inputs, outputs, mode=mode, **kwargs)
