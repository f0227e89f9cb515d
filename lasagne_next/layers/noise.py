"""Layers that disturb their input while training."""

from __future__ import annotations

import pytensor

from lasagne_next.layers.axes import draw_size, resolve_axes
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import match_dtype

__all__ = [
    "DropoutLayer",
    "GaussianNoiseLayer",
    "dropout",
    "dropout_channels",
    "dropout_locations",
    "spatial_dropout",
]


class DropoutLayer(Layer):
    r"""Set random elements to zero while training.

    The output is :math:`x \odot m / (1 - p)`, where each element of the mask
    :math:`m` is 0 with probability :math:`p` and 1 otherwise. With
    ``deterministic=True`` it is the input itself.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    p : number or symbolic scalar, default 0.5
        Probability of dropping an element, from 0 to below 1. The default is that of
        [1]_ for hidden units; 0.2 is usual for inputs. A shared variable can be changed
        while training.
    rescale : bool, default True
        Whether to divide what remains by ``1 - p``, so that the expectation of the
        output is the input and nothing needs scaling for evaluation.
    shared_axes : int or tuple of int, default ()
        Axes along which one draw decides for all elements; negative ones count from
        the end.
    **kwargs
        `name`.

    Attributes
    ----------
    p, rescale
        As given.
    shared_axes : tuple of int
        Counted from the front.

    Raises
    ------
    ValueError
        If `p` is a number below 0 or above 1, or 1 with `rescale`, which would divide
        by zero; if `shared_axes` are not different axes of the input.
    TypeError
        If `p` is neither a number nor a symbolic scalar.

    Notes
    -----
    Usually placed before a dense layer. The mask is new in each call of
    :func:`~lasagne_next.layers.get_output` and of the compiled function, and the same
    for all outputs of one call. A float input keeps its type; an integer input becomes
    ``config.floatX`` if rescaled. [1]_ scales the weights for evaluation instead.

    References
    ----------
    .. [1] Nitish Srivastava, Geoffrey Hinton, Alex Krizhevsky, Ilya Sutskever and
       Ruslan Salakhutdinov (2014): Dropout: a simple way to prevent neural networks
       from overfitting. JMLR 15, section 4. https://jmlr.org/papers/v15/srivastava14a.html

    Examples
    --------
    >>> from lasagne_next.layers import DropoutLayer, InputLayer, get_output
    >>> l_in = InputLayer((None, 784))
    >>> l_drop = DropoutLayer(l_in, p=0.2)
    >>> get_output(l_drop).type.shape
    (None, 784)
    >>> get_output(l_drop, deterministic=True) is l_in.input_var
    True
    """

    def __init__(self, incoming, p=0.5, rescale=True, shared_axes=(), **kwargs):
        super().__init__(incoming, **kwargs)
        self._srng = RandomStream(draw_seed())
        self.p = p
        self.rescale = rescale
        self.shared_axes = resolve_axes(
            self, "shared_axes", shared_axes, self.input_shape
        )
        self._check_p()

    def _check_p(self):
        if is_symbolic(self, "p", self.p):
            return
        highest = "below 1" if self.rescale else "at most 1"
        if not 0 <= self.p <= 1 or (self.rescale and self.p == 1):
            raise ValueError(
                f"{describe(self)}: p must be at least 0 and {highest}, got {self.p!r} "
                f"(input shape {self.input_shape}). p is the probability of dropping; "
                "what remains is divided by 1 - p, unless rescale=False."
            )

    def get_output_for(self, input, deterministic=False, **kwargs):
        """Return the input with elements dropped, SHAPE of the input."""
        if deterministic or self.p == 0:
            return input
        if self.rescale and not input.dtype.startswith("float"):
            input = input.astype(pytensor.config.floatX)
        keep = 1 - match_dtype(self.p, _float_dtype(input))
        size = draw_size(input, self.shared_axes)
        mask = self._srng.bernoulli_mask(size, keep, input.dtype)
        if self.rescale:
            mask = mask / keep  # cheaper than scaling the input where axes are shared
        return input * mask


dropout = DropoutLayer


def dropout_channels(incoming, *args, **kwargs):
    """Drop whole channels.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...).
    *args, **kwargs
        As for :class:`DropoutLayer`, except `shared_axes`, which is overwritten.

    Returns
    -------
    DropoutLayer
        With ``shared_axes=(2, 3, ...)``.

    Notes
    -----
    For convolutional layers, whose neighbouring outputs resemble each other so much
    that dropping single ones loses nothing. Also called `spatial_dropout`.

    References
    ----------
    Jonathan Tompson, Ross Goroshin, Arjun Jain, Yann LeCun and Christoph Bregler
    (2015): Efficient object localization using convolutional networks, section 3.2.
    https://arxiv.org/abs/1411.4280

    Examples
    --------
    >>> from lasagne_next.layers import dropout_channels
    >>> dropout_channels((None, 3, 28, 28), p=0.2).shared_axes
    (2, 3)
    """
    ndim = len(getattr(incoming, "output_shape", incoming))
    kwargs["shared_axes"] = tuple(range(2, ndim))
    return DropoutLayer(incoming, *args, **kwargs)


spatial_dropout = dropout_channels


def dropout_locations(incoming, *args, **kwargs):
    """Drop all channels of random positions.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...).
    *args, **kwargs
        As for :class:`DropoutLayer`, except `shared_axes`, which is overwritten.

    Returns
    -------
    DropoutLayer
        With ``shared_axes=(1,)``.

    Examples
    --------
    >>> from lasagne_next.layers import dropout_locations
    >>> dropout_locations((None, 3, 28, 28), p=0.2).shared_axes
    (1,)
    """
    kwargs["shared_axes"] = (1,)
    return DropoutLayer(incoming, *args, **kwargs)


class GaussianNoiseLayer(Layer):
    r"""Add noise from :math:`N(0, \sigma^2)` while training.

    With ``deterministic=True`` the output is the input itself.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    sigma : number or symbolic scalar, default 0.1
        Standard deviation of the noise; 0 switches it off. The default suits inputs of
        unit variance. Gradients flow to an expression.
    **kwargs
        `name`.

    Attributes
    ----------
    sigma
        As given.

    Raises
    ------
    ValueError
        If `sigma` is a negative number.
    TypeError
        If `sigma` is neither a number nor a symbolic scalar.

    Notes
    -----
    Usually placed on inputs, or before a nonlinearity. A float input keeps its type, an
    integer input becomes ``config.floatX``.

    References
    ----------
    Christopher Bishop (1995): Training with noise is equivalent to Tikhonov
    regularization. Neural Computation 7(1).
    https://doi.org/10.1162/neco.1995.7.1.108

    Examples
    --------
    >>> from lasagne_next.layers import GaussianNoiseLayer, InputLayer, get_output
    >>> l_in = InputLayer((None, 784))
    >>> l_noise = GaussianNoiseLayer(l_in, sigma=0.15)
    >>> get_output(l_noise, deterministic=True) is l_in.input_var
    True
    """

    def __init__(self, incoming, sigma=0.1, **kwargs):
        super().__init__(incoming, **kwargs)
        self._srng = RandomStream(draw_seed())
        self.sigma = sigma
        if not is_symbolic(self, "sigma", sigma) and not sigma >= 0:
            raise ValueError(
                f"{describe(self)}: sigma must be at least 0, got {sigma!r} (input "
                f"shape {self.input_shape}). sigma is a standard deviation."
            )

    def get_output_for(self, input, deterministic=False, **kwargs):
        """Return the input plus noise, SHAPE of the input."""
        if deterministic or self.sigma == 0:
            return input
        dtype = _float_dtype(input)
        noise = self._srng.normal(draw_size(input), dtype=dtype)
        # Scaling here, not in the draw, lets gradients reach sigma.
        return input + match_dtype(self.sigma, dtype) * noise


def _float_dtype(input):
    """Return the type of a float input, config.floatX for any other."""
    return input.dtype if input.dtype.startswith("float") else pytensor.config.floatX
