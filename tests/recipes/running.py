"""Run recipes as a user does, once for all tests of a file."""

import importlib
import os

import matplotlib.image
import pytensor
import pytest

import lasagne_next


def run(name, *arguments):
    """Run a recipe with the package generator put back afterwards."""
    recipe = importlib.import_module(f"recipes.{name}")
    before = lasagne_next.random.get_rng()
    try:
        return recipe.main([*map(str, arguments)])
    finally:
        lasagne_next.random.set_rng(before)


def smoke_runs(package):
    """Make a fixture: a function from a name to the result of its smoke run."""

    @pytest.fixture(scope="module")
    def small(tmp_path_factory):
        done = {}

        def numbers(name):
            if name not in done:
                folder = tmp_path_factory.mktemp(name)
                arguments = ["--smoke", "--backend", "python", "--output", folder]
                done[name] = run(f"{package}.{name}", *arguments), folder
            return done[name][0]

        numbers.folder = lambda name: numbers(name) and done[name][1]
        return numbers

    return small


def measured(numbers, text):
    """Return what a recipe measured for the claim of this text."""
    return numbers["holds"][text].measured


def failed(numbers):
    """List the claims of a recipe that do not hold."""
    return [text for text, holds in numbers["holds"].items() if not holds]


def check_files(folder, name):
    """Require one picture, neither empty nor full, and settings left alone."""
    assert os.listdir(folder) == [f"{name}.png"]
    picture = matplotlib.image.imread(folder / f"{name}.png")
    assert 0.005 < (picture[..., :3] < 0.7).any(axis=2).mean() < 0.6
    assert pytensor.config.floatX == "float64"
