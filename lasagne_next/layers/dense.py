"""Fully connected layers."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next import expressions, init, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import Layer, describe
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import int_types

__all__ = ["DenseLayer", "NINLayer"]


class DenseLayer(Layer):
    r"""A fully connected layer, :math:`y = f(x W + b)`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape. The trailing axes are flattened to the inputs of the product and
        must have known sizes.
    num_units : int
        Number of units.
    W : parameter, default GlorotUniform(), SHAPE (num_inputs, num_units)
        Weights: number, array, shared variable, expression or callable. The default
        keeps the variance of signals and gradients [1]_.
    b : parameter or None, default Constant(0), SHAPE (num_units,)
        Biases, not regularizable; None for a layer without.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    num_leading_axes : int, default 1
        How many leading axes are kept: each of their positions is one example. If
        negative, -k stands for "all but the last k".
    **kwargs
        `name`.

    Attributes
    ----------
    num_units, W, b, nonlinearity, num_leading_axes
        As given or made; `nonlinearity` is never None.

    Raises
    ------
    TypeError
        If `nonlinearity` cannot be called.
    ValueError
        If no trailing axis is left, more are asked for than there are, a trailing
        size is unknown, or a parameter has the wrong shape.

    Notes
    -----
    The output has the shape of the leading axes followed by ``(num_units,)``. If W is
    an expression of smaller parts, the product uses them
    (:func:`lasagne_next.expressions.dot`); ``get_output(..., structured=False)`` keeps
    W itself in the graph, for a gradient with respect to it.

    References
    ----------
    .. [1] Xavier Glorot and Yoshua Bengio (2010): Understanding the difficulty of
       training deep feedforward neural networks. AISTATS, equation 16.
       https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    A tied autoencoder: the decoder's weights are an expression.

    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_all_params
    >>> l_in = InputLayer((None, 784))
    >>> encoder = DenseLayer(l_in, num_units=500, name="encoder")
    >>> decoder = DenseLayer(encoder, 784, W=encoder.W.T, nonlinearity=None, name="out")
    >>> decoder.output_shape, get_all_params(decoder)
    ((None, 784), [encoder.W, encoder.b, out.b])
    """

    def __init__(
        self,
        incoming,
        num_units,
        W=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        num_leading_axes=1,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self.num_units = num_units
        self.num_leading_axes = num_leading_axes
        num_inputs = self._count_inputs()
        self.W = self.add_param(W, (num_inputs, num_units), name="W")
        self.b = b
        if b is not None:
            self.b = self.add_param(b, (num_units,), name="b", regularizable=False)

    def _count_inputs(self):
        ndim, leading = len(self.input_shape), self.num_leading_axes
        problem = None
        if not isinstance(leading, int_types):
            raise TypeError(
                f"{describe(self)}: num_leading_axes must be an integer, got "
                f"{leading!r}."
            )
        if leading >= ndim:
            problem = f"be less than {ndim}, leaving no trailing axes otherwise"
        elif leading < -ndim:
            problem = f"be at least {-ndim}, requesting more trailing axes otherwise"
        if problem:
            raise ValueError(
                f"{describe(self)}: num_leading_axes must {problem}, got {leading} "
                f"(input shape {self.input_shape})."
            )
        trailing = self.input_shape[leading:]
        if None in trailing:
            raise ValueError(
                f"{describe(self)} requires a fixed input shape (except for the "
                f"leading axes), got unknown sizes in {self.input_shape}. Give the "
                "sizes in the InputLayer, or raise num_leading_axes."
            )
        return math.prod(trailing)

    def get_output_shape_for(self, input_shape):
        """Map the leading axes to themselves and all others to the units."""
        return (*input_shape[: self.num_leading_axes], self.num_units)

    def get_output_for(self, input, structured=True, uses=1, **kwargs):
        """Return ``nonlinearity(dot(input, W) + b)``, SHAPE (leading..., num_units).

        The product uses the structure of W (:func:`lasagne_next.expressions.dot`),
        unless `structured` is False: then W itself stays in the graph. `uses` tells how
        often the layer is applied in all, as in the steps of a recurrence.
        """
        leading = self.num_leading_axes
        if leading < 0:
            leading += input.ndim
        if input.ndim > leading + 1:
            # With its size stated, also an empty batch can be reshaped.
            shape = (*input.shape[:leading], self._count_inputs())
            input = input.reshape(shape)  # (leading..., num_inputs)
        W = declare_unit_axes(self.W, (None, self.num_units))
        activation = expressions.dot(input, W, structured, uses)  # (..., num_units)
        if self.b is not None:
            activation = activation + declare_unit_axes(self.b, (self.num_units,))
        return self.nonlinearity(activation)


class NINLayer(Layer):
    """A dense layer over the channels, the same at every position ("1x1 convolution").

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...), with any number of trailing axes.
    num_units : int
        Number of units, the channels of the output.
    untie_biases : bool, default False
        Whether every position has biases of its own; its sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (channels, num_units)
        Weights.
    b : parameter or None, default Constant(0), SHAPE (num_units,)
        Biases, or (num_units, positions...) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the number of channels is unknown, or biases are untied over unknown sizes.

    References
    ----------
    .. [1] Min Lin, Qiang Chen and Shuicheng Yan (2013): Network in network. Section
       3.1. https://arxiv.org/abs/1312.4400

    Examples
    --------
    >>> from lasagne_next.layers import NINLayer
    >>> NINLayer((None, 3, 28, 28), num_units=5).output_shape
    (None, 5, 28, 28)
    """

    def __init__(
        self,
        incoming,
        num_units,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self.num_units = num_units
        self.untie_biases = untie_biases
        self._check_input_shape()
        self.W = self.add_param(W, (self.input_shape[1], num_units), name="W")
        self.b = b
        if b is not None:
            positions = self.output_shape[2:] if untie_biases else ()
            shape = (num_units, *positions)
            self.b = self.add_param(b, shape, name="b", regularizable=False)

    def _check_input_shape(self):
        shape = self.input_shape
        if len(shape) < 2 or shape[1] is None:
            raise ValueError(
                f"{describe(self)}: the input must have at least 2 axes and a known "
                f"number of channels on axis 1, got input shape {shape}."
            )
        if self.untie_biases and None in shape[2:]:
            raise ValueError(
                f"{describe(self)}: untie_biases needs known sizes after axis 1, got "
                f"input shape {shape}. Declare them in the InputLayer."
            )

    def get_output_shape_for(self, input_shape):
        """Replace the number of channels by the number of units."""
        return (input_shape[0], self.num_units, *input_shape[2:])

    def get_output_for(self, input, structured=True, **kwargs):
        """Return the weighted channels, SHAPE (batch, num_units, positions...)."""
        channels_last = pt.moveaxis(input, 1, -1)  # (batch, positions..., channels)
        W = declare_unit_axes(self.W, (None, self.num_units))
        # (batch, positions..., num_units)
        product = expressions.dot(channels_last, W, structured)
        activation = pt.moveaxis(product, -1, 1)  # (batch, num_units, positions...)
        if self.b is not None:
            b = declare_unit_axes(self.b, (self.num_units, *[None] * (self.b.ndim - 1)))
            pattern = ["x", *range(b.ndim), *["x"] * (input.ndim - 1 - b.ndim)]
            activation = activation + b.dimshuffle(*pattern)
        return self.nonlinearity(activation)
