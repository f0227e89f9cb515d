"""Comparing numbers: gradients with finite differences, backends with each other."""

from __future__ import annotations

import numpy as np

from lasagne_next.testing.graphs import require

__all__ = ["check_gradients", "require_equal"]


def check_gradients(what, evaluate, points, labels=None, step=1e-5, tolerance=1e-5):
    """Check gradients against central differences, along one direction an argument.

    Parameters
    ----------
    what : str
        Begins the message.
    evaluate : callable
        Called with arrays as in `points`; returns a loss and one gradient each.
    points : list of numpy.ndarray
        Where to check, in double precision.
    labels : list of str, optional
        What the points are called in the message.
    step : float, default 1e-5
        Length of the step to both sides. Its error is of the order of its square, and
        rounding divided by it, 1e-11, adds to that.
    tolerance : float, default 1e-5
        Largest difference, relative to the sum of absolute values added up.

    Raises
    ------
    AssertionError
        If a gradient is off.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.testing import check_gradients
    >>> check_gradients("square", lambda x: ((x**2).sum(), 2 * x), [np.ones(3)])
    >>> try:
    ...     check_gradients("cube", lambda x: ((x**3).sum(), 2 * x), [np.ones(3)])
    ... except AssertionError as error:
    ...     print(str(error)[:56])
    cube: the gradient of argument 0 must be as finite diffe
    """
    points = [np.asarray(point, dtype="float64") for point in points]
    labels = labels or [f"argument {index}" for index in range(len(points))]
    gradients = [np.asarray(each) for each in evaluate(*points)[1:]]
    generator = np.random.default_rng(0)
    for index, (point, gradient) in enumerate(zip(points, gradients, strict=True)):
        require(
            gradient.shape == point.shape,
            f"{what}: the gradient of {labels[index]} must have shape {point.shape}, "
            f"got {gradient.shape}.",
        )
        direction = generator.normal(size=point.shape)
        slope = _slope(evaluate, points, index, step * direction) / step
        got = (gradient * direction).sum()
        scale = np.abs(gradient * direction).sum() + abs(slope) + 1e-3
        require(
            abs(got - slope) <= tolerance * scale,
            f"{what}: the gradient of {labels[index]} must be as finite differences "
            f"say, {slope:.8g} along a random direction, got {got:.8g}.",
        )


def _slope(evaluate, points, index, change):
    losses = []
    for sign in (1, -1):
        moved = list(points)
        moved[index] = points[index] + sign * change
        losses.append(float(np.asarray(evaluate(*moved)[0])))
    return (losses[0] - losses[1]) / 2


def require_equal(what, got, wanted, tolerance):
    """Raise AssertionError unless arrays agree, up to a tolerance of their scale."""
    for index, (one, other) in enumerate(zip(got, wanted, strict=True)):
        one, other = np.asarray(one), np.asarray(other)
        require(
            one.shape == other.shape,
            f"{what}: result {index} must have shape {other.shape}, got {one.shape}.",
        )
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        error = float(np.abs(one - other).max(initial=0))
        require(
            error <= tolerance * scale,  # also false where one is not a number
            f"{what}: result {index} must agree up to {tolerance:g} of {scale:.3g}, "
            f"got a difference of {error:.3g}.",
        )
