"""Discrete weights that learn by a straight-through gradient."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.utils import default_norm_axes, int_types, match_dtype

__all__ = ["Binary", "Quantised"]


class _StraightThrough(ParameterExpression):
    """Base: discrete values forward, the gradient of something continuous backward."""

    inner = "v"
    leaf_tags = {"scale": {"trainable": False}}  # noqa: RUF012


def _nothing_but_gradient(expression):
    """Return exact zeros that have the gradient of an expression.

    When a function is compiled, the difference is taken out of what it computes.
    """
    return expression - disconnected_grad(expression)


class Binary(_StraightThrough):
    r"""Two values for each unit, :math:`W = s \,\mathrm{sign}(v)`.

    Forward, entries are exactly :math:`\pm s`; backward, the gradient passes to v
    unchanged where :math:`|v| \le 1`, and not elsewhere.

    Parameters
    ----------
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Signs and relative sizes of a draw give v; the scale s of each unit is its root
        mean square, so that W has its variance. For an array s is the mean absolute
        value, which brings W nearest to it. A variable is taken as v itself.

    Notes
    -----
    The leaves are ``v``, of the shape of W, between -1 and 1 at the start, and
    ``scale``, one for each unit: SHAPE (1, m) for a matrix, of size 1 along all but
    axis 0 for filters. It is not trainable unless tagged so
    (:func:`lasagne_next.params.set_tags`). A v of 0 counts as positive.

    A v beyond 1 has no gradient, so that it stays there unless something else moves it.
    Keep it between the bounds (``updates[v] = clip(updates[v], -1, 1)``), or use a rule
    with weight decay.

    XNOR networks use the mean absolute value as scale, which keeps 75 % of the variance
    of a uniform draw, and 64 % of a normal one.

    References
    ----------
    Matthieu Courbariaux, Yoshua Bengio and Jean-Pierre David (2015): BinaryConnect,
    section 2. https://arxiv.org/abs/1511.00363

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.Binary(init=np.array([[0.3], [-0.1], [-0.2]]))((3, 1))
    >>> W.eval(mode="FAST_COMPILE").round(3).tolist()
    [[0.2], [-0.2], [-0.2]]
    """

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def express(self, v, scale):
        """Return the signs times the scale, with the gradient of a clipped v."""
        one = match_dtype(1, v.dtype)
        signs = pt.switch(disconnected_grad(v) >= 0, one, -one)
        clipped = pt.clip(v, -one, one)
        return scale * disconnected_grad(signs) + _nothing_but_gradient(clipped)

    def start(self, value):
        """Keep signs and relative sizes; the scale is the root mean square."""
        scale = np.sqrt((value**2).mean(axis=_inputs_of(value), keepdims=True))
        return {"v": value / (abs(value).max() or 1.0), "scale": scale}

    def invert(self, value):
        """Keep signs and relative sizes; the scale is the mean absolute value."""
        scale = abs(value).mean(axis=_inputs_of(value), keepdims=True)
        return {"v": value / (abs(value).max() or 1.0), "scale": scale}


def _inputs_of(value):
    """Return the axes of one unit's inputs, None (all) where there is no convention."""
    return default_norm_axes(value.ndim) if 2 <= value.ndim <= 5 else None


class Quantised(_StraightThrough):
    r"""Equally spaced values, as many as a number of bits can tell apart [1]_.

    Forward, :math:`W = s\, \mathrm{round}(k\, u) / k` with
    :math:`u = \mathrm{clip}(v / s, -1, 1)` and :math:`k = 2^{bits-1} - 1`; backward,
    the gradient passes to v unchanged where :math:`|v| \le s`, and not elsewhere.

    Parameters
    ----------
    bits : int, default 8
        From 2 to 16; there are 2 k + 1 values.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of v, and so of W, up to rounding. The scale s is its largest absolute
        value. A variable is taken as v itself.

    Raises
    ------
    ValueError
        If `bits` is no integer in this range.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``scale``, a scalar, which is not
    trainable. If it is tagged so (:func:`lasagne_next.params.set_tags`), it learns by
    the gradient of [2]_. Two bits do not keep the variance: a uniform draw gains half
    of it, and a normal one loses more than half.

    References
    ----------
    .. [1] Benoit Jacob and others (2018): Quantization and training of neural networks
       for efficient integer-arithmetic-only inference, section 3.
       https://arxiv.org/abs/1712.05877
    .. [2] Steven Esser and others (2020): Learned step size quantization, equation 3.
       https://arxiv.org/abs/1902.08153

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.Quantised(bits=2, init=np.array([0.8, 0.3, -0.5]))((3,))
    >>> W.eval(mode="FAST_COMPILE").tolist()
    [0.8, 0.0, -0.8]
    """

    def __init__(self, bits=8, init=initialisers.GlorotUniform()):  # noqa: B008
        if not isinstance(bits, int_types) or not 2 <= bits <= 16:
            raise ValueError(
                f"Quantised: bits must be an integer from 2 to 16, got {bits!r}."
            )
        self.bits, self.init = bits, init

    def express(self, v, scale):
        """Return the nearest values, with the gradient of a clipped v."""
        one = match_dtype(1, v.dtype)
        levels = match_dtype(2 ** (self.bits - 1) - 1, v.dtype)
        clipped = pt.clip(v / scale, -one, one)
        rounded = pt.round(clipped * levels) / levels
        return scale * (disconnected_grad(rounded) + _nothing_but_gradient(clipped))

    def invert(self, value):
        """Take the value itself; the scale is the largest absolute value."""
        return {"v": value, "scale": np.asarray(abs(value).max() or 1.0)}
