"""Samplers, by data of which the best denoiser is known."""

import numpy as np
import pytest

from lasagne_next import diffusion

MEAN, DEVIATION = 1.5, 0.5
NOISES = diffusion.noise_levels(8, 0.01, 80)


def best(x, noise):
    """Denoise normal data, by the mean of the normal distribution given x."""
    share = np.float32(DEVIATION**2 / (DEVIATION**2 + noise**2))
    return MEAN + share * (x - MEAN)


SAMPLERS = {
    "ddpm": lambda x, rng: diffusion.ddpm(best, x, NOISES, rng),
    "ddim": lambda x, rng: diffusion.ddim(best, x, NOISES),
    "ddim, half": lambda x, rng: diffusion.ddim(best, x, NOISES, 0.5, rng),
    "flow": lambda x, rng: diffusion.probability_flow(best, x, NOISES),
    "sde": lambda x, rng: diffusion.reverse_sde(best, x, NOISES, rng),
    "corrector": lambda x, rng: diffusion.predictor_corrector(
        best, x, NOISES, 2, rng, speed=0.02
    ),
    "Langevin": lambda x, rng: diffusion.annealed_langevin(
        best, x, diffusion.noise_levels(8, 0.05, 15), 30, rng
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_follow_the_distribution(name, dtype):
    """Catches a step of the wrong size: mean and variance of the data are known."""
    rng = np.random.default_rng(2)
    start = (8 * rng.normal(size=(20_000, 1))).astype(dtype)
    kept = start.copy()
    x = SAMPLERS[name](start, rng)
    assert x.dtype == dtype
    np.testing.assert_array_equal(start, kept)
    assert x.mean() == pytest.approx(MEAN, abs=0.1)
    # Moves of Langevin dynamics that are a tenth of the variance widen it.
    error = 0.06 if name == "Langevin" else 0.03
    assert x.std() == pytest.approx(DEVIATION, abs=error)


def test_with_all_noise_replaced_ddim_is_ddpm():
    """Catches a share of noise that is not that of the reverse process."""
    start = np.array([[4.0], [-7.0]])
    found = [
        sampler(best, start, NOISES, *args, np.random.default_rng(1))
        for sampler, args in ((diffusion.ddim, (1,)), (diffusion.ddpm, ()))
    ]
    np.testing.assert_array_equal(*found)
    now, then, ratio = 2.0, 0.5, 1 / 16
    drawn = diffusion.ddpm(
        lambda x, s: x if s == then else np.full_like(x, 3.0),
        np.full((200_000, 1), 5.0),
        [now, then],
        np.random.default_rng(1),
    )
    # q(x_then | x_now, clean), from the product of two normal densities
    assert drawn.mean() == pytest.approx(ratio * 5 + (1 - ratio) * 3, abs=0.01)
    assert drawn.var() == pytest.approx(then**2 * (1 - ratio), rel=0.02)


def test_the_flow_is_solved_to_second_order():
    """Catches Euler's method: with twice the steps the error must fall to a quarter."""
    x, ends = np.array([[20.0]]), []
    for number in (41, 81, 161):
        noises = diffusion.noise_levels(8, 0.1, number)
        ends.append(diffusion.probability_flow(best, x, noises)[0, 0])
    ratio = np.sqrt((0.1**2 + DEVIATION**2) / (8**2 + DEVIATION**2))
    errors = np.abs(np.array(ends) - (MEAN + (20 - MEAN) * ratio))
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4, rtol=0.15)


def test_log_likelihoods_are_those_of_the_noisy_data():
    """Catches a trace of the wrong sign, and a forgotten size."""
    x = MEAN + DEVIATION * np.random.default_rng(3).normal(size=(50, 3))

    def with_trace(x, noise):
        variance = DEVIATION**2
        return best(x, noise), np.full(len(x), 3 * variance / (variance + noise**2))

    noises = diffusion.noise_levels(0.01, 2000, 600)
    found = diffusion.log_likelihood(with_trace, x, noises)
    variance = DEVIATION**2 + 0.01**2
    wanted = -np.square(x - MEAN) / (2 * variance) - np.log(2 * np.pi * variance) / 2
    np.testing.assert_allclose(found, wanted.sum(axis=1), atol=0.01)


def test_points_of_any_shape_have_one_log_likelihood_each():
    """Catches a size that is the second axis: one image got a row of densities."""
    x = MEAN + DEVIATION * np.random.default_rng(3).normal(size=(5, 6))

    def with_trace(x, noise):
        share = DEVIATION**2 / (DEVIATION**2 + noise**2)
        return best(x, noise), np.full(len(x), x[0].size * share)

    noises = diffusion.noise_levels(0.01, 1000, 50)
    wanted = diffusion.log_likelihood(with_trace, x, noises)
    for number in (5, 1):
        images = x[:number].reshape(number, 2, 3)
        found = diffusion.log_likelihood(with_trace, images, noises)
        np.testing.assert_allclose(found, wanted[:number])


def test_langevin_dynamics_keeps_the_type_of_its_points():
    """Catches a score in double precision that makes the points double."""
    precision, start = np.eye(2), np.ones((3, 2), "float32")
    rng = np.random.default_rng(1)
    x = diffusion.langevin(lambda x: -x @ precision, start, 0.1, 2, rng)
    assert x.dtype == "float32"


X, RNG = np.zeros((2, 1)), np.random.default_rng(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: diffusion.probability_flow(best, X, [1.0, 0.0]),
            r"probability_flow: noises must be positive and finite, got 0\.0",
        ),
        (
            lambda: diffusion.ddim(best, X, [np.inf, 1.0]),
            "ddim: noises must be positive and finite, got inf",
        ),
        (
            lambda: diffusion.reverse_sde(best, X, [1.0, -2.0], RNG),
            r"reverse_sde: noises must be positive and finite, got -2\.0",
        ),
        (
            lambda: diffusion.predictor_corrector(best, X, [1.0, -2.0], 1, RNG),
            r"predictor_corrector: noises must be positive and finite, got -2\.0",
        ),
        (lambda: diffusion.ddim(best, X, [1.0], 2), "ddim: eta must be .*, got 2"),
        (lambda: diffusion.ddim(best, X, [1.0], 0.5), "ddim: rng must be .*, got None"),
        (lambda: diffusion.ddpm(best, X, [1.0], RNG), "ddpm: noises must be at least"),
        (
            lambda: diffusion.log_likelihood(best, X, [1.0]),
            "log_likelihood: noises must be at least",
        ),
        (
            lambda: diffusion.ddpm(best, X, [1.0, 2.0], RNG),
            r"ddpm: noises must fall, got 2\.0 after 1\.0",
        ),
        (
            lambda: diffusion.reverse_sde(best, X, [1.0, 2.0], RNG),
            "reverse_sde: noises must fall",
        ),
        (
            lambda: diffusion.log_likelihood(best, X, [2.0, 1.0]),
            r"log_likelihood: noises must rise, got 1\.0 after 2\.0",
        ),
        (
            lambda: diffusion.predictor_corrector(best, X, [1.0, -2.0], 0, RNG),
            r"predictor_corrector: noises must be positive and finite, got -2\.0",
        ),
        (
            lambda: diffusion.predictor_corrector(best, X, [2, 1], 1, RNG, speed=0),
            "predictor_corrector: speed must be positive, got 0",
        ),
        (
            lambda: diffusion.predictor_corrector(best, X, [2, 1], -1, RNG),
            "predictor_corrector: moves must be zero or more, got -1",
        ),
        (
            lambda: diffusion.annealed_langevin(best, X, [1.0], -1, RNG),
            "annealed_langevin: moves must be zero or more, got -1",
        ),
        (
            lambda: diffusion.langevin(best, X, 0.1, -1, RNG),
            "langevin: number must be zero or more, got -1",
        ),
        (
            lambda: diffusion.langevin(best, X, 0, 1, RNG),
            "langevin: step must be positive, got 0",
        ),
        (
            lambda: diffusion.annealed_langevin(best, X, [1.0], 1, RNG, -1),
            "annealed_langevin: speed must be positive, got -1",
        ),
    ],
)
def test_settings_out_of_range_are_refused(call, message):
    """Catches samples of not a number, and steps in the wrong direction."""
    with pytest.raises(ValueError, match=message):
        call()
