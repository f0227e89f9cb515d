"""One line for each ready-made expression: how to make it, for which shapes."""

import numpy as np

from lasagne_next import expressions

TALL, WIDE, SQUARE, COLUMN = (12, 8), (8, 12), (8, 8), (8, 1)
ALL = (TALL, WIDE, SQUARE, COLUMN)
MATRICES = (TALL, WIDE, SQUARE)


def mask(shape):
    """Return an irregular pattern of zeros and ones."""
    return (np.add.outer(*map(np.arange, shape)) % 3 > 0).astype(float)


# name: (factory of shape, shapes, whether it starts with the variance of the draw)
ZOO = {
    "Binary": (lambda s: expressions.Binary(), ALL, True),
    "BlockDiagonal": (lambda s: expressions.BlockDiagonal(4), MATRICES, True),
    "Box": (lambda s: expressions.Box(-2, 2), ALL, True),
    "Circulant": (lambda s: expressions.Circulant(), (SQUARE,), True),
    "Gaussian": (lambda s: expressions.Gaussian(), ALL, True),
    "Kronecker": (lambda s: expressions.Kronecker((2, 2)), MATRICES, True),
    "Kronecker sum": (lambda s: expressions.Kronecker((2, 4), 3), MATRICES, True),
    "LUInvertible": (lambda s: expressions.LUInvertible(), (SQUARE,), True),
    "LowRank": (lambda s: expressions.LowRank(1), ALL, True),
    "LowRankPlus": (lambda s: expressions.LowRankPlus(1), ALL, True),
    "Masked": (lambda s: expressions.Masked(mask(s)), MATRICES, True),
    "Monarch": (lambda s: expressions.Monarch(2), MATRICES, True),
    "Orthogonal cayley": (lambda s: expressions.Orthogonal(), ALL, True),
    "Orthogonal householder": (
        lambda s: expressions.Orthogonal("householder", reflections=2),
        MATRICES,
        True,
    ),
    "PSD": (lambda s: expressions.PSD(rank=3), (SQUARE,), False),
    "Positive exp": (lambda s: expressions.Positive("exp"), ALL, True),
    "Positive softplus": (lambda s: expressions.Positive("softplus"), ALL, True),
    "Positive square": (lambda s: expressions.Positive("square"), ALL, True),
    "Quantised": (lambda s: expressions.Quantised(8), ALL, True),
    "SPDCholesky": (lambda s: expressions.SPDCholesky(), (SQUARE,), False),
    "Simplex": (lambda s: expressions.Simplex(axis=0), MATRICES, False),
    "SkewSymmetric": (lambda s: expressions.SkewSymmetric(), (SQUARE,), True),
    "SpectralNorm": (lambda s: expressions.SpectralNorm(), ALL, True),
    "Symmetric": (lambda s: expressions.Symmetric(), (SQUARE,), True),
    "Toeplitz": (lambda s: expressions.Toeplitz(), ALL, True),
    "UnitNorm": (lambda s: expressions.UnitNorm(), MATRICES, False),
    "WeightNorm": (lambda s: expressions.WeightNorm(), ALL, True),
    "WeightStandardised": (
        lambda s: expressions.WeightStandardised(),
        MATRICES,
        True,
    ),
}
# These wrap what exists already, and have no start of their own.
WITHOUT_START = {"Generated", "Transposed"}

CASES = [(name, shape) for name, (_, shapes, _) in ZOO.items() for shape in shapes]
FIRST_CASES = [(name, shapes[0]) for name, (_, shapes, _) in ZOO.items()]


def label(case):
    """Return the name of a case in reports."""
    name, (rows, columns) = case
    return f"{name} {rows}x{columns}"


def make(name, shape):
    """Return the expression of a case."""
    return ZOO[name][0](shape)
