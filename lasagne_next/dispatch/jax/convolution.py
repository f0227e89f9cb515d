"""Convolutions on JAX, through those of XLA, or slices where these are faster."""

import jax
import jax.numpy as jnp
import numpy as np
from pytensor.graph.basic import Constant
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.dispatch.jax.convolution_by_positions import (
    convolution_by_positions,
    filter_gradient_by_positions,
    is_depthwise,
    is_filter_gradient_slow,
    is_short,
    transposed_convolution_by_positions,
)
from lasagne_next.ops.convolution import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
)
from lasagne_next.ops.convolution_base import Sizes

__all__ = [
    "jax_funcify_convolution",
    "jax_funcify_filter_gradient",
    "jax_funcify_sizes",
    "jax_funcify_transposed_convolution",
]


def _convolve(op, x, W):
    if op.flip_filters:
        W = jnp.flip(W, axis=tuple(range(2, W.ndim)))
    return jax.lax.conv_general_dilated(
        x,
        W,
        window_strides=op.stride,
        padding=op.pad,
        rhs_dilation=op.dilation,
        feature_group_count=op.num_groups,
    )


def _static(op, node, sizes):
    """Return the sizes, the third operand, as integers."""
    if isinstance(node.inputs[2], Constant):
        sizes = node.inputs[2].data
    try:
        return tuple(int(each) for each in sizes)
    except (TypeError, jax.errors.ConcretizationTypeError) as error:
        raise NotImplementedError(
            f"{type(op).__name__}: the sizes must be known on JAX when a function is "
            f"compiled, got {node.inputs[2]!r}. Give integers."
        ) from error


@jax_funcify.register(Sizes)
def jax_funcify_sizes(op, **kwargs):
    """Return a function that gives the sizes, known while JAX traces."""

    def sizes(x):
        return np.array(x.shape[2:], "int64")

    return sizes


@jax_funcify.register(Convolution)
def jax_funcify_convolution(op, **kwargs):
    """Return the convolution of XLA, or a sum over positions."""

    def by_xla(x, W):
        return _convolve(op, x, W)

    def by_positions(x, W):
        return convolution_by_positions(op, x, W)

    def convolution(x, W):
        if not is_depthwise(op, W.shape):
            return by_xla(x, W)
        y = op.convolved(x.shape[2:], W.shape[2:])
        op.check(x.shape, W.shape, (x.shape[0], W.shape[0], *y))
        return jax.lax.platform_dependent(x, W, cpu=by_positions, default=by_xla)

    return convolution


@jax_funcify.register(TransposedConvolution)
def jax_funcify_transposed_convolution(op, node, **kwargs):
    """Return a convolution of the stretched input with exchanged filters."""

    def transposed_convolution(y, W, sizes=None):
        if sizes is None:
            sizes = op.transposed(y.shape[2:], W.shape[2:])
        else:
            sizes = _static(op, node, sizes)
        shape = op.result_shape(y.shape, W.shape, sizes)
        op.check(shape, W.shape, y.shape)

        def by_xla(y, W):
            x = jax.ShapeDtypeStruct(shape, y.dtype)
            return jax.linear_transpose(lambda x: _convolve(op, x, W), x)(y)[0]

        def by_positions(y, W):
            return transposed_convolution_by_positions(op, y, W, shape)

        if not (is_depthwise(op, W.shape) or is_short(op, W.shape)):
            return by_xla(y, W)
        return jax.lax.platform_dependent(y, W, cpu=by_positions, default=by_xla)

    return transposed_convolution


@jax_funcify.register(FilterGradient)
def jax_funcify_filter_gradient(op, node, **kwargs):
    """Return the transpose of the convolution as a function of the filters."""

    def filter_gradient(x, y, sizes):
        shape = op.result_shape(x.shape, y.shape, _static(op, node, sizes))
        op.check(x.shape, shape, y.shape)

        def by_xla(x, y):
            W = jax.ShapeDtypeStruct(shape, x.dtype)
            return jax.linear_transpose(lambda W: _convolve(op, x, W), W)(y)[0]

        def by_positions(x, y):
            return filter_gradient_by_positions(op, x, y, shape)

        if not is_filter_gradient_slow(op, shape, y.shape):
            return by_xla(x, y)
        return jax.lax.platform_dependent(x, y, cpu=by_positions, default=by_xla)

    return filter_gradient
