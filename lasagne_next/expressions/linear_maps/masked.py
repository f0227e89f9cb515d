"""Matrices with constant zeros that leave whole blocks out."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap, Written

__all__ = ["Masked"]

MOST_CUTS = 16  # places where columns may be divided; the search grows with the square


class Masked(LinearMap):
    """A matrix times a constant mask of zeros and other numbers.

    The columns are divided into groups, and each is multiplied by the inputs from the
    first to the last that any of its columns lets through. That helps for block
    triangular masks, as of sorted autoregressive networks, and for bands.

    Parameters
    ----------
    mask : numpy.ndarray, SHAPE (n, m)
        Zero where the matrix is.
    inner : LinearMap
        What is masked.
    expression : TensorVariable, SHAPE (n, m)
        The masked matrix.
    groups : tuple of tuple of int, optional
        First and last column, first and last input of each group, as in a slice.
    """

    def __init__(self, mask, inner, expression, groups=None):
        self.mask, self.inner, self.expression = mask, inner, expression
        self.shape = inner.shape
        n, m = self.shape
        self.groups = ((0, m, 0, n),) if groups is None else groups

    @property
    def trainable(self):
        return self.inner.trainable

    def apply(self, x):
        widths = [end - start for start, end, _, _ in self.groups]
        # The gradient of a split is a join, where that of a slice would be an array of
        # zeros of the size of the matrix.
        columns = [self.expression]
        if len(widths) > 1:
            columns = pt.split(self.expression, widths, n_splits=len(widths), axis=1)
        outputs = [
            pt.dot(self._rows(x.T, group).T, self._rows(part, group))
            for part, group in zip(columns, self.groups, strict=True)
        ]
        return outputs[0] if len(outputs) == 1 else pt.concatenate(outputs, axis=1)

    def _rows(self, matrix, group):
        _, _, low, high = group
        return matrix if (low, high) == (0, self.shape[0]) else matrix[low:high]

    def transpose(self):
        return Masked(self.mask.T, self.inner.transpose(), self.expression.T)

    def with_parts(self, function):
        inner = self.inner.with_parts(function)
        return Masked(self.mask, inner, function(self.expression))

    def apply_cost(self, rows):
        n, m = self.shape
        area = sum(
            (end - start) * (high - low) for start, end, low, high in self.groups
        )
        used = sum(high - low for _, _, low, high in self.groups)
        products = sum(
            costs.product(rows, high - low, end - start, self.trainable)
            for start, end, low, high in self.groups
        )
        copies = 0.0
        if len(self.groups) > 1 or area < n * m:
            copied = n * m + area + rows * (used + len(self.groups) * n + m)
            copies = costs.elementwise(copied, trainable=False)
        return self.write_cost() + products + copies

    def write_cost(self):
        n, m = self.shape
        return self.inner.write_cost() + costs.elementwise(n * m, self.trainable)

    def cheapest(self, rows):
        form = Masked(self.mask, self.inner, self.expression, self._divide(rows))
        return min(form, Written(self), key=lambda each: each.apply_cost(rows))

    def _divide(self, rows):
        """Divide the columns where it saves most, by dynamic programming."""
        best = {0: (0.0, ())}
        for end in self._cuts[1:]:
            options = []
            for start in (cut for cut in self._cuts if cut < end):
                cost, groups = best[start]
                group = (start, end, *self._inputs(start, end))
                options.append((cost + self._group_cost(group, rows), (*groups, group)))
            best[end] = min(options)
        return best[self.shape[1]][1]

    def _group_cost(self, group, rows):
        start, end, low, high = group
        n = self.shape[0]
        product = costs.product(rows, high - low, end - start, self.trainable)
        copied = (high - low) * (end - start) + rows * (high - low + n)
        return product + costs.elementwise(copied, trainable=False)

    def _inputs(self, start, end):
        """Return the range of inputs that columns let through, never empty."""
        used = np.flatnonzero(self.mask[:, start:end].any(axis=1))
        return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)

    @functools.cached_property
    def _cuts(self):
        """Places where the range of inputs changes, evenly thinned out if many."""
        n, m = self.shape
        through = self.mask != 0
        first = np.where(through.any(axis=0), through.argmax(axis=0), n)
        last = np.where(through.any(axis=0), n - through[::-1].argmax(axis=0), 0)
        changes = 1 + np.flatnonzero(np.diff(first) | np.diff(last))
        if len(changes) > MOST_CUTS:
            chosen = np.linspace(0, len(changes) - 1, MOST_CUTS).round().astype(int)
            changes = changes[chosen]
        return [0, *changes.tolist(), m]
