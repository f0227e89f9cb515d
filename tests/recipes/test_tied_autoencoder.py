"""The recipe of the tied autoencoder, as a user runs it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytensor
import pytest

import lasagne_next
from lasagne_next import io
from recipes import command, data, tied_autoencoder

FAST = ["--smoke", "--backend", "python"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run the recipe once, small; give its numbers and its folder."""
    before = lasagne_next.random.get_rng()
    folder = tmp_path_factory.mktemp("finished")
    numbers = tied_autoencoder.main([*FAST, "--output", str(folder)])
    lasagne_next.random.set_rng(before)
    return numbers, folder


def test_networks_learn_in_seconds_what_untrained_ones_miss(finished):
    """Catches updates that are not applied, or reach one network only.

    Showing the mean of all images costs 0.073, an untrained network 0.2.
    """
    numbers, _ = finished
    images = data.digits()
    mean_error = np.square(images.test - images.train.mean(axis=0)).mean()
    assert mean_error == pytest.approx(0.073, abs=0.002)
    for kind in tied_autoencoder.KINDS:
        assert numbers[kind]["error"] < 0.035


def test_pca_is_that_of_scikit_learn(finished):
    """Catches the wrong end of the spectrum, and a mean of the wrong images."""
    from sklearn.decomposition import PCA

    images = data.digits()
    model = PCA(8).fit(images.train)
    restored = model.inverse_transform(model.transform(images.test))
    expected = np.square(restored - images.test).mean()
    assert finished[0]["PCA"]["error"] == pytest.approx(expected, rel=1e-4)


def test_parameters_are_counted_once(finished):
    """Catches counting a tied matrix twice, and a product by its size."""
    pixels, features, code, rank = 64, 64, 8, 24
    matrices, biases = (pixels + code) * features, 2 * features + code + pixels
    expected = {
        "PCA": (code + 1) * pixels,
        "untied": 2 * matrices + biases,
        "tied": matrices + biases,
        "low rank": rank * (pixels + features) + code * features + biases,
    }
    numbers, _ = finished
    assert {model: each["parameters"] for model, each in numbers.items()} == expected


def test_a_run_leaves_a_picture_and_the_weights(finished):
    """Catches an empty picture, and decoders saved beside what they are made of."""
    _, folder = finished
    assert sorted(os.listdir(folder)) == ["pictures.png", "weights.npz"]
    picture = matplotlib.image.imread(folder / "pictures.png")
    assert picture.shape[:2] == (1080, 1350)
    assert 0.02 < (picture[..., :3] < 0.5).any(axis=2).mean() < 0.5
    saved = io.load_values(folder / "weights.npz")
    matrices = [name for name, value in saved.items() if value.ndim == 2]
    of_kind = [sum(name.startswith(k) for name in matrices) for k in ("untied", "tied")]
    assert (of_kind, len(matrices)) == ([4, 2], 9)
    assert {value.dtype for value in saved.values()} == {np.dtype("float32")}


def test_a_second_run_loads_the_weights_and_gives_the_same_numbers(finished, tmp_path):
    """Catches another split, weights in another order, and training all the same."""
    numbers, folder = finished
    weights = str(folder / "weights.npz")
    seed = ["--seed", "7"]
    again = tied_autoencoder.main(
        [*FAST, *seed, "--load", weights, "--output", str(tmp_path)]
    )
    assert again == numbers
    assert os.listdir(tmp_path) == ["pictures.png"]
    pictures = [(each / "pictures.png").read_bytes() for each in (folder, tmp_path)]
    assert pictures[0] == pictures[1]


def test_the_progress_bar_and_the_table_show_the_losses(tmp_path, capsys):
    """Catches a silent training."""
    args = [*FAST, "--epochs", "1", "--output", str(tmp_path)]
    numbers = tied_autoencoder.main(args)
    printed = capsys.readouterr()
    assert "training: 100%" in printed.err
    assert "untied 0.1" in printed.err
    assert f"{numbers['tied']['error']:.5f}" in printed.out
    assert "4,808" in printed.out


def test_the_settings_of_the_process_stay(finished):
    """Catches a recipe that leaves single precision behind."""
    assert pytensor.config.floatX == "float64"


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_jax_trains_the_same_networks(tmp_path):
    """Catches what JAX cannot compile, and another meaning of the updates there."""
    args = ["--smoke", "--epochs", "1", "--output", str(tmp_path), "--backend"]
    by_python, by_jax = (tied_autoencoder.main([*args, b]) for b in ("python", "jax"))
    for kind in tied_autoencoder.KINDS:
        assert by_jax[kind]["error"] == pytest.approx(by_python[kind]["error"], 1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--data", "faces"], "argument --data: invalid choice: 'faces'"),
        (["--backend", "torch"], "argument --backend: invalid choice: 'torch'"),
        (["--epochs", "0"], "--epochs: must be a whole number of at least 1, got '0'"),
        (["--seed", "-1"], "--seed: must be a whole number of at least 1, got '-1'"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
    ],
    ids=["data", "backend", "epochs", "seed", "misspelt"],
)
def test_a_bad_argument_is_named(wrong, message, tmp_path, capsys):
    """Catches starting to train on what was not asked for."""
    with pytest.raises(SystemExit) as info:
        tied_autoencoder.main([*wrong, "--output", str(tmp_path)])
    assert info.value.code == 2
    assert message in capsys.readouterr().err


def test_weights_of_other_sizes_are_refused(finished, tmp_path):
    """Catches loading a small run into the networks of a large one."""
    weights = str(finished[1] / "weights.npz")
    message = r"untied\.features\.W must be \(64, 256\), got \(64, 64\)"
    with pytest.raises(command.RecipeError, match=message):
        tied_autoencoder.main(["--load", weights, "--output", str(tmp_path)])
    assert os.listdir(tmp_path) == []


def test_an_interrupted_training_leaves_no_file(tmp_path, monkeypatch, capsys):
    """Catches saving what is half trained."""

    def track(epochs, title):
        raise KeyboardInterrupt

    monkeypatch.setattr(tied_autoencoder, "track", track)
    with pytest.raises(SystemExit) as info:
        command.run(lambda: tied_autoencoder.main([*FAST, "--output", str(tmp_path)]))
    assert info.value.code == 130
    assert "interrupted; unfinished files are removed" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_older_files(finished, tmp_path, monkeypatch):
    """Catches truncating good weights before the new ones are written."""
    weights = tmp_path / "weights.npz"
    weights.write_bytes((finished[1] / "weights.npz").read_bytes())
    before = weights.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    args = [*FAST, "--epochs", "1", "--output", str(tmp_path)]
    with pytest.raises(OSError, match=r"weights\.npz': No space left on device"):
        tied_autoencoder.main(args)
    assert weights.read_bytes() == before
    assert os.listdir(tmp_path) == ["weights.npz"]


def test_mnist_comes_from_the_network(small_mnist, tmp_path):
    """Catches sizes of the digits in what should hold for any images."""
    args = [*FAST, "--epochs", "1", "--data", "mnist", "--output", str(tmp_path)]
    numbers = tied_autoencoder.main([*args, "--cache", str(tmp_path / "cache")])
    assert numbers["PCA"]["parameters"] == 33 * 784


def test_a_download_that_fails_is_explained(small_mnist, server, tmp_path):
    """Catches a traceback for those without a network."""
    server.files.clear()
    args = ["--data", "mnist", "--output", str(tmp_path)]
    with pytest.raises(command.RecipeError, match="the server answers 404"):
        tied_autoencoder.main([*args, "--cache", str(tmp_path / "cache")])


def test_the_command_line_complains_in_one_line():
    """Catches a traceback between the error and the user."""
    run = subprocess.run(
        [sys.executable, "-m", "recipes.tied_autoencoder", "--output", os.devnull],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("\nerror: --output must be a folder that can be")
    assert run.stderr.count("\n") == 2


@pytest.mark.slow
def test_the_recipe_restores_digits_with_half_the_error_of_pca(tmp_path):
    """Catches whatever makes the full run on the default backend worse."""
    numbers = tied_autoencoder.main(["--output", str(tmp_path)])
    for kind in tied_autoencoder.KINDS:
        assert numbers[kind]["error"] < 0.55 * numbers["PCA"]["error"]
    assert numbers["tied"]["error"] < 1.15 * numbers["untied"]["error"]
