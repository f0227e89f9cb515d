"""Functions whose values along an axis are probabilities, or their logarithms."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float, check_axis

__all__ = ["LogSoftmax", "Softmax", "log_softmax", "softmax"]


def softmax(x, axis=-1):
    """Compute probabilities ``exp(x) / sum(exp(x))`` along an axis.

    Parameters
    ----------
    x : expression
        Of any shape but ().
    axis : int or tuple of int, default -1
        The axes whose values sum to 1; the last for the rows of a matrix, 1 for the
        channels of images, (2, 3) for the pixels of each channel.

    Returns
    -------
    TensorVariable
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If `axis` is not made of integers.
    ValueError
        If `x` has no such axis.

    Notes
    -----
    The shape is always kept. In Lasagne a vector became a matrix of one row, and more
    than two axes were refused. As a layer's nonlinearity along another axis than the
    last, use :class:`Softmax`.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import softmax
    >>> softmax([[0.0, 0.0], [0.0, 1.0]]).eval(mode="FAST_COMPILE").round(3).tolist()
    [[0.5, 0.5], [0.269, 0.731]]
    """
    x = as_float(x)
    return pt.special.softmax(x, axis=_check_axes("softmax", x, axis))


def log_softmax(x, axis=-1):
    """Compute the logarithm of :func:`softmax` without underflow.

    Parameters
    ----------
    x : expression
        Of any shape but ().
    axis : int or tuple of int, default -1
        The axes whose probabilities sum to 1.

    Returns
    -------
    TensorVariable
        Of the shape of `x`, not positive.

    Raises
    ------
    TypeError
        If `axis` is not made of integers.
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> from lasagne_next.nonlinearities import log_softmax
    >>> log_softmax([0.0, 1000.0]).eval(mode="FAST_COMPILE").tolist()
    [-1000.0, 0.0]
    """
    x = as_float(x)
    return pt.special.log_softmax(x, axis=_check_axes("log_softmax", x, axis))


def _check_axes(function, x, axis):
    if isinstance(axis, tuple | list):
        return tuple(check_axis(function, x, each) for each in axis)
    return check_axis(function, x, axis)


class Softmax:
    """:func:`softmax` along an axis, as a layer's nonlinearity.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axes whose values sum to 1.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.nonlinearities import Softmax
    >>> Softmax(axis=1), Softmax(axis=1)(pt.zeros((2, 3, 5))).type.shape
    (Softmax(axis=1), (2, 3, 5))
    """

    def __init__(self, axis=-1):
        self.axis = axis

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        return softmax(x, axis=self.axis)

    def __repr__(self):
        return f"Softmax(axis={self.axis!r})"


class LogSoftmax:
    """:func:`log_softmax` along an axis, as a layer's nonlinearity.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axes whose probabilities sum to 1.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.nonlinearities import LogSoftmax
    >>> LogSoftmax(axis=1), LogSoftmax(axis=1)(pt.zeros((2, 3, 5))).type.shape
    (LogSoftmax(axis=1), (2, 3, 5))
    """

    def __init__(self, axis=-1):
        self.axis = axis

    def __call__(self, x):
        """Return an expression of the shape of `x`."""
        return log_softmax(x, axis=self.axis)

    def __repr__(self):
        return f"LogSoftmax(axis={self.axis!r})"
