"""Matrices that consist of thin factors, and transposes."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import (
    check_matrix,
    check_rank,
    check_rank_fits,
)
from lasagne_next.utils import match_dtype

__all__ = ["LowRank", "LowRankPlus", "Transposed"]


class LowRank(ParameterExpression):
    r"""A matrix of limited rank, :math:`W = U V`, or filters made of few maps.

    Parameters
    ----------
    rank : int
        Number of columns of U and rows of V.
    init : callable or array, default GlorotUniform()
        Gives the variance that W starts with.

    Notes
    -----
    The leaves are ``u``, SHAPE (n, rank), and ``v``, SHAPE (rank, m), or (rank, all
    further axes) for more than two, as of filters of convolutions. They start normal
    with the variance :math:`\sqrt{s^2 / r}` each, times the factor that gives W the
    variance :math:`s^2` of the draw exactly. (Two Glorot factors would give W about
    half of it.) Multiplying by W costs ``2 rank (n + m)`` operations a row instead of
    ``2 n m``.

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
        """Raise ValueError unless a matrix of `shape` can have this rank."""
        if len(shape) < 2:
            check_matrix(self, shape)
        check_rank_fits(self, self.rank, (shape[0], math.prod(shape[1:])))

    def start(self, value):
        """Draw normal factors, scaled so that W has exactly the variance of `value`."""
        n, m, rng = len(value), value[0].size, random.get_rng()
        u, v = rng.normal(0, 1, (n, self.rank)), rng.normal(0, 1, (self.rank, m))
        mean_square = np.sum((u.T @ u) * (v @ v.T)) / value.size
        scale = (value.var() / mean_square) ** 0.25
        return self._leaves(scale * u, scale * v, value)

    def _leaves(self, u, v, value):
        return {"u": u, "v": v.reshape(self.rank, *value.shape[1:])}

    def express(self, u, v):
        """Return the product."""
        return pt.dot(u, v) if v.ndim == 2 else pt.tensordot(u, v, 1)

    def invert(self, value):
        """Split the leading singular values evenly between the factors."""
        matrix = value.reshape(len(value), -1)
        left, scales, right = np.linalg.svd(matrix, full_matrices=False)
        root = np.sqrt(scales[: self.rank])
        u, v = left[:, : self.rank] * root, root[:, None] * right[: self.rank]
        return self._leaves(u, v, value)


class LowRankPlus(ParameterExpression):
    r"""A matrix plus one of low rank, :math:`W = W_0 + (\alpha / r)\, U V`.

    Parameters
    ----------
    rank : int
        Number r of columns of U and rows of V.
    alpha : number or None, default None
        Scale of the low-rank part; None takes the rank, for a factor of 1.
    frozen : bool, default True
        Whether the base is kept as it is, to fine-tune the low-rank part alone.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        The base. W starts equal to it.

    Notes
    -----
    The leaves are ``base``, of the shape of W, ``u``, SHAPE (n, rank), normal with
    variance 1 / n, and ``v``, SHAPE (rank, m), zero at the start.
    :func:`lasagne_next.layers.replace_param` puts this expression in the place of a
    trained weight.

    References
    ----------
    Edward Hu and others (2021): LoRA: low-rank adaptation of large language models,
    equation 3. https://arxiv.org/abs/2106.09685

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> W = expressions.LowRankPlus(rank=2)
    >>> layer = layers.DenseLayer((None, 50), 40, W=W, b=None, name="h")
    >>> layer.get_params(trainable=True), layers.count_params(layer, trainable=True)
    ([h.W.u, h.W.v], 180)
    """

    inner = "base"

    def __init__(
        self,
        rank,
        alpha=None,
        frozen=True,
        init=initialisers.GlorotUniform(),  # noqa: B008
    ):
        self.rank, self.alpha, self.frozen = check_rank(self, rank), alpha, frozen
        self.init = init
        self.leaf_tags = {"base": {"trainable": False}} if frozen else {}

    def check_shape(self, shape):
        """Raise ValueError unless `shape` is a matrix of at least this rank."""
        check_matrix(self, shape)
        check_rank_fits(self, self.rank, shape)

    def express(self, base, u, v):
        """Return the sum."""
        alpha = self.rank if self.alpha is None else self.alpha
        product = pt.dot(u, v)
        if alpha == self.rank:
            return base + product
        return base + match_dtype(alpha / self.rank, u.dtype) * product

    def invert(self, value):
        """Take the value as base, and nothing beside it."""
        n, m = value.shape
        u = random.get_rng().normal(0, n**-0.5, (n, self.rank))
        return {"base": value, "u": u, "v": np.zeros((self.rank, m))}


class Transposed(ParameterExpression):
    """The transpose of another parameter, with its leaves.

    The same as ``W=layer.W.T``, said in words.

    Parameters
    ----------
    source : SharedVariable or expression, SHAPE (m, n)
        The parameter of another layer. It is never copied.

    Notes
    -----
    There are no leaves of its own. Glorot's variance is the same for a matrix and its
    transpose; He's is not, since the number of inputs differs.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> encoder = layers.DenseLayer((None, 7), num_units=3, name="encoder")
    >>> W = expressions.Transposed(encoder.W)
    >>> layers.DenseLayer(encoder, num_units=7, W=W, b=None).get_params()
    [encoder.W]
    """

    def __init__(self, source):
        self.source = source

    def __call__(self, shape, name=None):
        """Return the transpose."""
        check_matrix(self, shape)
        return self.source.T

    def count_free(self, shape):
        """Count nothing: all leaves belong to the other parameter."""
        return 0
