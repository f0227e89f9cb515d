"""Circular convolution and correlation from their definitions."""

import numpy as np


def convolve(x, c):
    """Add every product to the place where it belongs on the circle."""
    out = np.zeros_like(x)
    rows, n = x.shape
    for b in range(rows):
        for i in range(n):
            for k in range(n):
                out[b, (i + k) % n] += x[b, i] * c[k]
    return out


def correlate(x, y):
    """Add up products of entries at each distance round the circle."""
    rows, n = x.shape
    out = np.zeros(n, x.dtype)
    for b in range(rows):
        for i in range(n):
            for k in range(n):
                out[k] += x[b, i] * y[b, (i + k) % n]
    return out
