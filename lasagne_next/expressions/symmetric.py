"""Square matrices that equal their transpose, up to the sign."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_rank, check_rank_fits, check_square
from lasagne_next.expressions.determinant import mark_log_det
from lasagne_next.utils import match_dtype

__all__ = ["PSD", "SPDCholesky", "SkewSymmetric", "Symmetric"]


class Symmetric(ParameterExpression):
    """A matrix that equals its transpose exactly.

    Parameters
    ----------
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of the lower triangle, so that W has the variance of the draw. (The mean
        of a draw and its transpose would have half of it.)

    Notes
    -----
    The leaf is ``x``, SHAPE (n, n), of which the strict upper triangle is not used and
    gets no gradient.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.Symmetric().sample((4, 4))
    >>> bool((W == W.T).all()), expressions.Symmetric().count_free((4, 4))
    (True, 10)
    """

    inner = "x"

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square."""
        check_square(self, shape)

    def start(self, value):
        """Take the draw as the leaf."""
        return {"x": value}

    def express(self, x):
        """Return the lower triangle and its mirror image."""
        return pt.tril(x) + pt.tril(x, -1).T

    def invert(self, value):
        """Take the mean of the value and its transpose, which is nearest."""
        return {"x": (value + value.T) / 2}

    def count_free(self, shape):
        """Count the lower triangle."""
        return shape[0] * (shape[0] + 1) // 2


class SkewSymmetric(ParameterExpression):
    """A matrix that equals minus its transpose exactly.

    Parameters
    ----------
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of the strict lower triangle.

    Notes
    -----
    The leaf is ``x``, SHAPE (n, n), of which only the strict lower triangle is used.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.SkewSymmetric().sample((4, 4))
    >>> bool((W == -W.T).all()), expressions.SkewSymmetric().count_free((4, 4))
    (True, 6)
    """

    inner = "x"

    def __init__(self, init=initialisers.GlorotUniform()):  # noqa: B008
        self.init = init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square."""
        check_square(self, shape)

    def start(self, value):
        """Take the draw as the leaf."""
        return {"x": value}

    def express(self, x):
        """Return the strict lower triangle minus its mirror image."""
        lower = pt.tril(x, -1)
        return lower - lower.T

    def invert(self, value):
        """Take half the difference from the transpose, which is nearest."""
        return {"x": (value - value.T) / 2}

    def count_free(self, shape):
        """Count the strict lower triangle."""
        return shape[0] * (shape[0] - 1) // 2


class PSD(ParameterExpression):
    r"""A positive semi-definite matrix, :math:`W = A A^T + \epsilon I`.

    Parameters
    ----------
    rank : int or None, default None
        Number of columns of A; None for a square A.
    epsilon : number, default 0
        Added to all eigenvalues; a positive one makes W definite.
    init : callable or array, default GlorotUniform()
        Gives the variance of the entries off the diagonal.

    Notes
    -----
    The leaf is ``a``, SHAPE (n, rank), normal with the variance
    :math:`\sqrt{s^2 / r}`. All eigenvalues have one sign, so that the largest singular
    value is two to three times that of a plain matrix of the same variance.

    Starting from a value keeps its positive eigenvalues, which gives the nearest such
    matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.PSD(rank=2).sample((4, 4))
    >>> np.linalg.eigvalsh(W).min() > -1e-6
    np.True_
    """

    def __init__(self, rank=None, epsilon=0, init=initialisers.GlorotUniform()):  # noqa: B008
        if not epsilon >= 0:
            raise ValueError(f"PSD: epsilon must not be negative, got {epsilon!r}.")
        self.rank = None if rank is None else check_rank(self, rank)
        self.epsilon, self.init = epsilon, init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square and of at least this rank."""
        check_square(self, shape)
        check_rank_fits(self, self.rank or 1, shape)

    def start(self, value):
        """Draw a normal factor."""
        n = len(value)
        rank = self.rank or n
        std = (value.var() / rank) ** 0.25
        return {"a": random.get_rng().normal(0, std, (n, rank))}

    def express(self, a):
        """Return the product with the transpose."""
        product = pt.dot(a, a.T)
        if self.epsilon == 0:
            return product
        eye = pt.eye(a.type.shape[0], dtype=a.dtype)
        return product + match_dtype(self.epsilon, a.dtype) * eye

    def invert(self, value):
        """Keep the largest eigenvalues, as far as they are above epsilon."""
        scales, vectors = np.linalg.eigh((value + value.T) / 2)
        rank = self.rank or len(value)
        roots = np.sqrt(np.maximum(scales - self.epsilon, 0))
        return {"a": (vectors * roots)[:, -rank:]}

    def count_free(self, shape):
        """Count the leaf but the rotations of its columns."""
        rank = self.rank or shape[0]
        return shape[0] * rank - rank * (rank - 1) // 2


class SPDCholesky(ParameterExpression):
    r"""A positive definite matrix, :math:`W = L L^T` with L lower triangular.

    The diagonal of L is :math:`\log(1 + e^t) + \epsilon`, positive.

    Parameters
    ----------
    epsilon : number, default 1e-5
        The least diagonal entry of L.
    init : array or None, default None
        A positive definite matrix to start from; None for the identity.

    Notes
    -----
    The leaves are ``lower``, SHAPE (n, n), of which only the strict lower triangle is
    used, and ``t``, SHAPE (n,). :func:`log_abs_det` knows the determinant,
    :math:`2 \sum \log L_{ii}`.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> expressions.SPDCholesky().sample((2, 2)).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, epsilon=1e-5, init=None):
        if not epsilon > 0:
            raise ValueError(f"SPDCholesky: epsilon must be positive, got {epsilon!r}.")
        self.epsilon = epsilon
        self.init = initialisers.Identity() if init is None else init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square."""
        check_square(self, shape)

    def express(self, lower, t):
        """Return the product, with its log-determinant noted beside it."""
        diagonal = pt.softplus(t) + match_dtype(self.epsilon, t.dtype)
        factor = pt.tril(lower, -1) + pt.diag(diagonal)
        two = match_dtype(2, t.dtype)
        return mark_log_det(pt.dot(factor, factor.T), two * pt.sum(pt.log(diagonal)))

    def invert(self, value):
        """Factorise the value; raise ValueError if it is not positive definite."""
        try:
            factor = np.linalg.cholesky((value + value.T) / 2)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"{self!r}: the value must be positive definite, and it is not."
            ) from error
        y = np.maximum(np.diag(factor) - self.epsilon, np.finfo(np.float32).tiny)
        return {"lower": np.tril(factor, -1), "t": y + np.log(-np.expm1(-y))}

    def count_free(self, shape):
        """Count the lower triangle."""
        return shape[0] * (shape[0] + 1) // 2
