"""Functions that keep their values in an interval, and the identity."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.utils import match_dtype

__all__ = [
    "ScaledTanH",
    "ScaledTanh",
    "hard_sigmoid",
    "hard_tanh",
    "identity",
    "linear",
    "sigmoid",
    "softsign",
    "tanh",
]


def sigmoid(x):
    """Compute the logistic sigmoid ``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, between 0 and 1.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import sigmoid
    >>> sigmoid([0.0]).eval(mode="FAST_COMPILE").tolist()
    [0.5]
    """
    return pt.sigmoid(as_float(x))


def tanh(x):
    """Compute the hyperbolic tangent.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, between -1 and 1.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import tanh
    >>> tanh([0.0, 1.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [0.0, 0.762]
    """
    return pt.tanh(as_float(x))


class ScaledTanH:
    """Scaled hyperbolic tangent ``scale_out * tanh(scale_in * x)``.

    Parameters
    ----------
    scale_in : number or expression, default 1
        Factor of the input.
    scale_out : number or expression, default 1
        Factor of the output.

    References
    ----------
    Yann LeCun, Leon Bottou, Genevieve Orr and Klaus-Robert Mueller (1998): Efficient
    BackProp, section 4.4, which recommends ``scale_in=2 / 3, scale_out=1.7159``.
    https://doi.org/10.1007/3-540-49430-8_2

    Examples
    --------
    >>> from lasagne_next.nonlinearities import ScaledTanH
    >>> squash = ScaledTanH(scale_in=2 / 3, scale_out=1.7159)
    >>> squash([0.0, 1.0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [0.0, 1.0]
    """

    def __init__(self, scale_in=1, scale_out=1):
        self.scale_in = scale_in
        self.scale_out = scale_out

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        x = as_float(x)
        inner = pt.tanh(x * match_dtype(self.scale_in, x.dtype))
        return inner * match_dtype(self.scale_out, x.dtype)

    def __repr__(self):
        return f"ScaledTanH(scale_in={self.scale_in!r}, scale_out={self.scale_out!r})"


ScaledTanh = ScaledTanH


def softsign(x):
    """Compute ``x / (1 + |x|)``.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, between -1 and 1.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import softsign
    >>> softsign([-1.0, 3.0]).eval(mode="FAST_COMPILE").tolist()
    [-0.5, 0.75]
    """
    x = as_float(x)
    return x / (match_dtype(1, x.dtype) + abs(x))


def hard_sigmoid(x):
    """Compute ``x / 6 + 1 / 2``, kept between 0 and 1.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, between 0 and 1.

    Notes
    -----
    The slope is that of PyTorch, JAX and Keras 3. Theano and earlier versions of Keras
    compute ``0.2 * x + 0.5``.

    References
    ----------
    Andrew Howard and others (2019): Searching for MobileNetV3, section 5.2.
    https://arxiv.org/abs/1905.02244

    Examples
    --------
    >>> from lasagne_next.nonlinearities import hard_sigmoid
    >>> hard_sigmoid([-4.0, 0.0, 1.5]).eval(mode="FAST_COMPILE").tolist()
    [0.0, 0.5, 0.75]
    """
    x = as_float(x)
    line = x * match_dtype(1 / 6, x.dtype) + match_dtype(0.5, x.dtype)
    return pt.clip(line, match_dtype(0, x.dtype), match_dtype(1, x.dtype))


def hard_tanh(x):
    """Compute `x`, kept between -1 and 1.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        Of the shape of `x`.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import hard_tanh
    >>> hard_tanh([-4.0, 0.5, 2.0]).eval(mode="FAST_COMPILE").tolist()
    [-1.0, 0.5, 1.0]
    """
    x = as_float(x)
    return pt.clip(x, match_dtype(-1, x.dtype), match_dtype(1, x.dtype))


def linear(x):
    """Return the argument as it is.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable
        The very object given.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import identity, linear
    >>> linear(7), identity is linear
    (7, True)
    """
    return x


identity = linear
