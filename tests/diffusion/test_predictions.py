"""Noise, clean point, score and velocity."""

from itertools import permutations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import diffusion

KINDS = ("clean", "noise", "score", "velocity")


def quantities(dtype="float64"):
    """Draw all four from their definitions, at levels that differ between rows."""
    rng = np.random.default_rng(5)
    clean, unit = rng.normal(size=(2, 3, 5)).astype(dtype)
    signal, noise = rng.uniform(0.2, 2, size=(2, 3, 1)).astype(dtype)
    values = {
        "clean": clean,
        "noise": unit,
        "score": -unit / noise,
        "velocity": signal * unit - noise * clean,
    }
    return values, signal * clean + noise * unit, signal, noise


@pytest.mark.parametrize(("source", "target"), [*permutations(KINDS, 2)])
def test_each_kind_turns_into_each_other(source, target):
    """Catches a sign or a factor: all kinds are written down from the definition."""
    values, noisy, signal, noise = quantities()
    found = diffusion.convert_prediction(
        values[source], source, target, noisy, noise, signal
    )
    np.testing.assert_allclose(found, values[target], rtol=1e-10)


def test_single_precision_stays_in_arrays_and_in_expressions():
    """Catches levels as Python numbers that make everything double."""
    values, noisy, _, _ = quantities("float32")
    for level in (0.5, np.float64(0.5)):
        found = diffusion.convert_prediction(
            values["clean"], "clean", "score", noisy, level
        )
        assert found.dtype == "float32"
    clean, z = pt.fmatrices("clean", "z")
    for kind in KINDS[1:]:
        out = diffusion.convert_prediction(clean, "clean", kind, z, 0.5, 0.7)
        assert out.dtype == "float32"


@pytest.mark.parametrize("source", ["noise", "score", "velocity"])
def test_little_noise_keeps_its_digits_in_single_precision(source):
    """Catches a way by the clean point, next to which the noise is lost."""
    rng = np.random.default_rng(5)
    clean, unit = rng.normal(size=(2, 100)).astype("float32")
    noise, signal = np.float32(1e-4), np.float32(1)
    values = {
        "noise": unit,
        "score": -unit / noise,
        "velocity": signal * unit - noise * clean,
    }
    for target in {"noise", "score"} - {source}:
        found = diffusion.convert_prediction(
            values[source], source, target, signal * clean + noise * unit, noise, signal
        )
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, values[target], rtol=1e-5, atol=1e-6)


def test_without_signal_the_noise_is_still_the_score():
    """Catches a division by the signal, which is zero at the end of a schedule."""
    unit = np.array([2.0, -1.0])
    found = diffusion.convert_prediction(unit, "noise", "score", unit, 1.0, signal=0.0)
    np.testing.assert_array_equal(found, -unit)


def test_plain_and_whole_numbers_count_as_double_precision():
    """Catches levels in half precision, and those cut to whole numbers."""
    for value, noisy in ((1.0, 1.5), ([1.0], [1.5]), (np.array([1], "int8"), 1.5)):
        found = diffusion.convert_prediction(value, "clean", "score", noisy, 0.3)
        assert found.dtype == "float64"
        np.testing.assert_allclose(found, -0.5 / 0.3**2)
    level = pt.lscalar("level")
    evaluate = pytensor.function(
        [level], list(diffusion.preconditioning(level, 0.5)), mode="FAST_COMPILE"
    )
    np.testing.assert_allclose(evaluate(1), diffusion.preconditioning(1.0, 0.5))


def test_losses_of_noise_and_clean_point_differ_by_a_weight_of_the_level():
    """Catches the claim that predicting either is the same whatever the weights."""
    values, noisy, signal, noise = quantities()
    guess = 0.9 * values["noise"] + 0.1
    clean = diffusion.convert_prediction(guess, "noise", "clean", noisy, noise, signal)
    by_noise = np.square(guess - values["noise"])
    by_clean = np.square(clean - values["clean"])
    np.testing.assert_allclose(by_noise, by_clean * (signal / noise) ** 2)
    assert np.ptp((by_noise / by_clean).mean(axis=1)) > 0.1


@pytest.mark.parametrize("argument", ["source", "target"])
def test_unknown_kinds_are_refused(argument):
    """Catches a prediction returned as it is for a word that means nothing."""
    kinds = {"source": "clean", "target": "noise", argument: "scor"}
    with pytest.raises(ValueError, match=f"{argument} must be one of .*'score'"):
        diffusion.convert_prediction(1.0, **kinds, noisy=1.0, noise=1.0)


def test_preconditioning_keeps_everything_at_unit_variance():
    """Catches a denoiser whose target grows with the noise."""
    rng, deviation = np.random.default_rng(5), 1.7
    noise = np.array([[0.1], [1.0], [9.0]], "float32")
    level = pt.fcol("level")
    outputs = diffusion.preconditioning(level, deviation)
    assert {each.dtype for each in outputs} == {"float32"}
    factors = pytensor.function([level], list(outputs), mode="FAST_COMPILE")(noise)
    for one, other in zip(
        factors, diffusion.preconditioning(noise, deviation), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    skip, out, into = factors
    x = deviation * rng.normal(size=(3, 100_000))
    noisy = x + noise * rng.normal(size=x.shape)
    np.testing.assert_allclose((into * noisy).std(axis=1), 1, rtol=0.02)
    np.testing.assert_allclose(((x - skip * noisy) / out).std(axis=1), 1, rtol=0.02)
