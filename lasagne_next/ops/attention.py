"""Attention in one operation, which need not keep what each query sees of each key."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.sequences import check_operand, common_size, pull_back

__all__ = ["Attention", "AttentionGradient", "attention"]

FORBIDDEN = -1e30  # what is added to a score that must not count


class _Masked(Op):
    """What the operation and its gradient share: a mask that comes last, or none.

    Parameters
    ----------
    masked : bool
        Whether a mask follows the other operands.
    """

    __props__ = ("masked",)

    def __init__(self, masked):
        self.masked = bool(masked)

    def connection_pattern(self, node):
        """Connect all but the mask."""
        masks = [False] * (len(node.inputs) - 1) + [self.masked]
        return [[not mask] * len(node.outputs) for mask in masks]

    def _check(self, query, key, value, others, mask):
        """Check the operands and return the sizes that are known."""
        dtype, who = query.dtype, type(self).__name__
        named = {"query": query, "key": key, "value": value, **others}
        for name, operand in named.items():
            check_operand(who, name, operand, 4, dtype)
        if mask:
            check_operand(who, "mask", mask[0], 4, "bool")
        shapes = {name: operand.type.shape for name, operand in named.items()}
        # Axes: batch, heads, queries, keys, size of queries and keys, of values.
        places = {"query": "bhqd", "key": "bhkd", "value": "bhke", "cotangent": "bhqe"}
        words = dict(zip("bhqkde", _WORDS, strict=True))
        found = {letter: [] for letter in words}
        for name, shape in shapes.items():
            for letter, size in zip(places[name], shape, strict=True):
                found[letter].append(size)
        if mask:
            for letter, size in zip("bhqk", mask[0].type.shape, strict=True):
                found[letter].append(None if size == 1 else size)
        return {
            letter: common_size(who, words[letter], sizes)
            for letter, sizes in found.items()
        }

    def check_sizes(self, shapes):
        """Raise ValueError unless shapes of arrays fit, all operands in their order."""
        query, key, value, *others = shapes
        scores = (*query[:3], key[2])
        fits = key == (*query[:2], key[2], query[3]) and value[:3] == key[:3]
        if self.masked:
            *others, mask = others
            pairs = zip(mask, scores, strict=True)
            fits = fits and all(size in (1, wanted) for size, wanted in pairs)
        for cotangent in others:
            fits = fits and cotangent == (*query[:3], value[3])
        if not fits:
            raise ValueError(
                f"{type(self).__name__}: the sizes of the operands do not fit."
            )


_WORDS = ("examples", "heads", "queries", "keys", "features of a key", "features")


class Attention(_Masked):
    """Average values, weighted by the softmax of the products of queries and keys.

    See :func:`attention` for what it computes; this has no scale.

    Parameters
    ----------
    masked : bool
        Whether a mask follows queries, keys and values.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import Attention
    >>> shapes = [(None, 2, 5, 3), (None, 2, 7, 3), (None, 2, 7, 4)]
    >>> operands = [pt.tensor(dtype="float32", shape=shape) for shape in shapes]
    >>> Attention(masked=False)(*operands).type.shape
    (None, 2, 5, 4)
    """

    def make_node(self, query, key, value, *mask):
        """Check the operands and infer the shape."""
        operands = [pt.as_tensor_variable(each) for each in (query, key, value, *mask)]
        query, key, value, *mask = operands
        sizes = self._check(query, key, value, {}, mask)
        shape = [sizes[letter] for letter in "bhqe"]
        return Apply(self, operands, [tensor(dtype=query.dtype, shape=shape)])

    def infer_shape(self, *node_and_shapes):
        """Return the shape of queries, with the last size of values."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        query, _, value, *_ = node_and_shapes[-1]
        return [(*query[:3], value[3])]

    def perform(self, node, inputs, output_storage):
        """Compute with numpy."""
        self.check_sizes([each.shape for each in inputs])
        query, key, value, *mask = inputs
        weights = _weights(query, key, mask)
        output_storage[0][0] = weights @ value

    def pullback(self, inputs, outputs, cotangents):
        """Compute the weights again, and the three gradients."""
        query, key, value, *mask = inputs
        back = AttentionGradient(self.masked)(query, key, value, *cotangents, *mask)
        return [*back, disconnected_type()] if self.masked else back


class AttentionGradient(_Masked):
    """The gradients of :class:`Attention` for queries, keys and values.

    Parameters
    ----------
    masked : bool
        Whether a mask follows queries, keys, values and the cotangent.

    Examples
    --------
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import AttentionGradient, attention
    >>> x = pt.tensor(shape=(None, 2, 5, 3))
    >>> gradient = pytensor.grad(attention(x, x, x.zeros_like()).sum(), x)
    >>> gradient.type.shape
    (None, 2, 5, 3)
    """

    def make_node(self, query, key, value, cotangent, *mask):
        """Make one gradient of the type of each operand."""
        operands = [
            pt.as_tensor_variable(each)
            for each in (query, key, value, cotangent, *mask)
        ]
        query, key, value, cotangent, *mask = operands
        self._check(query, key, value, {"cotangent": cotangent}, mask)
        outputs = [
            tensor(dtype=each.dtype, shape=each.type.shape)
            for each in (query, key, value)
        ]
        return Apply(self, operands, outputs)

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of queries, keys and values."""
        return list(node_and_shapes[-1][:3])

    def perform(self, node, inputs, output_storage):
        """Compute with numpy."""
        self.check_sizes([each.shape for each in inputs])
        query, key, value, cotangent, *mask = inputs
        weights = _weights(query, key, mask)
        d_weights = cotangent @ value.swapaxes(2, 3)
        d_weights -= (weights * d_weights).sum(axis=3, keepdims=True)
        d_scores = weights * d_weights
        output_storage[0][0] = d_scores @ key
        output_storage[1][0] = d_scores.swapaxes(2, 3) @ query
        output_storage[2][0] = weights.swapaxes(2, 3) @ cotangent

    def pullback(self, inputs, outputs, cotangents):
        """Write the gradient by smaller operations, and differentiate these."""
        return pull_back(_gradients_written_out, inputs, cotangents)


def _weights(query, key, mask):
    """Compute the weights of arrays."""
    scores = query @ key.swapaxes(2, 3)
    if mask:
        scores = np.where(mask[0], scores, -np.inf)
    largest = scores.max(axis=3, keepdims=True, initial=-np.inf)
    largest = np.where(largest == -np.inf, 0, largest).astype(scores.dtype)
    exponentials = np.exp(scores - largest)
    total = exponentials.sum(axis=3, keepdims=True)
    return exponentials / np.where(total == 0, 1, total).astype(scores.dtype)


def _gradients_written_out(query, key, value, cotangent, mask=None):
    """Return the gradients as expressions."""
    scores = pt.matmul(query, key.swapaxes(2, 3))
    if mask is not None:
        mask = _repeated(mask, scores)
        number = np.dtype(scores.dtype).type(FORBIDDEN)
        scores = scores + number * (~mask).astype(scores.dtype)
    weights = pt.special.softmax(scores, axis=3)
    if mask is not None:
        weights = weights * mask.any(axis=3, keepdims=True).astype(scores.dtype)
    d_weights = pt.matmul(cotangent, value.swapaxes(2, 3))
    inner = (weights * d_weights).sum(axis=3, keepdims=True)
    d_scores = weights * (d_weights - inner)
    return (
        pt.matmul(d_scores, key),
        pt.matmul(d_scores.swapaxes(2, 3), query),
        pt.matmul(weights.swapaxes(2, 3), cotangent),
    )


def _repeated(mask, scores):
    """Repeat axes of a mask that may have a size of 1, unless its type says so."""
    for axis, size in enumerate(mask.type.shape):
        if size is None:
            others = [each for each in range(4) if each != axis]
            # A range of unknown length does not compile on JAX (PyTensor 3.0.7).
            ones = pt.ones_like(scores.sum(axis=others), dtype="int64")
            mask = mask.take((pt.cumsum(ones) - 1) % mask.shape[axis], axis=axis)
    return mask


def attention(query, key, value, mask=None, scale=None):
    r"""Average values, weighted by how well their keys match queries.

    Computes :math:`\mathrm{softmax}(s\, Q K^T)\, V` for each head of each example.

    Parameters
    ----------
    query : tensor, SHAPE (batch, heads, queries, size)
        What is looked for.
    key : tensor, SHAPE (batch, heads, keys, size)
        What queries are compared with.
    value : tensor, SHAPE (batch, heads, keys, value size)
        What is averaged.
    mask : tensor, SHAPE (batch, heads, queries, keys), sizes of 1 repeated, optional
        Nonzero where a key is allowed.
    scale : number or symbolic scalar, optional
        The factor s; by default one over the root of `size`.

    Returns
    -------
    TensorVariable, SHAPE (batch, heads, queries, value size)
        Zero for queries that no key is allowed for.

    Raises
    ------
    TypeError
        If an operand has other axes, or is not of one floating type with the others.
    ValueError
        If the known sizes do not fit.

    Notes
    -----
    On Numba one kernel takes some queries of one head at a time, so that the weights
    of all queries are never in memory together; its gradient computes them again, as
    in [2]_. Second derivatives are computed by smaller operations.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, equation 1.
       https://arxiv.org/abs/1706.03762
    .. [2] Tri Dao and others (2022): FlashAttention, algorithms 1 and 4.
       https://arxiv.org/abs/2205.14135

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import attention
    >>> query, key = np.zeros((1, 1, 1, 2)), np.ones((1, 1, 2, 2))
    >>> value = np.array([[[[1.0], [2.0]]]])
    >>> attention(query, key, value).eval(mode="FAST_COMPILE").tolist()
    [[[[1.5]]]]
    """
    query = pt.as_tensor_variable(query)
    check_operand("attention", "query", query, 4, query.dtype)
    if scale is None:
        size = query.type.shape[3]
        scale = (
            pt.sqrt(query.shape[3].astype(query.dtype)) ** -1
            if size is None
            else 1 / math.sqrt(max(size, 1))
        )
    if not hasattr(scale, "type"):
        scale = np.asarray(scale, query.dtype)
    operands = [query * scale.astype(query.dtype), key, value]
    operands += [] if mask is None else [pt.neq(mask, 0)]
    return Attention(mask is not None)(*operands)
