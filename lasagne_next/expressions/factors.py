"""Products of smaller matrices."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_matrix, check_rank

__all__ = ["LowRank"]


class LowRank(ParameterExpression):
    r"""A matrix of limited rank, :math:`W = U V`.

    Parameters
    ----------
    rank : int
        Number of columns of U and rows of V.
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    The leaves are ``u``, SHAPE (n, rank), and ``v``, SHAPE (rank, m). They start normal
    with the variance :math:`\sqrt{s^2 / r}` each, so that W has the variance
    :math:`s^2`. (Two Glorot factors would give W about half of it.) Multiplying by W
    costs ``2 rank (n + m)`` operations a row instead of ``2 n m``.

    Starting from a value takes its leading singular vectors, which is the nearest
    matrix of that rank (Eckart and Young, 1936), split evenly.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 784), 500, W=expressions.LowRank(100), b=None)
    >>> layers.count_params(layer)
    128400
    """

    def __init__(self, rank, init=initialisers.GlorotUniform()):  # noqa: B008
        self.rank, self.init = check_rank(self, rank), init

    def check_shape(self, shape):
        """Raise ValueError unless `shape` is a matrix of at least this rank."""
        check_matrix(self, shape)
        if self.rank > min(shape):
            raise ValueError(
                f"{self!r}: rank must be at most {min(shape)} for the shape {shape}, "
                f"got {self.rank}."
            )

    def start(self, value):
        """Draw normal factors whose product has the variance of `value`."""
        (n, m), std = value.shape, (np.var(value) / self.rank) ** 0.25
        rng = random.get_rng()
        return {
            "u": rng.normal(0, std, (n, self.rank)),
            "v": rng.normal(0, std, (self.rank, m)),
        }

    def express(self, u, v):
        """Return the product."""
        return pt.dot(u, v)

    def invert(self, value):
        """Split the leading singular values evenly between the factors."""
        left, scales, right = np.linalg.svd(value, full_matrices=False)
        root = np.sqrt(scales[: self.rank])
        return {
            "u": left[:, : self.rank] * root,
            "v": root[:, None] * right[: self.rank],
        }
