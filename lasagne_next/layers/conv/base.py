"""What all convolution layers share: reading arguments, making parameters, biases."""

from __future__ import annotations

import math

from lasagne_next import init, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.positions import check_axes
from lasagne_next.ops.geometry import (
    convolved_size,
    extent,
    padding_pairs,
    per_axis,
)
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import int_types

__all__ = ["BaseConvLayer", "fitted"]

_WORDS = ("valid", "full", "same", "causal")


class BaseConvLayer(Layer):
    """Base of all convolution layers; see :class:`lasagne_next.layers.Conv2DLayer`.

    A subclass implements ``convolve``.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...).
    num_filters, filter_size, stride, pad, untie_biases, W, b, nonlinearity
        See :class:`lasagne_next.layers.Conv2DLayer`.
    flip_filters, num_groups, dilation
        Likewise.
    n : int, optional
        Number of axes of positions, by default those of the input.
    **kwargs
        `name`.

    Examples
    --------
    >>> from lasagne_next.layers.conv import BaseConvLayer
    >>> BaseConvLayer((None, 3, 9, 7), num_filters=5, filter_size=2).get_W_shape()
    (5, 3, 2, 2)
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=1,
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        num_groups=1,
        n=None,
        dilation=1,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self.n = len(self.input_shape) - 2 if n is None else n
        self._check_input(self.n)
        who = describe(self)
        self.num_filters = num_filters
        self.filter_size = per_axis(filter_size, self.n, "filter_size", 1, who)
        self.flip_filters = flip_filters
        self.stride = per_axis(stride, self.n, "stride", 1, who)
        self.dilation = per_axis(dilation, self.n, "dilation", 1, who)
        self.num_groups = num_groups
        self.untie_biases = untie_biases
        self._read_padding(pad)
        self._check_groups()
        self._check_output()
        self._add_weights(W)
        self.b = b
        if b is not None:
            positions = self._positions_of_biases()
            shape = (self.num_filters, *positions)
            self.b = self.add_param(b, shape, name="b", regularizable=False)

    def _check_input(self, n):
        check_axes(self, self.input_shape, n)
        if not 1 <= n <= 3:
            raise ValueError(
                f"{describe(self)}: the input must have one to three axes of positions "
                f"after (batch, channels), got input shape {self.input_shape}."
            )
        if self.input_shape[1] is None:
            raise TypeError(
                f"{describe(self)}: the number of channels must be known, got input "
                f"shape {self.input_shape}. Declare it in the InputLayer."
            )

    def _read_padding(self, pad, argument="pad"):
        """Store the padding as given and, for own use, as pairs."""
        who = describe(self)
        if isinstance(pad, str) and pad not in _WORDS:
            raise TypeError(
                f"{who}: {argument} must be an integer, an iterable of int or of pairs "
                f"of them, or one of {_WORDS}, got {pad!r}."
            )
        self._pairs = padding_pairs(pad, self.filter_size, self.dilation, argument, who)
        stored = pad
        if not isinstance(pad, str) or pad == "valid":
            stored = self._pairs
            if all(before == after for before, after in stored):
                stored = tuple(before for before, _ in stored)
        setattr(self, argument, stored)

    def _check_groups(self):
        groups, channels = self.num_groups, self.input_shape[1]
        for name in ("num_filters", "num_groups"):
            value = getattr(self, name)
            if not isinstance(value, int_types):
                raise TypeError(
                    f"{describe(self)}: {name} must be an integer, got {value!r}."
                )
            if value < 1:
                raise ValueError(
                    f"{describe(self)}: {name} must be positive, got {value}."
                )
        if self.num_filters % groups or channels % groups:
            raise ValueError(
                f"{describe(self)}: num_groups must evenly divide the numbers of "
                f"filters and channels, got {groups} groups for {self.num_filters} "
                f"filters and {channels} channels."
            )

    def _check_output(self):
        shape = self.output_shape
        if any(size is not None and size < 1 for size in shape):
            raise ValueError(
                f"{describe(self)}: the filters must not be larger than the padded "
                f"input, got filter_size {self.filter_size}, dilation {self.dilation} "
                f"and padding {self._pairs} for input shape {self.input_shape}, which "
                f"would leave {shape[2:]} positions. Reduce the filters, or pad more."
            )

    def _add_weights(self, W):
        self.W = self.add_param(fitted(W, *self._fans()), self.get_W_shape(), name="W")

    def _positions_of_biases(self):
        if not self.untie_biases:
            return ()
        positions = self.output_shape[2:]
        if None in positions:
            raise ValueError(
                f"{describe(self)}: untie_biases needs known sizes after axis 1, got "
                f"input shape {self.input_shape}. Declare them in the InputLayer."
            )
        return positions

    def _fans(self):
        """Return how many inputs an output sees, and outputs an input reaches."""
        field = math.prod(self.filter_size)
        inputs = self.input_shape[1] // self.num_groups
        return inputs * field, self.num_filters // self.num_groups * field

    def get_W_shape(self):
        """Return the shape of W, (filters, channels of a group, sizes...)."""
        channels = self.input_shape[1] // self.num_groups
        return (self.num_filters, channels, *self.filter_size)

    def get_output_shape_for(self, input_shape):
        """Count the places of the filters along each axis of positions."""
        check_axes(self, input_shape, self.n)
        sizes = map(
            convolved_size,
            input_shape[2:],
            map(extent, self.filter_size, self.dilation),
            self.stride,
            self._pairs,
        )
        return (input_shape[0], self.num_filters, *sizes)

    def get_output_for(self, input, structured=True, **kwargs):
        """Return ``nonlinearity(convolve(input) + b)``.

        The convolution uses the structure of W
        (:func:`lasagne_next.expressions.convolve`), unless the keyword `structured` is
        False.
        """
        # (batch, filters, positions...)
        activation = self.convolve(input, structured=structured, **kwargs)
        if self.b is not None:
            sizes = (self.num_filters, *[None] * (self.b.ndim - 1))
            b = declare_unit_axes(self.b, sizes)
            missing = activation.ndim - 1 - b.ndim
            activation = activation + b.dimshuffle(
                "x", *range(b.ndim), *["x"] * missing
            )
        return self.nonlinearity(activation)

    def convolve(self, input, **kwargs):
        """Convolve the input with W; a subclass implements it.

        Parameters
        ----------
        input : TensorVariable, SHAPE (batch, channels, positions...)
            Of the shape of the input.
        **kwargs
            All keywords of :func:`lasagne_next.layers.get_output`.

        Returns
        -------
        TensorVariable, SHAPE (batch, filters, positions...)
            Without biases.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define convolve(input, **kwargs)."
        )


def fitted(spec, fan_in, fan_out):
    """Tell an initialiser the numbers of inputs and outputs that its shape hides."""
    with_fans = getattr(type(spec), "with_fans", None)
    return spec if with_fans is None else spec.with_fans(fan_in, fan_out)
