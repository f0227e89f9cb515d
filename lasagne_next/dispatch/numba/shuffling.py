"""Shuffling on Numba: one loop over all numbers, in either direction."""

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.dispatch.numba.shapes import in_three_axes, make_shaping
from lasagne_next.ops.shuffling import PixelShuffle, PixelUnshuffle

__all__ = ["numba_funcify_pixel_shuffle", "numba_funcify_pixel_unshuffle"]

CACHE_VERSION = 1  # raise when anything below changes


@register_funcify_default_op_cache_key(PixelShuffle)
def numba_funcify_pixel_shuffle(op, node, **kwargs):
    """Return a function of channels to spread."""
    dtype = node.outputs[0].type.numpy_dtype.type
    k_d, k_h, k_w = in_three_axes(op.factors, 1)
    product = k_d * k_h * k_w
    as_planes, from_planes = make_shaping(len(op.factors))

    @numba_basic.numba_njit
    def pixel_shuffle(x):
        given = as_planes(x)
        planes, d, h, w = given.shape
        out = np.empty((planes // product, d * k_d, h * k_h, w * k_w), dtype)
        for p in range(planes // product):
            for a in range(d * k_d):
                for b in range(h * k_h):
                    source = p * product + ((a % k_d) * k_h + b % k_h) * k_w
                    for i in range(w):
                        for k in range(k_w):
                            value = given[source + k, a // k_d, b // k_h, i]
                            out[p, a, b, i * k_w + k] = value
        return from_planes(out, x.shape[0], x.shape[1] // product)

    return pixel_shuffle, CACHE_VERSION


@register_funcify_default_op_cache_key(PixelUnshuffle)
def numba_funcify_pixel_unshuffle(op, node, **kwargs):
    """Return a function of positions to gather."""
    dtype = node.outputs[0].type.numpy_dtype.type
    k_d, k_h, k_w = in_three_axes(op.factors, 1)
    product = k_d * k_h * k_w
    as_planes, from_planes = make_shaping(len(op.factors))

    @numba_basic.numba_njit
    def pixel_unshuffle(x):
        given = as_planes(x)
        planes, d, h, w = given.shape
        out = np.empty((planes * product, d // k_d, h // k_h, w // k_w), dtype)
        for p in range(planes):
            for a in range(d):
                for b in range(h):
                    target = p * product + ((a % k_d) * k_h + b % k_h) * k_w
                    for i in range(w // k_w):
                        for k in range(k_w):
                            value = given[p, a, b, i * k_w + k]
                            out[target + k, a // k_d, b // k_h, i] = value
        return from_planes(out, x.shape[0], x.shape[1] * product)

    return pixel_unshuffle, CACHE_VERSION
