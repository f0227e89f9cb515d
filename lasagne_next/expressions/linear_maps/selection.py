"""Choosing, repeating and reordering inputs or outputs."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap

__all__ = ["Scatter", "Selection"]


class _Choosing(LinearMap):
    """Base: a matrix with a single 1 in each column, or in each row.

    Parameters
    ----------
    index : slice or TensorVariable of integers, SHAPE (count,)
        The places chosen. A slice starts at a number from 0 on.
    size : int
        How many places there are.
    count : int
        How many are chosen.
    dtype : str
        Of the matrix.
    expression : TensorVariable, optional
        The matrix.
    """

    trainable = False

    def __init__(self, index, size, count, dtype, expression=None):
        self.index, self.size, self.count, self.dtype = index, size, count, dtype
        self.expression = expression

    def with_parts(self, function):
        return self

    def _gather(self, x, axis):
        return x[self.index] if axis == 0 else x[:, self.index]

    def _scatter(self, x, axis):
        inverse = self._inverse()
        if inverse is not None:
            return x[inverse] if axis == 0 else x[:, inverse]
        other = x.type.shape[1 - axis] or x.shape[1 - axis]
        shape = (self.size, other) if axis == 0 else (other, self.size)
        zeros = pt.zeros(shape, dtype=x.dtype)
        return pt.inc_subtensor(self._gather(zeros, axis), x)

    def _inverse(self):
        """Return the index that undoes this one, if it reorders all places."""
        if self.size != self.count:
            return None
        if isinstance(self.index, slice):
            # All places in their order or, from the last one on, backwards.
            return slice(None, None, self.index.step)
        if not isinstance(self.index, Constant):
            return None
        places = self.index.data % self.size
        if len(np.unique(places)) < self.size:
            return None
        return np.argsort(places)

    def apply_cost(self, rows):
        if isinstance(self.index, slice):
            return costs.elementwise(rows * max(self.shape), trainable=False)
        return costs.choice(rows * max(self.shape))

    def apply_left_cost(self, columns):
        return self.apply_cost(columns)

    def write_cost(self):
        return costs.elementwise(self.size * self.count, trainable=False)


class Selection(_Choosing):
    """Choose inputs, ``x[:, index]``: the columns `index` of the identity."""

    @property
    def shape(self):
        return (self.size, self.count)

    def apply(self, x):
        return self._gather(x, axis=1)  # (rows, count)

    def apply_left(self, y):
        return self._scatter(y, axis=0)  # (size, columns)

    def build(self):
        return self._gather(pt.eye(self.size, dtype=self.dtype), axis=1)

    def transpose(self):
        return Scatter(self.index, self.size, self.count, self.dtype)


class Scatter(_Choosing):
    """Put inputs at their places among zeros: the rows `index` of the identity.

    ``Scatter W`` is ``W[index]``.
    """

    @property
    def shape(self):
        return (self.count, self.size)

    def apply(self, x):
        return self._scatter(x, axis=1)  # (rows, size)

    def apply_left(self, y):
        return self._gather(y, axis=0)  # (count, columns)

    def build(self):
        return self._gather(pt.eye(self.size, dtype=self.dtype), axis=0)

    def transpose(self):
        return Selection(self.index, self.size, self.count, self.dtype)
