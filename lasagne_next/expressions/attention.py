"""Attention: averages of values, weighted by how well keys match queries."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next import ops
from lasagne_next.utils import match_dtype

__all__ = ["attention", "attention_weights", "masked_softmax"]

FORBIDDEN = -1e30  # what is added to a score that must not count


def masked_softmax(scores, mask=None):
    r"""Take the softmax of the last axis over allowed elements only.

    Parameters
    ----------
    scores : TensorVariable, SHAPE (..., n)
        Finite numbers.
    mask : TensorVariable, optional, SHAPE that broadcasts with `scores`
        Nonzero where an element is allowed.

    Returns
    -------
    TensorVariable, SHAPE of `scores`
        Exactly zero where not allowed. Rows sum up to 1, but rows in which nothing is
        allowed are zero, and have a gradient of zero.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import masked_softmax
    >>> mask = pt.constant([[1, 1, 0], [0, 0, 0]])
    >>> weights = masked_softmax(pt.constant([[2.0, 2.0, 7.0]] * 2), mask)
    >>> weights.eval(mode="FAST_COMPILE").tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    if mask is None:
        return pt.special.softmax(scores, axis=-1)
    # Sums, where a switch would have a gradient in double precision for single scores
    # under floatX="float64".
    allowed = pt.neq(mask, 0)
    forbidden = match_dtype(FORBIDDEN, scores.dtype) * (~allowed).astype(scores.dtype)
    weights = pt.special.softmax(scores + forbidden, axis=-1)
    some = pt.any(allowed, axis=-1, keepdims=True).astype(scores.dtype)
    return weights * some


def attention_weights(query, key, mask=None, bias=None, scale=None):
    r"""Weigh keys by how well they match queries.

    Computes :math:`\mathrm{softmax}(s\, Q K^T + B)` over allowed keys.

    Parameters
    ----------
    query, key : TensorVariable, SHAPE (..., queries, size) and (..., keys, size)
        With the same leading axes.
    mask : TensorVariable, optional, SHAPE that broadcasts with (..., queries, keys)
        Nonzero where a key is allowed.
    bias : TensorVariable, optional, SHAPE that broadcasts with (..., queries, keys)
        Added to the scores.
    scale : number or symbolic scalar, optional
        The factor s; by default one over the root of `size`.

    Returns
    -------
    TensorVariable, SHAPE (..., queries, keys)
        Rows sum up to 1; where no key is allowed they are zero.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import attention_weights
    >>> x = pt.tensor("x", shape=(None, 8, 5, 3))
    >>> attention_weights(x, x).type.shape
    (None, 8, 5, 5)
    """
    query, key = pt.as_tensor_variable(query), pt.as_tensor_variable(key)
    if scale is None:
        size = query.type.shape[-1]
        scale = pt.sqrt(query.shape[-1].astype(query.dtype)) ** -1
        scale = scale if size is None else 1 / math.sqrt(size)
    query = query * match_dtype(scale, query.dtype)  # smaller than the scores
    scores = _batched(query, key, transposed=True)  # (..., queries, keys)
    if bias is not None:
        scores = scores + bias
    return masked_softmax(scores, mask)


def attention(query, key, value, mask=None, bias=None, scale=None):
    r"""Average values, weighted by how well their keys match queries.

    Computes :math:`\mathrm{softmax}(s\, Q K^T + B)\, V`, scaled dot-product attention.

    Parameters
    ----------
    query, key : TensorVariable, SHAPE (..., queries, size) and (..., keys, size)
        With the same leading axes.
    value : TensorVariable, SHAPE (..., keys, value size)
        What is averaged.
    mask, bias, scale
        As in :func:`attention_weights`.

    Returns
    -------
    TensorVariable, SHAPE (..., queries, value size)
        Zero for queries that no key is allowed for.

    Notes
    -----
    Without a bias this is :func:`lasagne_next.ops.attention`, one operation.

    References
    ----------
    Ashish Vaswani and others (2017): Attention is all you need, equation 1.
    https://arxiv.org/abs/1706.03762

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import attention
    >>> query = pt.constant([[0.0, 0.0]])
    >>> key, value = pt.constant([[1.0, 2.0], [3.0, 4.0]]), pt.constant([[1.0], [2.0]])
    >>> attention(query, key, value).eval(mode="FAST_COMPILE").tolist()
    [[1.5]]
    """
    query, key, value = (pt.as_tensor_variable(each) for each in (query, key, value))
    types = {each.dtype for each in (query, key, value)}
    if bias is None and len(types) == 1 and query.ndim in (2, 3, 4):
        return _in_one_operation(query, key, value, mask, scale)
    weights = attention_weights(query, key, mask, bias, scale)
    return weighted_average(weights, value)


def _in_one_operation(query, key, value, mask, scale):
    """Attend with axes of size 1 in the place of those that the operands lack."""
    missing = 4 - query.ndim

    def with_all_axes(x):
        return x[(None,) * (4 - x.ndim)] if x.ndim < 4 else x

    if mask is not None:
        mask = with_all_axes(pt.as_tensor_variable(mask))
    found = ops.attention(*map(with_all_axes, (query, key, value)), mask, scale)
    return found[(0,) * missing] if missing else found


def weighted_average(weights, value):
    """Return the product of (..., queries, keys) and (..., keys, size)."""
    return _batched(weights, value)


def _batched(x, y, transposed=False):
    """Multiply matrices on the last two axes, the other axes being the same.

    The leading axes are joined before anything is transposed: PyTensor then multiplies
    views, where it would copy four-dimensional arrays to join their axes.
    """
    leading = [x.shape[axis] for axis in range(x.ndim - 2)]
    rows, columns = x.shape[-2], y.shape[-2 if transposed else -1]
    if x.ndim > 3:
        x = x.reshape((-1, x.shape[-2], x.shape[-1]))
        y = y.reshape((-1, y.shape[-2], y.shape[-1]))
    product = pt.matmul(x, y.swapaxes(-1, -2) if transposed else y)
    return product.reshape((*leading, rows, columns)) if len(leading) > 1 else product
