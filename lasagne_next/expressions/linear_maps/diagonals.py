"""Matrices that are constant along their diagonals."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt
import scipy.fft
from pytensor.scalar import upcast

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap, is_trainable, num_rows
from lasagne_next.ops.circular import convolve_circularly

__all__ = ["Circulant", "Toeplitz"]


class _Diagonals(LinearMap):
    """Base: a convolution of the rows with a vector.

    Parameters
    ----------
    c : TensorVariable, SHAPE (length,)
        The entries.
    shape : tuple of int
        The shape of the matrix.
    expression : TensorVariable, optional
        The matrix.
    """

    def __init__(self, c, shape, expression=None):
        self.c, self.shape, self.expression = c, shape, expression

    @functools.cached_property
    def trainable(self):
        return is_trainable(self.c)

    def build(self):
        return self.c[self._places()]

    def _places(self):
        raise NotImplementedError(f"{type(self).__name__} must define _places.")

    def with_parts(self, function):
        return type(self)(function(self.c), self.shape)

    def write_cost(self):
        return costs.choice(self.shape[0] * self.shape[1])


class Circulant(_Diagonals):
    """Rotations of one row, ``W[i, j] = c[(j - i) % n]``."""

    def apply(self, x):
        dtype = upcast(x.dtype, self.c.dtype)
        return convolve_circularly(x.astype(dtype), self.c.astype(dtype))  # (rows, n)

    def transpose(self):
        return Circulant(pt.concatenate([self.c[:1], self.c[:0:-1]]), self.shape)

    def apply_cost(self, rows):
        return costs.fourier(rows, self.shape[0])

    def _places(self):
        n, _ = self.shape
        return (np.arange(n) - np.arange(n)[:, None]) % n


class Toeplitz(_Diagonals):
    """Constant diagonals, ``W[i, j] = c[j - i + n - 1]``.

    A part of a circulant matrix that is larger, of a length that suits the transform.
    """

    @functools.cached_property
    def _length(self):
        return scipy.fft.next_fast_len(sum(self.shape) - 1, real=True)

    def apply(self, x):
        n, m = self.shape
        dtype = upcast(x.dtype, self.c.dtype)
        c = _lengthened(self.c.astype(dtype), n + m - 1, self._length)
        x = _lengthened(x.astype(dtype), n, self._length)
        return convolve_circularly(x, c)[:, n - 1 : n - 1 + m]  # (rows, m)

    def transpose(self):
        return Toeplitz(self.c[::-1], self.shape[::-1])

    def apply_cost(self, rows):
        filling = 2 * costs.elementwise(rows * self._length)
        return filling + costs.fourier(rows, self._length)

    def _places(self):
        n, m = self.shape
        return np.arange(m) - np.arange(n)[:, None] + n - 1


def _lengthened(x, size, length):
    """Put zeros behind the numbers of the last axis, whose size is known by others."""
    if x.type.shape[-1] is None:
        x = pt.specify_shape(x, (*x.type.shape[:-1], size))
    leading = [num_rows(x)] if x.ndim == 2 else []
    zeros = pt.zeros((*leading, length - size), dtype=x.dtype)
    return pt.concatenate([x, zeros], axis=-1)
