"""Convolutions in one, two or three dimensions, channels first.

A convolution is linear in the input and in the filters. With a cotangent of the output
it forms a product of three arrays, of which each operation here leaves out another one:
so the gradients of all three are again among the three.
"""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.tensor.type import integer_dtypes, tensor

from lasagne_next.ops.convolution_base import ConvolutionOp, known_sizes, sizes_of
from lasagne_next.ops.geometry import padding_pairs, per_axis

__all__ = [
    "Convolution",
    "FilterGradient",
    "TransposedConvolution",
    "convolve",
    "convolve_transposed",
]


class Convolution(ConvolutionOp):
    """The convolution of an input with filters; see :func:`convolve`.

    Parameters
    ----------
    stride, dilation : tuple of int
        One integer an axis of positions.
    pad : tuple of pairs of int
        Zeros before and after the input, an axis each.
    num_groups : int, default 1
        In how many groups the channels are taken.
    flip_filters : bool, default True
        Whether the filters are rotated, as a true convolution does.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import Convolution
    >>> x = pt.tensor("x", shape=(None, 3, 28), dtype="float32")
    >>> W = pt.tensor("W", shape=(7, 3, 5), dtype="float32")
    >>> Convolution(stride=(2,), pad=((0, 0),), dilation=(1,))(x, W).type.shape
    (None, 7, 12)
    """

    __props__ = ConvolutionOp.__props__

    def make_node(self, x, W):
        """Check the operands and infer the shape."""
        x, W = self.operands(x=x, W=W)
        x_shape, W_shape = x.type.shape, W.type.shape
        sizes = self.convolved(x_shape[2:], W_shape[2:])
        shape = (x_shape[0], W_shape[0], *sizes)
        self.check(x_shape, W_shape, shape)
        return Apply(self, [x, W], [tensor(dtype=x.dtype, shape=shape)])

    def perform(self, node, inputs, output_storage):
        """Sum one product of matrices for each position of the filters."""
        x, W = map(np.asarray, inputs)  # JAX may have left others
        sizes = self.convolved(x.shape[2:], W.shape[2:])
        shape = (x.shape[0], W.shape[0], *sizes)
        self.check(x.shape, W.shape, shape)
        y = np.zeros(self.grouped(np.empty(shape, "int8")).shape, x.dtype)
        for tap, patch in self.patches(self.padded(x), sizes, W.shape[2:]):
            y += self.grouped_filters(W, tap) @ self.grouped(patch)
        output_storage[0][0] = y.reshape(shape)

    def infer_shape(self, *node_and_shapes):
        """Return (batch, filters, positions...)."""
        x, W = node_and_shapes[-1]
        return [(x[0], W[0], *self.convolved(x[2:], W[2:]))]

    def connection_pattern(self, node):
        """Both operands take part."""
        return [[True], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Transpose the convolution, and correlate input and cotangent."""
        (x, W), (gradient,) = inputs, cotangents
        to_x, to_W = self.like(TransposedConvolution), self.like(FilterGradient)
        sizes = [sizes_of(x)] if max(self.stride) > 1 else []
        return [to_x(gradient, W, *sizes), to_W(x, gradient, sizes_of(W))]


class TransposedConvolution(ConvolutionOp):
    """The adjoint of a convolution, which leads back; see :func:`convolve_transposed`.

    Parameters
    ----------
    stride, dilation : tuple of int
        Of the convolution, one integer an axis of positions.
    pad : tuple of pairs of int
        Zeros before and after the input of the convolution, an axis each.
    num_groups : int, default 1
        In how many groups the channels are taken.
    flip_filters : bool, default True
        Whether the convolution rotates the filters.

    Notes
    -----
    The third operand, an integer vector of the sizes of the result, may be left out;
    the smallest possible are taken then.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import TransposedConvolution
    >>> y = pt.tensor("y", shape=(None, 7, 12), dtype="float32")
    >>> W = pt.tensor("W", shape=(7, 3, 5), dtype="float32")
    >>> back = TransposedConvolution(stride=(2,), pad=((0, 0),), dilation=(1,))
    >>> back(y, W).type.shape, back(y, W, [28]).type.shape
    ((None, 3, 27), (None, 3, 28))
    """

    __props__ = ConvolutionOp.__props__

    def make_node(self, y, W, sizes=None):
        """Check the operands and infer the shape."""
        y, W = self.operands(y=y, W=W)
        y_shape, W_shape = y.type.shape, W.type.shape
        if sizes is None:
            known, optional = self.transposed(y_shape[2:], W_shape[2:]), []
        else:
            optional = [self.size_operand(sizes, "sizes")]
            known = known_sizes(optional[0], self.num_axes)
        shape = self.result_shape(y_shape, W_shape, known)
        self.check(shape, W_shape, y_shape)
        return Apply(self, [y, W, *optional], [tensor(dtype=y.dtype, shape=shape)])

    def result_shape(self, y, W, sizes):
        """Return (batch, channels, positions...)."""
        channels = None if W[1] is None else W[1] * self.num_groups
        return (y[0], channels, *sizes)

    def perform(self, node, inputs, output_storage):
        """Add one product of matrices for each position of the filters."""
        y, W, *optional = map(np.asarray, inputs)
        sizes = optional[0] if optional else self.transposed(y.shape[2:], W.shape[2:])
        shape = tuple(int(each) for each in self.result_shape(y.shape, W.shape, sizes))
        self.check(shape, W.shape, y.shape)
        x = self.padded(np.zeros(shape, y.dtype))
        grouped = self.grouped(y)
        for tap, patch in self.patches(x, y.shape[2:], W.shape[2:]):
            product = self.grouped_filters(W, tap).transpose(0, 2, 1) @ grouped
            patch += product.reshape(patch.shape)
        inside = (
            slice(before, before + size)
            for (before, _), size in zip(self.pad, shape[2:], strict=True)
        )
        x = np.ascontiguousarray(x[(slice(None), slice(None), *inside)])
        output_storage[0][0] = x

    def infer_shape(self, *node_and_shapes):
        """Return (batch, channels, positions...)."""
        node = node_and_shapes[-2]
        y, W, *optional = node_and_shapes[-1]
        if optional:
            sizes = [node.inputs[2][axis] for axis in range(self.num_axes)]
        else:
            sizes = self.transposed(y[2:], W[2:])
        return [self.result_shape(y, W, sizes)]

    def connection_pattern(self, node):
        """Say that the sizes are no numbers to differentiate."""
        return [[True], [True], [False]][: len(node.inputs)]

    def pullback(self, inputs, outputs, cotangents):
        """Convolve the cotangent, and correlate it with the input."""
        (y, W, *optional), (gradient,) = inputs, cotangents
        to_y, to_W = self.like(Convolution), self.like(FilterGradient)
        gradients = [to_y(gradient, W), to_W(gradient, y, sizes_of(W))]
        return gradients + [disconnected_type() for _ in optional]


class FilterGradient(ConvolutionOp):
    """The gradient of a convolution with respect to its filters.

    Parameters
    ----------
    stride, dilation : tuple of int
        Of the convolution, one integer an axis of positions.
    pad : tuple of pairs of int
        Zeros before and after the input of the convolution, an axis each.
    num_groups : int, default 1
        In how many groups the channels are taken.
    flip_filters : bool, default True
        Whether the convolution rotates the filters.

    Notes
    -----
    The operands are the input of the convolution, the cotangent of its output, and an
    integer vector of the sizes of the filters.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import FilterGradient
    >>> x = pt.tensor("x", shape=(None, 3, 28), dtype="float32")
    >>> y = pt.tensor("y", shape=(None, 7, 12), dtype="float32")
    >>> correlate = FilterGradient(stride=(2,), pad=((0, 0),), dilation=(1,))
    >>> correlate(x, y, [5]).type.shape
    (7, 3, 5)
    """

    __props__ = ConvolutionOp.__props__

    def make_node(self, x, y, sizes):
        """Check the operands and infer the shape."""
        x, y = self.operands(x=x, y=y)
        sizes = self.size_operand(sizes, "sizes")
        known = known_sizes(sizes, self.num_axes)
        shape = self.result_shape(x.type.shape, y.type.shape, known)
        self.check(x.type.shape, shape, y.type.shape)
        return Apply(self, [x, y, sizes], [tensor(dtype=x.dtype, shape=shape)])

    def result_shape(self, x, y, sizes):
        """Return (filters, channels of a group, positions...)."""
        channels = None if x[1] is None else x[1] // self.num_groups
        return (y[1], channels, *sizes)

    def perform(self, node, inputs, output_storage):
        """Multiply matrices for each position of the filters."""
        x, y, sizes = map(np.asarray, inputs)
        shape = tuple(int(each) for each in self.result_shape(x.shape, y.shape, sizes))
        self.check(x.shape, shape, y.shape)
        W = np.zeros(shape, x.dtype)
        grouped = self.grouped(y)
        for tap, patch in self.patches(self.padded(x), y.shape[2:], shape[2:]):
            product = grouped @ self.grouped(patch).transpose(0, 1, 3, 2)
            W[(slice(None), slice(None), *tap)] = product.sum(axis=0).reshape(shape[:2])
        output_storage[0][0] = W

    def infer_shape(self, *node_and_shapes):
        """Return (filters, channels of a group, positions...)."""
        sizes = node_and_shapes[-2].inputs[2]
        x, y, _ = node_and_shapes[-1]
        return [self.result_shape(x, y, [sizes[axis] for axis in range(self.num_axes)])]

    def connection_pattern(self, node):
        """Say that the sizes are no numbers to differentiate."""
        return [[True], [True], [False]]

    def pullback(self, inputs, outputs, cotangents):
        """Use the cotangent as filters, both ways."""
        (x, y, _), (gradient,) = inputs, cotangents
        to_x, to_y = self.like(TransposedConvolution), self.like(Convolution)
        sizes = [sizes_of(x)] if max(self.stride) > 1 else []
        return [to_x(y, gradient, *sizes), to_y(x, gradient), disconnected_type()]


def convolve(x, W, stride=1, pad=0, dilation=1, num_groups=1, flip_filters=True):
    """Convolve an input with filters, in one, two or three dimensions.

    In one dimension, with `x` continued by zeros::

        y[b, f, o] = sum(x[b, c, stride * o + dilation * u - pad] * V[f, c, u])

    over all c and u, where V is W, reversed along its positions if the filters are
    flipped.

    Parameters
    ----------
    x : tensor, SHAPE (batch, channels, positions...)
        The input, of one, two or three axes of positions. Integers are cast to the type
        of `W`.
    W : tensor, SHAPE (filters, channels // num_groups, positions...)
        The filters.
    stride : int or tuple of int, default 1
        Distance of the windows, for each axis.
    pad : int, tuple of int, tuple of pairs, or str, default 0
        How many zeros surround the input: a number for all axes, a number for each, or
        a pair (before, after) for each. Or 'valid' (none), 'full' (all windows that
        touch the input), 'same' (with stride 1 as many outputs as inputs) or, in one
        dimension, 'causal' (no output sees a later input). If 'same' takes an odd
        number of zeros, the additional one comes at the end, as in PyTorch and Keras.
    dilation : int or tuple of int, default 1
        Distance of the inputs that a filter sees, for each axis.
    num_groups : int, default 1
        The channels are taken in that many blocks, each with an equal share of the
        filters.
    flip_filters : bool, default True
        Whether to rotate the filters, as a convolution does in mathematics. Otherwise
        it is a cross-correlation.

    Returns
    -------
    TensorVariable, SHAPE (batch, filters, positions...)
        With ``(size + pads - dilation * (filter - 1) - 1) // stride + 1`` positions.

    Raises
    ------
    TypeError
        If the number of axes or the types do not fit.
    ValueError
        If an argument is impossible, or known sizes do not fit.

    Notes
    -----
    Convolutions of PyTorch, JAX and Keras are cross-correlations. The padding 'same' is
    that of PyTorch for every stride; Keras pads less if the stride is larger than one.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import convolve
    >>> x, W = np.array([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, 10.0]]])
    >>> convolve(x, W).eval(mode="FAST_COMPILE")
    array([[[12., 24.]]])
    >>> convolve(x, W, pad="causal", flip_filters=False).eval(mode="FAST_COMPILE")
    array([[[10., 21., 42.]]])
    """
    x, W, num_axes = _operands("convolve", x, W)
    dilation = per_axis(dilation, num_axes, "dilation", 1, "convolve")
    op = Convolution(
        per_axis(stride, num_axes, "stride", 1, "convolve"),
        padding_pairs(pad, W.type.shape[2:], dilation, "pad", "convolve"),
        dilation,
        num_groups,
        flip_filters,
    )
    return op(x, W)


def convolve_transposed(
    x,
    W,
    stride=1,
    crop=0,
    dilation=1,
    num_groups=1,
    flip_filters=False,
    output_size=None,
):
    """Transpose a convolution: the linear map that its gradient applies.

    Puts ``stride - 1`` zeros between the inputs, surrounds them by
    ``dilation * (filter - 1) - crop`` zeros, and slides the filters over that, one
    position after the other. It is the exact adjoint of :func:`convolve` with the same
    filters and arguments, with `pad` for `crop` and the opposite `flip_filters`.

    Parameters
    ----------
    x : tensor, SHAPE (batch, channels, positions...)
        The input, of one, two or three axes of positions. Integers are cast to the type
        of `W`.
    W : tensor, SHAPE (channels, filters // num_groups, positions...)
        The filters, channels first, as those of the convolution that it transposes.
    stride : int or tuple of int, default 1
        Distance of the inputs, for each axis.
    crop : int, tuple of int, tuple of pairs, or str, default 0
        What is cut from the border of the output, given as `pad` of :func:`convolve`.
    dilation : int or tuple of int, default 1
        Distance of the outputs that a filter reaches, for each axis.
    num_groups : int, default 1
        The channels are taken in that many blocks, each with an equal share of the
        filters.
    flip_filters : bool, default False
        Whether to rotate the filters that slide. As PyTorch does so (the filters are
        the same as those of its convolution), it is True for filters from there.
    output_size : int, tuple of int or vector, optional
        With a stride, several sizes convolve to the same one. The smallest is taken by
        default; up to ``stride - 1`` more are possible. May be symbolic.

    Returns
    -------
    TensorVariable, SHAPE (batch, filters, positions...)
        With ``(size - 1) * stride + dilation * (filter - 1) + 1 - crops`` positions.

    Raises
    ------
    TypeError
        If the number of axes or the types do not fit.
    ValueError
        If an argument is impossible, or known sizes do not fit.

    References
    ----------
    .. [1] Dumoulin, V., Visin, F. (2016): A guide to convolution arithmetic for deep
       learning. https://arxiv.org/abs/1603.07285 (section 4)

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import convolve_transposed
    >>> x, W = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0]]])
    >>> convolve_transposed(x, W, stride=3, flip_filters=True).eval(mode="FAST_COMPILE")
    array([[[ 1., 10.,  0.,  2., 20.]]])
    """
    who = "convolve_transposed"
    x, W, num_axes = _operands(who, x, W)
    dilation = per_axis(dilation, num_axes, "dilation", 1, who)
    op = TransposedConvolution(
        per_axis(stride, num_axes, "stride", 1, who),
        padding_pairs(crop, W.type.shape[2:], dilation, "crop", who),
        dilation,
        num_groups,
        not flip_filters,
    )
    if output_size is None:
        return op(x, W)
    if not isinstance(output_size, pt.TensorVariable):
        output_size = per_axis(output_size, num_axes, "output_size", 1, who)
        output_size = pt.constant(np.array(output_size, "int64"))
    return op(x, W, output_size)


def _operands(who, x, W):
    """Make variables of one floating type."""
    x, W = pt.as_tensor_variable(x), pt.as_tensor_variable(W)
    if x.ndim not in (3, 4, 5) or W.ndim != x.ndim:
        raise TypeError(
            f"{who}: x and W must both have 3, 4 or 5 axes, got {x!r} with {x.ndim} "
            f"and {W!r} with {W.ndim}."
        )
    if x.dtype in integer_dtypes:
        x = x.astype(W.dtype)
    dtype = pytensor.scalar.upcast(x.dtype, W.dtype)
    return x.astype(dtype), W.astype(dtype), x.ndim - 2
