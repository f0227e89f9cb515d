"""Resampling on Numba: loops over (before the axis, the axis, behind it)."""

import math

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.ops.resampling import Upsampling, UpsamplingGradient

__all__ = ["numba_funcify_upsampling", "numba_funcify_upsampling_gradient"]

CACHE_VERSION = 1  # raise when anything below changes


def _sourcing(op, dtype):
    """Make the function of a length that tells sources and weights of each output."""
    factor, mode = op.factor, op.mode

    @numba_basic.numba_njit
    def sources(length):
        taps = 2 if mode == "linear" else 1
        index = np.empty((taps, length * factor), np.int64)
        weight = np.empty((taps, length * factor), dtype)
        for o in range(length * factor):
            if mode == "linear":
                place = (o + 0.5) / factor - 0.5
                lower = math.floor(place)
                index[0, o] = max(lower, 0)
                index[1, o] = min(lower + 1, length - 1)
                weight[0, o] = 1 - (place - lower)
                weight[1, o] = place - lower
            else:
                index[0, o] = o // factor
                weight[0, o] = mode == "repeat" or o % factor == 0
        return index, weight

    return sources


def _resizing(op, ndim, numerator, denominator):
    """Make functions that view an array in three axes and go back, resized."""
    axis = op.axis

    @numba_basic.numba_njit
    def outer_and_inner(x):
        outer, inner = 1, 1
        for each in range(ndim):
            if each < axis:
                outer *= x.shape[each]
            elif each > axis:
                inner *= x.shape[each]
        return outer, inner

    # A tuple of which one element changes is written out for each number of axes.
    if ndim == 3:

        @numba_basic.numba_njit
        def as_like(y, x):
            size = x.shape[2] * numerator // denominator
            return y.reshape((x.shape[0], x.shape[1], size))

    elif ndim == 4:

        @numba_basic.numba_njit
        def as_like(y, x):
            a, b, c, d = x.shape
            if axis == 2:
                c = c * numerator // denominator
            else:
                d = d * numerator // denominator
            return y.reshape((a, b, c, d))

    else:

        @numba_basic.numba_njit
        def as_like(y, x):
            a, b, c, d, e = x.shape
            if axis == 2:
                c = c * numerator // denominator
            elif axis == 3:
                d = d * numerator // denominator
            else:
                e = e * numerator // denominator
            return y.reshape((a, b, c, d, e))

    return outer_and_inner, as_like


@register_funcify_default_op_cache_key(Upsampling)
def numba_funcify_upsampling(op, node, **kwargs):
    """Return a function of the elements."""
    dtype = node.outputs[0].type.numpy_dtype.type
    axis, factor = op.axis, op.factor
    sources = _sourcing(op, dtype)
    outer_and_inner, as_like = _resizing(op, node.inputs[0].ndim, factor, 1)

    @numba_basic.numba_njit
    def upsampling(x):
        length = x.shape[axis]
        outer, inner = outer_and_inner(x)
        given = np.ascontiguousarray(x).reshape((outer, length, inner))
        out = np.zeros((outer, length * factor, inner), dtype)
        index, weight = sources(length)
        for a in range(outer):
            for o in range(length * factor):
                for tap in range(index.shape[0]):
                    w, row = weight[tap, o], index[tap, o]
                    if w != 0:
                        for b in range(inner):
                            out[a, o, b] += w * given[a, row, b]
        return as_like(out, x)

    return upsampling, CACHE_VERSION


@register_funcify_default_op_cache_key(UpsamplingGradient)
def numba_funcify_upsampling_gradient(op, node, **kwargs):
    """Return a function of values in the shape of the output."""
    dtype = node.outputs[0].type.numpy_dtype.type
    axis, factor = op.axis, op.factor
    sources = _sourcing(op, dtype)
    outer_and_inner, as_like = _resizing(op, node.inputs[0].ndim, 1, factor)

    @numba_basic.numba_njit
    def upsampling_gradient(y):
        length = y.shape[axis] // factor
        outer, inner = outer_and_inner(y)
        given = np.ascontiguousarray(y).reshape((outer, length * factor, inner))
        out = np.zeros((outer, length, inner), dtype)
        index, weight = sources(length)
        for a in range(outer):
            for o in range(length * factor):
                for tap in range(index.shape[0]):
                    w, row = weight[tap, o], index[tap, o]
                    if w != 0:
                        for b in range(inner):
                            out[a, row, b] += w * given[a, o, b]
        return as_like(out, y)

    return upsampling_gradient, CACHE_VERSION
