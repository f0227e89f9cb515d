"""The recipes on parameters that are expressions, as a user runs them."""

import math
import os

import matplotlib.image
import numpy as np
import pytensor
import pytest
from scipy.optimize import minimize

from lasagne_next.layers import count_params, get_output
from recipes import claims, data, training
from recipes.data import plane
from recipes.parameters import bayes_by_backprop, classifier, compress, made
from tests.recipes.running import run, smoke_runs

NAMES = ("lora", "compress", "made", "invertible_linear", "bayes_by_backprop")
small = smoke_runs("parameters")


def test_lora_learns_what_the_frozen_network_cannot_read(small):
    """Catches corrections that are not trained, or do not reach the output.

    Without them the network reads one turned digit in ten.
    """
    numbers = small("lora")
    assert numbers["frozen"]["turned"] < 0.2
    assert numbers["rank 8"]["turned"] > 0.85
    assert numbers["all weights"]["turned"] > 0.9


def test_lora_leaves_the_base_alone(small):
    """Catches a base that learns too, and corrections that do not start at zero."""
    numbers = small("lora")
    assert numbers["rank 8"]["straight"] == numbers["frozen"]["straight"] > 0.8
    assert numbers["all weights"]["straight"] < 0.5
    for claim in ("change by untrained corrections", "change of the frozen base"):
        assert numbers["holds"][claim]
    assert numbers["holds"]["change by merging"]


def test_lora_learns_few_numbers(small):
    """Catches biases, or the base, among what is trained."""
    pixels, units, classes, rank = 64, 64, 10, 8
    numbers = small("lora")
    expected = rank * (pixels + units + units + units + units + classes)
    assert numbers["rank 8"]["learnt"] == expected
    assert numbers["last layer"]["learnt"] == (units + 1) * classes


def test_tuning_repairs_what_cutting_off_broke(small):
    """Catches products that are not trained, or do not start at the weights.

    A network of random products reads one digit in ten.
    """
    numbers = small("compress")
    assert numbers["full"]["cut"] == numbers["full"]["tuned"] > 0.85
    for rank, least in ((4, 0.3), (8, 0.55)):
        each = numbers[f"rank {rank}"]
        assert each["cut"] > least
        assert each["tuned"] > max(each["cut"] + 0.1, 0.8)
    assert numbers["holds"]["distance to W, off the theorem by"]


def test_compressed_networks_are_counted_by_their_factors():
    """Catches counting a product by its size, and compressing the last layer."""
    base = classifier.build("base", num_pixels=64, num_units=30)
    small_one = compress.compress(base, rank=3)
    assert count_params(base) == 64 * 30 + 30 * 30 + 30 * 10 + 70
    assert count_params(small_one) == 3 * (94 + 60) + 30 * 10 + 70
    assert compress.multiplications(base) == 64 * 30 + 30 * 30 + 30 * 10
    assert compress.multiplications(base, rank=3) == 3 * (94 + 60) + 30 * 10


def test_made_sums_to_one_and_comes_near_the_truth(small):
    """Catches masks that let a pixel see itself: its likelihoods sum to more.

    Independent pixels lose 4.6 nats of the 11.1 to the truth.
    """
    numbers = small("made")["bars"]
    assert numbers["sum"] == pytest.approx(1, abs=1e-4)
    assert numbers["independent"] == pytest.approx(16 * math.log(2))
    assert 0 < numbers["model"] - numbers["entropy"] < 1


def test_made_beats_independent_pixels(small):
    """Catches a network without connections; an untrained one has 44 nats."""
    numbers = small("made")["digits"]
    assert numbers["model"] < numbers["by_label"] < numbers["independent"] - 3


def test_no_output_changes_with_pixels_that_it_must_not_see(small):
    """Catches masks of the wrong side or of the wrong order, by trying it out."""
    holds = small("made")["holds"]
    assert holds["slope at inputs not to be seen"]
    assert holds["outputs that depend on all before"]
    size = 9
    network = made.made("net", size, num_units=24, dropout=0)
    function = pytensor.function([made.BITS], get_output(network), mode="FAST_COMPILE")
    images = np.float32(np.random.default_rng(1).integers(2, size=(40, size)))
    for pixel in range(size):
        flipped = images.copy()
        flipped[:, pixel] = 1 - flipped[:, pixel]
        changes = abs(function(flipped) - function(images)).max(axis=0)
        assert (changes[: pixel + 1] == 0).all()
        assert (changes[pixel + 1 :] > 0).all()


def test_the_truth_of_the_bars_is_what_is_drawn():
    """Catches a density that is not that of the examples."""
    images, truth = made.all_images()
    assert truth.sum() == pytest.approx(1)
    drawn = made.draw_bars(100_000, np.random.default_rng(2))
    codes = np.int64(drawn) @ 2 ** np.arange(16)
    frequencies = np.bincount(codes, minlength=2**16) / len(drawn)
    common = truth > 2e-3
    np.testing.assert_allclose(frequencies[common], truth[common], rtol=0.2)
    assert (np.int64(images) @ 2 ** np.arange(16) == np.arange(2**16)).all()


def test_models_of_independent_pixels_are_those_of_scikit_learn():
    """Catches a forgotten share of a digit, and other smoothing."""
    from sklearn.naive_bayes import BernoulliNB

    images = data.digits()
    seen, held_out = images.train >= 0.5, images.test >= 0.5
    model = BernoulliNB().fit(seen, images.train_labels)
    joint = model.predict_joint_log_proba(held_out)
    expected = -np.logaddexp.reduce(joint, axis=1).mean()
    arguments = np.float32(seen), images.train_labels, np.float32(held_out)
    found = made.independent_pixels(*arguments, by_label=True)
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_flow_learns_densities_that_integrate_to_one(small):
    """Catches a forgotten determinant or slope, whose density does not.

    Untrained, the flows lose 4.6 nats on the ring and 2.9 on the banana.
    """
    numbers = small("invertible_linear")
    for name, most in (("ring", 1.2), ("banana", 0.35)):
        assert numbers[name]["integral"] == pytest.approx(1, abs=5e-3)
        assert 0 < numbers[name]["loss"] < most


def test_the_flow_knows_its_determinants_and_can_be_inverted(small):
    """Catches a determinant of another matrix, and layers inverted out of order."""
    for name in plane.DATA:
        assert small("invertible_linear")[name]["determinant"] < 1e-5
        assert small("invertible_linear")[name]["inverse"] < 1e-3


@pytest.mark.parametrize("name", plane.DATA)
def test_what_is_known_of_the_densities_is_true(name):
    """Catches a wrong constant, by integrating, and by drawing."""
    density = plane.DATA[name]
    x0, x1, y0, y1 = density.box
    xs, ys = np.linspace(x0, x1, 500), np.linspace(y0, y1, 500)
    grid = np.stack(np.meshgrid(xs, ys), axis=2).reshape(-1, 2)
    log_p = density.log_density(grid)
    p = np.exp(log_p) * (xs[1] - xs[0]) * (ys[1] - ys[0])
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert -(p @ log_p) == pytest.approx(density.entropy, abs=1e-4)
    centred = grid - p @ grid
    covariance = centred.T @ (centred * p[:, None])
    normal = np.linalg.slogdet(2 * np.pi * np.e * covariance)[1] / 2
    assert normal == pytest.approx(density.normal, abs=1e-4)
    drawn = density.draw(20_000, np.random.default_rng(3))
    assert -density.log_density(drawn).mean() == pytest.approx(
        density.entropy, abs=0.03
    )


def test_random_weights_are_less_sure_away_from_the_data(small):
    """Catches a posterior that is a point, or the prior; and a network that is wrong.

    Showing the mean of the data costs an error of 0.7.
    """
    numbers = small("bayes_by_backprop")
    assert numbers["Bayes error"] < 0.25
    assert numbers["outside"] > 2 * numbers["among"] > 0.01
    assert numbers["Bayes 95 %"] > 0.9


def test_the_line_finds_the_best_normal_distributions(small):
    """Catches a divergence of the wrong sign or scale, and wrong deviations."""
    numbers = small("bayes_by_backprop")
    assert numbers["line mean"] < 0.3
    assert numbers["line deviation"] < 0.15


def test_the_best_line_minimises_the_loss():
    """Catches a wrong formula, by minimising the expected loss directly."""
    rng, prior, noise = np.random.default_rng(4), 0.7, bayes_by_backprop.LINE_NOISE
    x, y = bayes_by_backprop.draw_data(30, rng)
    inputs = np.hstack([x, np.ones_like(x)]).astype("float64")

    def loss(values):
        means, variances = values[:2], np.exp(2 * values[2:])
        errors = (y[:, 0] - inputs @ means) ** 2 + inputs**2 @ variances
        ratio = (variances + means**2) / prior**2
        return errors.sum() / (2 * noise**2) + (ratio - np.log(variances)).sum() / 2

    found = minimize(loss, np.zeros(4), tol=1e-10).x
    means, deviations = bayes_by_backprop.best_line(x, y, prior)
    np.testing.assert_allclose(found[:2], means, atol=1e-4)
    np.testing.assert_allclose(np.exp(found[2:]), deviations, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_a_picture(name, small):
    """Catches an empty picture, and files that nobody asked for."""
    folder = small.folder(name)
    assert os.listdir(folder) == [f"{name}.png"]
    picture = matplotlib.image.imread(folder / f"{name}.png")
    assert 0.01 < (picture[..., :3] < 0.5).any(axis=2).mean() < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_of_the_process_stay(name, small):
    """Catches a recipe that leaves single precision behind."""
    small(name)
    assert pytensor.config.floatX == "float64"


def test_claims_without_a_number_do_not_hold(capsys):
    """Catches a comparison that lets not-a-number pass."""
    wanted = [
        claims.Claim("low", 1.0, least=2),
        claims.Claim("high", 3.0, most=2),
        claims.Claim("equal", 2, 2, 2),
        claims.Claim("none", math.nan, 0, 1),
        claims.Claim("between", 0.5, 0, 1),
    ]
    holds = claims.print_claims(wanted)
    assert [name for name, each in holds.items() if each] == ["equal", "between"]
    printed = capsys.readouterr().out
    for reference in ("at least 2", "at most 2", "0 to 1"):
        assert reference in printed
    assert printed.count("does not hold") == 3


def test_training_shows_all_examples_in_another_order_each_time():
    """Catches batches that repeat, miss or mix up examples."""
    seen = []

    def step(x, y):
        assert (y == 10 * x).all()
        seen.extend(x.tolist())
        return [x.mean()]

    x = np.arange(12)
    losses = training.train(step, [x, 10 * x], 3, 4, np.random.default_rng(5))
    epochs = [seen[index : index + 12] for index in (0, 12, 24)]
    assert all(sorted(epoch) == x.tolist() for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    np.testing.assert_allclose(losses, np.full((3, 1), 5.5))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_claims_hold_in_full(name, tmp_path):
    """Catches whatever makes the full run on the default backend worse."""
    numbers = run(f"parameters.{name}", "--output", tmp_path)
    assert [text for text, holds in numbers["holds"].items() if not holds] == []
