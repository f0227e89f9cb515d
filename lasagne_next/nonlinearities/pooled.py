"""Functions that combine several values of an axis into one."""

from __future__ import annotations

import numbers

import numpy as np
import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float, check_axis
from lasagne_next.utils import as_theano_expression, match_dtype

__all__ = ["glu", "maxout"]


def glu(x, axis=-1):
    """Multiply the first half of an axis by the sigmoid of the second half.

    Parameters
    ----------
    x : expression
        Of any shape with an even size along `axis`.
    axis : int, default -1
        The axis to halve; 1 for channels.

    Returns
    -------
    TensorVariable
        Of the shape of `x` with half the size along `axis`.

    Raises
    ------
    TypeError
        If `axis` is no integer.
    ValueError
        If `x` has no such axis, or its size is known and odd.

    Notes
    -----
    Changes the shape: use it in an ``ExpressionLayer``, not as a nonlinearity.

    References
    ----------
    Yann Dauphin, Angela Fan, Michael Auli and David Grangier (2017): Language modeling
    with gated convolutional networks, equation 1. https://arxiv.org/abs/1612.08083

    Examples
    --------
    >>> from lasagne_next.nonlinearities import glu
    >>> glu([[2.0, 4.0, 0.0, 100.0]]).eval(mode="FAST_COMPILE").tolist()
    [[1.0, 4.0]]
    """
    x = as_float(x)
    axis = check_axis("glu", x, axis)
    _check_divisible("glu", x, axis, 2)
    values, gates = _halves(x, axis)
    return values * pt.sigmoid(gates)


def maxout(x, pool_size, axis=1):
    """Take the maximum over groups of neighbours along an axis.

    Parameters
    ----------
    x : expression
        Of any shape with a multiple of `pool_size` along `axis`.
    pool_size : int
        Number of neighbours in a group.
    axis : int, default 1
        The axis to pool over, by default the features.

    Returns
    -------
    TensorVariable
        Of the shape of `x` with `pool_size` times fewer along `axis`.

    Raises
    ------
    TypeError
        If `axis` or `pool_size` is no integer.
    ValueError
        If `pool_size` is below 1, or `x` has no such axis, or its size is known and no
        multiple of `pool_size`.

    Notes
    -----
    Changes the shape: use it in an ``ExpressionLayer``, not as a nonlinearity;
    ``FeaturePoolLayer`` does the same with any pooling function.

    References
    ----------
    Ian Goodfellow, David Warde-Farley, Mehdi Mirza, Aaron Courville and Yoshua Bengio
    (2013): Maxout networks, section 3. https://arxiv.org/abs/1302.4389

    Examples
    --------
    >>> from lasagne_next.nonlinearities import maxout
    >>> maxout([[1.0, 3.0, 2.0, 0.0]], 2).eval(mode="FAST_COMPILE").tolist()
    [[3.0, 2.0]]
    """
    x = as_theano_expression(x)
    axis = check_axis("maxout", x, axis)
    if not isinstance(pool_size, numbers.Integral):
        raise TypeError(
            f"maxout: pool_size must be an integer, got {pool_size!r}. Give the number "
            "of neighbours to take the maximum of."
        )
    if pool_size < 1:
        raise ValueError(
            f"maxout: pool_size must be at least 1, got {pool_size!r}. Give the number "
            "of neighbours to take the maximum of."
        )
    _check_divisible("maxout", x, axis, pool_size)
    groups = _split_axis(x, axis, _divide(x, axis, pool_size), int(pool_size))
    return groups.max(axis=axis + 1)  # (..., size / pool_size, ...)


def _halves(x, axis):
    """Return the first and the second half of `x` along an axis."""
    size = x.type.shape[axis]
    if size is not None:
        before = (slice(None),) * axis
        return x[(*before, slice(size // 2))], x[(*before, slice(size // 2, None))]
    # Slices up to half of an unknown size do not compile on JAX, nor does the
    # derivative of an index into a reshaped array. Masks and sums do.
    pairs = _split_axis(x, axis, 2, _divide(x, axis, 2))  # (..., 2, half, ...)
    first = np.reshape([1, 0], (2, *(1,) * (x.ndim - axis)))
    masks = (match_dtype(mask, x.dtype) for mask in (first, 1 - first))
    return tuple((mask * pairs).sum(axis) for mask in masks)


def _divide(x, axis, divisor):
    size = x.type.shape[axis]
    return x.shape[axis] // divisor if size is None else size // divisor


def _split_axis(x, axis, *parts):
    """Return `x` with one axis split in two of the sizes `parts`."""
    sizes = [x.shape[i] if n is None else n for i, n in enumerate(x.type.shape)]
    return x.reshape((*sizes[:axis], *parts, *sizes[axis + 1 :]))


def _check_divisible(function, x, axis, divisor):
    size = x.type.shape[axis]
    if size is not None and size % divisor:
        raise ValueError(
            f"{function}: the size of axis {axis} must be a multiple of {divisor}, got "
            f"{size!r} (input shape {x.type.shape}). Choose another axis or give the "
            "layer below another number of units."
        )
