"""The convolution of x with W that uses the structure of W."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.scalar import basic as scalar
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.shape import Reshape, SpecifyShape

from lasagne_next import ops
from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps import Product
from lasagne_next.expressions.linear_maps.base import FEW, MANY, USUAL, is_trainable
from lasagne_next.expressions.recognition import recognise
from lasagne_next.ops.geometry import (
    convolved_size,
    extent,
    padding_pairs,
    per_axis,
)
from lasagne_next.params import static_shape

__all__ = ["convolve"]


def convolve(
    x,
    W,
    stride=1,
    pad=0,
    dilation=1,
    num_groups=1,
    flip_filters=True,
    structured=True,
):
    """Convolve with filters in the cheapest way that their making allows.

    Filters that are a product of smaller ones are two convolutions, each of them
    cheaper. Recognised are

    * low rank: a matrix product of SHAPE (filters, channels * positions), reshaped, as
      ``pt.tensordot(u, v, 1)`` or ``LowRank(rank)`` make it: a convolution to as many
      maps as the rank, and a mix of these;
    * these with one factor for each filter, or for all;
    * separable filters of two axes: ``pt.tensordot(u, v, 1).transpose(0, 2, 1, 3)`` of
      u, SHAPE (filters, rows, rank), and v, SHAPE (rank, channels, columns), or
      ``u * v`` of SHAPE (filters, 1, rows, 1) and (1, channels, 1, columns), or of
      (channels, 1, rows, 1) and (channels, 1, 1, columns) where every channel is a
      group: one axis after the other.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        The input, of one, two or three axes of positions.
    W : TensorVariable, SHAPE (filters, channels // num_groups, positions...)
        The filters, and best an expression.
    stride, pad, dilation, num_groups, flip_filters
        See :func:`lasagne_next.ops.convolve`.
    structured : bool, default True
        Whether to use the structure. False convolves with W itself, so that W stays in
        the graph and a gradient with respect to W can be taken.

    Returns
    -------
    TensorVariable, SHAPE (batch, filters, positions...)
        Equal to :func:`lasagne_next.ops.convolve` up to rounding.

    Notes
    -----
    The form is chosen by counting operations, as by :func:`dot`. Where the batch or the
    number of positions is unknown, two convolutions must pay for one output as well as
    for very many.

    References
    ----------
    Max Jaderberg, Andrea Vedaldi and Andrew Zisserman (2014): Speeding up convolutional
    neural networks with low rank expansions, section 2.
    https://arxiv.org/abs/1405.3866

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions
    >>> x = pt.tensor("x", shape=(16, 64, 28, 28))
    >>> u = pytensor.shared(np.ones((64, 4)), shape=(64, 4))
    >>> v = pytensor.shared(np.ones((4, 64, 3, 3)), shape=(4, 64, 3, 3))
    >>> y = expressions.convolve(x, pt.tensordot(u, v, 1))
    >>> y.type.shape, y.owner.inputs[0].type.shape
    ((16, 64, 26, 26), (16, 4, 26, 26))
    """
    x, W = pt.as_tensor_variable(x), pt.as_tensor_variable(W)
    options = stride, pad, dilation, num_groups, flip_filters
    factors = None
    if structured and x.ndim == W.ndim and x.ndim in (3, 4, 5):
        factors = _factors(W, num_groups)
    if factors is None:
        return ops.convolve(x, W, *options)
    whole = _Step.of(W, stride, pad, dilation, num_groups)
    steps = [whole.along(axes, factor) for axes, factor in factors]
    if not _pays(x, whole, steps):
        return ops.convolve(x, W, *options)
    for step in steps:
        x = step.apply(x, flip_filters)
    return x


@dataclass(frozen=True)
class _Step:
    """A convolution with all it needs; `shape` is that of the filters."""

    W: Variable
    shape: tuple
    stride: tuple
    pad: tuple
    dilation: tuple
    num_groups: int

    @classmethod
    def of(cls, W, stride, pad, dilation, num_groups):
        """Read the arguments of :func:`convolve`."""
        shape = static_shape(W)
        num_axes, who = len(shape) - 2, "convolve"
        dilation = per_axis(dilation, num_axes, "dilation", 1, who)
        return cls(
            W,
            shape,
            per_axis(stride, num_axes, "stride", 1, who),
            padding_pairs(pad, shape[2:], dilation, "pad", who),
            dilation,
            per_axis(num_groups, 1, "num_groups", 1, who)[0],
        )

    def along(self, axes, W):
        """Return the step of other filters that takes the geometry of some axes."""

        def only(values, otherwise):
            numbered = enumerate(values)
            return tuple(v if axis in axes else otherwise for axis, v in numbered)

        return _Step(
            W,
            static_shape(W),
            only(self.stride, 1),
            only(self.pad, (0, 0)),
            only(self.dilation, 1),
            self.num_groups,
        )

    def apply(self, x, flip_filters):
        """Convolve."""
        options = self.stride, self.pad, self.dilation, self.num_groups, flip_filters
        return ops.convolve(x, self.W, *options)

    def sizes(self, sizes):
        """Return the sizes of the output."""
        spans = map(extent, self.shape[2:], self.dilation)
        return tuple(map(convolved_size, sizes, spans, self.stride, self.pad))

    def cost(self, batch, sizes):
        """Estimate what the convolution costs with gradients."""
        filters, inner = self.shape[0], math.prod(self.shape[1:])
        rows = batch * math.prod(self.sizes(sizes))
        return costs.product(rows, inner, filters, is_trainable(self.W))


def _pays(x, whole, steps):
    """Tell whether two steps are cheaper, for all batches and sizes that are possible.

    The product that W is has to be computed for one step.
    """
    batch, *sizes = x.type.shape[0], *x.type.shape[2:]
    spans = list(map(extent, whole.shape[2:], whole.dilation))
    fewest = [
        max(span - sum(pad), 1) for span, pad in zip(spans, whole.pad, strict=True)
    ]
    batches = [batch] if batch is not None else [FEW, MANY]
    options = [
        [size] if size is not None else [few, few + USUAL]
        for size, few in zip(sizes, fewest, strict=True)
    ]
    filters, inner = whole.shape[0], math.prod(whole.shape[1:])
    maps, rank = steps[0].shape[0], steps[1].shape[1]
    written = costs.product(filters, rank, inner, is_trainable(whole.W))
    for batch, *sizes in itertools.product(batches, *options):
        between = steps[0].sizes(sizes)
        kept = costs.elementwise(batch * maps * math.prod(between))
        two = steps[0].cost(batch, sizes) + kept + steps[1].cost(batch, between)
        if two >= written + whole.cost(batch, sizes):
            return False
    return True


def _factors(W, num_groups):
    """Return two pairs of axes and filters in the order of use, or None."""
    node = W.owner
    while node is not None and isinstance(node.op, SpecifyShape):
        node = node.inputs[0].owner
    if node is None or None in static_shape(W):
        return None
    found = None
    if isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, scalar.Mul):
        found = _outer_product(node, static_shape(W), num_groups)
        found = found or _scaled(node, static_shape(W), num_groups)
    elif num_groups == 1 and isinstance(node.op, Reshape):
        found = _low_rank(node.inputs[0], static_shape(W))
    elif num_groups == 1 and isinstance(node.op, DimShuffle):
        found = _separable(node, static_shape(W))
    same_type = found and all(factor.dtype == W.dtype for _, factor in found)
    return found if same_type else None


def _scaled(node, shape, num_groups):
    """Scale the last step where each of the filters is scaled, as by their norms."""
    if len(node.inputs) != 2:
        return None
    for inner, scale in (node.inputs, node.inputs[::-1]):
        count, *others = static_shape(scale)
        if count in (1, shape[0]) and set(others) == {1}:
            # Filters that the scale is computed from are written out in any case.
            found = None if inner in ancestors([scale]) else _factors(inner, num_groups)
            if found is not None:
                first, (axes, last) = found
                return [first, (axes, last * scale)]
    return None


def _halves(matrix, rows):
    """Return the two parts of a product of so many rows, where it is thinnest."""
    if matrix.ndim != 2 or static_shape(matrix)[0] != rows:
        return None
    found = recognise(matrix)
    return found.halves() if isinstance(found, Product) else None


def _low_rank(matrix, shape):
    halves = _halves(matrix, shape[0])
    if halves is None:
        return None
    left, right = halves
    rank, axes = static_shape(left)[1], range(len(shape) - 2)
    maps = right.reshape((rank, *shape[1:]))
    mix = left.reshape((shape[0], rank, *[1] * len(axes)))
    return [(axes, maps), ((), mix)]


def _separable(node, shape):
    reshaped = node.inputs[0].owner
    if node.op.new_order != (0, 2, 1, 3) or reshaped is None:
        return None
    filters, channels, rows, columns = shape
    if not isinstance(reshaped.op, Reshape):
        return None
    halves = _halves(reshaped.inputs[0], filters * rows)
    if halves is None:
        return None
    left, right = halves
    rank = static_shape(left)[1]
    first = right.reshape((rank, channels, 1, columns))
    second = left.reshape((filters, rows, rank)).transpose(0, 2, 1)[..., None]
    return [((1,), first), ((0,), second)]


def _outer_product(node, shape, num_groups):
    if len(shape) != 4 or len(node.inputs) != 2:
        return None
    filters, channels, rows, columns = shape
    if num_groups == 1:
        wanted = {(filters, 1, rows, 1): 0, (1, channels, 1, columns): 1}
    elif filters == num_groups and channels == 1:
        wanted = {(filters, 1, rows, 1): 0, (filters, 1, 1, columns): 1}
    else:
        return None
    by_axis = {wanted.get(static_shape(each)): each for each in node.inputs}
    if set(by_axis) != {0, 1}:
        return None
    return [((1,), by_axis[1]), ((0,), by_axis[0])]
