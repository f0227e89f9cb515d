"""Filters of their own at every position of an image."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init, nonlinearities
from lasagne_next.layers.base import describe
from lasagne_next.layers.conv import Conv2DLayer
from lasagne_next.params import declare_unit_axes

__all__ = ["LocallyConnected2DLayer"]


class LocallyConnected2DLayer(Conv2DLayer):
    r"""A layer like a convolution whose filters differ from position to position.

    .. math:: y_{bfij} = \sum_{cuv} x_{b,c,i+u-p,j+v-q} W_{fcuvij}

    with zeros outside of x, p and q half the size of the filters rounded down (up to
    the next smaller number for even sizes), and u, v reversed if filters are flipped.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns), known but for the batch.
    num_filters : int
        Number of filters, the channels of the output.
    filter_size : int or pair of int
        Size of the filters.
    stride : int or pair of int, default (1, 1)
        1, nothing else.
    pad : str, default 'same'
        'same', nothing else.
    untie_biases : bool, default False
        Whether every position has biases of its own.
    W : parameter, default GlorotUniform()
        The filters, of SHAPE (num_filters, channels, filter_rows, filter_columns, rows,
        columns), or without the channels if `channelwise`.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, rows, columns) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default True
        Whether filters are flipped, as in a convolution.
    channelwise : bool, default False
        Whether filter f sees channel f alone. There must be as many of both then.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If a size of the input but for the batch is unknown, or there is another number
        of filters than of channels where these belong together.
    NotImplementedError
        For another stride or padding, dilation and groups.
    TypeError
        If a number is no integer.

    Notes
    -----
    Glorot and He initialisers are told that each output sees ``channels *
    filter_rows * filter_columns`` inputs, and not all positions.

    Examples
    --------
    >>> from lasagne_next.layers import LocallyConnected2DLayer
    >>> layer = LocallyConnected2DLayer((None, 3, 8, 6), num_filters=4, filter_size=3)
    >>> layer.output_shape, layer.W.type.shape
    ((None, 4, 8, 6), (4, 3, 3, 3, 8, 6))
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1),
        pad="same",
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        channelwise=False,
        **kwargs,
    ):
        self.channelwise = channelwise
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            pad,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            **kwargs,
        )

    def _check_input(self, n):
        if None in self.input_shape[1:]:
            raise ValueError(
                "A LocallyConnected2DLayer requires a fixed input shape (except for "
                f"the batch size), got {self.input_shape} for {describe(self)}. "
                "Declare the sizes in the InputLayer."
            )
        super()._check_input(n)

    def _check_output(self):
        wanted = {
            "stride=1 / (1, 1)": (self.stride, self.stride == (1, 1)),
            "pad='same'": (self.pad, self.pad == "same"),
            "dilation=1": (self.dilation, self.dilation == (1, 1)),
            "num_groups=1": (self.num_groups, self.num_groups == 1),
        }
        for setting, (got, met) in wanted.items():
            if not met:
                raise NotImplementedError(
                    f"{describe(self)} requires {setting}, got {got!r}."
                )
        if self.channelwise and self.num_filters != self.input_shape[1]:
            raise ValueError(
                f"{describe(self)}: num_filters and the number of input channels "
                f"should match for channelwise=True, got {self.num_filters} and "
                f"{self.input_shape[1]}."
            )
        super()._check_output()

    def _fans(self):
        field = math.prod(self.filter_size)
        if self.channelwise:
            return field, field
        return self.input_shape[1] * field, self.num_filters * field

    def get_W_shape(self):
        """Return the shape of W, (filters, channels, filter sizes..., sizes...)."""
        channels = () if self.channelwise else (self.input_shape[1],)
        sizes = self.input_shape[2:]
        return (self.num_filters, *channels, *self.filter_size, *sizes)

    def convolve(self, input, **kwargs):
        """Multiply patches by their own filters, SHAPE (batch, filters, ...)."""
        W = declare_unit_axes(self.W, self.get_W_shape())
        if self.flip_filters:
            first = 1 if self.channelwise else 2
            W = W[(slice(None),) * first + (slice(None, None, -1),) * 2]
        shifted = self._shifted(input)
        if self.channelwise:
            return sum(each * W[:, u, v] for (u, v), each in shifted)
        rows, columns = self.input_shape[2:]
        inner = self.input_shape[1] * math.prod(self.filter_size)
        # One product of matrices for each position.
        patches = pt.stack([each for _, each in shifted], axis=2)
        patches = patches.dimshuffle(3, 4, 0, 1, 2)  # (rows, columns, batch, ...)
        patches = patches.reshape((rows, columns, input.shape[0], inner))
        W = W.dimshuffle(4, 5, 1, 2, 3, 0).reshape(
            (rows, columns, inner, self.num_filters)
        )
        product = pt.matmul(patches, W)  # (rows, columns, batch, filters)
        return product.dimshuffle(2, 3, 0, 1)

    def _shifted(self, input):
        """List the places in a filter, and what each sees at all positions."""
        rows, columns = self.input_shape[2:]
        sizes = [
            size + sum(pair)
            for size, pair in zip((rows, columns), self._pairs, strict=True)
        ]
        (top, _), (left, _) = self._pairs
        canvas = pt.zeros((input.shape[0], input.shape[1], *sizes), input.dtype)
        inside = (slice(top, top + rows), slice(left, left + columns))
        padded = pt.set_subtensor(canvas[(slice(None), slice(None), *inside)], input)
        return [
            ((u, v), padded[:, :, u : u + rows, v : v + columns])
            for u, v in np.ndindex(*self.filter_size)
        ]
