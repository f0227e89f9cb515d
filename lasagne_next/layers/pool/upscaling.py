"""More positions of the same channels, as layers."""

from __future__ import annotations

from lasagne_next import ops
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.positions import check_axes
from lasagne_next.ops.resampling import check_upsampling

__all__ = ["Upscale1DLayer", "Upscale2DLayer", "Upscale3DLayer"]


class _BaseUpscaleLayer(Layer):
    """Base of the upscaling layers: the factors and the mode."""

    n = None  # number of axes of positions

    def __init__(self, incoming, scale_factor, mode="repeat", **kwargs):
        super().__init__(incoming, **kwargs)
        check_axes(self, self.input_shape, self.n)
        self.scale_factor = check_upsampling(
            describe(self), scale_factor, mode, self.n, "scale_factor"
        )
        self.mode = mode

    def get_output_shape_for(self, input_shape):
        """Multiply the sizes."""
        check_axes(self, input_shape, self.n)
        sizes = zip(input_shape[2:], self.scale_factor, strict=True)
        return (
            *input_shape[:2],
            *(None if size is None else size * factor for size, factor in sizes),
        )

    def get_output_for(self, input, **kwargs):
        """Return the enlarged input, itself if all factors are 1."""
        return ops.upsample(input, self.scale_factor, self.mode)


class Upscale1DLayer(_BaseUpscaleLayer):
    """Multiply the number of positions of a sequence.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions).
    scale_factor : int
        At least 1.
    mode : {'repeat', 'dilate', 'linear'}, default 'repeat'
        'repeat' takes the nearest element, 'dilate' puts zeros behind each element,
        'linear' interpolates, see :func:`lasagne_next.ops.upsample`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the input has another number of axes, a factor is less than 1 or the mode is
        unknown.
    TypeError
        If a factor is no integer.

    Examples
    --------
    >>> from lasagne_next.layers import Upscale1DLayer
    >>> Upscale1DLayer((None, 3, 5), scale_factor=2).output_shape
    (None, 3, 10)
    """

    n = 1


class Upscale2DLayer(_BaseUpscaleLayer):
    """Multiply the numbers of rows and columns of an image.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    scale_factor : int or pair of int
        At least 1.
    mode : {'repeat', 'dilate', 'linear'}, default 'repeat'
        See :class:`Upscale1DLayer`; 'linear' is bilinear here.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Upscale1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Upscale2DLayer
    >>> Upscale2DLayer((None, 3, 5, 7), (2, 3), mode="linear").output_shape
    (None, 3, 10, 21)
    """

    n = 2


class Upscale3DLayer(_BaseUpscaleLayer):
    """Multiply the numbers of positions of a volume.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, depth, rows, columns).
    scale_factor : int or three ints
        At least 1.
    mode : {'repeat', 'dilate', 'linear'}, default 'repeat'
        See :class:`Upscale1DLayer`; 'linear' is trilinear here.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Upscale1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Upscale3DLayer
    >>> Upscale3DLayer((None, 3, 5, 7, 2), 2).output_shape
    (None, 3, 10, 14, 4)
    """

    n = 3
