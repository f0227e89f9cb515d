"""Scalings of each input or output."""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap, is_trainable

__all__ = ["Diagonal"]


class Diagonal(LinearMap):
    """The diagonal matrix of a row of factors.

    Parameters
    ----------
    row : TensorVariable, SHAPE (1, size) or (1, 1), or None
        The factors, or one for all. None stands for the identity.
    size : int
        Number of rows and columns.
    dtype : str
        Of the matrix.
    expression : TensorVariable, optional
        The matrix.
    """

    def __init__(self, row, size, dtype, expression=None):
        self.row, self.shape, self.dtype = row, (size, size), dtype
        self.expression = expression

    @property
    def is_identity(self):
        """Whether nothing is scaled."""
        return self.row is None

    @property
    def is_scalar(self):
        """Whether all is scaled by one factor, so that the place does not matter."""
        return self.row is not None and self.row.type.broadcastable[1]

    @functools.cached_property
    def trainable(self):
        return self.row is not None and is_trainable(self.row)

    def apply(self, x):
        return x if self.row is None else x * self.row  # (rows, size)

    def apply_left(self, y):
        return y if self.row is None else y * self.row.T  # (size, columns)

    def build(self):
        size = self.shape[0]
        if self.row is None:
            return pt.eye(size, dtype=self.dtype)
        return pt.eye(size, dtype=self.row.dtype) * self.row

    def transpose(self):
        return Diagonal(self.row, self.shape[0], self.dtype)

    def with_parts(self, function):
        if self.row is None:
            return self
        return Diagonal(function(self.row), self.shape[0], self.dtype)

    def squares(self, axis):
        size = self.shape[0]
        if self.row is None:
            return pt.constant(size if axis is None else [1] * size, dtype=self.dtype)
        squares = pt.zeros(size, dtype=self.row.dtype) + pt.sqr(self.row[0])
        return pt.sum(squares) if axis is None else squares

    def apply_cost(self, rows):
        if self.row is None:
            return 0.0
        return costs.elementwise(rows * self.shape[0], self.trainable)

    def write_cost(self):
        return costs.elementwise(self.shape[0] ** 2, self.trainable)
