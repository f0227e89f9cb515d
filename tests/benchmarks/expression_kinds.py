"""The weights of the benchmark of expressions, each written four times.

As an expression of its leaves, as the layer that an expert writes by hand, and as a
function for PyTorch's parametrize; the product with the written weight is the fourth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BLOCKS = 4  # of block-diagonal and block triangular weights


@dataclass
class Problem:
    """One size of one kind, with the start values of its leaves."""

    inputs: int
    units: int
    rank: int
    batch: int
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def draw(self, *shape):
        """Draw normal numbers of the variance that keeps that of the inputs."""
        values = self.rng.normal(size=shape) / np.sqrt(shape[-2] if shape[1:] else 1)
        return values.astype("float32")


class Kind:
    """A weight; `num_frozen` leaves come first."""

    num_frozen = 0
    square = False
    largest = 10**9  # of the inputs, for what takes too long

    def leaves(self, p):
        """Return the start values of the leaves."""
        raise NotImplementedError

    def weight(self, p, *parts):
        """Write W as an expression."""
        raise NotImplementedError

    def by_hand(self, p, x, *parts):
        """Return the output as an expert writes it."""
        raise NotImplementedError

    def torch(self, p, *parts):
        """Write W for PyTorch, if other than for PyTensor."""
        return self.weight(p, *parts)


class LowRank(Kind):
    """A product of two thin matrices."""

    def leaves(self, p):
        return p.draw(p.inputs, p.rank), p.draw(p.rank, p.units)

    def weight(self, p, u, v):
        return u @ v

    def by_hand(self, p, x, u, v):
        return (x @ u) @ v


class Adapter(Kind):
    """A frozen matrix and a product of two thin ones."""

    num_frozen = 1

    def leaves(self, p):
        thin = p.draw(p.inputs, p.rank), p.draw(p.rank, p.units)
        return p.draw(p.inputs, p.units), *thin

    def weight(self, p, base, u, v):
        return base + u @ v

    def by_hand(self, p, x, base, u, v):
        return x @ base + (x @ u) @ v


class DiagonalPlus(Kind):
    """A diagonal and a product of two thin matrices."""

    square = True

    def leaves(self, p):
        return p.draw(p.inputs), p.draw(p.inputs, p.rank), p.draw(p.rank, p.units)

    def weight(self, p, d, u, v):
        import pytensor.tensor as pt

        return pt.diag(d) + u @ v

    def by_hand(self, p, x, d, u, v):
        return x * d + (x @ u) @ v

    def torch(self, p, d, u, v):
        return d.diag() + u @ v


class Gram(Kind):
    """A thin matrix times its transpose."""

    square = True

    def leaves(self, p):
        return (p.draw(p.inputs, p.rank),)

    def weight(self, p, a):
        return a @ a.T

    def by_hand(self, p, x, a):
        return (x @ a) @ a.T


class Kronecker(Kind):
    """A Kronecker product."""

    def leaves(self, p):
        n1, m1 = (28, 20) if p.inputs == 784 else (32, 32)
        return p.draw(n1, m1), p.draw(p.inputs // n1, p.units // m1)

    def weight(self, p, a, b):
        import pytensor.tensor as pt

        return pt.linalg.kron(a, b)

    def by_hand(self, p, x, a, b):
        (n1, m1), (n2, m2) = a.type.shape, b.type.shape
        rows = (x.reshape((p.batch * n1, n2)) @ b).reshape((p.batch, n1, m2))
        rows = rows.transpose(0, 2, 1).reshape((p.batch * m2, n1)) @ a
        rows = rows.reshape((p.batch, m2, m1)).transpose(0, 2, 1)
        return rows.reshape((p.batch, m1 * m2))

    def torch(self, p, a, b):
        import torch

        return torch.kron(a, b)


class BlockDiagonal(Kind):
    """Equal blocks along the diagonal."""

    def leaves(self, p):
        return (p.draw(BLOCKS, p.inputs // BLOCKS, p.units // BLOCKS),)

    def weight(self, p, w):
        import pytensor.tensor as pt

        return pt.linalg.block_diag(*(w[i] for i in range(BLOCKS)))

    def by_hand(self, p, x, w):
        import pytensor.tensor as pt

        groups = x.reshape((p.batch, BLOCKS, -1)).transpose(1, 0, 2)
        out = pt.matmul(groups, w).transpose(1, 0, 2)
        return out.reshape((p.batch, p.units))

    def torch(self, p, w):
        import torch

        return torch.block_diag(*w)


class Monarch(Kind):
    """Two block-diagonal matrices with a permutation between them."""

    def leaves(self, p):
        b = 4 if p.inputs == 784 else 32
        return p.draw(b, p.inputs // b, b), p.draw(b, b, p.units // b)

    def weight(self, p, r, l):  # noqa: E741
        from lasagne_next import expressions

        return expressions.Monarch(r.type.shape[0]).express(r, l)

    def by_hand(self, p, x, r, l):  # noqa: E741
        import pytensor.tensor as pt

        groups = x.reshape((p.batch, r.type.shape[0], -1)).transpose(1, 0, 2)
        mixed = pt.matmul(groups, r).transpose(2, 1, 0)
        out = pt.matmul(mixed, l).transpose(1, 2, 0)
        return out.reshape((p.batch, p.units))

    def torch(self, p, r, l):  # noqa: E741
        import torch

        return torch.einsum("iac,cij->iajc", r, l).reshape(p.inputs, p.units)


class WeightNorm(Kind):
    """Columns of any direction and of given lengths."""

    def leaves(self, p):
        return p.draw(p.inputs, p.units), np.ones((1, p.units), "float32")

    def weight(self, p, v, g):
        from lasagne_next import expressions

        return expressions.WeightNorm().express(v, g)

    def by_hand(self, p, x, v, g):
        scale = g / (v**2).sum(axis=0, keepdims=True) ** 0.5
        return (x @ v) * scale if p.batch < p.inputs else x @ (v * scale)

    def torch(self, p, v, g):
        return v * (g / v.norm(dim=0, keepdim=True))


class NormedLowRank(Kind):
    """A product of two thin matrices, with columns of given lengths."""

    def leaves(self, p):
        thin = p.draw(p.inputs, p.rank), p.draw(p.rank, p.units)
        return *thin, np.ones((1, p.units), "float32")

    def weight(self, p, u, v, g):
        from lasagne_next import expressions

        return expressions.WeightNorm().express(u @ v, g)

    def by_hand(self, p, x, u, v, g):
        squares = (v * ((u.T @ u) @ v)).sum(axis=0, keepdims=True)
        return (x @ u) @ (v * (g / squares**0.5))

    def torch(self, p, u, v, g):
        product = u @ v
        return product * (g / product.norm(dim=0, keepdim=True))


class BlockTriangle(Kind):
    """A constant mask that lets every group of units see fewer inputs."""

    def mask(self, p):
        """Return zeros and ones, SHAPE (inputs, units)."""
        ones = np.ones((p.inputs // BLOCKS, p.units // BLOCKS))
        return np.kron(np.tri(BLOCKS).T, ones).astype("float32")

    def leaves(self, p):
        return (p.draw(p.inputs, p.units),)

    def weight(self, p, v):
        return self.mask(p) * v

    def by_hand(self, p, x, v):
        import pytensor.tensor as pt

        n, m = p.inputs // BLOCKS, p.units // BLOCKS
        groups = range(BLOCKS)
        # Zeros above the diagonal of blocks are never touched.
        return pt.concatenate(
            [
                x[:, : (i + 1) * n] @ v[: (i + 1) * n, i * m : (i + 1) * m]
                for i in groups
            ],
            axis=1,
        )

    def torch(self, p, v):
        import torch

        return torch.from_numpy(self.mask(p)) * v


class Rotation(Kind):
    """An orthogonal matrix by the Cayley map, away from its start."""

    num_frozen = 1
    square = True
    largest = 512

    def leaves(self, p):
        base = np.linalg.qr(p.draw(p.inputs, p.inputs))[0]
        return base, (0.1 * p.draw(p.inputs, p.inputs)).astype("float32")

    def weight(self, p, base, s):
        from lasagne_next import expressions

        return expressions.Orthogonal().express(base, s)

    def by_hand(self, p, x, base, s):
        import pytensor.tensor as pt

        lower = pt.tril(s, -1)
        half = (lower - lower.T) * np.float32(0.5)
        eye = pt.eye(p.inputs, dtype="float32")
        if p.batch >= p.inputs:
            inverse = pt.linalg.solve(eye - half, base, b_ndim=2)
            return x @ (np.float32(2) * inverse - base)
        solved = pt.linalg.solve(eye + half, x.T, b_ndim=2).T
        return (np.float32(2) * solved - x) @ base

    def torch(self, p, base, s):
        import torch

        lower = s.tril(-1)
        half = (lower - lower.T) * 0.5
        eye = torch.eye(p.inputs)
        return 2 * torch.linalg.solve(eye - half, base) - base


class Reflections(Kind):
    """A product of reflections times a fixed orthogonal matrix."""

    num_frozen = 1
    square = True
    largest = 1024

    def leaves(self, p):
        base = np.linalg.qr(p.draw(p.inputs, p.inputs))[0]
        return base, p.rng.normal(size=(p.rank, p.inputs)).astype("float32")

    def weight(self, p, base, v):
        from lasagne_next import expressions

        return expressions.Orthogonal("householder").express(base, v=v)

    def by_hand(self, p, x, base, v):
        import pytensor.tensor as pt

        products = v @ v.T
        half = np.float32(0.5) * pt.diagonal(products)
        triangle = pt.triu(products, 1) + pt.diag(half)
        lengths = pt.linalg.solve_triangular(
            triangle.T, (x @ v.T).T, lower=True, b_ndim=2
        )
        return (x - lengths.T @ v) @ base

    def torch(self, p, base, v):
        import torch

        products = v @ v.T
        triangle = products.triu(1) + 0.5 * products.diagonal().diag()
        lengths = torch.linalg.solve_triangular(triangle, v @ base, upper=True)
        return base - v.T @ lengths


class Reordered(Kind):
    """A weight with its rows in a fixed other order."""

    def order(self, p):
        """Return a permutation of the inputs."""
        return np.random.default_rng(3).permutation(p.inputs)

    def leaves(self, p):
        return (p.draw(p.inputs, p.units),)

    def weight(self, p, v):
        return v[self.order(p)]

    def by_hand(self, p, x, v):
        if p.batch < p.units:
            return x[:, np.argsort(self.order(p))] @ v
        return x @ v[self.order(p)]


class Rotating(Kind):
    """A circulant matrix."""

    square = True

    def places(self, p):
        """Return the place in the vector of every entry."""
        n = np.arange(p.inputs)
        return (n - n[:, None]) % p.inputs

    def leaves(self, p):
        return (p.draw(1, p.inputs)[0] / np.float32(p.inputs**0.5),)

    def weight(self, p, c):
        return c[self.places(p)]

    def by_hand(self, p, x, c):
        from lasagne_next.ops import convolve_circularly

        return convolve_circularly(x, c)


class ConstantDiagonals(Kind):
    """A Toeplitz matrix."""

    def places(self, p):
        """Return the place in the vector of every entry."""
        return np.arange(p.units) - np.arange(p.inputs)[:, None] + p.inputs - 1

    def leaves(self, p):
        length = p.inputs + p.units - 1
        return (p.draw(1, length)[0] / np.float32(p.inputs**0.5),)

    def weight(self, p, c):
        return c[self.places(p)]

    def by_hand(self, p, x, c):
        import pytensor.tensor as pt
        import scipy.fft

        from lasagne_next.ops import convolve_circularly

        length = scipy.fft.next_fast_len(p.inputs + p.units - 1, real=True)
        missing = length - (p.inputs + p.units - 1)
        c = pt.concatenate([c, pt.zeros(missing, "float32")])
        zeros = pt.zeros((p.batch, length - p.inputs), "float32")
        around = convolve_circularly(pt.concatenate([x, zeros], axis=1), c)
        return around[:, p.inputs - 1 : p.inputs - 1 + p.units]


KINDS = {
    "low rank": LowRank(),
    "adapter": Adapter(),
    "diagonal plus": DiagonalPlus(),
    "PSD factor": Gram(),
    "Kronecker": Kronecker(),
    "block-diagonal": BlockDiagonal(),
    "monarch": Monarch(),
    "weight norm": WeightNorm(),
    "normed low rank": NormedLowRank(),
    "block triangle": BlockTriangle(),
    "reordered": Reordered(),
    "Cayley": Rotation(),
    "reflections": Reflections(),
    "circulant": Rotating(),
    "Toeplitz": ConstantDiagonals(),
}
