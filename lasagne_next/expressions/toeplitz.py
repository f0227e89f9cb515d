"""Matrices that are constant along their diagonals."""

from __future__ import annotations

import numpy as np

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_matrix, check_square

__all__ = ["Circulant", "Toeplitz"]


class _Diagonals(ParameterExpression):
    """Base: entries taken from a vector by a fixed table of positions."""

    def positions(self, shape):
        """Return the position in the vector of each entry, SHAPE `shape`."""
        raise NotImplementedError(f"{type(self).__name__} must define positions.")

    def start(self, value):
        """Draw a normal vector, scaled to give W the variance of `value`."""
        counts = np.bincount(self.positions(value.shape).ravel())
        c = random.get_rng().normal(0, 1, counts.size)
        return {"c": c * np.sqrt(value.var() * value.size / np.dot(counts, c**2))}

    def _make_leaves(self, shape, name):
        self._shape = shape  # the vector alone does not tell it
        return super()._make_leaves(shape, name)

    def express(self, c):
        """Return the matrix of the entries."""
        return c[self.positions(self._shape)]

    def invert(self, value):
        """Average the diagonals, which is nearest."""
        positions = self.positions(value.shape).ravel()
        sums = np.bincount(positions, weights=value.ravel())
        return {"c": sums / np.bincount(positions)}


class Toeplitz(_Diagonals):
    """A matrix of constant diagonals, ``W[i, j] = c[j - i + n - 1]``.

    Parameters
    ----------
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    The leaf is ``c``, SHAPE (n + m - 1,), normal. Multiplying by W is a convolution,
    which :func:`lasagne_next.expressions.dot` computes by fast Fourier transforms from
    some hundred inputs and outputs on.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> start = np.array([[2.0, 3.0], [1.0, 2.0]])
    >>> expressions.Toeplitz().from_value(start).residual
    0.0
    """

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def check_shape(self, shape):
        """Raise ValueError unless the shape is that of a matrix."""
        check_matrix(self, shape)

    def positions(self, shape):
        """Return ``j - i + n - 1``."""
        n, m = shape
        return np.arange(m) - np.arange(n)[:, None] + n - 1


class Circulant(_Diagonals):
    """A square matrix whose rows are rotations of each other, ``c[(j - i) % n]``.

    Parameters
    ----------
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    The leaf is ``c``, SHAPE (n,), normal. Multiplying by W is a circular convolution,
    which :func:`lasagne_next.expressions.dot` computes by fast Fourier transforms from
    some hundred inputs on.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> spec = expressions.Circulant().from_value(np.array([[2.0, 3.0], [3.0, 2.0]]))
    >>> spec.residual, expressions.Circulant().count_free((5, 5))
    (0.0, 5)
    """

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square."""
        check_square(self, shape)

    def positions(self, shape):
        """Return ``(j - i) % n``."""
        n, _ = shape
        return (np.arange(n) - np.arange(n)[:, None]) % n
