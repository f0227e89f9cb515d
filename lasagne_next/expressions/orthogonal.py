"""Orthogonal matrices, square or with orthonormal columns or rows."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_matrix
from lasagne_next.init.base import check_number
from lasagne_next.params import static_shape
from lasagne_next.utils import int_types, match_dtype, nearest

__all__ = ["Orthogonal"]

_MAPS = ("cayley", "exponential", "householder")


class Orthogonal(ParameterExpression):
    r"""A matrix with orthonormal columns, or orthonormal rows if it is wide.

    Parameters
    ----------
    map : {'cayley', 'exponential', 'householder'}, default 'cayley'
        How the leaf makes a rotation: :math:`(I - S/2)^{-1}(I + S/2)` [1]_ or
        :math:`e^S` [2]_ of a skew-symmetric S, or a product of reflections
        :math:`I - 2 v v^T / v^T v` [3]_. The Cayley map is the most accurate in single
        precision; reflections are cheapest where few suffice.
    gain : number or None, default None
        Factor of the orthonormal matrix; None takes the one that gives W the variance
        of the draw, so that Glorot's variance is kept.
    reflections : int, optional
        Number of reflections, even; by default the smaller size, rounded up to even.
        Only for 'householder'.
    init : callable or array, default GlorotUniform()
        W starts at the orthogonal matrix nearest to the draw or the array.

    Raises
    ------
    TypeError, ValueError
        If `map` is none of these, `gain` is not a positive number, `reflections` is not
        even or goes with another map, or a parameter is no matrix.

    Notes
    -----
    With n the larger and m the smaller size, the leaves are, for 'cayley' and
    'exponential', ``s``, SHAPE (n, n), of which the strict lower triangle is used and
    which starts at 0, and ``base``, SHAPE of W, the start, which is not trainable; for
    'householder', ``v``, SHAPE (reflections, n), normal, and ``base``. W is the
    rotation times the base, or its transpose if W is wide. A rotation keeps the sign of
    the determinant. A reflection at a vector of zeros does nothing.

    Rotating costs :math:`O(n^3)` for 'cayley' and, with a larger factor, 'exponential',
    and :math:`O(r n m + r^2 (n + m))` for r reflections, which are applied all at once
    [4]_. The exponential compiles slowly on Numba (tens of seconds the first time).

    References
    ----------
    .. [1] Kyle Helfrich, Devin Willmott and Qiang Ye (2018): Orthogonal recurrent
       neural networks with scaled Cayley transform, section 2.
       https://arxiv.org/abs/1707.09520
    .. [2] Mario Lezcano-Casado and David Martinez-Rubio (2019): Cheap orthogonal
       constraints in neural networks, section 3. https://arxiv.org/abs/1901.08428
    .. [3] Zakaria Mhammedi, Andrew Hellicar, Ashfaqur Rahman and James Bailey (2017):
       Efficient orthogonal parametrisation of recurrent neural networks using
       Householder reflections, section 3. https://arxiv.org/abs/1612.00188
    .. [4] Thierry Joffrain, Tze Meng Low, Enrique Quintana-Orti, Robert van de Geijn
       and Field Van Zee (2006): Accumulating Householder transformations, revisited,
       theorem 2. https://doi.org/10.1145/1141885.1141886

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.Orthogonal(gain=1).sample((5, 3))
    >>> abs(W.T @ W - np.eye(3)).max() < 1e-6
    np.True_
    """

    leaf_tags = {  # noqa: RUF012
        "base": {"trainable": False},
        "s": {"regularizable": False},
        "v": {"regularizable": False},
    }

    def __init__(
        self,
        map="cayley",
        gain=None,
        reflections=None,
        init=initialisers.GlorotUniform(),  # noqa: B008
    ):
        if map not in _MAPS:
            raise ValueError(
                f"Orthogonal: map must be one of {', '.join(_MAPS)}, got {map!r}."
                + nearest(map, _MAPS)
            )
        if gain is not None:
            check_number(self, "gain", gain, above=0)
        self.map, self.gain, self.init = map, gain, init
        self.reflections = self._checked_count(reflections)

    def _checked_count(self, reflections):
        if reflections is None:
            return None
        if self.map != "householder":
            raise ValueError(
                "Orthogonal: reflections must be None unless map is 'householder', got "
                f"{reflections!r} for {self.map!r}."
            )
        if not isinstance(reflections, int_types):
            raise TypeError(
                f"Orthogonal: reflections must be an integer, got {reflections!r}."
            )
        if reflections < 2 or reflections % 2:
            raise ValueError(
                "Orthogonal: reflections must be an even number, at least 2, got "
                f"{reflections!r}. An odd number cannot start at the given value."
            )
        return reflections

    def check_shape(self, shape):
        """Raise ValueError unless `shape` is that of a matrix."""
        check_matrix(self, shape)

    def start(self, value):
        """Take the nearest orthogonal matrix, at the length that keeps the variance."""
        gain = self.gain
        if gain is None:
            gain = np.sqrt((value**2).mean() * max(value.shape))
        return self._leaves(gain * _polar(value))

    def invert(self, value):
        """Take the orthogonal matrix nearest to the value, times its mean length."""
        direction = _polar(value)
        gain = self.gain
        if gain is None:
            gain = (direction * value).sum() / min(value.shape)
        return self._leaves(gain * direction)

    def _leaves(self, matrix):
        size = max(matrix.shape)
        if self.map != "householder":
            return {"s": np.zeros((size, size)), "base": matrix}
        count = self.reflections or 2 * ((min(matrix.shape) + 1) // 2)
        # Reflections in pairs of equal vectors cancel out, so that W is the base.
        rows = initialisers.Normal(1.0).sample((count // 2, size))
        return {"v": np.repeat(rows, 2, axis=0), "base": matrix}

    def express(self, base, s=None, v=None):
        """Return the rotated base."""
        rows, columns = static_shape(base)
        tall = base if rows >= columns else base.T  # (n, m)
        rotated = _reflect(v, tall) if s is None else self._rotate(s, tall)
        return rotated if rows >= columns else rotated.T

    def _rotate(self, s, tall):
        lower = pt.tril(s, -1)
        skew = lower - lower.T  # (n, n)
        if self.map == "exponential":
            return pt.dot(pt.linalg.expm(skew), tall)
        half = match_dtype(0.5, s.dtype) * skew
        # (I - S/2)^-1 (I + S/2) = 2 (I - S/2)^-1 - I
        eye = pt.eye(static_shape(tall)[0], dtype=s.dtype)
        two = match_dtype(2, s.dtype)
        return two * pt.linalg.solve(eye - half, tall, b_ndim=2) - tall  # (n, m)

    def count_free(self, shape):
        """Count the dimensions of the set of matrices that can be reached."""
        n, m = max(shape), min(shape)
        dimensions = n * m - m * (m + 1) // 2
        if self.reflections is None:
            return dimensions
        return min(dimensions, self.reflections * (n - 1))


def _reflect(v, tall):
    """Apply the product of all reflections, the last one first.

    With the vectors as rows of v it is :math:`I - v^T T^{-1} v`, where T is the upper
    triangle of :math:`v v^T` with its diagonal halved.
    """
    products = pt.dot(v, v.T)  # (reflections, reflections)
    half = match_dtype(0.5, v.dtype) * pt.diagonal(products)
    is_zero = disconnected_grad(pt.eq(half, 0).astype(v.dtype))
    triangle = pt.triu(products, 1) + pt.diag(half + is_zero)
    lengths = pt.linalg.solve_triangular(
        triangle, pt.dot(v, tall), lower=False, b_ndim=2
    )  # (reflections, m)
    return tall - pt.dot(v.T, lengths)  # (n, m)


def _polar(value):
    """Return the matrix with orthonormal columns (or rows) nearest to a value."""
    left, _, right = np.linalg.svd(value, full_matrices=False)
    return left @ right
