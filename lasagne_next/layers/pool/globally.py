"""One number a channel."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next.layers.base import Layer, describe

__all__ = ["GlobalPoolLayer"]


class GlobalPoolLayer(Layer):
    """Reduce all positions of each channel to one number.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...), with at least one axis of positions.
    pool_function : callable, default pytensor.tensor.mean
        Called with an expression of shape (batch, channels, positions) and ``axis=2``.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If there are no positions.

    References
    ----------
    Min Lin, Qiang Chen and Shuicheng Yan (2013): Network in network, section 3.2.
    https://arxiv.org/abs/1312.4400

    Examples
    --------
    >>> from lasagne_next.layers import GlobalPoolLayer
    >>> GlobalPoolLayer((None, 10, 7, 5)).output_shape
    (None, 10)
    """

    def __init__(self, incoming, pool_function=pt.mean, **kwargs):
        super().__init__(incoming, **kwargs)
        self.pool_function = pool_function
        self.get_output_shape_for(self.input_shape)

    def get_output_shape_for(self, input_shape):
        """Drop all axes of positions."""
        if len(input_shape) < 3:
            raise ValueError(
                f"{describe(self)}: the input must have at least 3 axes, (batch, "
                f"channels, positions...), got input shape {input_shape}."
            )
        return input_shape[:2]

    def get_output_for(self, input, **kwargs):
        """Return one number a channel, SHAPE (batch, channels)."""
        if input.ndim > 3:
            known = input.type.shape[2:]
            sizes = [input.shape[axis] for axis in range(2, input.ndim)]
            positions = math.prod(sizes if None in known else known)
            shape = (input.shape[0], input.shape[1], positions)
            input = input.reshape(shape)  # (batch, channels, positions)
        return self.pool_function(input, axis=2)
