"""Convolutions that lead to more positions: the gradients of strided ones."""

from __future__ import annotations

import math

from pytensor.graph.basic import Variable

from lasagne_next import init, nonlinearities, ops
from lasagne_next.layers.base import describe
from lasagne_next.layers.conv.base import BaseConvLayer
from lasagne_next.layers.positions import check_axes
from lasagne_next.ops.geometry import (
    convolved_size,
    extent,
    per_axis,
    transposed_size,
)
from lasagne_next.params import declare_unit_axes

__all__ = [
    "Deconv1DLayer",
    "Deconv2DLayer",
    "Deconv3DLayer",
    "TransposedConv1DLayer",
    "TransposedConv2DLayer",
    "TransposedConv3DLayer",
]


class _TransposedConvLayer(BaseConvLayer):
    """Base: sizes that grow, and filters with channels first."""

    positions = None  # number of axes of positions

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=1,
        crop=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        output_size=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
        self.output_size = output_size
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            crop,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            num_groups,
            n=self.positions,
            dilation=dilation,
            **kwargs,
        )

    def _read_padding(self, pad, argument="crop"):
        super()._read_padding(pad, argument)
        if self.output_size is None:
            return
        if isinstance(self.output_size, Variable):
            if self.output_size.ndim != 1:
                raise ValueError(
                    f"{describe(self)}: output_size must be an integer, {self.n} "
                    f"integers or a vector, got {self.output_size!r} with "
                    f"{self.output_size.ndim} axes."
                )
            return
        self.output_size = per_axis(
            self.output_size, self.n, "output_size", 1, describe(self)
        )
        self._check_output_size()

    def _check_output_size(self):
        """Raise unless the convolution leads from the output back to the input."""
        spans = map(extent, self.filter_size, self.dilation)
        sizes = tuple(
            map(convolved_size, self.output_size, spans, self.stride, self._pairs)
        )
        known = self.input_shape[2:]
        if any(
            size is not None and size != back
            for size, back in zip(known, sizes, strict=True)
        ):
            raise ValueError(
                f"{describe(self)}: output_size must be a size that the convolution "
                f"takes to {known}, got {self.output_size}, which leads to {sizes} "
                f"(input shape {self.input_shape})."
            )

    def _fans(self):
        # An input reaches a whole filter; of the places of a filter, an output sees
        # only every stride-th.
        field = math.prod(self.filter_size)
        inputs = self.input_shape[1] // self.num_groups
        fan_in = inputs * field / math.prod(self.stride)
        return fan_in, self.num_filters // self.num_groups * field

    def get_W_shape(self):
        """Return the shape of W, (channels, filters of a group, sizes...)."""
        filters = self.num_filters // self.num_groups
        return (self.input_shape[1], filters, *self.filter_size)

    def get_output_shape_for(self, input_shape):
        """Return the sizes asked for, or the smallest possible."""
        check_axes(self, input_shape, self.n)
        if isinstance(self.output_size, Variable):
            sizes = (None,) * self.n
        elif self.output_size is not None:
            sizes = self.output_size
        else:
            spans = map(extent, self.filter_size, self.dilation)
            sizes = map(
                transposed_size, input_shape[2:], spans, self.stride, self._pairs
            )
        return (input_shape[0], self.num_filters, *sizes)

    def convolve(self, input, **kwargs):
        """Transpose the convolution with W, SHAPE (batch, filters, positions...)."""
        return ops.convolve_transposed(
            input,
            declare_unit_axes(self.W, self.get_W_shape()),
            self.stride,
            self._pairs,
            self.dilation,
            self.num_groups,
            self.flip_filters,
            self.output_size,
        )


class TransposedConv1DLayer(_TransposedConvLayer):
    """A transposed convolution of sequences, which multiplies their length by `stride`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions); the number of channels must be known.
    num_filters : int
        Number of channels of the output.
    filter_size, stride, dilation : int
        Of the convolution that is transposed.
    crop : int, pair in a tuple, or str, default 0
        What is cut from the output, the `pad` of the convolution that is transposed.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (channels, num_filters, filter_size)
        The filters, with the channels of the *input* first; with groups, the filters
        of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, positions) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default False
        Whether to flip the filters that slide over the spread input. To reverse a
        layer, pass the opposite of its `flip_filters`.
    output_size : int or vector, optional
        With a stride, several sizes lead to the same one under a convolution. The
        smallest is taken by default. May be symbolic.
    num_groups : int, default 1
        In how many groups channels and filters are taken.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the input has another number of axes, an argument is impossible, or
        `output_size` does not lead to the input size.
    TypeError
        If the number of channels is unknown, or a number is no integer.

    Notes
    -----
    Puts ``stride - 1`` zeros between the inputs, surrounds them by zeros and slides the
    filters over that. Glorot and He initialisers are told that each output sees about
    ``channels * filter_size / stride`` inputs. Lasagne ignores the groups.

    References
    ----------
    Vincent Dumoulin and Francesco Visin (2016): A guide to convolution arithmetic for
    deep learning, section 4. https://arxiv.org/abs/1603.07285

    Examples
    --------
    >>> from lasagne_next.layers import TransposedConv1DLayer
    >>> TransposedConv1DLayer((None, 8, 50), 3, filter_size=4, stride=2).output_shape
    (None, 3, 102)
    """

    positions = 1


class TransposedConv2DLayer(_TransposedConvLayer):
    """A transposed convolution of images, which multiplies their size by `stride`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns); the number of channels must be known.
    num_filters : int
        Number of channels of the output.
    filter_size, stride : int or pair of int
        Of the convolution that is transposed.
    crop : int, two ints or pairs, or str, default 0
        What is cut from the output, the `pad` of the convolution that is transposed.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (channels, num_filters, rows, columns)
        The filters, with the channels of the *input* first; with groups, the filters
        of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, rows, columns) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default False
        See :class:`TransposedConv1DLayer`.
    output_size : int, pair of int or vector, optional
        See :class:`TransposedConv1DLayer`.
    num_groups, dilation
        See :class:`TransposedConv1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`TransposedConv1DLayer`.

    Examples
    --------
    A decoder with the filters of its encoder:

    >>> from lasagne_next.layers import Conv2DLayer, TransposedConv2DLayer
    >>> encoder = Conv2DLayer((None, 1, 28, 28), num_filters=16, filter_size=5)
    >>> decoder = TransposedConv2DLayer(
    ...     encoder, 1, 5, W=encoder.W, flip_filters=not encoder.flip_filters
    ... )
    >>> decoder.output_shape
    (None, 1, 28, 28)
    """

    positions = 2

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1),
        crop=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        output_size=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            crop,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            output_size,
            num_groups,
            dilation,
            **kwargs,
        )


class TransposedConv3DLayer(_TransposedConvLayer):
    """A transposed convolution of volumes, which multiplies their size by `stride`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, depth, rows, columns).
    num_filters : int
        Number of channels of the output.
    filter_size, stride : int or three ints
        Of the convolution that is transposed.
    crop : int, three ints or pairs, or str, default 0
        What is cut from the output, the `pad` of the convolution that is transposed.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (channels, num_filters, sizes...)
        The filters, with the channels of the *input* first; with groups, the filters
        of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, positions...) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default False
        See :class:`TransposedConv1DLayer`.
    output_size : int, three ints or vector, optional
        See :class:`TransposedConv1DLayer`.
    num_groups, dilation
        See :class:`TransposedConv1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`TransposedConv1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import TransposedConv3DLayer
    >>> TransposedConv3DLayer((None, 8, 3, 4, 5), 2, 3, stride=2).output_shape
    (None, 2, 7, 9, 11)
    """

    positions = 3

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1, 1),
        crop=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        output_size=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            crop,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            output_size,
            num_groups,
            dilation,
            **kwargs,
        )


Deconv1DLayer = TransposedConv1DLayer
Deconv2DLayer = TransposedConv2DLayer
Deconv3DLayer = TransposedConv3DLayer
