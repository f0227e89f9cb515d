"""Points in the plane whose density is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["DATA", "Density"]


class Density(NamedTuple):
    """A distribution of points, and what is known of it.

    Parameters
    ----------
    draw : callable
        Takes a number and a generator; returns points, SHAPE (number, 2).
    log_density : callable
        Takes points, SHAPE (n, 2); returns log p, SHAPE (n,).
    box : tuple of float, (x from, x to, y from, y to)
        Holds all but 1e-6 of the mass.
    entropy : float
        In nats.
    normal : float
        Mean -log p under the nearest normal distribution, in nats.
    """

    draw: Callable
    log_density: Callable
    box: tuple
    entropy: float
    normal: float


_CENTRES = 2 * np.array([[np.cos(a), np.sin(a)] for a in np.arange(8) * np.pi / 4])
_DEVIATION = 0.15


def _draw_ring(number, rng):
    noise = rng.normal(size=(number, 2))
    return _CENTRES[rng.integers(8, size=number)] + _DEVIATION * noise


def _log_density_of_ring(points):
    squares = np.square(points[:, None] - _CENTRES).sum(axis=2) / _DEVIATION**2
    constant = np.log(8 * 2 * np.pi * _DEVIATION**2)
    return np.logaddexp.reduce(-squares / 2, axis=1) - constant


def _draw_banana(number, rng):
    x, noise = rng.normal(size=(2, number))
    return np.stack([x, noise + x**2], axis=1)


def _log_density_of_banana(points):
    x, y = points.T
    return -(x**2 + (y - x**2) ** 2) / 2 - np.log(2 * np.pi)


DATA = {
    # eight normal distributions on a circle
    "ring": Density(_draw_ring, _log_density_of_ring, (-4, 4, -4, 4), 1.1231, 3.5422),
    # a normal x, and y normal around the square of x
    "banana": Density(
        _draw_banana, _log_density_of_banana, (-5, 5, -5, 31), 2.8379, 3.3872
    ),
}
