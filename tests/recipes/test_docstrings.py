"""The examples in the docstrings of what recipes share."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint",
        "claims",
        "command",
        "data.fields",
        "data.images",
        "data.mixtures",
        "download",
        "figures",
        "index",
        "interruption",
        "progress",
        "training",
    ],
)
def test_examples_show_what_they_print(name):
    """Catches examples that were not run after a change."""
    module = importlib.import_module(f"recipes.{name}")
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
