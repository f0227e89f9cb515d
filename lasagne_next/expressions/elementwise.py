"""Constraints on single entries: positive, between bounds, rows that sum to one."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.utils import match_dtype, nearest

__all__ = ["Box", "Positive", "Simplex"]

_MAPS = ("exp", "softplus", "square")


class Positive(ParameterExpression):
    r"""A parameter whose entries are positive.

    Parameters
    ----------
    map : {'exp', 'softplus', 'square'}, default 'exp'
        :math:`W = e^t`, :math:`W = \log(1 + e^t)` or :math:`W = t^2`. The square can
        reach 0, where its gradient vanishes.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        If all its values are positive, W starts from them. Otherwise W starts
        log-normal (softplus: the same values), with the standard deviation of the draw
        and a mean as large. A variable is taken as the leaf t itself.

    Notes
    -----
    The leaf ``t`` has the shape of W. With 'exp' it is the logarithm of W and its
    gradient is scaled by W, so that plain gradient descent moves small entries slowly.

    A matrix of positive entries has a large singular value, from its mean, however
    small its variance: 20 instead of 2 for a 400 x 400 matrix of Glorot's variance.
    Compensate with a negative bias, ``b = -mean(W) * sum of the expected inputs``.

    References
    ----------
    Pieter-Jan Hoedt and Guenter Klambauer (2023): Principled weight initialisation for
    input-convex neural networks, section 4. https://arxiv.org/abs/2312.12474

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
                f"Positive: map must be one of {', '.join(map_ for map_ in _MAPS)}, "
                f"got {map!r}.{nearest(map, _MAPS)}"
            )
        self.map, self.init = map, init

    def start(self, value):
        """Take positive values as they are, else draw log-normal ones."""
        if not (value > 0).all():
            value = _log_normal(value.std() or 1.0, value.shape)
        return self.invert(value)

    def express(self, t):
        """Return the positive function of t."""
        return {"exp": pt.exp, "softplus": pt.softplus, "square": pt.sqr}[self.map](t)

    def invert(self, value):
        """Return the t of positive values; smaller ones count as the least positive."""
        value = np.maximum(value, np.finfo(np.float32).tiny)
        if self.map == "exp":
            return {"t": np.log(value)}
        if self.map == "square":
            return {"t": np.sqrt(value)}
        # log(exp(y) - 1), without overflow and without cancellation
        return {"t": value + np.log(-np.expm1(-value))}


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
        Start values; those on or beyond a bound start just inside. A variable is taken
        as the leaf t itself.

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
        if not low < high:
            raise ValueError(
                f"Box: low must be below high, got low {low!r} and high {high!r}."
            )
        self.low, self.high, self.init = low, high, init

    def express(self, t):
        """Return the weighted mean of the bounds."""
        low, high = match_dtype(self.low, t.dtype), match_dtype(self.high, t.dtype)
        return high * pt.sigmoid(t) + low * pt.sigmoid(-t)

    def invert(self, value):
        """Return the t of values; those outside are moved to just inside."""
        margin = 1e-6 * (self.high - self.low)
        value = np.clip(value, self.low + margin, self.high - margin)
        return {"t": np.log(value - self.low) - np.log(self.high - value)}


class Simplex(ParameterExpression):
    r"""Positive entries that sum to 1 along an axis, a softmax of the leaf.

    Parameters
    ----------
    axis : int, default -1
        The axis of each distribution.
    init : callable, array, SharedVariable or expression, default Normal(1)
        Start values of the leaf t, before the softmax. The variance of W cannot follow
        that of a plain parameter, since its sums are fixed.

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
        logs = np.log(np.maximum(value, np.finfo(np.float32).tiny))
        return {"t": logs - logs.mean(axis=self.axis, keepdims=True)}

    def count_free(self, shape):
        """Count all entries but one in each distribution."""
        return int(np.prod(shape)) // shape[self.axis] * (shape[self.axis] - 1)
