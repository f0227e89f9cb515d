"""Constraints on single entries: positive, between bounds, rows that sum to one."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.init.base import check_number
from lasagne_next.utils import int_types, match_dtype, nearest

__all__ = ["Box", "Positive", "Simplex"]

_MAPS = ("exp", "softplus", "square")


class Positive(ParameterExpression):
    r"""A parameter whose entries are positive.

    Parameters
    ----------
    map : {'exp', 'softplus', 'square'}, default 'exp'
        :math:`W = e^t`, :math:`W = \log(1 + e^t)` or :math:`W = t^2`. The square can
        reach 0, where its gradient vanishes; the others stay above it.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        A draw whose values are all positive is the start of W. Any other one gives its
        standard deviation: W starts log-normal, with a mean as large. An array is the
        start of W itself. A variable is taken as the leaf t.

    Raises
    ------
    ValueError
        If `map` is none of these, an array has entries that are not positive, or a draw
        is constant and not positive.

    Notes
    -----
    The leaf ``t`` has the shape of W. With 'exp' it is the logarithm of W and its
    gradient is scaled by W, so that plain gradient descent moves small entries slowly.
    The exponential stays within the range of the floating type (about 1e-38 to 1e38 in
    single precision); a t beyond that has no gradient.

    A matrix of positive entries has a large singular value, from its mean, however
    small its variance: 20 instead of 2 for a 400 x 400 matrix of Glorot's variance.
    Compensate with a negative bias, ``b = -mean(W) * sum of the expected inputs`` [1]_.

    References
    ----------
    .. [1] Pieter-Jan Hoedt and Guenter Klambauer (2023): Principled weight
       initialisation for input-convex neural networks, section 4.
       https://arxiv.org/abs/2312.12474

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> W = expressions.Positive("softplus")
    >>> layer = layers.DenseLayer((None, 5), 3, W=W, name="h")
    >>> bool((layer.W.eval(mode="FAST_COMPILE") > 0).all())
    True
    """

    inner = "t"

    def __init__(self, map="exp", init=initialisers.GlorotUniform()):  # noqa: B008
        if map not in _MAPS:
            raise ValueError(
                f"Positive: map must be one of {', '.join(_MAPS)}, got {map!r}."
                + nearest(map, _MAPS)
            )
        self.map, self.init = map, init

    def start(self, value):
        """Take positive values as they are, else draw log-normal ones."""
        if self._holds(value):
            return self.invert(value)
        std = value.std()
        if std == 0:
            raise ValueError(
                f"{self!r}: init must give positive or differing values, got only "
                f"{value.flat[0]}."
            )
        drawn = _log_normal(std, value.shape)
        # The mean square is twice the variance. That of the draw strays by percents.
        return self.invert(drawn * np.sqrt(2 * std**2 / np.mean(drawn**2)))

    def express(self, t):
        """Return the positive function of t."""
        limits = np.finfo(t.dtype)
        # Not quite up to the limits, which rounding would pass.
        low, high = 0.99 * np.log(limits.tiny), 0.99 * np.log(limits.max)
        if self.map == "exp":
            return pt.exp(pt.clip(t, _number(low, t), _number(high, t)))
        if self.map == "softplus":
            return pt.softplus(pt.maximum(t, _number(low, t)))
        return pt.sqr(t)

    def invert(self, value):
        """Return the t of positive values."""
        if not self._holds(value):
            raise ValueError(
                f"{self!r}: the value must be positive, got {np.min(value)} in it."
            )
        if self.map == "exp":
            return {"t": np.log(value)}
        if self.map == "square":
            return {"t": np.sqrt(value)}
        # log(exp(y) - 1), without overflow and without cancellation
        return {"t": value + np.log(-np.expm1(-value))}

    def _holds(self, value):
        return bool((value >= 0 if self.map == "square" else value > 0).all())

    def contains(self, value, tolerance=1e-5):
        """Tell whether all entries are positive; the tolerance is not used."""
        return self._holds(np.asarray(value))


def _log_normal(std, shape):
    """Draw log-normal values of standard deviation `std` and of the same mean."""
    # A coefficient of variation of 1 means a logarithm of variance log 2.
    normal = random.get_rng().normal(0.0, np.sqrt(np.log(2.0)), shape)
    return std * np.exp(normal - np.log(2.0) / 2)


class Box(ParameterExpression):
    r"""A parameter whose entries lie between two bounds.

    Computes :math:`W = h \sigma(t) + l \sigma(-t)`, a sum that never passes the bounds
    by rounding, unlike :math:`l + (h - l) \sigma(t)`.

    Parameters
    ----------
    low, high : number
        The bounds l and h.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        A draw that lies between the bounds is the start of W. Any other one is moved to
        the middle, and what is still outside to a hundredth of the width inside. An
        array is the start of W; entries on or beyond a bound start just inside. A
        variable is taken as the leaf t itself.

    Raises
    ------
    TypeError, ValueError
        If the bounds are not finite numbers in this order.

    Notes
    -----
    The leaf ``t`` has the shape of W. Beyond about 16 in single precision W is at its
    bound exactly and t learns no more.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> spec = expressions.Box(-1, 1, init=np.array([[0.5, -0.25]]))
    >>> spec((1, 2)).eval(mode="FAST_COMPILE").round(6).tolist()
    [[0.5, -0.25]]
    """

    inner = "t"

    def __init__(self, low, high, init=initialisers.GlorotUniform()):  # noqa: B008
        for name, bound in (("low", low), ("high", high)):
            check_number(self, name, bound)
        if not low < high:
            raise ValueError(
                f"Box: low must be below high, got low {low!r} and high {high!r}."
            )
        self.low, self.high, self.init = low, high, init

    def start(self, value):
        """Move a draw into the box, which keeps its variance if it is narrow enough."""
        if not (self.low < value.min() and value.max() < self.high):
            value = value + (self.low + self.high) / 2
            margin = (self.high - self.low) / 100
            value = np.clip(value, self.low + margin, self.high - margin)
        return self.invert(value)

    def express(self, t):
        """Return the weighted mean of the bounds."""
        low, high = _number(self.low, t), _number(self.high, t)
        return high * pt.sigmoid(t) + low * pt.sigmoid(-t)

    def invert(self, value):
        """Return the t of values; those not inside are moved to just inside."""
        margin = 1e-6 * (self.high - self.low)
        value = np.where(value > self.low, value, self.low + margin)
        value = np.where(value < self.high, value, self.high - margin)
        return {"t": np.log(value - self.low) - np.log(self.high - value)}

    def contains(self, value, tolerance=1e-5):
        """Tell whether all entries are between the bounds; the tolerance is not used.

        The bounds themselves count, since rounding reaches them.
        """
        value = np.asarray(value)
        return bool(((self.low <= value) & (value <= self.high)).all())


class Simplex(ParameterExpression):
    r"""Positive entries that sum to 1 along an axis, a softmax of the leaf.

    Parameters
    ----------
    axis : int, default -1
        The axis of each distribution.
    init : callable, array, SharedVariable or expression, default Normal(1)
        A draw is the start of the leaf t, before the softmax: the variance of W cannot
        follow that of a plain parameter, since its sums are fixed. An array is the
        start of W, up to its sums. A variable is taken as t itself.

    Raises
    ------
    TypeError
        If `axis` is no integer.
    ValueError
        If a parameter has no such axis.

    Notes
    -----
    The leaf ``t`` has the shape of W. Adding a constant to it along `axis` changes
    nothing, so one number in each distribution is not free.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.Simplex(axis=0).sample((3, 2))
    >>> W.sum(axis=0).round(6).tolist()
    [1.0, 1.0]
    """

    inner = "t"

    def __init__(self, axis=-1, init=initialisers.Normal(1.0)):  # noqa: B008
        if not isinstance(axis, int_types):
            raise TypeError(f"Simplex: axis must be an integer, got {axis!r}.")
        self.axis, self.init = axis, init

    def check_shape(self, shape):
        """Raise ValueError if the shape has no such axis."""
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(
                f"{self!r}: axis must be one of the {len(shape)} axes of the shape "
                f"{tuple(shape)}, got {self.axis}."
            )

    def start(self, value):
        """Take the draw as the leaf."""
        return {"t": value}

    def express(self, t):
        """Return the softmax."""
        return pt.special.softmax(t, axis=self.axis)

    def invert(self, value):
        """Return centred logarithms; entries below the least positive count as it."""
        logs = np.log(np.maximum(value, np.finfo("float32").tiny))
        return {"t": logs - logs.mean(axis=self.axis, keepdims=True)}

    def count_idle(self, shape):
        """Count one number in each distribution, since its sum is fixed."""
        return math.prod(shape) // shape[self.axis]


def _number(value, leaf):
    return match_dtype(value, leaf.dtype)
