"""Smooth relatives of the rectifier."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.utils import match_dtype

__all__ = [
    "gelu",
    "gelu_tanh",
    "log_sigmoid",
    "mish",
    "silu",
    "softplus",
    "swish",
]


def softplus(x):
    """Compute ``log(1 + exp(x))`` without overflow.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, not negative.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import softplus
    >>> softplus([0.0, 1000.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693, 1000.0]
    """
    return pt.softplus(as_float(x))


def log_sigmoid(x):
    """Compute ``log(1 / (1 + exp(-x)))`` without underflow.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, not positive.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import log_sigmoid
    >>> log_sigmoid([0.0, -1000.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-0.693, -1000.0]
    """
    return -pt.softplus(-as_float(x))


def gelu(x):
    """Compute the Gaussian error linear unit ``x * Phi(x)``.

    Phi is the distribution function of the standard normal distribution.

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
    Computed by the complementary error function, which keeps its relative accuracy
    for negative inputs. GPT-2 and BERT use the approximation :func:`gelu_tanh`.

    References
    ----------
    Dan Hendrycks and Kevin Gimpel (2016): Gaussian error linear units, section 2.
    https://arxiv.org/abs/1606.08415

    Examples
    --------
    >>> from lasagne_next.nonlinearities import gelu
    >>> gelu([-1.0, 1.0]).eval(mode="FAST_COMPILE").round(4).tolist()
    [-0.1587, 0.8413]
    """
    x = as_float(x)
    tail = pt.erfc(x * match_dtype(-math.sqrt(0.5), x.dtype))
    return match_dtype(0.5, x.dtype) * x * tail


def gelu_tanh(x):
    """Compute an approximation of :func:`gelu` by a hyperbolic tangent.

    The value is ``0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, at most 0.0005 from :func:`gelu`.

    References
    ----------
    Dan Hendrycks and Kevin Gimpel (2016): Gaussian error linear units, section 2.
    https://arxiv.org/abs/1606.08415

    Examples
    --------
    >>> from lasagne_next.nonlinearities import gelu_tanh
    >>> gelu_tanh([-1.0, 1.0]).eval(mode="FAST_COMPILE").round(4).tolist()
    [-0.1588, 0.8412]
    """
    x = as_float(x)
    # 0.5 * (1 + tanh(z)) is sigmoid(2 * z), which is accurate in the left tail too.
    scale = match_dtype(2 * math.sqrt(2 / math.pi), x.dtype)
    cubic = match_dtype(2 * math.sqrt(2 / math.pi) * 0.044715, x.dtype)
    return x * pt.sigmoid(x * (scale + cubic * x * x))


def silu(x):
    """Compute the sigmoid linear unit ``x * sigmoid(x)``, also called swish.

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
    Stefan Elfwing, Eiji Uchibe and Kenji Doya (2018): Sigmoid-weighted linear units
    for neural network function approximation in reinforcement learning.
    https://arxiv.org/abs/1702.03118

    Examples
    --------
    >>> from lasagne_next.nonlinearities import silu
    >>> silu([-1.0, 1.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-0.269, 0.731]
    """
    x = as_float(x)
    return x * pt.sigmoid(x)


swish = silu


def mish(x):
    """Compute ``x * tanh(softplus(x))``.

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
    Diganta Misra (2020): Mish: a self regularized non-monotonic activation function.
    https://arxiv.org/abs/1908.08681

    Examples
    --------
    >>> from lasagne_next.nonlinearities import mish
    >>> mish([-1.0, 1.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [-0.303, 0.865]
    """
    x = as_float(x)
    return x * pt.tanh(pt.softplus(x))
