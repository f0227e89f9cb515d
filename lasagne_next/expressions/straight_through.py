"""Discrete weights that learn by a straight-through gradient."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.utils import int_types, match_dtype

__all__ = ["Binary", "Quantised"]


class _StraightThrough(ParameterExpression):
    """Base: discrete values forward, the gradient of a clipped identity backward."""

    inner = "v"
    leaf_tags = {"scale": {"trainable": False}}  # noqa: RUF012

    def express(self, v, scale):
        """Return the discrete values, with the gradient of ``scale * clip(v)``."""
        one = match_dtype(1, v.dtype)
        clipped = scale * pt.clip(v, -one, one)
        return clipped + disconnected_grad(scale * self.discrete(v) - clipped)

    def discrete(self, v):
        """Return the discrete values for a scale of 1."""
        raise NotImplementedError(f"{type(self).__name__} must define discrete(v).")


class Binary(_StraightThrough):
    r"""Two values for each unit, :math:`W = s \,\mathrm{sign}(v)`.

    Forward, entries are exactly :math:`\pm s`; backward, the gradient of
    :math:`s\, v` where :math:`|v| \le 1` and none elsewhere.

    Parameters
    ----------
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        The scale s of each column is the root mean square of the draw, so that W has
        its variance; signs and relative sizes give v. A variable is taken as v itself.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``scale``, SHAPE (1, m) for a matrix,
    which is not trainable. A v of 0 counts as positive. XNOR networks use the mean
    absolute value as scale, which keeps 75 % of the variance of a uniform draw, and 64
    % of a normal one.

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
    [[0.216], [-0.216], [-0.216]]
    """

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def discrete(self, v):
        """Return the signs, 1 for 0."""
        one = match_dtype(1, v.dtype)
        return pt.switch(v >= 0, one, -one)

    def start(self, value):
        """Keep signs and relative sizes; the scale is the root mean square."""
        axes = tuple(range(value.ndim - 1)) if value.ndim > 1 else ()
        scale = np.sqrt((value**2).mean(axis=axes, keepdims=True))
        largest = max(abs(value).max(), 1e-30)
        return {"v": value / largest, "scale": scale}

    def invert(self, value):
        """Keep the signs; the scale is the mean absolute value, which is nearest."""
        axes = tuple(range(value.ndim - 1)) if value.ndim > 1 else ()
        scale = abs(value).mean(axis=axes, keepdims=True)
        return {"v": np.where(value >= 0, 1.0, -1.0), "scale": scale}

    def count_free(self, shape):
        """Count one sign for each entry."""
        return int(np.prod(shape))


class Quantised(_StraightThrough):
    r"""Equally spaced values, as many as a number of bits can tell apart.

    Forward, :math:`W = s\, \mathrm{round}(k\, v) / k` with v clipped to [-1, 1] and
    :math:`k = 2^{bits-1} - 1`; backward, the gradient of :math:`s\, v` where
    :math:`|v| \le 1` and none elsewhere.

    Parameters
    ----------
    bits : int, default 8
        From 2 to 16; there are 2 k + 1 values.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of W, up to rounding. The scale s is its largest absolute value. A
        variable is taken as v itself.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``scale``, a scalar, which is not
    trainable.

    References
    ----------
    Benoit Jacob and others (2018): Quantization and training of neural networks for
    efficient integer-arithmetic-only inference, section 3. https://arxiv.org/abs/1712.05877

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

    def discrete(self, v):
        """Return the nearest of the equally spaced values."""
        one = match_dtype(1, v.dtype)
        levels = match_dtype(2 ** (self.bits - 1) - 1, v.dtype)
        return pt.round(pt.clip(v, -one, one) * levels) / levels

    def invert(self, value):
        """Take the largest absolute value as scale."""
        scale = max(abs(value).max(), 1e-30)
        return {"v": value / scale, "scale": np.asarray(scale)}

    def count_free(self, shape):
        """Count one level for each entry."""
        return int(np.prod(shape))
