"""Sizes before and after a convolution."""

from __future__ import annotations

from lasagne_next.ops.geometry import (
    convolved_size,
    extent,
    padding_pairs,
    transposed_size,
)

__all__ = ["conv_input_length", "conv_output_length"]


def conv_output_length(input_length, filter_size, stride, pad=0, dilation=1):
    """Count the positions after a convolution along one axis.

    Parameters
    ----------
    input_length : int or None
        Positions before.
    filter_size, stride : int
        Size of the filters and distance of their places.
    pad : int, pair of int or str, default 0
        As of :class:`lasagne_next.layers.Conv1DLayer`.
    dilation : int, default 1
        Distance of the positions that a filter covers.

    Returns
    -------
    int or None
        None if `input_length` is.

    Raises
    ------
    ValueError
        If there is no such padding.

    Examples
    --------
    >>> from lasagne_next.layers.conv import conv_output_length
    >>> [conv_output_length(13, 5, 3, pad) for pad in ("valid", "same", "full", 2)]
    [3, 5, 6, 5]
    """
    pair = _pair("conv_output_length", filter_size, pad, dilation)
    return convolved_size(input_length, extent(filter_size, dilation), stride, pair)


def conv_input_length(output_length, filter_size, stride, pad=0, dilation=1):
    """Return the smallest number of positions before a convolution along one axis.

    Parameters
    ----------
    output_length : int or None
        Positions after.
    filter_size, stride, pad, dilation
        See :func:`conv_output_length`.

    Returns
    -------
    int or None
        None if `output_length` is.

    Raises
    ------
    ValueError
        If there is no such padding.

    Examples
    --------
    >>> from lasagne_next.layers.conv import conv_input_length
    >>> [conv_input_length(3, 3, 2, pad) for pad in ("valid", "same", "full")]
    [7, 5, 3]
    """
    pair = _pair("conv_input_length", filter_size, pad, dilation)
    return transposed_size(output_length, extent(filter_size, dilation), stride, pair)


def _pair(who, filter_size, pad, dilation):
    pads = pad if isinstance(pad, str) else (pad,)
    try:
        return padding_pairs(pads, (filter_size,), (dilation,), "pad", who)[0]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: Invalid pad: {pad!r}. {error}") from error
