"""Resampling from its definition, one output after the other."""

import math

import numpy as np


def upsample(x, factors, mode):
    """Multiply the numbers of positions along all axes but the first two."""
    lengths = x.shape[2:]
    sizes = [n * k for n, k in zip(lengths, factors, strict=True)]
    out = np.zeros((*x.shape[:2], *sizes))
    for n, c, *place in np.ndindex(out.shape):
        if mode == "linear":
            out[n, c][tuple(place)] = interpolate(x[n, c], place, factors)
            continue
        source = tuple(o // k for o, k in zip(place, factors, strict=True))
        starts = all(o % k == 0 for o, k in zip(place, factors, strict=True))
        if mode == "repeat" or starts:
            out[n, c][tuple(place)] = x[n, c][source]
    return out


def interpolate(x, place, factors):
    """Interpolate along the first axis, between interpolations along the others."""
    if x.ndim == 0:
        return float(x)
    at = (place[0] + 0.5) / factors[0] - 0.5
    at = min(max(at, 0), len(x) - 1)
    left = math.floor(at)
    right = min(left + 1, len(x) - 1)
    low, high = (interpolate(x[each], place[1:], factors[1:]) for each in (left, right))
    return low + (at - left) * (high - low)


def pixel_shuffle(x, factors):
    """Spread channels over blocks of positions."""
    product = math.prod(factors)
    sizes = [n * k for n, k in zip(x.shape[2:], factors, strict=True)]
    out = np.zeros((x.shape[0], x.shape[1] // product, *sizes))
    for n, c, *place in np.ndindex(out.shape):
        offset = 0
        for o, k in zip(place, factors, strict=True):
            offset = offset * k + o % k
        source = tuple(o // k for o, k in zip(place, factors, strict=True))
        out[n, c][tuple(place)] = x[n, c * product + offset][source]
    return out
