"""Convolutions of sequences, images and volumes."""

from __future__ import annotations

from lasagne_next import expressions, init, nonlinearities
from lasagne_next.layers.conv.base import BaseConvLayer
from lasagne_next.params import declare_unit_axes

__all__ = ["Conv1DLayer", "Conv2DLayer", "Conv3DLayer"]


class _PlainConvLayer(BaseConvLayer):
    """Base: our convolution, or the one that the user passes."""

    def __init__(self, *args, convolution=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.convolution = convolution

    def convolve(self, input, structured=True, **kwargs):
        """Convolve with W, SHAPE (batch, filters, positions...)."""
        W = declare_unit_axes(self.W, self.get_W_shape())
        if self.convolution is not None:
            return self._convolve_otherwise(input, W)
        return expressions.convolve(
            input,
            W,
            self.stride,
            self._pairs,
            self.dilation,
            self.num_groups,
            self.flip_filters,
            structured,
        )

    def _convolve_otherwise(self, input, W):
        further = {}
        if self.num_groups > 1:
            further["num_groups"] = self.num_groups
        if max(self.dilation) > 1:
            further["filter_dilation"] = self.dilation
        return self.convolution(
            input,
            W,
            self.input_shape,
            self.get_W_shape(),
            subsample=self.stride,
            border_mode="half" if self.pad == "same" else self.pad,
            filter_flip=self.flip_filters,
            **further,
        )


class Conv1DLayer(_PlainConvLayer):
    """A convolution of sequences, :math:`y = f(W * x + b)`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions); the number of channels must be known.
    num_filters : int
        Number of filters, the channels of the output.
    filter_size : int
        Size of the filters.
    stride : int, default 1
        Distance of the places of the filters.
    pad : int, pair in a tuple, or str, default 0
        Zeros at both ends, or ((before, after),), or a word: 'valid' (none), 'full'
        (wherever a filter touches the input), 'same' (as many outputs as inputs for
        stride 1; an odd zero comes at the end), 'causal' (no output sees later inputs).
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (num_filters, channels, filter_size)
        The filters; with groups, the channels of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, positions) if untied. Not regularizable.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    flip_filters : bool, default True
        Whether filters are flipped, as in a convolution, or not, as in the
        cross-correlation that PyTorch, Keras and JAX compute.
    convolution : callable, optional
        Used instead of :func:`lasagne_next.expressions.convolve`. Called as
        ``convolution(input, W, input_shape, W_shape, subsample=, border_mode=,
        filter_flip=)``, with ``num_groups=`` and ``filter_dilation=`` where these are
        not 1; `border_mode` is 'half' for 'same'.
    num_groups : int, default 1
        In how many groups channels and filters are taken; a filter sees the channels
        of its group.
    dilation : int, default 1
        Distance of the inputs that a filter covers.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the input has another number of axes, an argument is impossible, or no filter
        fits into a known size.
    TypeError
        If the number of channels is unknown, or a number is no integer.

    Notes
    -----
    Glorot and He initialisers count the channels of a group. Sizes may be unknown, but
    for that of the channels.

    Examples
    --------
    >>> from lasagne_next.layers import Conv1DLayer
    >>> layer = Conv1DLayer((None, 3, 100), 8, 2, pad="causal", dilation=4)
    >>> layer.output_shape, layer.W.type.shape
    ((None, 8, 100), (8, 3, 2))
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=1,
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        convolution=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
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
            num_groups,
            n=1,
            dilation=dilation,
            convolution=convolution,
            **kwargs,
        )


class Conv2DLayer(_PlainConvLayer):
    """A convolution of images, :math:`y = f(W * x + b)`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns); the number of channels must be known.
    num_filters : int
        Number of filters, the channels of the output.
    filter_size : int or pair of int
        Size of the filters.
    stride : int or pair of int, default (1, 1)
        Distance of the places of the filters.
    pad : int, two ints or pairs, or str, default 0
        Zeros at both ends of each axis, or (before, after), or a word: 'valid', 'full',
        'same', see :class:`Conv1DLayer`.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (num_filters, channels, rows, columns)
        The filters; with groups, the channels of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, rows, columns) if untied. Not regularizable.
    nonlinearity, flip_filters, convolution, num_groups, dilation
        See :class:`Conv1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Conv2DLayer
    >>> layer = Conv2DLayer((None, 3, 28, 28), num_filters=8, filter_size=5, stride=2)
    >>> layer.output_shape, layer.W.type.shape
    ((None, 8, 12, 12), (8, 3, 5, 5))
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1),
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        convolution=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
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
            num_groups,
            n=2,
            dilation=dilation,
            convolution=convolution,
            **kwargs,
        )


class Conv3DLayer(_PlainConvLayer):
    """A convolution of volumes, :math:`y = f(W * x + b)`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, depth, rows, columns).
    num_filters : int
        Number of filters, the channels of the output.
    filter_size : int or three ints
        Size of the filters.
    stride : int or three ints, default (1, 1, 1)
        Distance of the places of the filters.
    pad : int, three ints or pairs, or str, default 0
        See :class:`Conv2DLayer`.
    untie_biases : bool, default False
        Whether every position has biases of its own; sizes must be known then.
    W : parameter, default GlorotUniform(), SHAPE (num_filters, channels, sizes...)
        The filters; with groups, the channels of one group.
    b : parameter or None, default Constant(0), SHAPE (num_filters,)
        Biases, or (num_filters, positions...) if untied. Not regularizable.
    nonlinearity, flip_filters, convolution, num_groups, dilation
        See :class:`Conv1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Conv1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Conv3DLayer
    >>> Conv3DLayer((None, 3, 9, 8, 7), 5, filter_size=3, pad="same").output_shape
    (None, 5, 9, 8, 7)
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1, 1),
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=True,
        convolution=None,
        num_groups=1,
        dilation=1,
        **kwargs,
    ):
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
            num_groups,
            n=3,
            dilation=dilation,
            convolution=convolution,
            **kwargs,
        )
