"""The pages and docstrings cover everything that is public."""

import importlib
import inspect
import re
import types
from pathlib import Path

import pytest

import lasagne_next

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "modules").rglob("*.rst"))
MODULES = [f"lasagne_next.{name}" for name in lasagne_next.__all__]


def public_names(module_name):
    """List what a module offers, but for its submodules, which are paths only."""
    module = importlib.import_module(module_name)
    return {
        name: getattr(module, name)
        for name in module.__all__
        if not isinstance(getattr(module, name), types.ModuleType)
    }


def documented_names():
    """List the full names that have an entry on a page of the reference."""
    found = []
    for page in PAGES:
        module = None
        for line in page.read_text(encoding="utf-8").splitlines():
            match = re.match(r"\.\. ([a-z:]+):: ([\w.]+)", line)
            if match and match[1] == "currentmodule":
                module = match[2]
            elif match and re.fullmatch(r"(auto)?(function|class|data)", match[1]):
                found.append(f"{module}.{match[2]}")
    return found


def documented_arguments(docstring):
    """List the names in the section of parameters of a docstring."""
    match = re.search(
        r"Parameters\n-+\n(.*?)(?:\n\n\w[\w ]+\n-+\n|\Z)", docstring, re.S
    )
    heads = re.findall(r"^(\S.*)$", match[1], re.M) if match else []
    return {
        name.strip(" *") for head in heads for name in head.split(":")[0].split(",")
    }


PUBLIC = {
    f"{module}.{name}": value
    for module in MODULES
    for name, value in public_names(module).items()
}
CALLABLES = {
    name: value
    for name, value in PUBLIC.items()
    if inspect.isclass(value) or inspect.isfunction(value)
}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry_in_the_reference(module):
    """Catches a new function that no page mentions."""
    names = {f"{module}.{name}" for name in public_names(module)}
    assert names - set(documented_names()) == set()


def test_every_entry_of_the_reference_exists_and_comes_once():
    """Catches entries left over after something was renamed, and doubled ones."""
    entries = documented_names()
    assert len(set(entries)) == len(entries)
    for entry in entries:
        module, name = entry.rsplit(".", 1)
        assert hasattr(importlib.import_module(module), name), entry


def test_every_page_of_the_reference_lists_its_entries_in_a_table():
    """Catches an entry that the table at the head of its page forgets."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        tables = re.findall(r"autosummary::\n(?:   :\w+:\n)*\n((?:   \S+\n)+)", text)
        listed = {name for table in tables for name in table.split()}
        entries = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)", text, re.M))
        if len(entries) > 1:
            assert listed & entries == entries, page


@pytest.mark.parametrize("name", CALLABLES)
def test_docstrings_have_an_example_and_name_every_argument(name):
    """Catches a public object whose arguments or use must be guessed."""
    value = CALLABLES[name]
    docstring = inspect.getdoc(value)
    assert ">>>" in docstring or "See :" in docstring
    arguments = {
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert arguments - documented_arguments(docstring) == set()
