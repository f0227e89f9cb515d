"""Matrices of blocks: Kronecker products, block-diagonal and monarch matrices."""

from __future__ import annotations

import functools

import pytensor.tensor as pt

from lasagne_next.expressions import costs
from lasagne_next.expressions.linear_maps.base import (
    LinearMap,
    is_trainable,
    num_rows,
)

__all__ = ["BlockDiagonal", "Blocks", "Kronecker", "Monarch"]


class Kronecker(LinearMap):
    """The Kronecker product of two maps.

    With x as a matrix X of shape (n1, n2), ``x (A kron B)`` is ``A.T X B``.
    """

    def __init__(self, left, right, expression=None, left_first=False):
        self.left, self.right, self.expression = left, right, expression
        self.left_first = left_first
        (n1, m1), (n2, m2) = left.shape, right.shape
        self.shape = (n1 * n2, m1 * m2)

    @property
    def trainable(self):
        return self.left.trainable or self.right.trainable

    def apply(self, x):
        (n1, m1), (n2, m2) = self.left.shape, self.right.shape
        # Naming the number of rows keeps it a size of x, which JAX knows.
        rows = num_rows(x)
        if self.left_first:
            x = x.reshape((rows, n1, n2)).dimshuffle(0, 2, 1).reshape((-1, n1))
            x = self.left.apply(x).reshape((rows, n2, m1))  # (rows, n2, m1)
            x = x.dimshuffle(0, 2, 1).reshape((-1, n2))  # (rows * m1, n2)
            return self.right.apply(x).reshape((rows, m1 * m2))  # (rows, m)
        x = self.right.apply(x.reshape((-1, n2))).reshape((rows, n1, m2))
        x = x.dimshuffle(0, 2, 1).reshape((-1, n1))  # (rows * m2, n1)
        x = self.left.apply(x).reshape((rows, m2, m1))  # (rows, m2, m1)
        return x.dimshuffle(0, 2, 1).reshape((rows, m1 * m2))  # (rows, m)

    def build(self):
        left, right = self.left.write_out(), self.right.write_out()
        products = left[:, None, :, None] * right[None, :, None, :]  # (n1, n2, m1, m2)
        return products.reshape(self.shape)

    def transpose(self):
        return Kronecker(self.left.transpose(), self.right.transpose())

    def with_parts(self, function):
        return Kronecker(
            self.left.with_parts(function), self.right.with_parts(function)
        )

    def squares(self, axis):
        left, right = (_squares(each, axis) for each in (self.left, self.right))
        if axis is None:
            return left * right
        return (left[:, None] * right).ravel()

    def apply_cost(self, rows):
        (n1, m1), (n2, m2) = self.left.shape, self.right.shape
        if self.left_first:
            copied = rows * n2 * (n1 + m1)
            products = self.left.apply_cost(rows * n2) + self.right.apply_cost(
                rows * m1
            )
        else:
            copied = rows * m2 * (n1 + m1)
            products = self.right.apply_cost(rows * n1) + self.left.apply_cost(
                rows * m2
            )
        return costs.elementwise(copied, trainable=False) + products

    def write_cost(self):
        n, m = self.shape
        parts = self.left.write_cost() + self.right.write_cost()
        return parts + costs.elementwise(n * m)

    def cheapest(self, rows):
        (n1, m1), (n2, m2) = self.left.shape, self.right.shape
        forms = [
            Kronecker(
                self.left.cheapest(rows * (n2 if left_first else m2)),
                self.right.cheapest(rows * (m1 if left_first else n1)),
                self.expression,
                left_first,
            )
            for left_first in (False, True)
        ]
        best = min(forms, key=lambda form: form.apply_cost(rows))
        return LinearMap.cheapest(best, rows)


class BlockDiagonal(LinearMap):
    """Maps of consecutive slices of the input, side by side."""

    def __init__(self, blocks, expression=None):
        self.blocks, self.expression = blocks, expression
        self.shape = tuple(sum(b.shape[axis] for b in blocks) for axis in (0, 1))

    @property
    def trainable(self):
        return any(block.trainable for block in self.blocks)

    def apply(self, x):
        if len(self.blocks) == 1:
            return self.blocks[0].apply(x)
        # The gradient of a split is a join; that of each slice would be an array of
        # zeros of the size of x.
        sizes = [block.shape[0] for block in self.blocks]
        parts = pt.split(x, sizes, n_splits=len(sizes), axis=1)
        outputs = [b.apply(part) for b, part in zip(self.blocks, parts, strict=True)]
        return pt.concatenate(outputs, axis=1)  # (rows, m)

    def build(self):
        return pt.linalg.block_diag(*(block.write_out() for block in self.blocks))

    def transpose(self):
        return BlockDiagonal([block.transpose() for block in self.blocks])

    def with_parts(self, function):
        return BlockDiagonal([block.with_parts(function) for block in self.blocks])

    def squares(self, axis):
        parts = [_squares(block, axis) for block in self.blocks]
        if axis is None:
            return functools.reduce(pt.add, parts)
        return pt.concatenate(parts)

    def apply_cost(self, rows):
        copies = costs.elementwise(rows * sum(self.shape), trainable=False)
        return copies + sum(block.apply_cost(rows) for block in self.blocks)

    def write_cost(self):
        n, m = self.shape
        return costs.elementwise(n * m) + sum(b.write_cost() for b in self.blocks)

    def cheapest(self, rows):
        blocks = [block.cheapest(rows) for block in self.blocks]
        return LinearMap.cheapest(BlockDiagonal(blocks, self.expression), rows)


class Blocks(LinearMap):
    """Equal blocks along the diagonal, which come as one tensor of SHAPE (b, p, q)."""

    def __init__(self, blocks, sizes, expression=None):
        self.blocks, self.sizes, self.expression = blocks, sizes, expression
        b, p, q = sizes
        self.shape = (b * p, b * q)

    @functools.cached_property
    def trainable(self):
        return is_trainable(self.blocks)

    def apply(self, x):
        b, p, q = self.sizes
        groups = x.reshape((num_rows(x), b, p)).dimshuffle(1, 0, 2)  # (b, rows, p)
        out = pt.matmul(groups, self.blocks).dimshuffle(1, 0, 2)  # (rows, b, q)
        return out.reshape((num_rows(x), b * q))  # (rows, m)

    def build(self):
        b = self.sizes[0]
        return pt.linalg.block_diag(*(self.blocks[index] for index in range(b)))

    def transpose(self):
        b, p, q = self.sizes
        return Blocks(self.blocks.dimshuffle(0, 2, 1), (b, q, p))

    def with_parts(self, function):
        return Blocks(function(self.blocks), self.sizes)

    def squares(self, axis):
        squares = pt.sqr(self.blocks)
        return squares.sum() if axis is None else squares.sum(axis=axis + 1).ravel()

    def apply_cost(self, rows):
        b, p, q = self.sizes
        copies = costs.elementwise(rows * sum(self.shape), trainable=False)
        return copies + costs.product(rows, p, q, self.trainable, count=b)

    def write_cost(self):
        return costs.elementwise(self.shape[0] * self.shape[1], self.trainable)


class Monarch(LinearMap):
    """Blocks r of SHAPE (b, p, q), then blocks l of SHAPE (q, b, k) across them.

    ``W[(i, a), (j, c)] = r[i, a, c] * l[c, i, j]``.
    """

    def __init__(self, r, l, sizes, expression=None, flipped=False):  # noqa: E741
        self.r, self.l, self.sizes, self.flipped = r, l, sizes, flipped
        b, p, q, k = sizes
        shape = (b * p, k * q)
        self.shape, self.expression = shape[::-1] if flipped else shape, expression

    @functools.cached_property
    def trainable(self):
        return is_trainable(self.r) or is_trainable(self.l)

    def apply(self, x):
        b, p, q, k = self.sizes
        rows = num_rows(x)
        if self.flipped:
            groups = x.reshape((rows, k, q)).dimshuffle(2, 0, 1)  # (q, rows, k)
            mixed = pt.matmul(groups, self.l.dimshuffle(0, 2, 1))  # (q, rows, b)
            mixed = mixed.dimshuffle(2, 1, 0)  # (b, rows, q)
            out = pt.matmul(mixed, self.r.dimshuffle(0, 2, 1))  # (b, rows, p)
            return out.dimshuffle(1, 0, 2).reshape((rows, b * p))  # (rows, n)
        groups = x.reshape((rows, b, p)).dimshuffle(1, 0, 2)  # (b, rows, p)
        mixed = pt.matmul(groups, self.r).dimshuffle(2, 1, 0)  # (q, rows, b)
        out = pt.matmul(mixed, self.l).dimshuffle(1, 2, 0)  # (rows, k, q)
        return out.reshape((rows, k * q))  # (rows, m)

    def build(self):
        # (b, p, k, q)
        products = self.r.dimshuffle(0, 1, "x", 2) * self.l.dimshuffle(1, "x", 2, 0)
        b, p, q, k = self.sizes
        matrix = products.reshape((b * p, k * q))
        return matrix.T if self.flipped else matrix

    def transpose(self):
        return Monarch(self.r, self.l, self.sizes, None, not self.flipped)

    def with_parts(self, function):
        parts = function(self.r), function(self.l)
        return Monarch(*parts, self.sizes, None, self.flipped)

    def squares(self, axis):
        r, l = pt.sqr(self.r), pt.sqr(self.l)  # noqa: E741
        if axis is None:
            return pt.sum(r.sum(axis=1) * l.sum(axis=2).T)
        if axis == (1 if self.flipped else 0):
            columns = r.sum(axis=1).T[:, :, None] * l  # (q, b, k)
            return columns.sum(axis=1).T.ravel()  # (m,)
        return (r * l.sum(axis=2).T[:, None, :]).sum(axis=2).ravel()  # (n,)

    def apply_cost(self, rows):
        b, p, q, k = self.sizes
        copies = costs.elementwise(rows * (b * p + 2 * b * q + k * q), False)
        first = costs.product(rows, p, q, self.trainable, count=b)
        return copies + first + costs.product(rows, b, k, self.trainable, count=q)

    def write_cost(self):
        return costs.elementwise(self.shape[0] * self.shape[1], self.trainable)


def _squares(part, axis):
    """Sum the squares of a part, in its own way if it has one."""
    squares = part.squares(axis)
    return pt.sum(pt.sqr(part.write_out()), axis) if squares is None else squares
