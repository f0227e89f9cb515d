"""Functions that pass positive values and hold back negative ones, with a kink at 0."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.utils import match_dtype

__all__ = [
    "CELU",
    "SELU",
    "LeakyRectify",
    "celu",
    "elu",
    "leaky_rectify",
    "rectify",
    "relu6",
    "selu",
    "very_leaky_rectify",
]


def rectify(x):
    """Compute the rectifier ``max(0, x)``.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`.

    Notes
    -----
    Computed as ``0.5 * (x + |x|)``, so that the derivative at 0 is 0.5, the mean of
    both slopes. PyTorch, JAX and TensorFlow have 0 there.

    References
    ----------
    Xavier Glorot, Antoine Bordes and Yoshua Bengio (2011): Deep sparse rectifier
    neural networks. https://proceedings.mlr.press/v15/glorot11a.html

    Examples
    --------
    >>> from lasagne_next.nonlinearities import rectify
    >>> rectify([-2.0, 3.0]).eval(mode="FAST_COMPILE").tolist()
    [0.0, 3.0]
    """
    x = as_float(x)
    return match_dtype(0.5, x.dtype) * (x + abs(x))


class LeakyRectify:
    """Leaky rectifier: `x` where positive, else ``leakiness * x``.

    Parameters
    ----------
    leakiness : number or expression, default 0.01
        Slope of the negative part; 0 is :func:`rectify`, 1 is the identity.

    Notes
    -----
    The derivative at 0 is the mean of both slopes. `leaky_rectify` has a leakiness of
    0.01, `very_leaky_rectify` of 1/3. For a slope that is learnt, see
    ``ParametricRectifierLayer``.

    References
    ----------
    Andrew Maas, Awni Hannun and Andrew Ng (2013): Rectifier nonlinearities improve
    neural network acoustic models, equation 2.
    https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Examples
    --------
    >>> from lasagne_next.nonlinearities import LeakyRectify
    >>> LeakyRectify(0.5)([-2.0, 3.0]).eval(mode="FAST_COMPILE").tolist()
    [-1.0, 3.0]
    """

    def __init__(self, leakiness=0.01):
        self.leakiness = leakiness

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        x = as_float(x)
        half, one = match_dtype(0.5, x.dtype), match_dtype(1, x.dtype)
        slope = match_dtype(self.leakiness, x.dtype)
        return half * (one + slope) * x + half * (one - slope) * abs(x)

    def __repr__(self):
        return f"LeakyRectify(leakiness={self.leakiness!r})"


leaky_rectify = LeakyRectify()
very_leaky_rectify = LeakyRectify(1 / 3)


def relu6(x):
    """Compute `x`, kept between 0 and 6.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`.

    References
    ----------
    Andrew Howard and others (2017): MobileNets. https://arxiv.org/abs/1704.04861

    Examples
    --------
    >>> from lasagne_next.nonlinearities import relu6
    >>> relu6([-2.0, 3.0, 7.0]).eval(mode="FAST_COMPILE").tolist()
    [0.0, 3.0, 6.0]
    """
    x = as_float(x)
    return pt.clip(x, match_dtype(0, x.dtype), match_dtype(6, x.dtype))


def elu(x):
    """Compute the exponential linear unit: `x` where positive, else ``exp(x) - 1``.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, greater than -1.

    References
    ----------
    Djork-Arne Clevert, Thomas Unterthiner and Sepp Hochreiter (2016): Fast and
    accurate deep network learning by exponential linear units, equation 16.
    https://arxiv.org/abs/1511.07289

    Examples
    --------
    >>> from lasagne_next.nonlinearities import elu
    >>> elu([-1.0, 3.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-0.632, 3.0]
    """
    positive, negative = _parts(x)
    return positive + pt.expm1(negative)


def _parts(x):
    """Return max(x, 0) and min(x, 0), of derivative 0.5 each at 0.

    With these, functions of two branches need no ``switch``: its gradient turns into
    NaN where the exponential of the branch not taken overflows, and PyTensor (3.3.7)
    makes it double precision under ``floatX=float64``.
    """
    x = as_float(x)
    positive = rectify(x)
    return positive, x - positive


class SELU:
    """Scaled exponential linear unit.

    Computes ``scale * x`` where x is positive, else
    ``scale * scale_neg * (exp(x) - 1)``.

    Parameters
    ----------
    scale : number or expression, default 1
        Factor of the output.
    scale_neg : number or expression, default 1
        Further factor of the negative part.

    Notes
    -----
    The derivative at 0 is the mean of both slopes. `selu` has the scales for which the
    mean 0 and the variance 1 of its input are a fixed point; use it with
    :class:`lasagne_next.init.LeCunNormal` weights.

    References
    ----------
    Guenter Klambauer, Thomas Unterthiner, Andreas Mayr and Sepp Hochreiter (2017):
    Self-normalizing neural networks, equation 2. https://arxiv.org/abs/1706.02515

    Examples
    --------
    >>> from lasagne_next.nonlinearities import selu
    >>> selu([-1.0, 1.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-1.111, 1.051]
    """

    def __init__(self, scale=1, scale_neg=1):
        self.scale = scale
        self.scale_neg = scale_neg

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        positive, negative = _parts(x)
        scale_neg = match_dtype(self.scale_neg, positive.dtype)
        scale = match_dtype(self.scale, positive.dtype)
        return scale * (positive + scale_neg * pt.expm1(negative))

    def __repr__(self):
        return f"SELU(scale={self.scale!r}, scale_neg={self.scale_neg!r})"


selu = SELU(
    scale=1.0507009873554804934193349852946,
    scale_neg=1.6732632423543772848170429916717,
)


class CELU:
    """Continuously differentiable exponential linear unit.

    Computes `x` where positive, else ``alpha * (exp(x / alpha) - 1)``. The slope at 0
    is 1 for every `alpha`.

    Parameters
    ----------
    alpha : number or expression, default 1.0
        The largest negative value is ``-alpha``; positive.

    Notes
    -----
    The instance `celu` has an alpha of 1, for which it equals :func:`elu`.

    References
    ----------
    Jonathan Barron (2017): Continuously differentiable exponential linear units.
    https://arxiv.org/abs/1704.07483

    Examples
    --------
    >>> from lasagne_next.nonlinearities import CELU
    >>> CELU(2.0)([-2.0, 3.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-1.264, 3.0]
    """

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        positive, negative = _parts(x)
        alpha = match_dtype(self.alpha, positive.dtype)
        return positive + alpha * pt.expm1(negative / alpha)

    def __repr__(self):
        return f"CELU(alpha={self.alpha!r})"


celu = CELU()
