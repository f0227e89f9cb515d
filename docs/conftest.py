"""Settings under which the examples of these pages are run.

They are compiled for the Python linker, which starts fastest. A reader gets PyTensor's
default, Numba; the numbers are the same.
"""

import importlib.util
import sys

import numpy as np
import pytensor
import pytest

import lasagne_next

# Without these rewrites, since PyTensor 3.0 computes products and sums of three or more
# in a loop over the elements; 3.3 does not.
QUICK = pytensor.compile.mode.FAST_COMPILE.excluding(
    "local_mul_canonizer", "local_add_canonizer"
)

collect_ignore = ["_build", "benchmark_table.py", "conf.py", "weight_pictures.py"]
if importlib.util.find_spec("jax") is None:
    collect_ignore.append("user/backends.rst")


@pytest.fixture(autouse=True)
def quick_and_seeded(tmp_path, monkeypatch):
    """Compile for Python, seed the package, and write files to a fresh directory."""
    monkeypatch.chdir(tmp_path)
    before = lasagne_next.random.get_rng()
    lasagne_next.random.set_rng(np.random.default_rng(1234))
    with pytensor.config.change_flags(mode=QUICK):
        yield
    lasagne_next.random.set_rng(before)


@pytest.fixture(autouse=True)
def importable_page(request, monkeypatch):
    """Let the classes of a page be pickled, as those of a program can be."""
    names = request.node.dtest.globs
    names["__name__"] = "page"
    monkeypatch.setitem(sys.modules, "page", _Page(names))


class _Page:
    def __init__(self, names):
        self.__dict__ = names
