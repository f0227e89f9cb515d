"""Pooling on Numba: one row of windows after the other, in the memory's order.

Inputs of one to three axes of positions are taken as (planes, depth, rows, columns).
The geometry is constant, so that loops over a window unroll and rows are vectorised.
"""

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.dispatch.numba.planes import over_planes
from lasagne_next.dispatch.numba.shapes import in_three_axes, make_shaping
from lasagne_next.ops.pooling import (
    AveragePool,
    AveragePoolGradient,
    MaxPool,
    MaxPoolGradient,
    MaxPoolSelection,
)

__all__ = [
    "numba_funcify_average_pool",
    "numba_funcify_average_pool_gradient",
    "numba_funcify_max_pool",
    "numba_funcify_max_pool_gradient",
    "numba_funcify_max_pool_selection",
]

CACHE_VERSION = 6  # raise when anything below changes


def _counting(windows):
    """Make the function that counts the windows of planes."""
    extents = in_three_axes(windows.extent, 1)
    strides = in_three_axes(windows.stride, 1)
    pads = in_three_axes(windows.pad, (0, 0))
    ignore_border = windows.ignore_border

    @numba_basic.numba_njit
    def count(length, extent, stride, before, after):
        room = length + before + after - extent
        if ignore_border:
            return max(room // stride + 1, 0)
        number = max(-(-room // stride), 0) + 1
        if (number - 1) * stride >= length + before:
            number -= 1
        return number

    @numba_basic.numba_njit
    def counts(planes):
        _, d, h, w = planes.shape
        return (
            count(d, extents[0], strides[0], pads[0][0], pads[0][1]),
            count(h, extents[1], strides[1], pads[1][0], pads[1][1]),
            count(w, extents[2], strides[2], pads[2][0], pads[2][1]),
        )

    return counts


def _over_rows(windows, work):
    """Make a loop over all rows of windows, and over the positions in a window.

    ``work(large, small, other_large, other_small, offset, lowest, highest)`` is called
    with rows: those of the size of the input first, and windows from `lowest` to
    before `highest`, whose element lies at ``window * stride + offset``.
    """
    depth, height, width = in_three_axes(windows.size, 1)
    stride_d, stride_h, stride_w = in_three_axes(windows.stride, 1)
    step_d, step_h, step_w = in_three_axes(windows.dilation, 1)
    pads = in_three_axes(windows.pad, (0, 0))
    before_d, before_h, before_w = (pair[0] for pair in pads)

    @numba_basic.numba_njit
    def rows(large, small, other_large, other_small):
        planes, d, h, w = large.shape
        _, out_d, out_h, out_w = small.shape
        lowest, highest = np.empty(width, np.int64), np.empty(width, np.int64)
        for k in range(width):
            offset = k * step_w - before_w
            lowest[k] = max(0, -(offset // stride_w))
            highest[k] = min(out_w, (w - 1 - offset) // stride_w + 1)
        for p in range(planes):
            for o_d in range(out_d):
                for o_h in range(out_h):
                    for k_d in range(depth):
                        i_d = o_d * stride_d - before_d + k_d * step_d
                        if i_d < 0 or i_d >= d:
                            continue
                        for k_h in range(height):
                            i_h = o_h * stride_h - before_h + k_h * step_h
                            if i_h < 0 or i_h >= h:
                                continue
                            for k in range(width):
                                work(
                                    large[p, i_d, i_h],
                                    small[p, o_d, o_h],
                                    other_large[p, i_d, i_h],
                                    other_small[p, o_d, o_h],
                                    k * step_w - before_w,
                                    lowest[k],
                                    highest[k],
                                )

    return rows


def _within(windows):
    """Make the function that tells which windows of a row lie within it: from, before.

    What follows is written out in one function each: views of arrays that are passed
    on are counted, which costs more than the work on a row.
    """
    stride, (before, _) = windows.stride[-1], windows.pad[-1]
    reach = windows.extent[-1] - 1 - before

    @numba_basic.numba_njit
    def within(length, count):
        first = min(max(-(-before // stride), 0), count)
        return first, min(max((length - 1 - reach) // stride + 1, first), count)

    return within


@register_funcify_default_op_cache_key(MaxPool)
def numba_funcify_max_pool(op, node, **kwargs):
    """Return a function of the input."""
    dtype = node.outputs[0].type.numpy_dtype.type
    as_planes, from_planes = make_shaping(op.windows.ndim)
    counts, within = _counting(op.windows), _within(op.windows)
    depth, height, width = in_three_axes(op.windows.size, 1)
    stride_d, stride_h, stride = in_three_axes(op.windows.stride, 1)
    step_d, step_h, step = in_three_axes(op.windows.dilation, 1)
    pads = in_three_axes(op.windows.pad, (0, 0))
    before_d, before_h, before = (pair[0] for pair in pads)

    @numba_basic.numba_njit
    def rows(x, out):
        planes, d, h, w = x.shape
        _, out_d, out_h, out_w = out.shape
        first, last = within(w, out_w)
        for p in range(planes):
            for o_d in range(out_d):
                for o_h in range(out_h):
                    row = out[p, o_d, o_h]
                    inner = row[first:last]
                    for k_d in range(depth):
                        i_d = o_d * stride_d - before_d + k_d * step_d
                        if i_d < 0 or i_d >= d:
                            continue
                        for k_h in range(height):
                            i_h = o_h * stride_h - before_h + k_h * step_h
                            if i_h < 0 or i_h >= h:
                                continue
                            source = x[p, i_d, i_h]
                            for o in range(out_w):
                                if first <= o < last:
                                    continue
                                for k in range(width):
                                    i = o * stride + k * step - before
                                    if 0 <= i < w:
                                        value, top = source[i], row[o]
                                        if value > top or value != value:
                                            row[o] = value
                            # Views that begin at the first element have no negative
                            # indices to check for, and conditional expressions have
                            # no branches. What is no number is kept.
                            if last > first:
                                source = source[first * stride - before :]
                            for o in range(inner.size):
                                top = inner[o]
                                for k in range(width):
                                    value = source[o * stride + k * step]
                                    is_larger = value > top or value != value
                                    top = value if is_larger else top
                                inner[o] = top

    run = over_planes(rows, node)

    @numba_basic.numba_njit
    def max_pool(x):
        planes = as_planes(x)
        d, h, w = counts(planes)
        out = np.full((planes.shape[0], d, h, w), -np.inf, dtype)
        run((planes, out))
        return from_planes(out, x.shape[0], x.shape[1])

    return max_pool, CACHE_VERSION


@register_funcify_default_op_cache_key(MaxPoolGradient)
def numba_funcify_max_pool_gradient(op, node, **kwargs):
    """Return a function of input, pooled values, and their gradient."""
    dtype = node.outputs[0].type.numpy_dtype.type
    as_planes, from_planes = make_shaping(op.windows.ndim)
    within = _within(op.windows)
    depth, height, width = in_three_axes(op.windows.size, 1)
    stride_d, stride_h, stride = in_three_axes(op.windows.stride, 1)
    step_d, step_h, step = in_three_axes(op.windows.dilation, 1)
    pads = in_three_axes(op.windows.pad, (0, 0))
    before_d, before_h, before = (pair[0] for pair in pads)

    @numba_basic.numba_njit
    def rows(x, pooled, values, sums):
        planes, d, h, w = x.shape
        _, out_d, out_h, out_w = pooled.shape
        first, last = within(w, out_w)
        for p in range(planes):
            for o_d in range(out_d):
                for o_h in range(out_h):
                    tops, given = pooled[p, o_d, o_h], values[p, o_d, o_h]
                    inner_tops, inner_given = tops[first:last], given[first:last]
                    for k_d in range(depth):
                        i_d = o_d * stride_d - before_d + k_d * step_d
                        if i_d < 0 or i_d >= d:
                            continue
                        for k_h in range(height):
                            i_h = o_h * stride_h - before_h + k_h * step_h
                            if i_h < 0 or i_h >= h:
                                continue
                            source, target = x[p, i_d, i_h], sums[p, i_d, i_h]
                            for o in range(out_w):
                                if first <= o < last:
                                    continue
                                for k in range(width):
                                    i = o * stride + k * step - before
                                    if 0 <= i < w and source[i] == tops[o]:
                                        target[i] += given[o]
                            if last > first:
                                start = first * stride - before
                                source, target = source[start:], target[start:]
                            # Always stored: a branch would be mispredicted.
                            if stride == 1:
                                for k in range(width):
                                    part = source[k * step :]
                                    sum_part = target[k * step :]
                                    for o in range(inner_tops.size):
                                        added = sum_part[o] + inner_given[o]
                                        is_top = part[o] == inner_tops[o]
                                        sum_part[o] = added if is_top else sum_part[o]
                            else:
                                for o in range(inner_tops.size):
                                    top, value = inner_tops[o], inner_given[o]
                                    for k in range(width):
                                        i = o * stride + k * step
                                        added = target[i] + value
                                        is_top = source[i] == top
                                        target[i] = added if is_top else target[i]

    run = over_planes(rows, node)

    @numba_basic.numba_njit
    def max_pool_gradient(x, pooled, values):
        planes = as_planes(x)
        sums = np.zeros(planes.shape, dtype)
        run((planes, as_planes(pooled), as_planes(values), sums))
        return from_planes(sums, x.shape[0], x.shape[1])

    return max_pool_gradient, CACHE_VERSION


@register_funcify_default_op_cache_key(MaxPoolSelection)
def numba_funcify_max_pool_selection(op, node, **kwargs):
    """Return a function of input, pooled values, and values in the input's shape."""
    dtype = node.outputs[0].type.numpy_dtype.type
    stride = op.windows.stride[-1]
    as_planes, from_planes = make_shaping(op.windows.ndim)

    @numba_basic.numba_njit
    def collect(large, small, values, sums, offset, lowest, highest):
        for o in range(lowest, highest):
            i = o * stride + offset
            added = sums[o] + values[i]
            sums[o] = added if large[i] == small[o] else sums[o]

    rows = _over_rows(op.windows, collect)

    @numba_basic.numba_njit
    def max_pool_selection(x, pooled, values):
        small = as_planes(pooled)
        sums = np.zeros(small.shape, dtype)
        rows(as_planes(x), small, as_planes(values), sums)
        return from_planes(sums, x.shape[0], x.shape[1])

    return max_pool_selection, CACHE_VERSION


def _dividing(op, dtype):
    """Make the function that divides windows by what each of them covers."""
    sizes = in_three_axes(op.windows.size, 1)
    strides = in_three_axes(op.windows.stride, 1)
    steps = in_three_axes(op.windows.dilation, 1)
    pads = in_three_axes(op.windows.pad, (0, 0))
    count_padding = op.count_padding

    @numba_basic.numba_njit
    def populations(length, count, size, stride, step, before, after):
        lowest, highest = 0, length
        if count_padding:
            lowest, highest = -before, length + after
        found = np.zeros(count, dtype)
        for o in range(count):
            for k in range(size):
                i = o * stride - before + k * step
                found[o] += lowest <= i < highest
            found[o] = max(found[o], 1)
        return found

    @numba_basic.numba_njit
    def divide(values, length_d, length_h, length_w, out):
        planes, d, h, w = values.shape
        by_d = populations(
            length_d, d, sizes[0], strides[0], steps[0], pads[0][0], pads[0][1]
        )
        by_h = populations(
            length_h, h, sizes[1], strides[1], steps[1], pads[1][0], pads[1][1]
        )
        by_w = populations(
            length_w, w, sizes[2], strides[2], steps[2], pads[2][0], pads[2][1]
        )
        for p in range(planes):
            for o_d in range(d):
                for o_h in range(h):
                    by_row = by_d[o_d] * by_h[o_h]
                    source, target = values[p, o_d, o_h], out[p, o_d, o_h]
                    for o in range(w):
                        target[o] = source[o] / (by_row * by_w[o])

    return divide


@register_funcify_default_op_cache_key(AveragePool)
def numba_funcify_average_pool(op, node, **kwargs):
    """Return a function of the input."""
    dtype = node.outputs[0].type.numpy_dtype.type
    stride = op.windows.stride[-1]
    as_planes, from_planes = make_shaping(op.windows.ndim)
    counts = _counting(op.windows)
    divide = _dividing(op, dtype)

    @numba_basic.numba_njit
    def add_elements(large, small, _, __, offset, lowest, highest):
        for o in range(lowest, highest):
            small[o] += large[o * stride + offset]

    rows = _over_rows(op.windows, add_elements)

    @numba_basic.numba_njit
    def average_pool(x):
        planes = as_planes(x)
        d, h, w = counts(planes)
        out = np.zeros((planes.shape[0], d, h, w), dtype)
        rows(planes, out, planes, out)
        divide(out, planes.shape[1], planes.shape[2], planes.shape[3], out)
        return from_planes(out, x.shape[0], x.shape[1])

    return average_pool, CACHE_VERSION


@register_funcify_default_op_cache_key(AveragePoolGradient)
def numba_funcify_average_pool_gradient(op, node, **kwargs):
    """Return a function of the input, for its shape, and of values to share."""
    dtype = node.outputs[0].type.numpy_dtype.type
    stride = op.windows.stride[-1]
    as_planes, from_planes = make_shaping(op.windows.ndim)
    divide = _dividing(op, dtype)

    @numba_basic.numba_njit
    def share(large, small, _, __, offset, lowest, highest):
        for o in range(lowest, highest):
            large[o * stride + offset] += small[o]

    rows = _over_rows(op.windows, share)

    @numba_basic.numba_njit
    def average_pool_gradient(x, values):
        planes = as_planes(x)
        sums = np.zeros(planes.shape, dtype)
        given = as_planes(values)
        shares = np.empty(given.shape, dtype)
        divide(given, planes.shape[1], planes.shape[2], planes.shape[3], shares)
        rows(sums, shares, sums, shares)
        return from_planes(sums, x.shape[0], x.shape[1])

    return average_pool_gradient, CACHE_VERSION
