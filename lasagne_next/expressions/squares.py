"""Sums of squares of a matrix, computed from what it is made of."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.expressions.recognition import recognise
from lasagne_next.utils import as_theano_expression

__all__ = ["sum_of_squares"]


def sum_of_squares(W, axis=None, keepdims=False):
    r"""Sum the squares of a tensor, of a product of matrices without computing it.

    With the trace, :math:`\sum_{ij} (U V)_{ij}^2 = \mathrm{tr}(U^T U \, V V^T)`. For
    thin factors that is a fraction of the work, and less memory still. Penalties and
    norms use it.

    Parameters
    ----------
    W : TensorVariable
        A tensor of any shape. Products, Kronecker products and matrices of blocks are
        recognised, as in :func:`dot`.
    axis : int or tuple of int, optional
        Axes to sum over, all by default.
    keepdims : bool, default False
        Whether these axes stay, with the size 1.

    Returns
    -------
    TensorVariable
        Equal to ``pytensor.tensor.sum(W**2, axis, keepdims=keepdims)`` up to rounding.

    Notes
    -----
    Where factors nearly cancel, the sum of a product of large factors is small and has
    the rounding errors of large numbers. It may come out slightly below zero then.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions
    >>> u, v = pytensor.shared(np.ones((50, 2))), pytensor.shared(np.ones((2, 40)))
    >>> total = expressions.sum_of_squares(pt.dot(u, v))
    >>> total.eval(mode="FAST_COMPILE").tolist()  # 50 * 40 entries of 2
    8000.0
    """
    W = as_theano_expression(W)
    axes = _axes(axis, W.ndim)
    if W.ndim == 2 and W.owner is not None and 0 < len(axes) <= 2:
        found = recognise(W)
        if None not in found.shape:
            squares = found.squares(axes[0] if len(axes) == 1 else None)
            if squares is not None:
                squares = squares.astype(W.dtype)
                return _kept(squares, axes) if keepdims else squares
    return pt.sum(pt.sqr(W), axis=axes, keepdims=keepdims)


def _axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(each % ndim for each in axes)


def _kept(squares, axes):
    pattern = ["x", "x"]
    if len(axes) == 1:
        pattern[1 - axes[0]] = 0
    return squares.dimshuffle(*pattern)
