"""Matrices of blocks: Kronecker products, block-diagonal and monarch matrices."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import (
    check_count,
    check_divides,
    check_matrix,
)

__all__ = ["BlockDiagonal", "Kronecker", "Monarch"]


class Kronecker(ParameterExpression):
    r"""A sum of Kronecker products, :math:`W = \sum_k A_k \otimes B_k`.

    Parameters
    ----------
    left_shape : tuple of int
        The shape (n1, m1) of every A; that of B is (n / n1, m / m1).
    terms : int, default 1
        Number of products.
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    The leaves are ``a0``, ``b0``, ``a1``, ``b1`` and so on; they start normal. Starting
    from a value finds the nearest such sum [1]_. With B of shape (n2, m2), multiplying
    by one product costs ``2 n1 m2 (n2 + m1)`` operations a row instead of ``2 n m``.

    References
    ----------
    .. [1] Charles Van Loan and Nikos Pitsianis (1993): Approximation with Kronecker
       products. https://doi.org/10.1007/978-94-015-8196-7_17

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> W = expressions.Kronecker((28, 20))
    >>> layers.count_params(layers.DenseLayer((None, 784), 500, W=W, b=None))
    1260
    """

    def __init__(self, left_shape, terms=1, init=initialisers.GlorotUniform()):  # noqa: B008
        self.left_shape = tuple(
            check_count(self, "left_shape", size) for size in left_shape
        )
        if len(self.left_shape) != 2:
            raise ValueError(
                f"Kronecker: left_shape must have 2 sizes, got {left_shape!r}."
            )
        self.terms, self.init = check_count(self, "terms", terms), init

    def check_shape(self, shape):
        """Raise ValueError unless the left shape divides the shape of a matrix."""
        check_matrix(self, shape)
        for part, size in zip(self.left_shape, shape, strict=True):
            check_divides(self, "left_shape", part, size)

    def _right_shape(self, shape):
        return tuple(
            size // part for part, size in zip(self.left_shape, shape, strict=True)
        )

    def start(self, value):
        """Draw normal factors, scaled to exactly the mean square of `value`."""
        rng, target = random.get_rng(), (value**2).mean() / self.terms
        leaves = {}
        for term in range(self.terms):
            a = rng.normal(0, 1, self.left_shape)
            b = rng.normal(0, 1, self._right_shape(value.shape))
            scale = (target / ((a**2).mean() * (b**2).mean())) ** 0.25
            leaves |= {f"a{term}": a * scale, f"b{term}": b * scale}
        return leaves

    def express(self, **leaves):
        """Return the sum of the products."""
        products = [
            pt.linalg.kron(leaves[f"a{term}"], leaves[f"b{term}"])
            for term in range(self.terms)
        ]
        return functools.reduce(pt.add, products)

    def invert(self, value):
        """Split the leading terms of the rearranged matrix evenly."""
        (n1, m1), (n2, m2) = self.left_shape, self._right_shape(value.shape)
        rearranged = value.reshape(n1, n2, m1, m2).transpose(0, 2, 1, 3)
        left, scales, right = np.linalg.svd(
            rearranged.reshape(n1 * m1, n2 * m2), full_matrices=False
        )
        leaves = {}
        for term in range(self.terms):
            root = np.sqrt(scales[term]) if term < len(scales) else 0.0
            column = left[:, term] if term < len(scales) else np.zeros(n1 * m1)
            row = right[term] if term < len(scales) else np.zeros(n2 * m2)
            leaves[f"a{term}"] = (root * column).reshape(n1, m1)
            leaves[f"b{term}"] = (root * row).reshape(n2, m2)
        return leaves


class BlockDiagonal(ParameterExpression):
    """Equal blocks along the diagonal, zeros elsewhere.

    Parameters
    ----------
    blocks : int
        Number of blocks; divides both sizes of the parameter.
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with, zeros included.

    Notes
    -----
    The leaf is ``w``, SHAPE (blocks, n / blocks, m / blocks). Multiplying costs
    ``2 n m / blocks`` operations a row.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> W = expressions.BlockDiagonal(blocks=4)
    >>> layers.count_params(layers.DenseLayer((None, 64), 32, W=W, b=None))
    512
    """

    def __init__(self, blocks, init=initialisers.GlorotUniform()):  # noqa: B008
        self.blocks, self.init = check_count(self, "blocks", blocks), init

    def check_shape(self, shape):
        """Raise ValueError unless the number of blocks divides both sizes."""
        check_matrix(self, shape)
        for size in shape:
            check_divides(self, "blocks", self.blocks, size)

    def start(self, value):
        """Take the blocks of the draw, enlarged to make up for the zeros."""
        blocks = self.invert(value)["w"]
        mean_square = max(np.mean(blocks**2) / self.blocks, np.finfo(float).tiny)
        return {"w": blocks * np.sqrt(np.mean(value**2) / mean_square)}

    def express(self, w):
        """Return the matrix of blocks."""
        if self.blocks == 1:
            return w[0]
        return pt.linalg.block_diag(*(w[index] for index in range(self.blocks)))

    def invert(self, value):
        """Take the blocks; what lies elsewhere is lost."""
        n, m = (size // self.blocks for size in value.shape)
        grid = value.reshape(self.blocks, n, self.blocks, m)
        return {"w": np.stack([grid[i, :, i] for i in range(self.blocks)])}


class Monarch(ParameterExpression):
    r"""Two block-diagonal matrices with a permutation between them.

    With an index of the input written as (i, a) and one of the output as (j, c),
    :math:`W_{(i a), (j c)} = R_{i a c} L_{c i j}`: first every group i of inputs is
    mixed, then every position c across the groups.

    Parameters
    ----------
    blocks : int
        Number of groups of the input, and of positions of the output; divides both
        sizes of the parameter.
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    With b blocks the leaves are ``r``, SHAPE (b, n / b, b), and ``l``, SHAPE
    (b, b, m / b); they start normal. Multiplying costs ``2 b (n + m)`` operations a
    row. Starting from a value finds the nearest such matrix in closed form.

    References
    ----------
    Tri Dao and others (2022): Monarch: expressive structured matrices for efficient and
    accurate training, section 3. https://arxiv.org/abs/2204.00595

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> W = expressions.Monarch(blocks=8)
    >>> layers.count_params(layers.DenseLayer((None, 64), 64, W=W, b=None))
    1024
    """

    def __init__(self, blocks, init=initialisers.GlorotUniform()):  # noqa: B008
        self.blocks, self.init = check_count(self, "blocks", blocks), init

    def check_shape(self, shape):
        """Raise ValueError unless the number of blocks divides both sizes."""
        check_matrix(self, shape)
        for size in shape:
            check_divides(self, "blocks", self.blocks, size)

    def start(self, value):
        """Draw normal blocks, scaled to exactly the mean square of `value`."""
        b, (n, m) = self.blocks, value.shape
        rng = random.get_rng()
        r, l = rng.normal(0, 1, (b, n // b, b)), rng.normal(0, 1, (b, b, m // b))  # noqa: E741
        mean_square = np.einsum("iac,cij->", r**2, l**2) / (n * m)
        scale = ((value**2).mean() / mean_square) ** 0.25
        return {"r": scale * r, "l": scale * l}

    def express(self, r, l):  # noqa: E741 (the letters of the paper)
        """Return the matrix of all products."""
        b, inputs, _ = r.type.shape
        outputs = l.type.shape[2]
        # (i, a, j, c)
        products = r.dimshuffle(0, 1, "x", 2) * l.dimshuffle(1, "x", 2, 0)
        return products.reshape((b * inputs, outputs * b))

    def invert(self, value):
        """Split each of the small matrices of one i and one c into its leading part."""
        b, (n, m) = self.blocks, value.shape
        grid = value.reshape(b, n // b, m // b, b)  # (i, a, j, c)
        left, scales, right = np.linalg.svd(
            grid.transpose(0, 3, 1, 2), full_matrices=False
        )
        root = np.sqrt(scales[..., :1])  # (i, c, 1)
        r = (left[..., 0] * root).transpose(0, 2, 1)  # (i, a, c)
        l = (right[..., 0, :] * root).transpose(1, 0, 2)  # (c, i, j)  # noqa: E741
        return {"r": r, "l": l}

    def count_free(self, shape):
        """Count the leaves but the scale of each small product."""
        n, m = shape
        return self.blocks * (n + m) - self.blocks**2
