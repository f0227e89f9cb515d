"""Positions made of channels and back, as layers."""

from __future__ import annotations

import math

from lasagne_next import ops
from lasagne_next.layers.base import Layer, describe
from lasagne_next.ops.shuffling import check_factors

__all__ = ["PixelShuffleLayer", "PixelUnshuffleLayer"]


class _BaseShuffleLayer(Layer):
    """Base: one factor for each axis of positions."""

    def __init__(self, incoming, scale_factor, **kwargs):
        super().__init__(incoming, **kwargs)
        self.scale_factor = check_factors(
            describe(self), scale_factor, len(self.input_shape) - 2, "scale_factor"
        )
        self.get_output_shape_for(self.input_shape)

    def _check_multiple(self, what, size, factor, shape):
        if size is not None and size % factor:
            raise ValueError(
                f"{describe(self)}: the number of {what} must be a multiple of "
                f"{factor}, got {size} (input shape {shape}, scale_factor "
                f"{self.scale_factor})."
            )


class PixelShuffleLayer(_BaseShuffleLayer):
    """Make more positions of channels ("sub-pixel convolution", after a convolution).

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...), with one to three axes of positions.
    scale_factor : int or tuple of int
        One number for all axes of positions, or one each.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the number of channels is no multiple of the product of the factors, or a
        factor is less than 1.
    TypeError
        If a factor is no integer, or the input has another number of axes.

    Notes
    -----
    For the order of channels see :func:`lasagne_next.ops.pixel_shuffle`.

    Examples
    --------
    >>> from lasagne_next.layers import PixelShuffleLayer
    >>> PixelShuffleLayer((None, 12, 5, 7), scale_factor=2).output_shape
    (None, 3, 10, 14)
    """

    def get_output_shape_for(self, input_shape):
        """Divide the channels and multiply the sizes."""
        batch, channels, *sizes = input_shape
        product = math.prod(self.scale_factor)
        self._check_multiple("channels", channels, product, input_shape)
        return (
            batch,
            None if channels is None else channels // product,
            *(
                None if size is None else size * factor
                for size, factor in zip(sizes, self.scale_factor, strict=True)
            ),
        )

    def get_output_for(self, input, **kwargs):
        """Return the numbers in their new places."""
        return ops.pixel_shuffle(input, self.scale_factor)


class PixelUnshuffleLayer(_BaseShuffleLayer):
    """Make channels of blocks of positions, the inverse of :class:`PixelShuffleLayer`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...), with one to three axes of positions.
    scale_factor : int or tuple of int
        One number for all axes of positions, or one each.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If a known size is no multiple of its factor, or a factor is less than 1.
    TypeError
        If a factor is no integer, or the input has another number of axes.

    Examples
    --------
    >>> from lasagne_next.layers import PixelUnshuffleLayer
    >>> PixelUnshuffleLayer((None, 3, 10, 14), scale_factor=2).output_shape
    (None, 12, 5, 7)
    """

    def get_output_shape_for(self, input_shape):
        """Multiply the channels and divide the sizes."""
        batch, channels, *sizes = input_shape
        for size, factor in zip(sizes, self.scale_factor, strict=True):
            self._check_multiple("positions", size, factor, input_shape)
        return (
            batch,
            None if channels is None else channels * math.prod(self.scale_factor),
            *(
                None if size is None else size // factor
                for size, factor in zip(sizes, self.scale_factor, strict=True)
            ),
        )

    def get_output_for(self, input, **kwargs):
        """Return the numbers in their new places."""
        return ops.pixel_unshuffle(input, self.scale_factor)
