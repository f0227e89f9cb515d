"""Orthogonal matrices, square or with orthonormal columns or rows."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_matrix
from lasagne_next.utils import int_types, match_dtype, nearest

__all__ = ["Orthogonal"]

_MAPS = ("cayley", "exponential", "householder")


class Orthogonal(ParameterExpression):
    r"""A matrix with orthonormal columns, or orthonormal rows if it is wide.

    Parameters
    ----------
    map : {'cayley', 'exponential', 'householder'}, default 'cayley'
        How the leaf makes a rotation: :math:`(I - S/2)^{-1}(I + S/2)` or :math:`e^S`
        of a skew-symmetric S, or a product of reflections
        :math:`I - 2 v v^T / v^T v`. The Cayley map is the most accurate in single
        precision; reflections are cheapest where few suffice.
    gain : number or None, default None
        Factor of the orthonormal matrix; None takes the one that gives W the variance
        of the draw, so that Glorot's variance is kept.
    reflections : int, optional
        Number of reflections, even; by default the smaller size, rounded up to even.
        Only for 'householder'.
    init : callable or array, default GlorotUniform()
        W starts at the orthogonal matrix nearest to the draw.

    Notes
    -----
    With n the larger and m the smaller size, the leaves are, for 'cayley' and
    'exponential', ``s``, SHAPE (n, n), of which the strict lower triangle is used and
    which starts at 0, and ``base``, SHAPE (n, m), the start, which is not trainable;
    for 'householder', ``v``, SHAPE (reflections, n), normal, and ``base``. W is the
    rotation times the base. A rotation keeps the sign of the determinant.

    The exponential compiles slowly on Numba (tens of seconds the first time).

    References
    ----------
    Mario Lezcano-Casado and David Martinez-Rubio (2019): Cheap orthogonal constraints
    in neural networks, section 3. https://arxiv.org/abs/1901.08428

    Kyle Helfrich, Devin Willmott and Qiang Ye (2018): Orthogonal recurrent neural
    networks with scaled Cayley transform, section 2. https://arxiv.org/abs/1707.09520

    Zakaria Mhammedi, Andrew Hellicar, Ashfaqur Rahman and James Bailey (2017):
    Efficient orthogonal parametrisation of recurrent neural networks using Householder
    reflections, section 3. https://arxiv.org/abs/1612.00188

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
        if reflections is not None and (
            not isinstance(reflections, int_types) or reflections < 2 or reflections % 2
        ):
            raise ValueError(
                "Orthogonal: reflections must be an even number, at least 2, got "
                f"{reflections!r}. An odd number cannot start at the given value."
            )
        self.map, self.gain, self.init = map, gain, init
        self.reflections = reflections

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
        wide = base.type.shape[0] < base.type.shape[1]
        tall = base.T if wide else base
        rotated = self._reflect(v, tall) if s is None else self._rotate(s, tall)
        return rotated.T if wide else rotated

    def _rotate(self, s, tall):
        lower = pt.tril(s, -1)
        skew = lower - lower.T  # (n, n)
        if self.map == "exponential":
            return pt.dot(pt.linalg.expm(skew), tall)
        half = match_dtype(0.5, s.dtype) * skew
        # (I - S/2)^-1 (I + S/2) = 2 (I - S/2)^-1 - I
        eye = pt.eye(s.type.shape[0], dtype=s.dtype)
        two = match_dtype(2, s.dtype)
        return two * pt.linalg.solve(eye - half, tall, b_ndim=2) - tall  # (n, m)

    def _reflect(self, v, tall):
        two, one = match_dtype(2, v.dtype), match_dtype(1, v.dtype)
        for index in range(v.type.shape[0]):
            row = v[index]  # (n,)
            squares = pt.sum(pt.sqr(row))
            scale = two / pt.switch(squares > 0, squares, one)
            tall = tall - pt.outer(row, scale * pt.dot(row, tall))
        return tall

    def count_free(self, shape):
        """Count the dimensions of the set of such matrices."""
        n, m = max(shape), min(shape)
        return n * m - m * (m + 1) // 2


def _polar(value):
    """Return the matrix with orthonormal columns (or rows) nearest to a value."""
    left, _, right = np.linalg.svd(value, full_matrices=False)
    return left @ right
