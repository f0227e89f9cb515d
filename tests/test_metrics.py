"""Distances between sets of samples."""

import numpy as np
import pytest

from lasagne_next import metrics

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(7, 3)) + 0.5


def test_the_energy_distance_is_that_of_all_pairs():
    """Catches pairs of a point with itself, which bias the means within a set."""

    def mean(a, b):
        pairs = [np.linalg.norm(p - q) for p in a for q in b if p is not q]
        return np.mean(pairs)

    x, y = list(X), list(Y)
    wanted = 2 * mean(x, y) - mean(x, x) - mean(y, y)
    assert metrics.energy_distance(X, Y) == pytest.approx(wanted)


def test_the_kernel_discrepancy_is_that_of_all_pairs():
    """Catches a width that is not squared, and a forgotten two."""

    def mean(a, b):
        squares = [np.sum((p - q) ** 2) for p in a for q in b if p is not q]
        return np.mean(np.exp(np.array(squares) / (-2 * 1.3**2)))

    x, y = list(X), list(Y)
    wanted = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    assert metrics.kernel_discrepancy(X, Y, 1.3) == pytest.approx(wanted)
    assert np.isfinite(metrics.kernel_discrepancy(X, Y))


def test_equal_distributions_are_near_and_others_are_not():
    """Catches a distance that is of the size of the samples."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 2000, 3))
    far = y + np.array([0.7, 0, 0])
    for distance in (metrics.energy_distance, metrics.kernel_discrepancy):
        assert abs(distance(x, y)) < 0.01
        assert distance(x, far) > 0.02
    assert metrics.sliced_wasserstein(x, y, rng) < 0.1
    # A shift by d moves a projection by d / sqrt(3) on average of squares.
    assert metrics.sliced_wasserstein(x, x + far - y, rng, 2000) == pytest.approx(
        0.7 / 3**0.5, rel=0.05
    )


def test_the_frechet_distance_of_normal_distributions_is_known():
    """Catches the trace of a root taken element by element."""
    rng = np.random.default_rng(2)
    a, b = np.diag([1.0, 4.0]), np.array([[2.0, 0.9], [0.9, 1.0]])
    x = rng.multivariate_normal([0, 0], a, 200_000)
    y = rng.multivariate_normal([1, 2], b, 200_000)
    values, vectors = np.linalg.eigh(np.sqrt(a) @ b @ np.sqrt(a))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    wanted = 5 + np.trace(a + b - 2 * root)
    assert metrics.frechet_distance(x, y) == pytest.approx(wanted, rel=0.02)


def test_the_frechet_distance_of_few_points_is_exact_and_not_negative():
    """Catches roots of eigenvalues that are zero but for rounding.

    With fewer points than columns, equal sets had a distance of -7e-5.
    """
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 100)), 1.3 * rng.normal(size=(7, 100))
    assert 0 <= metrics.frechet_distance(x, x) < 1e-9
    near, far = x - x.mean(axis=0), y - y.mean(axis=0)
    # The nuclear norm of centred products is the trace of the root.
    roots = np.linalg.svd(near @ far.T, compute_uv=False).sum() / np.sqrt(4 * 6)
    wanted = np.square(x.mean(axis=0) - y.mean(axis=0)).sum() - 2 * roots
    wanted += np.square(near).sum() / 4 + np.square(far).sum() / 6
    assert metrics.frechet_distance(x, y) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.energy_distance(X, Y[:, :2]),
            r"energy_distance: x and y must .* got shapes \(5, 3\) and \(7, 2\)",
        ),
        (lambda: metrics.frechet_distance(X[0], Y), "frechet_distance: x and y must"),
        (
            lambda: metrics.sliced_wasserstein(X, Y, RNG),
            "sliced_wasserstein: x and y must have as many points, got 5 and 7",
        ),
        (
            lambda: metrics.sliced_wasserstein(X, X, RNG, 0),
            "sliced_wasserstein: num_slices must be at least 1, got 0",
        ),
        (
            lambda: metrics.kernel_discrepancy(0 * X, 0 * Y),
            r"kernel_discrepancy: width must be given .* got None \(median 0\.0\)",
        ),
        (
            lambda: metrics.kernel_discrepancy(X, Y, 0),
            "kernel_discrepancy: width must be positive, got 0",
        ),
    ],
)
def test_sets_that_do_not_fit_are_refused(call, message):
    """Catches a broadcast that compares nothing."""
    with pytest.raises(ValueError, match=message):
        call()
