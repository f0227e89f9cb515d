"""Locally connected layers from their definition."""

import numpy as np


def locally_connected(x, W, flip_filters, channelwise=False):
    """Multiply each patch by the filters of its position."""
    batch, channels, rows, columns = x.shape
    num_filters, height, width = W.shape[0], *W.shape[-4:-2]
    out = np.zeros((batch, num_filters, rows, columns))
    for f, u, v, i, j in np.ndindex(num_filters, height, width, rows, columns):
        k = i + u - (height - 1) // 2
        m = j + v - (width - 1) // 2
        if not (0 <= k < rows and 0 <= m < columns):
            continue
        at = (height - 1 - u, width - 1 - v) if flip_filters else (u, v)
        for c in [f] if channelwise else range(channels):
            weight = W[(f, *at, i, j)] if channelwise else W[(f, c, *at, i, j)]
            out[:, f, i, j] += x[:, c, k, m] * weight
    return out
