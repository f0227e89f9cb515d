"""Layers that reduce features or cells, from their definitions."""

import math

import numpy as np


def feature_pool(x, size, axis, reduction):
    """Reduce each group of neighbouring features."""
    x = np.moveaxis(x, axis, 0)
    groups = [x[first : first + size] for first in range(0, len(x), size)]
    return np.moveaxis(np.array([reduction(each, axis=0) for each in groups]), 0, axis)


def feature_wta(x, size, axis):
    """Keep the first of the largest features of each group."""
    x = np.moveaxis(x, axis, -1)
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape[:-1]):
        for first in range(0, x.shape[-1], size):
            group = list(x[place][first : first + size])
            winner = first + group.index(max(group))
            out[place][winner] = x[place][winner]
    return np.moveaxis(out, -1, axis)


def pyramid(x, dims, reduction):
    """Reduce the cells of each level, row by row."""
    found = []
    for number in dims:
        for r in range(number):
            for k in range(number):
                rows, columns = (
                    slice(
                        math.floor(each / number * size),
                        math.ceil((each + 1) / number * size),
                    )
                    for each, size in ((r, x.shape[2]), (k, x.shape[3]))
                )
                found.append(reduction(x[:, :, rows, columns], axis=(2, 3)))
    return np.stack(found, axis=2)
