"""Noise schedules."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import diffusion

SCHEDULES = {
    "exploding": diffusion.variance_exploding_schedule,
    "preserving": diffusion.variance_preserving_schedule,
    "cosine": diffusion.cosine_schedule,
}
TIMES = np.array([[0.0, 0.01, 0.3], [0.7, 0.99, 1.0]])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_expressions_and_arrays_give_the_same_numbers_in_the_same_type(name, dtype):
    """Catches two formulas that drift apart, and double precision creeping in."""
    time, schedule = pt.matrix("time", dtype=dtype), SCHEDULES[name]
    outputs = schedule(time)
    assert [each.dtype for each in outputs] == [dtype, dtype]
    found = pytensor.function([time], list(outputs), mode="FAST_COMPILE")(
        TIMES.astype(dtype)
    )
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for one, other in zip(found, schedule(TIMES.astype(dtype)), strict=True):
        assert other.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_whole_times_are_times():
    """Catches constants cut to whole numbers: noise of zero at time one."""
    time = pt.lscalar("time")
    outputs = [each for f in SCHEDULES.values() for each in f(time)]
    found = pytensor.function([time], outputs, mode="FAST_COMPILE")(1)
    wanted = [each for f in SCHEDULES.values() for each in f(1.0)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_signal_is_never_negative(name):
    """Catches pi / 2 rounded up in single precision, past which a cosine changes sign.

    A level of noise / signal was then negative.
    """
    assert SCHEDULES[name](np.float32(1))[0] >= 0
    time = pt.fscalar("time")
    assert SCHEDULES[name](time)[0].eval({time: 1}, mode="FAST_COMPILE") >= 0


@pytest.mark.parametrize("name", ["preserving", "cosine"])
def test_the_variance_is_preserved(name):
    """Catches a signal whose square was taken for itself."""
    signal, noise = SCHEDULES[name](TIMES)
    np.testing.assert_allclose(signal**2 + noise**2, 1, rtol=1e-12)
    assert (np.diff(noise.ravel()) > 0).all()


def test_the_preserving_schedule_is_the_limit_of_many_small_steps():
    """Catches a rate integrated wrongly: the product of all steps is the definition."""
    number = 100_000
    rates = 0.1 + (20 - 0.1) * (np.arange(number) + 0.5) / number
    wanted = np.sqrt(np.prod(1 - rates / number))
    signal, _ = diffusion.variance_preserving_schedule(1.0)
    assert float(signal) == pytest.approx(wanted, rel=1e-2)


def test_the_cosine_schedule_is_that_of_the_paper():
    """Catches an offset at the wrong place."""
    f = np.cos((TIMES + 0.008) / 1.008 * np.pi / 2) ** 2
    wanted = f / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(diffusion.cosine_schedule(TIMES)[0] ** 2, wanted)


def test_little_noise_keeps_its_digits_in_single_precision():
    """Catches 1 - signal**2, of which rounding leaves nothing."""
    for schedule in SCHEDULES.values():
        exact = schedule(np.float64(1e-4))[1]
        found = schedule(np.float32(1e-4))[1]
        assert float(found) == pytest.approx(float(exact), rel=2e-3)


def test_levels_fall_as_asked():
    """Catches levels in the wrong order, and a power upside down."""
    levels = diffusion.noise_levels(80, 0.002, 18, rho=7)
    np.testing.assert_allclose(np.diff(levels ** (1 / 7), n=2), 0, atol=1e-12)
    np.testing.assert_allclose(levels[[0, -1]], [80, 0.002])
    ratios = diffusion.noise_levels(8, 0.5, 7)
    np.testing.assert_allclose(ratios[1:] / ratios[:-1], 16 ** (-1 / 6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diffusion.noise_levels(0, 1, 3), "highest must be positive, got 0"),
        (lambda: diffusion.noise_levels(2, -1, 3), "lowest must be positive, got -1"),
        (lambda: diffusion.noise_levels(2, 1, 3, rho=0), "rho must be positive, got 0"),
        (lambda: diffusion.noise_levels(2, 1, 1), "number must be at least 2, got 1"),
        (
            lambda: diffusion.variance_exploding_schedule(0.5, 2, 1),
            "in this order, got 2 and 1",
        ),
        (
            lambda: diffusion.variance_preserving_schedule(0.5, 0, 1),
            "in this order, got 0 and 1",
        ),
        (lambda: diffusion.cosine_schedule(0.5, -1), "offset must be zero or more"),
        (lambda: diffusion.preconditioning(0.5, 0), "deviation must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(call, message):
    """Catches not a number in the middle of a training."""
    with pytest.raises(ValueError, match=message):
        call()
