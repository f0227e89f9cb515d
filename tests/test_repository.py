"""What a fresh clone promises: its metadata, its commands, its files."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools

import lasagne_next

ROOT = Path(__file__).parent.parent
OPTIONAL = (
    "hypothesis",
    "jax",
    "matplotlib",
    "pytest",
    "safetensors",
    "sklearn",
    "tqdm",
)


# Trains and saves a network while the packages given as arguments cannot be imported.
TRAINING = """
import importlib
import pkgutil
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Refuse())

import numpy as np
import pytensor
import lasagne_next
from lasagne_next import io, objectives, updates
from lasagne_next.layers import DenseLayer, InputLayer, dropout
from lasagne_next.layers import get_all_params, get_output

for module in pkgutil.walk_packages(lasagne_next.__path__, "lasagne_next."):
    if "dispatch.jax" not in module.name:
        importlib.import_module(module.name)
encoder = DenseLayer(dropout(InputLayer((None, 5))), num_units=3, name="encoder")
decoder = DenseLayer(encoder, num_units=5, W=encoder.W.T, name="decoder")
x = encoder.input_layer.input_layer.input_var
loss = objectives.squared_error(get_output(decoder), x).mean()
rule = updates.adam(loss, get_all_params(decoder, trainable=True))
train = pytensor.function([x], loss, updates=rule, mode="FAST_COMPILE")
train(np.ones((2, 5), dtype=pytensor.config.floatX))
io.save("values.npz", decoder)
print(io.load("values.npz", decoder))
print(sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def tracked_files():
    """List the files of the repository; skip where they cannot be known."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not in a clone")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip(listing.stderr)
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def metadata(monkeypatch):
    """Return what setup.py says, without installing anything."""
    said = {}
    monkeypatch.setattr(setuptools, "setup", said.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return said


def code_blocks(path):
    """Return the blocks of a language in an rst file."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"code-block:: (\w+)\n\n((?:   .*\n|\n)+)", text)
    return [
        (language, re.sub(r"^   ", "", body, flags=re.M).strip())
        for language, body in blocks
    ]


def test_metadata_agrees_with_the_package(monkeypatch):
    """Catches a version that is written down twice, or a package left out."""
    said = metadata(monkeypatch)
    assert said["version"] == lasagne_next.__version__
    for package in ("lasagne_next", "recipes"):
        folders = {path.parent for path in (ROOT / package).rglob("__init__.py")}
        names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
        assert names <= set(said["packages"])
    assert not any(name.split(".")[0] == "tests" for name in said["packages"])


def test_the_changes_begin_with_the_present_version():
    """Catches a release whose changes nobody wrote down."""
    text = (ROOT / "CHANGES.rst").read_text(encoding="utf-8")
    released = re.match(r"[\d.]*\d", lasagne_next.__version__)[0]
    assert re.search(r"^(\d[\d.]*)", text, re.M)[1] == released


def test_extras_bring_what_they_are_for(monkeypatch):
    """Catches a README command that installs too little, or a heavy core."""
    said = metadata(monkeypatch)
    extras = said["extras_require"]
    assert set(extras) == {"recipes", "jax", "cuda", "test", "docs", "all"}
    assert set(extras["recipes"]) | {"jax", "pytest"} <= set(extras["test"])
    every = {name for names in extras.values() for name in names}
    assert set(extras["all"]) == every - set(extras["cuda"])
    core = {re.match(r"\w+", name)[0] for name in said["install_requires"]}
    assert core == {"pytensor", "numpy", "scipy"}


@pytest.mark.parametrize(
    "command",
    [
        'pip install -e ".[recipes]" && python -m recipes.tied_autoencoder',
        'pip install -e ".[test]" && python -m pytest',
    ],
    ids=["recipe", "tests"],
)
def test_the_readme_and_the_checks_run_the_same_commands(command):
    """Catches checks that pass with commands which no reader is given."""
    assert ("console", command) in code_blocks(ROOT / "README.rst")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_examples_of_the_readme_run_and_print(capsys, monkeypatch):
    """Catches a front page that does not work."""
    examples = [
        body for kind, body in code_blocks(ROOT / "README.rst") if kind == "python"
    ]
    network, expression = examples
    assert len([line for line in network.splitlines() if line]) <= 20
    assert len(expression.splitlines()) <= 3
    exec(compile(f"{network}\n{expression}", "README.rst", "exec"), {})
    training, parameters = capsys.readouterr().out.splitlines()
    first, last = map(float, re.findall(r"\d\.\d+", training))
    assert last < first / 4
    assert expression.endswith(f"# {parameters}")


def test_the_check_script_is_a_program():
    """Catches a script that lost its permission or does not parse."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    subprocess.run([bash, "-n", str(script)], check=True)


def test_files_are_small_and_readable():
    """Catches data and pictures that were added by mistake."""
    for path in tracked_files():
        content = path.read_bytes()
        assert len(content) < 200_000, path
        assert b"\0" not in content, path
        content.decode("utf-8")


def test_files_name_nothing_outside_the_repository():
    """Catches paths of one machine, and notes that wait for their author."""
    folders = "|".join(["root", "work", "Users"])
    unfinished = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"])
    pattern = re.compile(rf"(?<![\w.*])/({folders})/\w|\b({unfinished})\b|\.\./shared")
    for path in tracked_files():
        if path != Path(__file__):
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, (path, found)


def test_the_core_works_without_the_optional_packages(tmp_path):
    """Catches an import of JAX, safetensors or the like at the top of a module."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAINING, *OPTIONAL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["Loaded 3 of 3 values.", "[]"]
