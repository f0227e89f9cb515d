"""What the command lines of recipes share."""

import argparse
import contextlib
import importlib
import importlib.util
import os
import signal

import pytest

import recipes
from lasagne_next import io
from lasagne_next.layers import DenseLayer
from recipes import command
from recipes.progress import track


def hide(monkeypatch, *modules):
    """Make modules look as if they were not installed."""
    find_spec = importlib.util.find_spec

    def find(name, package=None):
        return None if name in modules else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.setattr(command, "find_spec", find)


@pytest.mark.parametrize("text", ["0", "-3", "2.5", "many", ""])
def test_a_positive_integer_is_nothing_else(text):
    """Catches counts of zero, and truncated fractions."""
    message = f"whole number of at least 1, got '{text}'"
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        command.positive_integer(text)


def test_arguments_are_not_abbreviated(capsys):
    """Catches scripts that break when a recipe gains an argument."""
    parser = command.argument_parser("some.recipe", "Do something.\n\nAt length.")
    with pytest.raises(SystemExit):
        parser.parse_args(["--out", "folder"])
    assert "unrecognized arguments: --out folder" in capsys.readouterr().err
    assert parser.description == "Do something."
    assert parser.parse_args([]).output.parts == ("output", "some", "recipe")


def test_jax_is_asked_for_only_where_it_is_needed(monkeypatch):
    """Catches a traceback out of PyTensor, and a check in the wrong place."""
    hide(monkeypatch, "jax")
    assert command.mode_of("numba") == "NUMBA"
    with pytest.raises(command.RecipeError, match="--backend jax needs JAX, which"):
        command.mode_of("jax")


def test_missing_packages_are_named_at_once(monkeypatch):
    """Catches finding out about matplotlib after the training."""
    hide(monkeypatch, "sklearn", "tqdm")
    with pytest.raises(ImportError, match=r"scikit-learn and tqdm, .*\[recipes\]"):
        importlib.reload(recipes)


@pytest.mark.parametrize("path", ["file", "file/below", "/proc/new"])
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch, path):
    """Catches noticing after the training that nothing can be saved."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    message = f"--output must be a folder that can be written to, got '{path}': "
    with pytest.raises(command.RecipeError, match=message):
        command.output_folder(path)


def test_an_output_folder_is_made_and_left_empty(tmp_path):
    """Catches a trial file that stays."""
    folder = command.output_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert os.listdir(folder) == []


def test_weights_that_do_not_fit_are_explained(tmp_path):
    """Catches a traceback for a typing error, and half a network loaded."""
    network = DenseLayer((None, 3), 2, name="layer")
    with pytest.raises(command.RecipeError, match=r"--load .* no file .*absent\.npz"):
        command.load_weights(tmp_path / "absent.npz", network)

    path = tmp_path / "other.npz"
    io.save(path, DenseLayer((None, 3), 5, name="layer"))
    with pytest.raises(command.RecipeError, match=r"--load .*same settings") as info:
        command.load_weights(path, network)
    assert "layer.W must be (3, 2), got (3, 5)" in str(info.value)

    path.write_bytes(b"no archive")
    with pytest.raises(command.RecipeError, match=r"--load .* not a valid \.npz"):
        command.load_weights(path, network)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (command.RecipeError("--load: no."), 2, "error: --load: no."),
        (OSError("No space left"), 2, "error: No space left"),
        (KeyboardInterrupt(), 130, "interrupted; unfinished files are removed."),
    ],
    ids=["recipe", "system", "Ctrl-C"],
)
def test_what_the_user_can_put_right_takes_one_line(capsys, error, code, line):
    """Catches tracebacks, messages on standard output, and an exit code of 0."""

    def main():
        raise error

    with pytest.raises(SystemExit) as info:
        command.run(main)
    assert info.value.code == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"\n{line}\n")


@pytest.fixture
def interruptible():
    """Let Ctrl-C interrupt, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_is_seen_through_other_errors(capsys):
    """Catches the traceback of a SystemError, which compiled code makes of Ctrl-C."""

    def main():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None

    with pytest.raises(SystemExit) as info:
        command.run(main)
    assert info.value.code == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_that_was_swallowed_ends_the_loop(capsys):
    """Catches a training that goes on after a Ctrl-C during compilation."""
    done = []

    def main():
        for epoch in track(range(5)):
            with contextlib.suppress(KeyboardInterrupt):
                if epoch == 1:
                    signal.raise_signal(signal.SIGINT)
            done.append(epoch)

    with pytest.raises(SystemExit) as info:
        command.run(main)
    assert (info.value.code, done) == (130, [0, 1])


def test_the_handler_of_interruptions_is_put_back():
    """Catches recipes that change Ctrl-C for the rest of the process."""
    before = signal.getsignal(signal.SIGINT)
    command.run(lambda: None)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored():
    """Catches stopping programs that were started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command.run(lambda: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_defect_keeps_its_traceback():
    """Catches hiding our own mistakes behind a friendly line."""

    def main():
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        command.run(main)
