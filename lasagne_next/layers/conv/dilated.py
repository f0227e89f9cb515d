"""Convolutions with holes, in the form that Lasagne had for them."""

from __future__ import annotations

from lasagne_next import expressions, init, nonlinearities
from lasagne_next.layers.base import describe
from lasagne_next.layers.conv.base import BaseConvLayer
from lasagne_next.params import declare_unit_axes

__all__ = ["DilatedConv2DLayer"]


class DilatedConv2DLayer(BaseConvLayer):
    """A cross-correlation of images with dilated filters, channels first.

    For everything else there is the argument `dilation` of :class:`Conv2DLayer`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns); the number of channels must be known.
    num_filters : int
        Number of filters, the channels of the output.
    filter_size : int or pair of int
        Size of the filters.
    dilation : int or pair of int, default (1, 1)
        Distance of the inputs that a filter covers.
    pad : int, default 0
        0 or 'valid', nothing else.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (channels, num_filters, rows, columns)
        The filters, with the channels of the *input* first.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, rows, columns) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default False
        False, nothing else.
    **kwargs
        `name`.

    Raises
    ------
    NotImplementedError
        For padding, and for flipped filters.
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    References
    ----------
    Fisher Yu and Vladlen Koltun (2016): Multi-scale context aggregation by dilated
    convolutions, section 2. https://arxiv.org/abs/1511.07122

    Examples
    --------
    >>> from lasagne_next.layers import DilatedConv2DLayer
    >>> layer = DilatedConv2DLayer((None, 3, 28, 28), 8, filter_size=3, dilation=4)
    >>> layer.output_shape, layer.W.type.shape
    ((None, 8, 20, 20), (3, 8, 3, 3))
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        dilation=(1, 1),
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        **kwargs,
    ):
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            1,
            pad,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            n=2,
            dilation=dilation,
            **kwargs,
        )

    def _check_output(self):
        instead = "Use Conv2DLayer(..., dilation=...), whose W has the filters first."
        if self.pad != (0, 0):
            raise NotImplementedError(
                f"{describe(self)} requires pad=0 / (0, 0) / 'valid', got "
                f"{self.pad!r}. {instead}"
            )
        if self.flip_filters:
            raise NotImplementedError(
                f"{describe(self)} requires flip_filters=False, got True. {instead}"
            )
        if self.num_groups != 1:
            raise NotImplementedError(
                f"{describe(self)} requires num_groups=1, got {self.num_groups}. "
                + instead
            )
        super()._check_output()

    def get_W_shape(self):
        """Return the shape of W, (channels, filters, sizes...)."""
        return (self.input_shape[1], self.num_filters, *self.filter_size)

    def convolve(self, input, structured=True, **kwargs):
        """Correlate with W, SHAPE (batch, filters, rows, columns)."""
        W = declare_unit_axes(self.W, self.get_W_shape()).dimshuffle(1, 0, 2, 3)
        return expressions.convolve(
            input,
            W,
            dilation=self.dilation,
            flip_filters=False,
            structured=structured,
        )
