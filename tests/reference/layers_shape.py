"""Layers that rearrange elements, element by element."""

import math

import numpy as np


def reshape(x, shape):
    """Count through both arrays in C order."""
    result = np.empty(shape, x.dtype)
    for old, new in zip(np.ndindex(x.shape), np.ndindex(*shape), strict=True):
        result[new] = x[old]
    return result


def flatten(x, outdim):
    """Keep the first ``outdim - 1`` axes and count through the others."""
    leading = x.shape[: outdim - 1]
    merged = math.prod(x.shape[outdim - 1 :])
    return reshape(x, (*leading, merged, *(1,) * (outdim - 1 - len(leading))))


def dimshuffle(x, pattern):
    """Look each element up under its permuted position."""
    shape = tuple(1 if each == "x" else x.shape[each] for each in pattern)
    result = np.empty(shape, x.dtype)
    for new in np.ndindex(*shape):
        old = [0] * x.ndim
        for position, each in zip(new, pattern, strict=True):
            if each != "x":
                old[each] = position
        result[new] = x[tuple(old)]
    return result


def pad(x, widths, mode="constant", val=0):
    """Look each element up at the place that the mode maps it to, or take `val`."""
    shape = tuple(n + sum(width) for n, width in zip(x.shape, widths, strict=True))
    result = np.empty(shape, x.dtype)
    for new in np.ndindex(*shape):
        old = tuple(
            _source(position - before, n, mode)
            for position, n, (before, _) in zip(new, x.shape, widths, strict=True)
        )
        result[new] = val if None in old else x[old]
    return result


def _source(position, n, mode):
    if 0 <= position < n:
        return position
    last = n - 1
    return {
        "constant": None,
        "edge": 0 if position < 0 else last,
        "replicate": 0 if position < 0 else last,
        "reflect": -position if position < 0 else last - (position - last),
        "symmetric": -1 - position if position < 0 else last - (position - n),
        "wrap": position % n,
    }[mode]


def take(x, indices, axis):
    """Collect the positions that an integer or a slice selects."""
    size = x.shape[axis]
    if isinstance(indices, int):
        position = indices + size if indices < 0 else indices
        keep = [position]
    else:
        keep = list(range(*indices.indices(size)))
    moved = np.moveaxis(x, axis, 0)
    collected = np.array([moved[position] for position in keep])
    if isinstance(indices, int):
        return collected[0]
    return np.moveaxis(collected, 0, axis)
