"""Arrays of one to three axes of positions, taken as (planes, depth, rows, columns)."""

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic

__all__ = ["in_three_axes", "make_shaping"]


def in_three_axes(values, missing):
    """Put values for absent axes before those of the last ones."""
    return (missing,) * (3 - len(values)) + tuple(values)


def make_shaping(ndim):
    """Make functions to and from planes, for so many axes of positions.

    The second takes planes and the sizes of batch and channels. Numba has to see how
    long each tuple is.
    """
    if ndim == 1:

        @numba_basic.numba_njit
        def as_planes(x):
            n, c, w = x.shape
            return np.ascontiguousarray(x).reshape((n * c, 1, 1, w))

        @numba_basic.numba_njit
        def from_planes(planes, n, c):
            return planes.reshape((n, c, planes.shape[3]))

    elif ndim == 2:

        @numba_basic.numba_njit
        def as_planes(x):
            n, c, h, w = x.shape
            return np.ascontiguousarray(x).reshape((n * c, 1, h, w))

        @numba_basic.numba_njit
        def from_planes(planes, n, c):
            _, _, h, w = planes.shape
            return planes.reshape((n, c, h, w))

    else:

        @numba_basic.numba_njit
        def as_planes(x):
            n, c, d, h, w = x.shape
            return np.ascontiguousarray(x).reshape((n * c, d, h, w))

        @numba_basic.numba_njit
        def from_planes(planes, n, c):
            _, d, h, w = planes.shape
            return planes.reshape((n, c, d, h, w))

    return as_planes, from_planes
