"""Products of matrices, multiplied in the best order."""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import LinearMap, Written
from lasagne_next.expressions.linear_maps.diagonal import Diagonal

__all__ = ["Product", "multiplied"]

MOST_FACTORS = 40  # the search for the best order grows with the third power


def multiplied(factors, expression=None, own_cost=None):
    """Return the product of maps, in its simplest form.

    Products inside it are taken apart, identities left out, and a scalar is put where
    the vectors are shortest.
    """
    flat = []
    for factor in factors:
        flat.extend(factor.factors if isinstance(factor, Product) else [factor])
    scalars = [each for each in flat if _is(each, "is_scalar")]
    rest = [
        each
        for each in flat
        if not (_is(each, "is_scalar") or _is(each, "is_identity"))
    ]
    if not rest:
        rest = [Diagonal(None, flat[0].shape[0], flat[0].dtype)]
    if scalars:
        sizes = [rest[0].shape[0], *(each.shape[1] for each in rest)]
        place = sizes.index(min(sizes))
        rest[place:place] = [
            Diagonal(each.row, sizes[place], each.dtype) for each in scalars
        ]
        rest = [each for each in rest if not _is(each, "is_identity")]
    if len(rest) == 1 and expression is None:
        return rest[0]
    return Product(rest, expression, own_cost)


def _is(factor, quality):
    return isinstance(factor, Diagonal) and getattr(factor, quality)


class Product(LinearMap):
    """A product of maps, applied one after the other.

    Parameters
    ----------
    factors : list of LinearMap
        From left to right.
    expression : TensorVariable, optional
        The product as the user wrote it.
    own_cost : number, optional
        What computing `expression` costs.
    """

    def __init__(self, factors, expression=None, own_cost=None):
        self.factors, self.expression, self.own_cost = factors, expression, own_cost
        self.shape = (factors[0].shape[0], factors[-1].shape[1])

    @functools.cached_property
    def trainable(self):
        return any(factor.trainable for factor in self.factors)

    @functools.cached_property
    def _chain(self):
        return _Chain(self.factors)

    def apply(self, x):
        for factor in self.factors:
            x = factor.apply(x)
        return x

    def apply_left(self, y):
        for factor in reversed(self.factors):
            y = factor.apply_left(y)
        return y

    def build(self):
        return self._chain.build(0, len(self.factors))

    def transpose(self):
        return Product([factor.transpose() for factor in reversed(self.factors)])

    def with_parts(self, function):
        return Product([factor.with_parts(function) for factor in self.factors])

    def apply_cost(self, rows):
        return sum(factor.apply_cost(rows) for factor in self.factors)

    def apply_left_cost(self, columns):
        return sum(factor.apply_left_cost(columns) for factor in self.factors)

    def squares(self, axis):
        """Sum by the inner products of the columns of one part and rows of the other.

        The chain is split where it is thinnest.
        """
        n, m = self.shape
        chain, count = self._chain, len(self.factors)
        costs_of_splits = {
            split: chain.cost(0, split)
            + chain.cost(split, count)
            + costs.product(self.factors[split].shape[0], n + m, inner)
            for split, inner in enumerate([f.shape[0] for f in self.factors])
            if split > 0
        }
        split = min(costs_of_splits, key=costs_of_splits.get, default=None)
        plain = self.write_cost() + costs.elementwise(n * m)
        if split is None or costs_of_splits[split] >= plain:
            return None
        left, right = chain.build(0, split), chain.build(split, count)
        if axis == 0:
            return pt.sum(right * pt.dot(pt.dot(left.T, left), right), axis=0)
        if axis == 1:
            return pt.sum(left * pt.dot(left, pt.dot(right, right.T)), axis=1)
        return pt.sum(pt.dot(left.T, left) * pt.dot(right, right.T))

    def halves(self):
        """Return both parts where the product is thinnest, SHAPE (n, r) and (r, m)."""
        inner = [factor.shape[0] for factor in self.factors[1:]]
        if not inner:
            return None
        split = 1 + inner.index(min(inner))
        chain = self._chain
        return chain.build(0, split), chain.build(split, len(self.factors))

    def write_cost(self):
        if self.expression is not None and self.own_cost is not None:
            return self.own_cost
        return self._chain.cost(0, len(self.factors))

    def cheapest(self, rows):
        """Choose the best order of multiplication by dynamic programming.

        Godbole (1973): On efficient computation of matrix chain products. Here the rows
        x are the first matrix of the chain.
        """
        if len(self.factors) > MOST_FACTORS:
            return super().cheapest(rows)
        singles = [factor.cheapest(rows) for factor in self.factors]
        best = {0: (0.0, [])}
        for end in range(1, len(singles) + 1):
            options = []
            for start in range(end):
                group = singles[start]
                if end - start > 1:
                    group = Written(_Group(self._chain, start, end))
                cost, groups = best[start]
                options.append((cost + group.apply_cost(rows), [*groups, group]))
            best[end] = min(options, key=lambda option: option[0])
        groups = best[len(singles)][1]
        form = groups[0] if len(groups) == 1 else Product(groups)
        return min(form, Written(self), key=lambda each: each.apply_cost(rows))


class _Chain:
    """The cheapest ways to multiply neighbouring factors with each other."""

    def __init__(self, factors):
        self.factors = factors
        self._plans = {}

    def cost(self, start, end):
        """Return the cost of writing out the product of factors[start:end]."""
        return self._plan(start, end)[0]

    def build(self, start, end):
        """Return the product of factors[start:end], SHAPE (n of start, m of end)."""
        if end - start == 1:
            return self.factors[start].write_out()
        _, how, middle = self._plan(start, end)
        if how == "right":
            return self.factors[middle].apply(self.build(start, middle))
        if how == "left":
            return self.factors[start].apply_left(self.build(middle, end))
        left, right = self.build(start, middle), self.build(middle, end)
        return pt.dot(left, right)

    def _plan(self, start, end):
        if (start, end) not in self._plans:
            self._plans[start, end] = self._find_plan(start, end)
        return self._plans[start, end]

    def _find_plan(self, start, end):
        factors = self.factors
        if end - start == 1:
            return factors[start].write_cost(), None, None
        n, m = factors[start].shape[0], factors[end - 1].shape[1]
        last = self.cost(start, end - 1) + factors[end - 1].apply_cost(n)
        first = self.cost(start + 1, end) + factors[start].apply_left_cost(m)
        plans = [(last, "right", end - 1), (first, "left", start + 1)]
        if len(factors) <= MOST_FACTORS:
            for middle in range(start + 1, end):
                both = self.cost(start, middle) + self.cost(middle, end)
                inner = factors[middle].shape[0]
                learns = any(each.trainable for each in factors[start:end])
                both += costs.product(n, inner, m, learns)
                plans.append((both, "both", middle))
        return min(plans, key=lambda plan: plan[0])


class _Group(LinearMap):
    """Some neighbours of a chain."""

    def __init__(self, chain, start, end):
        self.chain, self.start, self.end = chain, start, end
        self.product = Product(chain.factors[start:end])
        self.shape = self.product.shape

    @property
    def trainable(self):
        return self.product.trainable

    def build(self):
        return self.chain.build(self.start, self.end)

    def transpose(self):
        return self.product.transpose()

    def with_parts(self, function):
        return self.product.with_parts(function)

    def write_cost(self):
        return self.chain.cost(self.start, self.end)
