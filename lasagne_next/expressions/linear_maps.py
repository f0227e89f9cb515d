"""Linear maps x -> x W, each with the cheapest way that its structure allows.

A map knows the shape (n, m) of its matrix W, how to apply it to rows x of shape
(batch, n), how to write W out, its transpose, and what applying and writing out cost.
"""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.params import leaf_tags

__all__ = [
    "BlockDiagonal",
    "Dense",
    "Diagonal",
    "Kronecker",
    "LinearMap",
    "Monarch",
    "Product",
    "Scaled",
    "Sum",
]


class LinearMap:
    """A matrix of shape (n, m), seen as a map of row vectors.

    Attributes
    ----------
    shape : tuple of int
        The shape of the matrix.
    expression : TensorVariable or None
        The matrix as the user wrote it, where there is one.
    """

    shape = None
    expression = None

    def apply(self, x):
        """Return x W, SHAPE (batch, m), for x of SHAPE (batch, n)."""
        raise NotImplementedError

    def write_out(self):
        """Return W, SHAPE (n, m), as the user wrote it if possible."""
        return self.build() if self.expression is None else self.expression

    def build(self):
        """Return W from its parts, SHAPE (n, m)."""
        raise NotImplementedError

    def transpose(self):
        """Return the map of the transposed matrix."""
        raise NotImplementedError

    def apply_cost(self, batch):
        """Estimate the cost of :meth:`apply` with gradients."""
        raise NotImplementedError

    def write_cost(self):
        """Estimate the cost of :meth:`write_out` with gradients."""
        raise NotImplementedError

    @property
    def trainable(self):
        """Whether a gradient with respect to any part is wanted."""
        raise NotImplementedError

    def dense_cost(self, batch):
        """Estimate the cost of writing W out and multiplying by it."""
        n, m = self.shape
        return self.write_cost() + costs.product(batch, n, m, self.trainable)

    def best_for(self, batch):
        """Return the cheaper of this map and its matrix written out.

        Where the batch size is unknown (None) the structure must pay for every size, so
        that it never makes a network slower.
        """
        for size in (1, 2**20) if batch is None else (batch,):
            if self.apply_cost(size) > self.dense_cost(size):
                return Dense(self.write_out(), self.shape)
        return self


class Dense(LinearMap):
    """A matrix without known structure."""

    def __init__(self, expression, shape):
        self.expression, self.shape = expression, shape

    @functools.cached_property
    def trainable(self):
        """Whether a gradient with respect to the matrix is wanted."""
        tagged = leaf_tags(self.expression, {"trainable"})
        is_constant = not tagged and not _has_symbolic_input(self.expression)
        return not is_constant and (
            not tagged or any("trainable" in tags for _, tags in tagged)
        )

    def apply(self, x):
        return pt.dot(x, self.expression)

    def transpose(self):
        return Dense(self.expression.T, self.shape[::-1])

    def apply_cost(self, batch):
        return costs.product(batch, *self.shape, self.trainable)

    def write_cost(self):
        return 0.0

    def best_for(self, batch):
        return self


class Diagonal(LinearMap):
    """The matrix with the vector d on its diagonal; d None stands for the identity."""

    def __init__(self, vector, size, expression=None):
        self.vector, self.shape = vector, (size, size)
        self.expression = expression

    @property
    def trainable(self):
        return self.vector is not None and Dense(self.vector, None).trainable

    def apply(self, x):
        return x if self.vector is None else x * self.vector

    def build(self):
        return pt.diag(self.vector)

    def transpose(self):
        return self  # a diagonal matrix is symmetric

    def apply_cost(self, batch):
        return (
            0.0
            if self.vector is None
            else costs.elementwise(batch * self.shape[0], self.trainable)
        )

    def write_cost(self):
        return costs.elementwise(self.shape[0] ** 2, self.trainable)


class Scaled(LinearMap):
    """A map times a factor that is constant along at least one axis.

    The factor has the shape (1, 1), (n, 1) or (1, m); `operation` is `pt.mul` or
    `pt.true_div`.
    """

    def __init__(self, inner, factor, operation, expression=None):
        self.inner, self.factor, self.operation = inner, factor, operation
        self.shape, self.expression = inner.shape, expression

    @property
    def scales_inputs(self):
        """Whether the factor differs from row to row of the matrix."""
        return not self.factor.type.broadcastable[0]

    @property
    def trainable(self):
        return self.inner.trainable or Dense(self.factor, None).trainable

    def apply(self, x):
        if self.scales_inputs:
            return self.inner.apply(self.operation(x, self.factor.T))
        return self.operation(self.inner.apply(x), self.factor)

    def build(self):
        return self.operation(self.inner.write_out(), self.factor)

    def transpose(self):
        return Scaled(self.inner.transpose(), self.factor.T, self.operation)

    def apply_cost(self, batch):
        size = self.shape[0] if self.scales_inputs else self.shape[1]
        return self.inner.apply_cost(batch) + costs.elementwise(batch * size)

    def write_cost(self):
        n, m = self.shape
        return self.inner.write_cost() + costs.elementwise(n * m)

    def best_for(self, batch):
        inner = self.inner.best_for(batch)
        chosen = Scaled(inner, self.factor, self.operation, self.expression)
        return LinearMap.best_for(chosen, batch)


class Sum(LinearMap):
    """A sum of maps of the same shape."""

    def __init__(self, terms, expression=None):
        self.terms, self.shape, self.expression = terms, terms[0].shape, expression

    @property
    def trainable(self):
        return any(term.trainable for term in self.terms)

    def apply(self, x):
        return functools.reduce(pt.add, [term.apply(x) for term in self.terms])

    def build(self):
        return functools.reduce(pt.add, [term.write_out() for term in self.terms])

    def transpose(self):
        return Sum([term.transpose() for term in self.terms])

    def apply_cost(self, batch):
        additions = (len(self.terms) - 1) * costs.elementwise(batch * self.shape[1])
        return additions + sum(term.apply_cost(batch) for term in self.terms)

    def write_cost(self):
        n, m = self.shape
        additions = (len(self.terms) - 1) * costs.elementwise(n * m)
        return additions + sum(term.write_cost() for term in self.terms)

    def best_for(self, batch):
        terms = [term.best_for(batch) for term in self.terms]
        dense = [term for term in terms if isinstance(term, Dense)]
        if len(dense) == len(terms):
            return Dense(self.write_out(), self.shape)
        if len(dense) > 1:  # one product with their sum, instead of one each
            total = Dense(Sum(dense).build(), self.shape)
            terms = [total, *(each for each in terms if not isinstance(each, Dense))]
        return LinearMap.best_for(Sum(terms, self.expression), batch)


class Product(LinearMap):
    """A product of maps, applied one after the other."""

    def __init__(self, factors, expression=None):
        self.factors, self.expression = factors, expression
        self.shape = (factors[0].shape[0], factors[-1].shape[1])

    @property
    def trainable(self):
        return any(factor.trainable for factor in self.factors)

    def apply(self, x):
        for factor in self.factors:
            x = factor.apply(x)
        return x

    def build(self):
        return functools.reduce(pt.dot, [each.write_out() for each in self.factors])

    def transpose(self):
        return Product([factor.transpose() for factor in reversed(self.factors)])

    def apply_cost(self, batch):
        return sum(factor.apply_cost(batch) for factor in self.factors)

    def write_cost(self):
        first, *others = self.factors
        rows = first.shape[0]
        return first.write_cost() + sum(each.apply_cost(rows) for each in others)

    def best_for(self, batch):
        """Choose the best order of multiplication by dynamic programming.

        Godbole (1973): On efficient computation of matrix chain products. Here the rows
        x are the first matrix of the chain.
        """
        size = 2**20 if batch is None else batch
        best = {0: (0.0, [])}
        for end in range(1, len(self.factors) + 1):
            options = []
            for start in range(end):
                group = self._group(start, end).best_for(batch)
                cost, groups = best[start]
                options.append((cost + self._cost(group, size), [*groups, group]))
            best[end] = min(options, key=lambda option: option[0])
        groups = best[len(self.factors)][1]
        if len(groups) == 1:
            return groups[0]
        return LinearMap.best_for(Product(groups, self.expression), batch)

    @staticmethod
    def _cost(group, size):
        written = group.write_cost() if isinstance(group, _WrittenOut) else 0.0
        return group.apply_cost(size) + written

    def _group(self, start, end):
        if end - start == 1:
            return self.factors[start]
        whole = end - start == len(self.factors)
        part = Product(self.factors[start:end], self.expression if whole else None)
        return _WrittenOut(part)


class _WrittenOut(Dense):
    """Neighbouring factors multiplied with each other first."""

    def __init__(self, part):
        self.part, self.shape = part, part.shape

    @functools.cached_property
    def expression(self):
        return self.part.write_out()

    @property
    def trainable(self):
        return self.part.trainable

    def write_cost(self):
        return self.part.write_cost()


class Kronecker(LinearMap):
    """The Kronecker product of two maps.

    With x as a matrix X of shape (n1, n2), ``x (A kron B)`` is ``A.T X B``.
    """

    def __init__(self, left, right, expression=None):
        self.left, self.right, self.expression = left, right, expression
        (n1, m1), (n2, m2) = left.shape, right.shape
        self.shape = (n1 * n2, m1 * m2)

    @property
    def trainable(self):
        return self.left.trainable or self.right.trainable

    def apply(self, x):
        (n1, m1), (n2, m2) = self.left.shape, self.right.shape
        rows = x.reshape((-1, n2))  # (batch * n1, n2)
        rows = self.right.apply(rows).reshape((-1, n1, m2))  # (batch, n1, m2)
        rows = rows.dimshuffle(0, 2, 1).reshape((-1, n1))  # (batch * m2, n1)
        rows = self.left.apply(rows).reshape((-1, m2, m1))  # (batch, m2, m1)
        # Naming the batch size keeps it a size of x, which JAX knows.
        return rows.dimshuffle(0, 2, 1).reshape((_batch(x), m1 * m2))  # (batch, m)

    def build(self):
        return pt.linalg.kron(self.left.write_out(), self.right.write_out())

    def transpose(self):
        return Kronecker(self.left.transpose(), self.right.transpose())

    def apply_cost(self, batch):
        (n1, m1), (_, m2) = self.left.shape, self.right.shape
        copies = costs.elementwise(batch * m2 * (n1 + m1), trainable=False)
        products = self.right.apply_cost(batch * n1) + self.left.apply_cost(batch * m2)
        return copies + products

    def write_cost(self):
        n, m = self.shape
        parts = self.left.write_cost() + self.right.write_cost()
        return parts + costs.elementwise(n * m)


class BlockDiagonal(LinearMap):
    """Maps of consecutive slices of the input, side by side."""

    def __init__(self, blocks, expression=None):
        self.blocks, self.expression = blocks, expression
        self.shape = tuple(sum(b.shape[axis] for b in blocks) for axis in (0, 1))

    @property
    def trainable(self):
        return any(block.trainable for block in self.blocks)

    def apply(self, x):
        parts, start = [], 0
        for block in self.blocks:
            stop = start + block.shape[0]
            parts.append(block.apply(x[:, start:stop]))
            start = stop
        return pt.concatenate(parts, axis=1)  # (batch, m)

    def build(self):
        return pt.linalg.block_diag(*(block.write_out() for block in self.blocks))

    def transpose(self):
        return BlockDiagonal([block.transpose() for block in self.blocks])

    def apply_cost(self, batch):
        copies = costs.elementwise(batch * sum(self.shape), trainable=False)
        return copies + sum(block.apply_cost(batch) for block in self.blocks)

    def write_cost(self):
        n, m = self.shape
        return costs.elementwise(n * m) + sum(b.write_cost() for b in self.blocks)


class Monarch(LinearMap):
    """Blocks r of SHAPE (b, p, q), then blocks l of SHAPE (q, b, k) across them.

    ``W[(i, a), (j, c)] = r[i, a, c] * l[c, i, j]``.
    """

    def __init__(self, r, l, sizes, expression=None):  # noqa: E741
        self.r, self.l, self.sizes = r, l, sizes
        b, p, q, k = sizes
        self.shape, self.expression = (b * p, k * q), expression

    @property
    def trainable(self):
        return Dense(self.r, None).trainable or Dense(self.l, None).trainable

    def apply(self, x):
        b, p, q, k = self.sizes
        groups = x.reshape((-1, b, p)).dimshuffle(1, 0, 2)  # (b, batch, p)
        mixed = pt.matmul(groups, self.r).dimshuffle(2, 1, 0)  # (q, batch, b)
        out = pt.matmul(mixed, self.l).dimshuffle(1, 2, 0)  # (batch, k, q)
        return out.reshape((_batch(x), k * q))  # (batch, m)

    def transpose(self):
        return Dense(self.write_out().T, self.shape[::-1])

    def apply_cost(self, batch):
        b, p, q, k = self.sizes
        copies = costs.elementwise(batch * (b * p + 2 * b * q + k * q), False)
        first = costs.product(batch, p, q, self.trainable, count=b)
        return copies + first + costs.product(batch, b, k, self.trainable, count=q)

    def write_cost(self):
        return costs.elementwise(self.shape[0] * self.shape[1], self.trainable)


def _batch(x):
    return x.type.shape[0] or x.shape[0]


def _has_symbolic_input(expression):
    """Tell whether anything but constants enters an expression."""
    from pytensor.graph.basic import Constant
    from pytensor.graph.traversal import ancestors

    return any(
        each.owner is None and not isinstance(each, Constant)
        for each in ancestors([expression])
    )
