"""The recipes on diffusion."""

import numpy as np
import pytensor
import pytest

from recipes.data.mixtures import RING, TWO
from recipes.diffusion import denoiser, noise_levels, scales, score
from tests.recipes.running import check_files, failed, measured, run, smoke_runs

NAMES = ("score", "noise_levels", "samplers", "scales", "digits", "unet", "bounds")
small = smoke_runs("diffusion")

# What is exact, however short the run.
EXACT = {
    "score": (
        "score off finite differences",
        "log p gained along the score",
        "the two gradients are opposite",
        "after following the score",
        "sliced trace off the exact, std. errors",
    ),
    "noise_levels": (
        "losses by noise and by clean point differ by",
        "their gradients differ by",
        "noise less input, plus denoiser",
        "unit noise: losses off by the SNR, relative",
        "score to clean point and back",
        "velocity to clean point and back",
        "score off -E[noise] / s2",
    ),
    "samplers": (
        "exact, ancestral: within 3.5 deviations",
        "exact, probability flow: within 3.5 deviations",
        "share of a mode, one level, off 0.7",
        "there and back: median distance",
        "estimated trace: log p off, std. errors",
    ),
    "scales": (
        "best denoiser, a = 2: exponent",
        "best denoiser, a = 3: exponent",
        "discs: exponent of the area",
        "discs: exponent, by the brightest pixel",
    ),
    "digits": ("normal: share read with certainty",),
    "unet": ("parameters, U-Net : dense network",),
    "bounds": (
        "cost of a step, by samples",
        "field, known variance: least gap",
        "field, fitted variance: least gap",
        "field, 200 layers, fitted variance: gap",
        "gap, 800 : 200 layers",
    ),
}
# What does not come true, as the recipes say.
UNTRUE = {}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_exact_holds_in_the_smoke_run(name, small):
    """Catches formulas that are wrong: these do not depend on much training."""
    found = failed(small(name))
    assert [text for text in EXACT[name] if text in found] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_a_picture_and_nothing_else(name, small):
    """Catches an empty picture, files nobody asked for, and changed settings."""
    check_files(small.folder(name), name)


def test_networks_learn_in_the_smoke_run(small):
    """Catches steps that train nothing: without training, errors are far larger."""
    name = "exact trace: Fisher divergence, of E|score|^2"
    assert measured(small("score"), name) < 0.9
    assert measured(small("samplers"), "error : best, noise 1.0") < 2
    name = "shared, with levels: mean excess error"
    assert measured(small("noise_levels"), name) < 2


def test_the_score_of_the_banana_is_the_slope_of_its_density():
    """Catches a sign, or a factor of two."""
    from recipes.data.plane import DATA

    points, step = np.random.default_rng(1).normal(size=(5, 2)), 1e-6
    for index, e in enumerate(step * np.eye(2)):
        ends = (DATA["banana"].log_density(points + s * e) for s in (1, -1))
        slope = np.subtract(*ends) / (2 * step)
        found = score.banana_score(points)[:, index]
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)


def test_a_mixture_is_drawn_with_its_weights():
    """Catches equal shares, and deviations squared."""
    x = TWO.draw(50_000, np.random.default_rng(4))[:, 0]
    assert (x < 0).mean() == pytest.approx(0.7, abs=0.01)
    assert x[x > 0].std() == pytest.approx(0.5, abs=0.02)
    mode, distance = RING.nearest(RING.means[[3, 5]] + [[0.15, 0], [0, 0.3]])
    assert mode.tolist() == [3, 5]
    np.testing.assert_allclose(distance, [1, 2])


@pytest.mark.parametrize(
    "options", [{}, {"see_noise": False}, {"bottleneck": 1}], ids=str
)
def test_a_denoiser_sees_the_noise_or_does_not(options):
    """Catches a level that does not reach the network, or reaches it all the same."""
    model = denoiser.Denoiser("net", 3, 5, **options)
    names = {p.name for p in model.params}
    sizes = {p.name: p.get_value().shape for p in model.params}
    assert len(names) == len(model.params) or "bottleneck" in options
    assert sizes["net.0.W"][0] == (3 if options.get("see_noise") is False else 10)
    with pytensor.config.change_flags(floatX="float32"):
        clean, trace = model.with_trace(np.ones((4, 3)), 0.5)
    assert clean.shape == (4, 3)
    step = 1e-2 * np.eye(3)
    slopes = [
        (model(1 + e[None], 0.5) - model(1 - e[None], 0.5))[0, i] / 2e-2
        for i, e in enumerate(step)
    ]
    assert trace[0] == pytest.approx(sum(slopes), abs=2e-3)


def test_the_cut_off_is_where_half_passes():
    """Catches an interpolation in another variable."""
    frequency = np.arange(10.0)[:, None] * np.ones((1, 3))
    gain = 1 / (1 + (np.maximum(frequency, 0.1) / 3.3) ** 2)
    assert scales.cut_off(frequency, gain) == pytest.approx(3.3, rel=1e-3)


def test_excess_of_the_best_denoiser_is_zero():
    """Catches a level that is not that of the noise."""
    rng = np.random.default_rng(6)
    assert noise_levels.excess(RING.denoise, rng, 50).max() < 1e-12
    wrong = noise_levels.excess(lambda x, noise: x, rng, 500)
    assert wrong.min() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_claims_hold_in_full_but_for_those_said_not_to(name, tmp_path):
    """Catches whatever makes the usual run worse."""
    if name == "unet":
        pytest.importorskip("jax")
    backend = "jax" if name == "unet" else "numba"
    arguments = "--output", tmp_path, "--backend", backend
    found = failed(run(f"diffusion.{name}", *arguments))
    assert set(found) == UNTRUE.get(name, set())
