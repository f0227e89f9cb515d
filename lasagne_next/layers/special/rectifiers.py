"""Rectifiers whose negative slope is learnt or random."""

from __future__ import annotations

import pytensor

from lasagne_next import init, nonlinearities
from lasagne_next.layers.axes import (
    draw_size,
    resolve_shared_axes,
    spread,
    unshared_sizes,
)
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import match_dtype

__all__ = ["ParametricRectifierLayer", "RandomizedRectifierLayer", "prelu", "rrelu"]


class ParametricRectifierLayer(Layer):
    r"""Rectify with a learnt slope, :math:`\max(x, 0) + \alpha \min(x, 0)`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    alpha : parameter, default Constant(0.25), SHAPE sizes of the axes not shared
        Slopes of the negative parts, not regularizable. The default is that of [1]_.
    shared_axes : 'auto', 'all', int or tuple of int, default 'auto'
        Axes along which one slope serves all elements: all but axis 1 by default, one
        per feature or channel; 'all' for a single slope of shape (). Negative ones
        count from the end.
    **kwargs
        `name`.

    Attributes
    ----------
    alpha
        As given or made.
    shared_axes : tuple of int
        Counted from the front.

    Raises
    ------
    ValueError
        If an axis that is not shared has an unknown size, or `shared_axes` are not
        different axes of the input.

    Notes
    -----
    The derivative at 0 is the mean of both slopes.

    References
    ----------
    .. [1] Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun (2015): Delving deep
       into rectifiers, equation 1. https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> from lasagne_next.layers import ParametricRectifierLayer
    >>> ParametricRectifierLayer((None, 3, 28, 28)).alpha.type.shape
    (3,)
    """

    def __init__(
        self,
        incoming,
        alpha=init.Constant(0.25),  # noqa: B008 (initialisers are stateless)
        shared_axes="auto",
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.shared_axes = resolve_shared_axes(self, shared_axes)
        sizes = unshared_sizes(self, self.shared_axes)
        self.alpha = self.add_param(alpha, sizes, name="alpha", regularizable=False)

    def get_output_for(self, input, **kwargs):
        """Return the rectified input, SHAPE of the input."""
        sizes = unshared_sizes(self, self.shared_axes)
        return _rectify(input, spread(self.alpha, sizes, self.shared_axes))


def prelu(layer, **kwargs):
    """Put a :class:`ParametricRectifierLayer` in the place of a nonlinearity.

    Parameters
    ----------
    layer : Layer
        Its nonlinearity, if it has one, becomes the identity, in place.
    **kwargs
        Of :class:`ParametricRectifierLayer`.

    Returns
    -------
    ParametricRectifierLayer
        On top of `layer`.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, prelu
    >>> prelu(DenseLayer((None, 4), num_units=3)).output_shape
    (None, 3)
    """
    _take_nonlinearity(layer)
    return ParametricRectifierLayer(layer, **kwargs)


class RandomizedRectifierLayer(Layer):
    r"""Rectify with random slopes, :math:`\max(x, 0) + a \min(x, 0)`, a uniform.

    With ``deterministic=True`` the slope is the mean of both bounds.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    lower, upper : number or symbolic scalar, default 0.3 and 0.8
        The bounds of the slope. [1]_ divides by a number between 3 and 8 instead.
    shared_axes : 'auto', 'all', int or tuple of int, default 'auto'
        Axes along which one slope serves all elements: all but axis 1 by default.
        Negative ones count from the end.
    **kwargs
        `name`.

    Attributes
    ----------
    lower, upper
        As given.
    shared_axes : tuple of int
        Counted from the front.

    Raises
    ------
    ValueError
        If `lower` is above `upper` (both numbers), or `shared_axes` are not different
        axes of the input.
    TypeError
        If a bound is neither a number nor a symbolic scalar.

    Notes
    -----
    A float input keeps its type; an integer input becomes ``config.floatX``.

    References
    ----------
    .. [1] Bing Xu, Naiyan Wang, Tianqi Chen and Mu Li (2015): Empirical evaluation of
       rectified activations in convolution network, section 2.4.
       https://arxiv.org/abs/1505.00853

    Examples
    --------
    >>> from lasagne_next.layers import RandomizedRectifierLayer
    >>> RandomizedRectifierLayer((None, 3, 28, 28), lower=0.1).output_shape
    (None, 3, 28, 28)
    """

    def __init__(self, incoming, lower=0.3, upper=0.8, shared_axes="auto", **kwargs):
        super().__init__(incoming, **kwargs)
        self._srng = RandomStream(draw_seed())
        self.lower, self.upper = lower, upper
        self.shared_axes = resolve_shared_axes(self, shared_axes)
        symbolic = [
            is_symbolic(self, name, bound)
            for name, bound in (("lower", lower), ("upper", upper))
        ]
        if not any(symbolic) and lower > upper:
            raise ValueError(
                f"{describe(self)}: lower must be at most upper, got lower {lower!r} "
                f"and upper {upper!r}. Exchange them."
            )

    def get_output_for(self, input, deterministic=False, **kwargs):
        """Return the rectified input, SHAPE of the input."""
        is_float = input.dtype.startswith("float")
        dtype = input.dtype if is_float else pytensor.config.floatX
        lower, upper = match_dtype(self.lower, dtype), match_dtype(self.upper, dtype)
        if deterministic or self.lower is self.upper or self._bounds_are_equal():
            slope = match_dtype(0.5, dtype) * (lower + upper)
        else:
            size = draw_size(input, self.shared_axes)
            # Scaling here, not in the draw, lets gradients reach symbolic bounds.
            slope = lower + (upper - lower) * self._srng.uniform(size, dtype=dtype)
        return _rectify(match_dtype(input, dtype), slope)

    def _bounds_are_equal(self):
        symbolic = (
            is_symbolic(self, "lower", self.lower),
            is_symbolic(self, "upper", self.upper),
        )
        return not any(symbolic) and self.lower == self.upper


def rrelu(layer, **kwargs):
    """Put a :class:`RandomizedRectifierLayer` in the place of a nonlinearity.

    Parameters
    ----------
    layer : Layer
        Its nonlinearity, if it has one, becomes the identity, in place.
    **kwargs
        Of :class:`RandomizedRectifierLayer`.

    Returns
    -------
    RandomizedRectifierLayer
        On top of `layer`.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, rrelu
    >>> rrelu(DenseLayer((None, 4), num_units=3)).output_shape
    (None, 3)
    """
    _take_nonlinearity(layer)
    return RandomizedRectifierLayer(layer, **kwargs)


def _rectify(x, slope):
    positive = nonlinearities.rectify(x)
    return positive + slope * (x - positive)


def _take_nonlinearity(layer):
    if getattr(layer, "nonlinearity", None) is not None:
        layer.nonlinearity = nonlinearities.identity
