"""Convolutions of each channel alone, and those followed by a mixture of channels."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next import expressions, init, nonlinearities
from lasagne_next.layers.base import describe
from lasagne_next.layers.conv.base import BaseConvLayer
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import int_types

__all__ = [
    "DepthwiseConv1DLayer",
    "DepthwiseConv2DLayer",
    "SeparableConv1DLayer",
    "SeparableConv2DLayer",
]


class _DepthwiseConvLayer(BaseConvLayer):
    """Base: as many groups as channels."""

    positions = None  # number of axes of positions

    def __init__(
        self,
        incoming,
        filter_size,
        stride=1,
        pad=0,
        depth_multiplier=1,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        dilation=1,
        **kwargs,
    ):
        self.depth_multiplier = depth_multiplier
        super().__init__(
            incoming,
            None,
            filter_size,
            stride,
            pad,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            n=self.positions,
            dilation=dilation,
            **kwargs,
        )

    def _check_groups(self):
        _check_multiplier(self)
        self.num_groups = self.input_shape[1]
        self.num_filters = self.num_groups * self.depth_multiplier

    def convolve(self, input, structured=True, **kwargs):
        """Convolve each channel, SHAPE (batch, channels * multiplier, positions...)."""
        return expressions.convolve(
            input,
            declare_unit_axes(self.W, self.get_W_shape()),
            self.stride,
            self._pairs,
            self.dilation,
            self.num_groups,
            self.flip_filters,
            structured,
        )


def _check_multiplier(layer):
    multiplier = layer.depth_multiplier
    if not isinstance(multiplier, int_types):
        raise TypeError(
            f"{describe(layer)}: depth_multiplier must be an integer, got "
            f"{multiplier!r}."
        )
    if multiplier < 1:
        raise ValueError(
            f"{describe(layer)}: depth_multiplier must be at least 1, got {multiplier}."
        )


class DepthwiseConv1DLayer(_DepthwiseConvLayer):
    """A convolution of each channel of a sequence with filters of its own.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions); the number of channels must be known.
    filter_size, stride, pad
        See :class:`Conv1DLayer`.
    depth_multiplier : int, default 1
        Number of filters for each channel. The output has ``channels *
        depth_multiplier`` channels, those of one input channel side by side.
    untie_biases, b, nonlinearity, flip_filters, dilation
        See :class:`Conv1DLayer`.
    W : parameter, default GlorotUniform(), SHAPE (channels * multiplier, 1, size)
        The filters.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import DepthwiseConv1DLayer
    >>> layer = DepthwiseConv1DLayer((None, 8, 50), filter_size=3, pad="same")
    >>> layer.output_shape, layer.W.type.shape
    ((None, 8, 50), (8, 1, 3))
    """

    positions = 1


class DepthwiseConv2DLayer(_DepthwiseConvLayer):
    """A convolution of each channel of an image with filters of its own.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns); the number of channels must be known.
    filter_size, stride, pad
        See :class:`Conv2DLayer`.
    depth_multiplier : int, default 1
        Number of filters for each channel, see :class:`DepthwiseConv1DLayer`.
    untie_biases, b, nonlinearity, flip_filters, dilation
        See :class:`Conv2DLayer`.
    W : parameter, default GlorotUniform(), SHAPE (channels * multiplier, 1, sizes...)
        The filters.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import DepthwiseConv2DLayer
    >>> layer = DepthwiseConv2DLayer((None, 8, 14, 14), 3, depth_multiplier=2)
    >>> layer.output_shape, layer.W.type.shape
    ((None, 16, 12, 12), (16, 1, 3, 3))
    """

    positions = 2


class _SeparableConvLayer(BaseConvLayer):
    """Base: the convolution of each channel, then a product over the channels."""

    positions = None  # number of axes of positions

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=1,
        pad=0,
        depth_multiplier=1,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        W_pointwise=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        dilation=1,
        **kwargs,
    ):
        self.depth_multiplier = depth_multiplier
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            pad,
            untie_biases,
            (W, W_pointwise),
            b,
            nonlinearity,
            flip_filters,
            n=self.positions,
            dilation=dilation,
            **kwargs,
        )

    def _check_groups(self):
        super()._check_groups()
        _check_multiplier(self)

    def _fans(self):
        field = math.prod(self.filter_size)
        return field, field * self.depth_multiplier

    def _add_weights(self, W):
        W, W_pointwise = W
        super()._add_weights(W)
        channels = self.get_W_shape()[0]
        shape = (channels, self.num_filters)
        self.W_pointwise = self.add_param(W_pointwise, shape, name="W_pointwise")

    def get_W_shape(self):
        """Return the shape of W, (channels * multiplier, 1, sizes...)."""
        return (self.input_shape[1] * self.depth_multiplier, 1, *self.filter_size)

    def convolve(self, input, structured=True, **kwargs):
        """Convolve each channel, and mix them, SHAPE (batch, filters, positions...)."""
        maps = expressions.convolve(
            input,
            declare_unit_axes(self.W, self.get_W_shape()),
            self.stride,
            self._pairs,
            self.dilation,
            self.input_shape[1],
            self.flip_filters,
            structured,
        )  # (batch, channels * multiplier, positions...)
        W = declare_unit_axes(self.W_pointwise, (None, self.num_filters))
        product = expressions.dot(pt.moveaxis(maps, 1, -1), W, structured)
        return pt.moveaxis(product, -1, 1)


class SeparableConv1DLayer(_SeparableConvLayer):
    r"""A convolution of each channel of a sequence, then a mixture of the channels.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions); the number of channels must be known.
    num_filters : int
        Number of channels of the output.
    filter_size, stride, pad
        See :class:`Conv1DLayer`.
    depth_multiplier : int, default 1
        Number of filters for each channel.
    untie_biases, b, nonlinearity, flip_filters, dilation
        See :class:`Conv1DLayer`.
    W : parameter, default GlorotUniform(), SHAPE (channels * multiplier, 1, size)
        The filters of the channels.
    W_pointwise : parameter, default GlorotUniform()
        The mixture, of SHAPE (channels * multiplier, num_filters).
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Notes
    -----
    Nothing is between the two steps. Parameters are in the order W, W_pointwise, b.

    Examples
    --------
    >>> from lasagne_next.layers import SeparableConv1DLayer
    >>> SeparableConv1DLayer((None, 8, 50), 5, filter_size=3).output_shape
    (None, 5, 48)
    """

    positions = 1


class SeparableConv2DLayer(_SeparableConvLayer):
    r"""A convolution of each channel of an image, then a mixture of the channels.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns); the number of channels must be known.
    num_filters : int
        Number of channels of the output.
    filter_size, stride, pad
        See :class:`Conv2DLayer`.
    depth_multiplier : int, default 1
        Number of filters for each channel.
    untie_biases, b, nonlinearity, flip_filters, dilation
        See :class:`Conv2DLayer`.
    W : parameter, default GlorotUniform(), SHAPE (channels * multiplier, 1, sizes...)
        The filters of the channels.
    W_pointwise : parameter, default GlorotUniform()
        The mixture, of SHAPE (channels * multiplier, num_filters).
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Notes
    -----
    Nothing is between the two steps. Parameters are in the order W, W_pointwise, b.

    References
    ----------
    François Chollet (2017): Xception: deep learning with depthwise separable
    convolutions, section 1. https://arxiv.org/abs/1610.02357

    Examples
    --------
    >>> from lasagne_next.layers import SeparableConv2DLayer, count_params
    >>> layer = SeparableConv2DLayer((None, 32, 14, 14), 64, filter_size=3, pad="same")
    >>> layer.output_shape, int(count_params(layer))
    ((None, 64, 14, 14), 2400)
    """

    positions = 2
