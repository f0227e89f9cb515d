"""Parameters whose vectors have a fixed or a separate length."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.params import static_shape
from lasagne_next.utils import default_norm_axes, match_dtype

__all__ = ["UnitNorm", "WeightNorm", "WeightStandardised"]


class _Normed(ParameterExpression):
    """Base of the expressions that work on the weight vectors of the units."""

    inner = "v"

    def axes_of(self, ndim):
        """Return the axes of one weight vector, `axis` or the inputs of a unit."""
        if self.axis is None:
            return default_norm_axes(ndim)
        axes = (self.axis,) if isinstance(self.axis, int) else tuple(self.axis)
        return tuple(axis % ndim for axis in axes)

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


def inverse_norm(v, axes):
    """Return one over the norm of the vectors of `v`, axes kept, and 1 for zeros.

    The ``switch`` under the root keeps the gradient at a zero vector finite; the
    larger of norm and a small number would not.
    """
    squares = pt.sum(pt.sqr(v), axis=axes, keepdims=True)
    one = match_dtype(1, v.dtype)
    return pt.reciprocal(pt.sqrt(pt.switch(squares > 0, squares, one)))


class UnitNorm(_Normed):
    r"""Weight vectors of a fixed length, :math:`W = r\, v / \lVert v \rVert`.

    Parameters
    ----------
    radius : number, default 1
        The length r.
    axis : int or tuple of int, optional
        The axes of a vector; by default those of one unit's inputs: axis 0 of a matrix,
        all but axis 0 of filters.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start values of the leaf v, whose directions W has.

    Notes
    -----
    The leaf ``v`` has the shape of W. A zero vector stays zero and has a finite
    gradient. Of each vector, one number is not free.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> W = expressions.UnitNorm(radius=2).sample((4, 3))
    >>> ((W**2).sum(axis=0) ** 0.5).round(6).tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(self, radius=1, axis=None, init=initialisers.GlorotUniform()):  # noqa: B008
        if not radius > 0:
            raise ValueError(f"UnitNorm: radius must be positive, got {radius!r}.")
        self.radius, self.axis, self.init = radius, axis, init

    def express(self, v):
        """Return the scaled directions."""
        radius = match_dtype(self.radius, v.dtype)
        return v * (radius * inverse_norm(v, self.axes_of(v.ndim)))

    def invert(self, value):
        """Take the value itself; its lengths are lost."""
        return {"v": value}

    def count_free(self, shape):
        """Count all entries but one in each vector."""
        vectors = self.norms(np.ones(shape)).size
        return int(np.prod(shape)) - vectors


class WeightNorm(_Normed):
    r"""Length and direction apart, :math:`W = g\, v / \lVert v \rVert`.

    Parameters
    ----------
    axis : int or tuple of int, optional
        The axes of a vector; by default those of one unit's inputs: axis 0 of a matrix,
        all but axis 0 of filters.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of W, exactly. A variable or another expression becomes the direction v.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``g``, which has size 1 along `axis`.
    g is not regularizable: a penalty on lengths is a decision of its own
    (:func:`lasagne_next.params.set_tags`). The scale of a column is applied behind the
    product, not to the matrix, where that is cheaper.

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
        self.axis, self.init = axis, init

    def express(self, v, g):
        """Return the directions times the lengths."""
        return v * (g * inverse_norm(v, self.axes_of(v.ndim)))

    def invert(self, value):
        """Take the value as direction and its norms as lengths."""
        return {"v": value, "g": self.norms(value)}

    def count_free(self, shape):
        """Count the entries of W: the length of v is not free."""
        return int(np.prod(shape))


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
        Start of W, up to the mean of each vector, which is taken away.

    Notes
    -----
    The leaves are ``v``, of the shape of W, and ``g``, which has size 1 along `axis`
    and is not regularizable. One more number in each vector than in
    :class:`WeightNorm` is not free.

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
        self.axis, self.epsilon, self.init = axis, epsilon, init

    def start(self, value):
        """Scale the draw to unit variance, far above epsilon, and keep its length."""
        return self.invert(value)

    def express(self, v, g):
        """Return the standardised vectors times the gain."""
        axes = self.axes_of(v.ndim)
        centred = v - pt.mean(v, axis=axes, keepdims=True)
        variance = pt.mean(pt.sqr(centred), axis=axes, keepdims=True)
        least = match_dtype(self.epsilon, v.dtype)
        shape = static_shape(v)
        inputs = match_dtype(np.prod([shape[axis] for axis in axes]), v.dtype)
        floored = pt.switch(variance > least, variance, least)
        return centred * (g * pt.reciprocal(pt.sqrt(inputs * floored)))

    def invert(self, value):
        """Standardise the value and keep the norms of its centred vectors as gains."""
        axes = self.axes_of(value.ndim)
        centred = value - value.mean(axis=axes, keepdims=True)
        norms = self.norms(centred)
        inputs = np.prod([value.shape[axis] for axis in axes])
        return {
            "v": centred * np.sqrt(inputs) / np.where(norms > 0, norms, 1),
            "g": norms,
        }

    def count_free(self, shape):
        """Count all entries but the mean of each vector."""
        return int(np.prod(shape)) - self.norms(np.ones(shape)).size
