"""Parameters whose vectors have a fixed or a separate length."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Variable

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.squares import sum_of_squares
from lasagne_next.init.base import check_number
from lasagne_next.params import static_shape
from lasagne_next.utils import default_norm_axes, int_types, match_dtype

__all__ = ["UnitNorm", "WeightNorm", "WeightStandardised", "inverse_norm"]

# Squared norms below this count as zero: the gradient of one over the root, which has
# the power -3/2 of the squares, would overflow.
NEGLIGIBLE = {"float32": 1e-24, "float64": 1e-200}


class _Normed(ParameterExpression):
    """Base of the expressions that work on the weight vectors of the units."""

    inner = "v"

    def _take_axis(self, axis):
        axes = () if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
        if not all(isinstance(each, int_types) for each in axes) or axis == ():
            raise TypeError(
                f"{type(self).__name__}: axis must be an integer, a tuple of integers "
                f"or None, got {axis!r}."
            )
        self.axis = axis

    def axes_of(self, ndim):
        """Return the axes of one weight vector, `axis` or the inputs of a unit."""
        if self.axis is None:
            return default_norm_axes(ndim)
        return tuple(
            sorted({axis % ndim for axis in np.atleast_1d(self.axis).tolist()})
        )

    def check_shape(self, shape):
        """Raise ValueError if the shape has no such axes."""
        ndim = len(shape)
        if self.axis is None and not 2 <= ndim <= 5:
            raise ValueError(
                f"{self!r}: axis must be given for the shape {tuple(shape)}; only "
                "shapes of 2 to 5 axes have a default."
            )
        axes = np.atleast_1d(self.axis if self.axis is not None else 0)
        if any(not -ndim <= axis < ndim for axis in axes):
            raise ValueError(
                f"{self!r}: axis must be among the {ndim} axes of the shape "
                f"{tuple(shape)}, got {self.axis}."
            )

    def norms(self, value):
        """Return the norms of an array's vectors, axes kept."""
        return np.sqrt((value**2).sum(axis=self.axes_of(value.ndim), keepdims=True))

    def count_vectors(self, shape):
        """Count the weight vectors of a parameter."""
        inputs = math.prod(shape[axis] for axis in self.axes_of(len(shape)))
        return math.prod(shape) // inputs


def inverse_norm(v, axes):
    """Return one over the norms of the vectors of `v`, axes kept.

    A norm too small to be squared counts as 1, so that value and gradient are finite
    there. (A switch does the same, but its gradient is computed in double precision
    under ``floatX="float64"``. The larger of norm and a small number has a gradient of
    NaN at zero.)
    """
    squares = sum_of_squares(v, axes, keepdims=True)
    least = match_dtype(NEGLIGIBLE[v.dtype], v.dtype)
    is_zero = disconnected_grad((squares < least).astype(v.dtype))
    return pt.reciprocal(pt.sqrt(squares + is_zero))


class UnitNorm(_Normed):
    r"""Weight vectors of a fixed length, :math:`W = r\, v / \lVert v \rVert`.

    Parameters
    ----------
    radius : number or symbolic scalar, default 1
        The length r. With 1, W has the variance ``1 / n`` for vectors of n numbers,
        that of :class:`lasagne_next.init.LeCunNormal`.
    axis : int or tuple of int, optional
        The axes of a vector; by default those of one unit's inputs: axis 0 of a matrix,
        all but axis 0 of filters.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of the leaf v, whose directions W has.

    Raises
    ------
    TypeError, ValueError
        If `radius` is not a positive number, or `axis` does not fit.

    Notes
    -----
    The leaf ``v`` has the shape of W. A zero vector gives zeros, with a finite
    gradient. Starting from a value, a zero vector becomes one of equal entries. Of each
    vector, one number is not free.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.UnitNorm(radius=2).sample((4, 3))
    >>> ((W**2).sum(axis=0) ** 0.5).round(6).tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(self, radius=1, axis=None, init=initialisers.GlorotUniform()):  # noqa: B008
        if not isinstance(radius, Variable):
            check_number(self, "radius", radius, above=0)
        self._take_axis(axis)
        self.radius, self.init = radius, init

    def express(self, v):
        """Return the scaled directions."""
        radius = match_dtype(self.radius, v.dtype)
        return v * (radius * inverse_norm(v, self.axes_of(v.ndim)))

    def invert(self, value):
        """Take the value itself; its lengths are lost."""
        return {"v": np.where(self.norms(value) > 0, value, 1.0)}

    def count_idle(self, shape):
        """Count the length of each vector."""
        return self.count_vectors(shape)


class WeightNorm(_Normed):
    r"""Length and direction apart, :math:`W = g\, v / \lVert v \rVert`.

    Parameters
    ----------
    axis : int or tuple of int, optional
        The axes of a vector; by default those of one unit's inputs: axis 0 of a matrix,
        all but axis 0 of filters.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of W, up to rounding. A variable or another expression becomes the
        direction v.

    Raises
    ------
    TypeError, ValueError
        If `axis` does not fit.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``g``, which has size 1 along `axis`.
    g is not regularizable: a penalty on lengths is a decision of its own
    (:func:`lasagne_next.params.set_tags`). The scale of a column is applied behind the
    product, not to the matrix, where that is cheaper. A zero vector starts with g = 0
    and the direction of equal entries, so that it can grow.

    References
    ----------
    Tim Salimans and Diederik Kingma (2016): Weight normalization, equation 2.
    https://arxiv.org/abs/1602.07868

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> start = np.array([[3.0, 0.0], [4.0, 2.0]])
    >>> W = expressions.WeightNorm(init=start)((2, 2))
    >>> W.eval(mode="FAST_COMPILE").round(6).tolist()
    [[3.0, 0.0], [4.0, 2.0]]
    """

    leaf_tags = {"g": {"regularizable": False}}  # noqa: RUF012

    def __init__(self, axis=None, init=initialisers.GlorotUniform()):  # noqa: B008
        self._take_axis(axis)
        self.init = init

    def express(self, v, g):
        """Return the directions times the lengths."""
        return v * (g * inverse_norm(v, self.axes_of(v.ndim)))

    def invert(self, value):
        """Take the value as direction and its norms as lengths."""
        norms = self.norms(value)
        return {"v": np.where(norms > 0, value, 1.0), "g": norms}

    def count_idle(self, shape):
        """Count the length of each vector v."""
        return self.count_vectors(shape)


class WeightStandardised(_Normed):
    r"""Weight vectors of mean zero and fixed variance, with a learnt gain.

    Computes :math:`W = g\, (v - \mu) / \sqrt{N \max(\sigma^2, \epsilon)}` over the N
    inputs of each unit.

    Parameters
    ----------
    axis : int or tuple of int, optional
        The axes of a vector, as in :class:`WeightNorm`.
    epsilon : number, default 1e-4
        The least variance, as in [1]_.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of W, up to the mean of each vector, which is taken away. A variable or
        another expression becomes v.

    Raises
    ------
    TypeError, ValueError
        If `axis` does not fit, or `epsilon` is not a positive number.

    Notes
    -----
    The leaves are ``v``, of the shape of W, which starts with unit variance, and ``g``,
    which has size 1 along `axis` and is not regularizable. One number in each vector of
    W is not free.

    References
    ----------
    .. [1] Andrew Brock, Soham De and Samuel Smith (2021): Characterizing signal
       propagation to close the performance gap in unnormalized ResNets, equation 4.
       https://arxiv.org/abs/2101.08692

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.WeightStandardised().sample((50, 3))
    >>> abs(W.mean(axis=0)).round(6).tolist()
    [0.0, 0.0, 0.0]
    """

    leaf_tags = {"g": {"regularizable": False}}  # noqa: RUF012

    def __init__(
        self,
        axis=None,
        epsilon=1e-4,
        init=initialisers.GlorotUniform(),  # noqa: B008
    ):
        self._take_axis(axis)
        check_number(self, "epsilon", epsilon, above=0)
        self.epsilon, self.init = epsilon, init

    def express(self, v, g):
        """Return the standardised vectors times the gain."""
        axes = self.axes_of(v.ndim)
        centred = v - pt.mean(v, axis=axes, keepdims=True)
        squares = pt.sum(pt.sqr(centred), axis=axes, keepdims=True)
        shape = static_shape(v)
        inputs = math.prod(shape[axis] for axis in axes)
        least = match_dtype(inputs * self.epsilon, v.dtype)
        return centred * (g * pt.reciprocal(pt.sqrt(pt.maximum(squares, least))))

    def invert(self, value):
        """Standardise the value and keep the norms of its centred vectors as gains."""
        axes = self.axes_of(value.ndim)
        centred = value - value.mean(axis=axes, keepdims=True)
        norms = self.norms(centred)
        inputs = math.prod(value.shape[axis] for axis in axes)
        return {
            "v": centred * np.sqrt(inputs) / np.where(norms > 0, norms, 1),
            "g": norms,
        }

    def count_idle(self, shape):
        """Count the mean and the length of each vector v."""
        return 2 * self.count_vectors(shape)
