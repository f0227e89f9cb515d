"""Inverses, as they come from solvers of linear systems."""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap, is_trainable

__all__ = ["Inverse"]


class Inverse(LinearMap):
    """The inverse of a matrix A, which is never computed: ``solve(A, C)`` is its use.

    Parameters
    ----------
    matrix : TensorVariable, SHAPE (n, n)
        A.
    size : int
        n.
    triangle : {'lower', 'upper', 'unit lower', 'unit upper'} or None
        Which part of A is used, for a triangular A.
    assume : str, default 'gen'
        What is known of a full A, as :func:`pytensor.tensor.linalg.solve` takes it.
    expression : TensorVariable, optional
        The inverse.
    """

    def __init__(self, matrix, size, triangle=None, assume="gen", expression=None):
        self.matrix, self.shape = matrix, (size, size)
        self.triangle, self.assume, self.expression = triangle, assume, expression

    @functools.cached_property
    def trainable(self):
        return is_trainable(self.matrix)

    def apply(self, x):
        return self.transpose().apply_left(x.T).T  # (rows, n)

    def apply_left(self, y):
        if self.triangle is None:
            return pt.linalg.solve(self.matrix, y, assume_a=self.assume, b_ndim=2)
        return pt.linalg.solve_triangular(
            self.matrix,
            y,
            lower=self.triangle.endswith("lower"),
            unit_diagonal=self.triangle.startswith("unit"),
            b_ndim=2,
        )  # (n, columns)

    def build(self):
        return self.apply_left(pt.eye(self.shape[0], dtype=self.matrix.dtype))

    def transpose(self):
        other = {"lower": "upper", "upper": "lower"}
        triangle = self.triangle
        if triangle is not None:
            *unit, side = triangle.split()
            triangle = " ".join([*unit, other[side]])
        elif self.assume != "gen":  # symmetric: only one triangle may be filled in
            return Inverse(self.matrix, self.shape[0], None, self.assume)
        return Inverse(self.matrix.T, self.shape[0], triangle, self.assume)

    def with_parts(self, function):
        return Inverse(function(self.matrix), self.shape[0], self.triangle, self.assume)

    def apply_cost(self, rows):
        is_triangular = self.triangle is not None
        return costs.solution(self.shape[0], rows, is_triangular, self.trainable)

    def apply_left_cost(self, columns):
        return self.apply_cost(columns)

    def write_cost(self):
        return self.apply_cost(self.shape[0])
