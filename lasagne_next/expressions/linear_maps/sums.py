"""Sums of matrices."""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import Dense, LinearMap, Written
from lasagne_next.expressions.linear_maps.diagonal import Diagonal
from lasagne_next.expressions.linear_maps.products import Product, multiplied

__all__ = ["Sum", "added"]


def added(terms, expression=None):
    """Return the sum of maps, sums inside it taken apart."""
    flat = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Sum) else [term])
    return Sum(flat, expression)


class Sum(LinearMap):
    """A sum of maps of the same shape."""

    def __init__(self, terms, expression=None):
        self.terms, self.shape, self.expression = terms, terms[0].shape, expression

    @functools.cached_property
    def trainable(self):
        return any(term.trainable for term in self.terms)

    def apply(self, x):
        return functools.reduce(pt.add, [term.apply(x) for term in self.terms])

    def apply_left(self, y):
        return functools.reduce(pt.add, [term.apply_left(y) for term in self.terms])

    def build(self):
        return functools.reduce(pt.add, [term.write_out() for term in self.terms])

    def transpose(self):
        return Sum([term.transpose() for term in self.terms])

    def with_parts(self, function):
        return Sum([term.with_parts(function) for term in self.terms])

    def apply_cost(self, rows):
        additions = (len(self.terms) - 1) * costs.elementwise(rows * self.shape[1])
        return additions + sum(term.apply_cost(rows) for term in self.terms)

    def write_cost(self):
        n, m = self.shape
        additions = (len(self.terms) - 1) * costs.elementwise(n * m)
        return additions + sum(term.write_cost() for term in self.terms)

    def cheapest(self, rows):
        terms = [term.cheapest(rows) for term in self.terms]
        dense = [term for term in terms if isinstance(term, Dense)]
        forms = [Sum(terms, self.expression), Written(self)]
        if 1 < len(dense) < len(terms):
            forms.append(_with_one_dense(self.terms, terms, dense))
        if dense:
            forms.append(_absorbed(self.terms, terms, rows))
        factored = _factored(self.terms)
        if factored is not None:
            forms.append(factored.cheapest(rows))
        return min(forms, key=lambda form: form.apply_cost(rows))


def _with_one_dense(originals, terms, dense):
    """Multiply by the sum of the dense terms once, instead of by each."""
    total = Written(
        Sum([o for o, t in zip(originals, terms, strict=True) if t in dense])
    )
    return Sum([total, *(term for term in terms if term not in dense)])


def _absorbed(originals, terms, rows):
    """Add to the dense terms also those that are cheaper written than applied."""
    n, m = originals[0].shape
    inside, apart = [], []
    for original, term in zip(originals, terms, strict=True):
        adding = original.write_cost() + costs.elementwise(n * m)
        applying = term.apply_cost(rows) + costs.elementwise(rows * m)
        if isinstance(term, Dense) or adding < applying:
            inside.append(original)
        else:
            apart.append(term)
    total = Written(inside[0] if len(inside) == 1 else Sum(inside))
    return Sum([total, *apart]) if apart else total


def _factored(terms):
    """Take out a last (or first) factor that all terms share: A C + C = (A + I) C."""
    chains = [term.factors if isinstance(term, Product) else [term] for term in terms]
    scalars = [[each for each in chain if _is_scalar(each)] for chain in chains]
    rests = [[each for each in chain if not _is_scalar(each)] for chain in chains]
    for place in (-1, 0):
        ends = [rest[place] if rest else None for rest in rests]
        if all(_is_same_leaf(end, ends[0]) for end in ends):
            inner = [rest[:-1] if place == -1 else rest[1:] for rest in rests]
            inner = [[*s, *rest] for s, rest in zip(scalars, inner, strict=True)]
            return _taken_out(inner, ends[0], place)
    return None


def _is_scalar(factor):
    return isinstance(factor, Diagonal) and factor.is_scalar


def _is_same_leaf(one, other):
    return all(
        isinstance(each, Dense) and not isinstance(each, Written)
        for each in (one, other)
    ) and _is_same(one.expression, other.expression)


def _is_same(one, other):
    """Tell whether two matrices are one, or the transposes of one."""
    if one is other:
        return True
    owners = one.owner, other.owner
    return (
        all(getattr(o and o.op, "new_order", None) == (1, 0) for o in owners)
        and owners[0].inputs[0] is owners[1].inputs[0]
    )


def _taken_out(inner, shared, place):
    size = shared.shape[0] if place == -1 else shared.shape[1]
    dtype = shared.expression.dtype
    identity = Diagonal(None, size, dtype)
    total = Sum([multiplied([identity, *rest]) for rest in inner])
    return multiplied([total, shared] if place == -1 else [shared, total])
