"""Mixtures of normal distributions, with and without noise added: all is known."""

from __future__ import annotations

import numpy as np

from recipes.data import plane

__all__ = ["RING", "TWO", "Mixture"]


class Mixture:
    """A mixture of round normal distributions of one deviation.

    Parameters
    ----------
    means : array_like, SHAPE (modes, size)
        Of the modes.
    deviation : float
        Of each mode.
    weights : array_like, optional
        Shares of the modes; equal by default.

    Examples
    --------
    >>> mixture = Mixture([[-2.0], [2.0]], 0.5)
    >>> mixture.score(np.array([[2.5]])).round(3)
    array([[-2.]])
    """

    def __init__(self, means, deviation, weights=None):
        self.means, self.deviation = np.asarray(means, "float64"), deviation
        modes = len(self.means)
        self.weights = (
            np.full(modes, 1 / modes) if weights is None else np.array(weights)
        )

    def draw(self, number, rng):
        """Return points, SHAPE (number, size)."""
        mode = rng.choice(len(self.means), size=number, p=self.weights)
        shape = number, self.means.shape[1]
        return self.means[mode] + self.deviation * rng.normal(size=shape)

    def _joint(self, x, noise):
        x = np.asarray(x, "float64")
        noise = np.broadcast_to(noise, len(x))[:, None]
        variance = self.deviation**2 + np.square(noise)  # (n, 1)
        squares = np.square(x[:, None] - self.means).sum(axis=2)  # (n, modes)
        size = self.means.shape[1]
        log_p = -squares / (2 * variance) - size / 2 * np.log(2 * np.pi * variance)
        return log_p + np.log(self.weights), variance

    def log_density(self, x, noise=0.0):
        """Return log p of points of which noise is part, SHAPE (n,)."""
        return np.logaddexp.reduce(self._joint(x, noise)[0], axis=1)

    def shares(self, x, noise=0.0):
        """Return the probability of each mode, given noisy points."""
        joint, _ = self._joint(x, noise)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

    def score(self, x, noise=0.0):
        """Return the gradient of log p, SHAPE (n, size)."""
        _, variance = self._joint(x, noise)
        return (self.shares(x, noise) @ self.means - x) / variance

    def denoise(self, x, noise):
        """Return the mean of clean points, given noisy ones (Tweedie's formula)."""
        noise = np.broadcast_to(noise, len(x))[:, None]
        return x + np.square(noise) * self.score(x, noise[:, 0])

    def nearest(self, x):
        """Return the nearest mode of each point and its distance in deviations."""
        distances = np.linalg.norm(np.asarray(x)[:, None] - self.means, axis=2)
        mode = distances.argmin(axis=1)
        return mode, distances[np.arange(len(x)), mode] / self.deviation


RING = Mixture(plane._CENTRES, plane._DEVIATION)
TWO = Mixture([[-2.0], [2.0]], 0.5, [0.7, 0.3])
