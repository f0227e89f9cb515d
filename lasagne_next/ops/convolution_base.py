"""What convolutions and their gradients have in common: geometry and checks."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op
from pytensor.tensor.type import integer_dtypes, tensor

from lasagne_next.ops.geometry import (
    convolved_size,
    extent,
    padding_pairs,
    per_axis,
    transposed_size,
)

__all__ = ["ConvolutionOp", "Sizes", "known_sizes", "sizes_of"]

_DTYPES = ("float32", "float64")


class Sizes(Op):
    """Tell the sizes of the positions.

    Not taken apart by rewrites: JAX needs sizes that are known while it traces, and
    arithmetic with them is not.
    """

    __props__ = ()

    def make_node(self, x):
        """Return a vector of integers."""
        return Apply(self, [x], [tensor(dtype="int64", shape=(x.ndim - 2,))])

    def perform(self, node, inputs, output_storage):
        """Look at the shape."""
        output_storage[0][0] = np.array(inputs[0].shape[2:], "int64")

    def infer_shape(self, *node_and_shapes):
        """Return how many axes of positions there are."""
        return [(len(node_and_shapes[-1][0]) - 2,)]

    def connection_pattern(self, node):
        """Say that sizes do not depend on the numbers."""
        return [[False]]


def sizes_of(x):
    """Return the sizes of the positions of x, a constant if they are known."""
    known = x.type.shape[2:]
    return Sizes()(x) if None in known else pt.constant(np.array(known, "int64"))


def known_sizes(sizes, num_axes):
    """Return what is known of a vector of sizes, with None for the rest."""
    if isinstance(sizes, Constant):
        return tuple(int(each) for each in sizes.data)
    if sizes.owner is not None and isinstance(sizes.owner.op, Sizes):
        return sizes.owner.inputs[0].type.shape[2:]
    return (None,) * num_axes


class ConvolutionOp(Op):
    """What the three operations share: the geometry and the checks.

    The geometry is always that of the convolution that leads from x to y:
    ``y[b, f, o] = sum_(c, u) x[b, c, stride * o + dilation * u - pad] * W[f, c, u]``,
    with ``W[f, c, size - 1 - u]`` for flipped filters.
    """

    __props__ = ("stride", "pad", "dilation", "num_groups", "flip_filters")

    def __init__(self, stride, pad, dilation, num_groups=1, flip_filters=True):
        who, num_axes = type(self).__name__, len(tuple(stride))
        self.stride = per_axis(stride, num_axes, "stride", 1, who)
        self.dilation = per_axis(dilation, num_axes, "dilation", 1, who)
        self.pad = padding_pairs(pad, (None,) * num_axes, self.dilation, "pad", who)
        (self.num_groups,) = per_axis(num_groups, 1, "num_groups", 1, who)
        self.flip_filters = bool(flip_filters)

    @property
    def num_axes(self):
        """How many axes of positions there are."""
        return len(self.stride)

    def like(self, kind):
        """Return another operation of the same geometry."""
        return kind(*(getattr(self, each) for each in self.__props__))

    def operands(self, **operands):
        """Make variables of the operands and check how many axes and which type."""
        variables = [pt.as_tensor_variable(each) for each in operands.values()]
        for name, each in zip(operands, variables, strict=True):
            if each.ndim != self.num_axes + 2:
                raise TypeError(
                    f"{type(self).__name__}: {name} must have {self.num_axes + 2} axes,"
                    f" got {each!r} with {each.ndim}."
                )
        first, second = (each.dtype for each in variables)
        if first != second or first not in _DTYPES:
            raise TypeError(
                f"{type(self).__name__}: {' and '.join(operands)} must both be float32 "
                f"or both float64, got {first} and {second}. Cast them first."
            )
        return variables

    def size_operand(self, sizes, name):
        """Make a variable of sizes, a vector of integers."""
        sizes = pt.as_tensor_variable(sizes)
        if sizes.ndim != 1 or sizes.dtype not in integer_dtypes:
            raise TypeError(
                f"{type(self).__name__}: {name} must be {self.num_axes} integers or a "
                f"vector of integers, got {sizes!r} of type {sizes.type}."
            )
        if sizes.type.shape[0] not in (None, self.num_axes):
            raise ValueError(
                f"{type(self).__name__}: {name} must be {self.num_axes} integers, got "
                f"{sizes.type.shape[0]}."
            )
        return sizes if sizes.dtype == "int64" else sizes.astype("int64")

    def _spans(self, sizes):
        return [extent(*pair) for pair in zip(sizes, self.dilation, strict=True)]

    def convolved(self, sizes, filter_sizes):
        """Return to how many positions these convolve, with None for unknown."""
        geometry = zip(
            sizes, self._spans(filter_sizes), self.stride, self.pad, strict=True
        )
        return tuple(convolved_size(*each) for each in geometry)

    def transposed(self, sizes, filter_sizes):
        """Return how few positions convolve to these, with None for unknown."""
        geometry = zip(
            sizes, self._spans(filter_sizes), self.stride, self.pad, strict=True
        )
        return tuple(transposed_size(*each) for each in geometry)

    def check(self, x, W, y):
        """Refuse shapes that do not belong together, as far as they are known."""
        shapes = f"of x {x}, of the filters {W} and of the output {y}"
        who, groups = type(self).__name__, self.num_groups
        if None not in (x[0], y[0]) and x[0] != y[0]:
            raise ValueError(f"{who}: the batch sizes differ, with shapes {shapes}.")
        if W[0] is not None and W[0] % groups:
            raise ValueError(
                f"{who}: num_groups must divide the {W[0]} filters, got {groups} "
                f"(shapes {shapes})."
            )
        if x[1] is not None and x[1] % groups:
            raise ValueError(
                f"{who}: num_groups must divide the {x[1]} channels, got {groups} "
                f"(shapes {shapes})."
            )
        if None not in (x[1], W[1]) and x[1] != W[1] * groups:
            raise ValueError(
                f"{who}: the filters must have {x[1] // groups} channels, got {W[1]} "
                f"({x[1]} channels, num_groups={groups}, shapes {shapes})."
            )
        if None not in (y[1], W[0]) and y[1] != W[0]:
            raise ValueError(
                f"{who}: there must be as many filters as channels of the output, got "
                f"shapes {shapes}."
            )
        self._check_positions(x, W, y, shapes)

    def _check_positions(self, x, W, y, shapes):
        who = type(self).__name__
        geometry = f"stride {self.stride}, pad {self.pad}, dilation {self.dilation}"
        sizes = [size for size in (*x[2:], *W[2:]) if size is not None]
        if any(size < 1 for size in sizes):
            raise ValueError(
                f"{who}: there must be at least 1 position along each axis, got shapes "
                f"{shapes}, {geometry}."
            )
        possible = self.convolved(x[2:], W[2:])
        if any(each is not None and each < 1 for each in possible):
            raise ValueError(
                f"{who}: the filters must fit into the padded input, got shapes "
                f"{shapes}, {geometry}."
            )
        if any(
            None not in (each, size) and each != size
            for each, size in zip(possible, y[2:], strict=True)
        ):
            raise ValueError(
                f"{who}: {x[2:]} positions convolve to {possible}, but there are "
                f"{y[2:]} (shapes {shapes}, {geometry})."
            )

    def places(self, y_sizes, filter_sizes):
        """Yield, for each filter position, its index and slices of padded positions."""
        for tap in np.ndindex(*filter_sizes):
            index = tuple(
                slice(u * dilation, u * dilation + (size - 1) * stride + 1, stride)
                for u, dilation, size, stride in zip(
                    tap, self.dilation, y_sizes, self.stride, strict=True
                )
            )
            if self.flip_filters:
                tap = tuple(np.subtract(filter_sizes, 1) - tap)
            yield tap, index

    def patches(self, padded, y_sizes, filter_sizes):
        """Yield, for each filter position, its index and where it meets padded x."""
        for tap, index in self.places(y_sizes, filter_sizes):
            yield tap, padded[(slice(None), slice(None), *index)]

    def grouped(self, x):
        """Reshape to (batch, groups, channels of a group, positions)."""
        channels = x.shape[1] // self.num_groups
        positions = int(np.prod(x.shape[2:]))
        return x.reshape(x.shape[0], self.num_groups, channels, positions)

    def grouped_filters(self, W, tap):
        """Take one position: (groups, filters of a group, channels of a group)."""
        each = W[(slice(None), slice(None), *tap)]
        return each.reshape(self.num_groups, W.shape[0] // self.num_groups, W.shape[1])

    def padded(self, x):
        """Surround an array by zeros."""
        return np.pad(x, ((0, 0), (0, 0), *self.pad))
