"""Backends learn of the operations when they are used, and not before."""

import subprocess
import sys

CHECK = """
import sys
import numpy as np
import pytensor
import pytensor.tensor as pt
from lasagne_next.ops import matrix_product

backend, name = sys.argv[1:]
x = pt.matrix("x", dtype="float64")
y = matrix_product(x, x)
assert "jax" not in sys.modules
assert not any(each.startswith("lasagne_next.dispatch.") for each in sys.modules)
mode = pytensor.compile.mode.Mode(linker=backend, optimizer=None)
function = pytensor.function([x], y, mode=mode)
np.testing.assert_allclose(function(np.eye(2)), np.eye(2))
loaded = [each for each in sys.modules if each.startswith("lasagne_next.dispatch.")]
assert all(each.startswith(f"lasagne_next.dispatch.{name}") for each in loaded), loaded
assert bool(loaded) == (name != "none")
"""


def run(backend, name):
    """Compile for one backend in a process of its own."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECK, backend, name], check=True
    )


def test_the_python_linker_loads_nothing():
    """Catches an import of Numba or JAX at the top of a module."""
    run("py", "none")


def test_jax_loads_what_is_for_jax():
    """Catches an operation that a user must import by hand."""
    import pytest

    pytest.importorskip("jax")
    run("jax", "jax")


def test_numba_loads_what_is_for_numba():
    """Catches an operation that a user must import by hand."""
    run("numba", "numba")
