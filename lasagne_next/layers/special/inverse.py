"""The gradient of a layer as a layer: tied decoders, unpooling, deconvolution."""

from __future__ import annotations

import pytensor
from pytensor.gradient import DisconnectedInputError

from lasagne_next.layers.base import MergeLayer, describe, layers_below

__all__ = ["InverseLayer"]


class InverseLayer(MergeLayer):
    r"""Run a layer backwards: multiply by the transposed derivative of a layer.

    The output is :math:`J^T g`, with J the derivative of the output of `layer` with
    respect to its input and g the output of `incoming`. For a dense layer J is its
    weights (times the slope of its nonlinearity), so that the decoder of an autoencoder
    uses the weights of the encoder transposed; for pooling it is unpooling.

    Parameters
    ----------
    incoming : Layer or tuple
        Of the output shape of `layer`.
    layer : Layer
        The layer to invert.
    wrt : Layer or int, optional
        For a `layer` with several inputs, the input to invert to: one of its input
        layers or its position.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If `layer` has several inputs and none is chosen, the one chosen is not among
        them, the known shapes of `incoming` and of the output of `layer` differ, or
        `layer` was built from a shape tuple. By
        :func:`~lasagne_next.layers.get_output`, if no gradient leads from the output of
        `layer` to its input.

    Notes
    -----
    The output has the shape of the input of `layer`. There are no own parameters.
    `layer` is evaluated in the same call of get_output, with the same noise.

    References
    ----------
    Matthew Zeiler and Rob Fergus (2014): Visualizing and understanding convolutional
    networks, section 2.1. https://arxiv.org/abs/1311.2901

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer, InverseLayer
    >>> encoder = DenseLayer(InputLayer((None, 784)), num_units=50, nonlinearity=None)
    >>> decoder = InverseLayer(encoder, encoder)
    >>> decoder.output_shape
    (None, 784)
    """

    def __init__(self, incoming, layer, wrt=None, **kwargs):
        self.name = kwargs.get("name")  # for messages about the inputs
        target = self._choose(layer, wrt)
        super().__init__([incoming, layer, target], **kwargs)
        self._check_shapes()

    def _choose(self, layer, wrt):
        below = layers_below(layer)
        if isinstance(wrt, int) and not isinstance(wrt, bool):
            if -len(below) <= wrt < len(below):
                return below[wrt]
        elif wrt is not None:
            if wrt in below:
                return wrt
        elif len(below) == 1:
            return below[0]
        names = ", ".join(describe(each) for each in below) or "none"
        got = "none" if wrt is None else repr(wrt)
        raise ValueError(
            f"{describe(self)}: wrt must be one of the {len(below)} input layers of "
            f"{describe(layer)} ({names}), or its position, got {got}."
        )

    def _check_shapes(self):
        incoming, inverted, _ = self.input_shapes
        if not all(isinstance(shape, tuple | list) for shape in (incoming, inverted)):
            return
        fits = len(incoming) == len(inverted) and all(
            None in pair or pair[0] == pair[1]
            for pair in zip(incoming, inverted, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{describe(self)}: incoming must have the output shape of the layer "
                f"to invert, {inverted}, got {incoming}."
            )

    def get_output_shape_for(self, input_shapes):
        """Return the shape of the input of the inverted layer."""
        return input_shapes[2]

    def get_output_for(self, inputs, **kwargs):
        """Return the gradient, SHAPE of the input of the inverted layer."""
        gradient, output, target = inputs
        try:
            return pytensor.grad(None, wrt=target, known_grads={output: gradient})
        except DisconnectedInputError as error:
            raise ValueError(
                f"{describe(self)}: the output of {describe(self.input_layers[1])} "
                "must depend on its input by operations that have a gradient, in the "
                "same call of get_output."
            ) from error
