"""Convolutions on Numba."""

import numpy as np
from numba.cpython.unsafe.tuple import tuple_setitem
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.dispatch.numba.matrix_product import _keep_alive
from lasagne_next.dispatch.numba.symbols import by_name
from lasagne_next.dispatch.numba.tiles import vector_length
from lasagne_next.dispatch.numba.windows import (
    BATCH,
    CHANNELS,
    DILATION,
    FILTER_SIZES,
    FILTERS,
    FLIP,
    GROUPS,
    LENGTH,
    PAD,
    STRIDE,
    TRANSPOSED,
    W_ADDRESS,
    X_ADDRESS,
    X_SIZES,
    Y_ADDRESS,
    Y_SIZES,
)
from lasagne_next.dispatch.numba.windows_times_filters import (
    make_windows_times_filters,
)
from lasagne_next.dispatch.numba.windows_times_outputs import (
    make_windows_times_outputs,
)
from lasagne_next.ops.convolution import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
)
from lasagne_next.ops.convolution_base import Sizes

__all__ = [
    "numba_funcify_convolution",
    "numba_funcify_filter_gradient",
    "numba_funcify_sizes",
    "numba_funcify_transposed_convolution",
]

CACHE_VERSION = 2  # raise when anything below, or the windows, change


def _kernels(dtype):
    """Return the two kernels of a type, functions of the address of their arguments."""
    dtype = np.dtype(dtype)
    key = f"{CACHE_VERSION}-{vector_length(dtype)}"
    filters = by_name(
        f"lasagne_next_windows_times_filters_{dtype}",
        1,
        lambda: make_windows_times_filters(dtype),
        key,
    )
    outputs = by_name(
        f"lasagne_next_windows_times_outputs_{dtype}",
        1,
        lambda: make_windows_times_outputs(dtype),
        key,
    )
    return filters, outputs


@numba_basic.numba_njit
def _arguments(x, W, y, addresses, geometry, num_groups, flip, transposed):
    """Write shapes, geometry and addresses into the table that the kernels read."""
    stride, pad, _, dilation = geometry
    table = np.zeros(LENGTH, np.intp)
    table[X_ADDRESS], table[W_ADDRESS], table[Y_ADDRESS] = addresses
    table[BATCH], table[GROUPS], table[FLIP] = x[0], num_groups, flip
    table[TRANSPOSED] = transposed
    table[CHANNELS], table[FILTERS] = W[1], W[0] // num_groups
    for axis in range(3):
        table[X_SIZES + axis] = x[axis + 2]
        table[Y_SIZES + axis] = y[axis + 2]
        table[FILTER_SIZES + axis] = W[axis + 2]
        table[STRIDE + axis] = stride[axis]
        table[PAD + axis] = pad[axis]
        table[DILATION + axis] = dilation[axis]
    return table


def _wide(values, filler):
    return (filler,) * (3 - len(values)) + tuple(values)


def _geometry(op):
    pad = _wide([before for before, _ in op.pad], 0)
    after = _wide([after for _, after in op.pad], 0)
    return _wide(op.stride, 1), pad, after, _wide(op.dilation, 1)


@register_funcify_default_op_cache_key(Sizes)
def numba_funcify_sizes(op, node, **kwargs):
    """Return a function that looks at the shape."""

    @numba_basic.numba_njit
    def sizes(x):
        result = np.empty(x.ndim - 2, np.int64)
        for axis in range(x.ndim - 2):
            result[axis] = x.shape[axis + 2]
        return result

    return sizes, CACHE_VERSION


@numba_basic.numba_njit
def _check(x, W, y, geometry, num_groups):
    """Refuse shapes, all with three axes of positions, that do not belong together."""
    stride, pad, after, dilation = geometry
    if x[0] != y[0] or W[0] != y[1] or W[1] * num_groups != x[1] or W[0] % num_groups:
        raise ValueError("Convolution: batch, channels or filters do not fit.")
    for axis in range(3):
        size, filter_size = x[axis + 2], W[axis + 2]
        room = size + pad[axis] + after[axis] - (filter_size - 1) * dilation[axis] - 1
        if size < 1 or filter_size < 1 or room < 0:
            raise ValueError("Convolution: the filters do not fit into the input.")
        if room // stride[axis] + 1 != y[axis + 2]:
            raise ValueError("Convolution: the numbers of positions do not fit.")


@numba_basic.numba_njit
def _convolved(x, W, geometry):
    """Return to how many positions shapes convolve; the check refuses what is wrong."""
    stride, pad, after, dilation = geometry
    size = (0, 0, 0)
    for axis in range(3):
        room = x[axis + 2] + pad[axis] + after[axis]
        room -= (W[axis + 2] - 1) * dilation[axis] + 1
        size = tuple_setitem(size, axis, max(room, 0) // stride[axis] + 1)
    return size


@numba_basic.numba_njit
def _transposed(y, W, geometry):
    """Return how few positions convolve to those of y."""
    stride, pad, after, dilation = geometry
    size = (0, 0, 0)
    for axis in range(3):
        span = (W[axis + 2] - 1) * dilation[axis] + 1 - pad[axis] - after[axis]
        size = tuple_setitem(size, axis, (y[axis + 2] - 1) * stride[axis] + span)
    return size


def _shapes(num_axes):
    """Make the ways between shapes with `num_axes` and with three axes of positions."""
    if num_axes == 1:
        widen = numba_basic.numba_njit(lambda s: (s[0], s[1], 1, 1, s[2]))
        narrow = numba_basic.numba_njit(lambda s: (s[0], s[1], s[4]))
        sizes = numba_basic.numba_njit(lambda s: (1, 1, s[0]))
    elif num_axes == 2:
        widen = numba_basic.numba_njit(lambda s: (s[0], s[1], 1, s[2], s[3]))
        narrow = numba_basic.numba_njit(lambda s: (s[0], s[1], s[3], s[4]))
        sizes = numba_basic.numba_njit(lambda s: (1, s[0], s[1]))
    else:
        widen = numba_basic.numba_njit(lambda s: s)
        narrow = numba_basic.numba_njit(lambda s: s)
        sizes = numba_basic.numba_njit(lambda s: (s[0], s[1], s[2]))
    return widen, narrow, sizes


@register_funcify_default_op_cache_key(Convolution)
def numba_funcify_convolution(op, node, **kwargs):
    """Return a function of the input and the filters."""
    widen, narrow, _ = _shapes(op.num_axes)
    geometry, num_groups, flip = _geometry(op), op.num_groups, op.flip_filters
    kernel = _kernels(node.outputs[0].dtype)[0]

    @numba_basic.numba_njit
    def convolution(x, W):
        x_shape, W_shape = widen(x.shape), widen(W.shape)
        size = _convolved(x_shape, W_shape, geometry)
        y_shape = (x_shape[0], W_shape[0], size[0], size[1], size[2])
        _check(x_shape, W_shape, y_shape, geometry, num_groups)
        y = np.empty(narrow(y_shape), x.dtype)
        x, W = np.ascontiguousarray(x), np.ascontiguousarray(W)
        addresses = x.ctypes.data, W.ctypes.data, y.ctypes.data
        table = _arguments(
            x_shape, W_shape, y_shape, addresses, geometry, num_groups, flip, 0
        )
        if y.size > 0:
            kernel(table.ctypes.data)
        _keep_alive(x, W)
        _keep_alive(table, y)
        return y

    return convolution, CACHE_VERSION


@register_funcify_default_op_cache_key(TransposedConvolution)
def numba_funcify_transposed_convolution(op, node, **kwargs):
    """Return a function of the output, the filters and perhaps the sizes."""
    widen, narrow, widen_sizes = _shapes(op.num_axes)
    geometry, num_groups, flip = _geometry(op), op.num_groups, op.flip_filters
    kernel = _kernels(node.outputs[0].dtype)[0]

    @numba_basic.numba_njit
    def to_input(y, W, size):
        y_shape, W_shape = widen(y.shape), widen(W.shape)
        x_shape = (y_shape[0], W_shape[1] * num_groups, size[0], size[1], size[2])
        _check(x_shape, W_shape, y_shape, geometry, num_groups)
        x = np.empty(narrow(x_shape), y.dtype)
        y, W = np.ascontiguousarray(y), np.ascontiguousarray(W)
        addresses = x.ctypes.data, W.ctypes.data, y.ctypes.data
        table = _arguments(
            x_shape, W_shape, y_shape, addresses, geometry, num_groups, flip, 1
        )
        if x.size > 0:
            kernel(table.ctypes.data)
        _keep_alive(y, W)
        _keep_alive(table, x)
        return x

    if len(node.inputs) == 3:

        @numba_basic.numba_njit
        def transposed_convolution(y, W, sizes):
            return to_input(y, W, widen_sizes(sizes))

    else:

        @numba_basic.numba_njit
        def transposed_convolution(y, W):
            size = _transposed(widen(y.shape), widen(W.shape), geometry)
            return to_input(y, W, size)

    return transposed_convolution, CACHE_VERSION


@register_funcify_default_op_cache_key(FilterGradient)
def numba_funcify_filter_gradient(op, node, **kwargs):
    """Return a function of the input, the cotangent of the output and the sizes."""
    widen, narrow, widen_sizes = _shapes(op.num_axes)
    geometry, num_groups, flip = _geometry(op), op.num_groups, op.flip_filters
    kernel = _kernels(node.outputs[0].dtype)[1]

    @numba_basic.numba_njit
    def filter_gradient(x, y, sizes):
        x_shape, y_shape, size = widen(x.shape), widen(y.shape), widen_sizes(sizes)
        W_shape = (y_shape[1], x_shape[1] // num_groups, size[0], size[1], size[2])
        _check(x_shape, W_shape, y_shape, geometry, num_groups)
        W = np.zeros(narrow(W_shape), x.dtype)
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        addresses = x.ctypes.data, W.ctypes.data, y.ctypes.data
        table = _arguments(
            x_shape, W_shape, y_shape, addresses, geometry, num_groups, flip, 0
        )
        if W.size > 0 and y.size > 0:
            kernel(table.ctypes.data)
        _keep_alive(x, y)
        _keep_alive(table, W)
        return W

    return filter_gradient, CACHE_VERSION
