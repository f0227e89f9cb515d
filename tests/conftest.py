"""Settings and fixtures of the whole test suite."""

import importlib.util

import numpy as np
import pytensor
import pytest

import lasagne_next
from tests.backends import MODES


def pytest_addoption(parser):
    parser.addoption("--runslow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --runslow"))


@pytest.fixture(autouse=True)
def seeded():
    """Start each test from the same package generator, and put the old one back."""
    before = lasagne_next.random.get_rng()
    lasagne_next.random.set_rng(np.random.default_rng(1234))
    yield
    lasagne_next.random.set_rng(before)


@pytest.fixture
def floatX32():
    """Run the test under single precision."""
    with pytensor.config.change_flags(floatX="float32"):
        yield "float32"


@pytest.fixture
def floatX64():
    """Run the test under double precision."""
    with pytensor.config.change_flags(floatX="float64"):
        yield "float64"


@pytest.fixture(params=["python", "numba", "jax"])
def backend_mode(request):
    """Give the mode of each backend in turn; JAX is skipped where not installed."""
    if request.param == "jax" and importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    return MODES[request.param]
