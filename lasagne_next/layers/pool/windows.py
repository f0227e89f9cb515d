"""The largest or average element of windows, as layers."""

from __future__ import annotations

from lasagne_next import ops
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.positions import check_axes
from lasagne_next.ops.pooling import check_mode
from lasagne_next.ops.windows import make_windows

__all__ = [
    "MaxPool1DLayer",
    "MaxPool2DLayer",
    "MaxPool3DLayer",
    "Pool1DLayer",
    "Pool2DLayer",
    "Pool3DLayer",
    "pool_2d",
    "pool_3d",
    "pool_output_length",
]


def pool_output_length(input_length, pool_size, stride, pad, ignore_border):
    """Count the windows along an axis.

    Parameters
    ----------
    input_length : int or None
        Size of the axis.
    pool_size, stride : int or None, int
        Size of the windows and distance of neighbours.
    pad : int or pair of int
        Padding at both ends, or (before, after).
    ignore_border : bool
        Whether windows that end beyond the padding are left out.

    Returns
    -------
    int or None
        None if one of the sizes is.

    Examples
    --------
    >>> from lasagne_next.layers.pool import pool_output_length
    >>> [pool_output_length(4, 3, 2, 0, ignore) for ignore in (True, False)]
    [1, 2]
    """
    if input_length is None or pool_size is None:
        return None
    windows = make_windows(
        "pool_output_length", pool_size, stride, (pad,), 1, ignore_border, 1
    )
    return windows.count((input_length,))[0]


def pool_2d(input, ws, ignore_border=True, stride=None, pad=(0, 0), mode="max"):
    """Pool over the last two axes, called as in Theano.

    Parameters
    ----------
    input : TensorVariable, SHAPE (batch, channels, rows, columns)
        Of float32 or float64.
    ws : int or pair of int
        Size of the windows.
    ignore_border, stride, pad, mode
        See :func:`lasagne_next.ops.pool`.

    Returns
    -------
    TensorVariable, SHAPE (batch, channels, windows, windows)
        Of the type of `input`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers.pool import pool_2d
    >>> pool_2d(pt.tensor(shape=(None, 3, 7, 5)), (2, 3)).type.shape
    (None, 3, 3, 1)
    """
    return ops.pool(input, ws, stride, pad, 1, ignore_border, mode)


def pool_3d(input, ws, ignore_border=True, stride=None, pad=(0, 0, 0), mode="max"):
    """Pool over the last three axes, called as in Theano.

    Parameters
    ----------
    input : TensorVariable, SHAPE (batch, channels, depth, rows, columns)
        Of float32 or float64.
    ws : int or three ints
        Size of the windows.
    ignore_border, stride, pad, mode
        See :func:`lasagne_next.ops.pool`.

    Returns
    -------
    TensorVariable, SHAPE (batch, channels, windows, windows, windows)
        Of the type of `input`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers.pool import pool_3d
    >>> pool_3d(pt.tensor(shape=(None, 3, 7, 5, 4)), (2, 3, 4)).type.shape
    (None, 3, 3, 1, 1)
    """
    return ops.pool(input, ws, stride, pad, 1, ignore_border, mode)


class _BasePoolLayer(Layer):
    """Base of all pooling layers: the windows and how they are reduced."""

    n = None  # number of axes of positions

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=0,
        ignore_border=True,
        mode="max",
        dilation=1,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        who = describe(self)
        check_axes(self, self.input_shape, self.n)
        check_mode(who, mode)
        windows = make_windows(
            who, pool_size, stride, pad, dilation, ignore_border, self.n, "pool_size"
        )
        windows.check(who, self.input_shape[2:])
        self.pool_size = windows.size
        self.stride = windows.stride
        self.pad = windows.pad
        if all(before == after for before, after in windows.pad):
            self.pad = tuple(before for before, _ in windows.pad)
        self.ignore_border = ignore_border
        self.mode = mode
        self.dilation = windows.dilation

    def get_output_shape_for(self, input_shape):
        """Count the windows along each axis of positions."""
        check_axes(self, input_shape, self.n)
        windows = make_windows(
            describe(self),
            self.pool_size,
            self.stride,
            self.pad,
            self.dilation,
            self.ignore_border,
            self.n,
        )
        return (*input_shape[:2], *windows.count(input_shape[2:]))

    def get_output_for(self, input, **kwargs):
        """Return one number a window, SHAPE (batch, channels, windows...)."""
        return ops.pool(
            input,
            self.pool_size,
            self.stride,
            self.pad,
            self.dilation,
            self.ignore_border,
            self.mode,
        )


class Pool1DLayer(_BasePoolLayer):
    r"""Reduce windows of a sequence to their largest or average element.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions).
    pool_size : int
        Size of the windows.
    stride : int, optional
        Distance of neighbouring windows; by default `pool_size`, so that they touch.
    pad : int, pair of int in a tuple, or str, default 0
        Padding at both ends, or ((before, after),); less than the extent of a window.
        'same' keeps the size where `stride` is 1.
    ignore_border : bool, default True
        Whether windows that end beyond the padding are left out.
    mode : {'max', 'average_inc_pad', 'average_exc_pad'}, default 'max'
        Averages may count the padding as zeros, or only elements of the input.
    dilation : int, default 1
        Distance of neighbouring elements of a window.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the input has another number of axes, no window fits into it, the mode is
        unknown, or a number is too small.
    TypeError
        If a number is no integer.

    Notes
    -----
    For the gradient of equal elements and the windows at the border see
    :func:`lasagne_next.ops.pool`. Unknown sizes are allowed. In Lasagne, padding needs
    ``ignore_border=True``; here both may be given.

    Examples
    --------
    >>> from lasagne_next.layers import Pool1DLayer
    >>> Pool1DLayer((None, 3, 20), pool_size=4, mode="average_exc_pad").output_shape
    (None, 3, 5)
    """

    n = 1


class Pool2DLayer(_BasePoolLayer):
    """Reduce windows of an image to their largest or average element.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    pool_size : int or pair of int
        Size of the windows.
    stride : int or pair of int, optional
        Distance of neighbouring windows; by default `pool_size`.
    pad : int, two ints or pairs, or str, default (0, 0)
        Padding of each axis at both ends, or (before, after).
    ignore_border, mode, dilation
        See :class:`Pool1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Pool1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Pool2DLayer
    >>> Pool2DLayer((None, 3, 7, 9), (3, 2), stride=2).output_shape
    (None, 3, 3, 4)
    >>> Pool2DLayer((None, 3, 7, 9), 3, stride=2, ignore_border=False).output_shape
    (None, 3, 3, 4)
    """

    n = 2

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=(0, 0),
        ignore_border=True,
        mode="max",
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming, pool_size, stride, pad, ignore_border, mode, dilation, **kwargs
        )


class Pool3DLayer(_BasePoolLayer):
    """Reduce windows of a volume to their largest or average element.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, depth, rows, columns).
    pool_size : int or three ints
        Size of the windows.
    stride : int or three ints, optional
        Distance of neighbouring windows; by default `pool_size`.
    pad : int, three ints or pairs, or str, default (0, 0, 0)
        Padding of each axis at both ends, or (before, after).
    ignore_border, mode, dilation
        See :class:`Pool1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Pool1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import Pool3DLayer
    >>> Pool3DLayer((None, 3, 8, 7, 9), 2).output_shape
    (None, 3, 4, 3, 4)
    """

    n = 3

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=(0, 0, 0),
        ignore_border=True,
        mode="max",
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming, pool_size, stride, pad, ignore_border, mode, dilation, **kwargs
        )


class MaxPool1DLayer(Pool1DLayer):
    """Reduce windows of a sequence to their largest element.

    Parameters
    ----------
    incoming, pool_size, stride, pad, ignore_border, dilation
        See :class:`Pool1DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Pool1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import MaxPool1DLayer
    >>> MaxPool1DLayer((None, 3, 20), pool_size=4, stride=2).output_shape
    (None, 3, 9)
    """

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=0,
        ignore_border=True,
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming, pool_size, stride, pad, ignore_border, "max", dilation, **kwargs
        )


class MaxPool2DLayer(Pool2DLayer):
    """Reduce windows of an image to their largest element.

    Parameters
    ----------
    incoming, pool_size, stride, pad, ignore_border, dilation
        See :class:`Pool2DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Pool1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import MaxPool2DLayer
    >>> MaxPool2DLayer((None, 3, 28, 28), pool_size=2).output_shape
    (None, 3, 14, 14)
    """

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=(0, 0),
        ignore_border=True,
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming, pool_size, stride, pad, ignore_border, "max", dilation, **kwargs
        )


class MaxPool3DLayer(Pool3DLayer):
    """Reduce windows of a volume to their largest element.

    Parameters
    ----------
    incoming, pool_size, stride, pad, ignore_border, dilation
        See :class:`Pool3DLayer`.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`Pool1DLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import MaxPool3DLayer
    >>> MaxPool3DLayer((None, 3, 8, 6, 4), pool_size=(4, 3, 2)).output_shape
    (None, 3, 2, 2, 2)
    """

    def __init__(
        self,
        incoming,
        pool_size,
        stride=None,
        pad=(0, 0, 0),
        ignore_border=True,
        dilation=1,
        **kwargs,
    ):
        super().__init__(
            incoming, pool_size, stride, pad, ignore_border, "max", dilation, **kwargs
        )
