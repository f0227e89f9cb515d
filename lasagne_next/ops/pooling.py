"""The largest or the average element of windows, in one to three dimensions."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.windows import make_windows
from lasagne_next.utils import nearest

__all__ = [
    "AveragePool",
    "AveragePoolGradient",
    "MaxPool",
    "MaxPoolGradient",
    "MaxPoolSelection",
    "check_mode",
    "pool",
]

_DTYPES = ("float32", "float64")
_MODES = ("max", "average_inc_pad", "average_exc_pad")


def pool(
    x,
    window,
    stride=None,
    pad=0,
    dilation=1,
    ignore_border=True,
    mode="max",
):
    r"""Reduce windows that slide over the trailing axes to one number each.

    Output o along an axis is the largest or the average element of
    ``x[o * stride - before + k * dilation]`` over k = 0, ..., window - 1.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        Of float32 or float64, with one to three axes of positions.
    window : int or tuple of int
        Size of the windows, one number for all axes of positions or one each.
    stride : int or tuple of int, optional
        Distance of neighbouring windows; by default `window`, so that they just touch.
    pad : int, tuple of int or pairs, or str, default 0
        How much to pad axes at both ends, or (before, after); less than the extent of
        a window. 'same' keeps sizes where `stride` is 1, 'full' pads with all that is
        possible, 'valid' with nothing.
    dilation : int or tuple of int, default 1
        Distance of neighbouring elements of a window, whose extent along an axis is
        ``(window - 1) * dilation + 1``.
    ignore_border : bool, default True
        Whether windows that end beyond the padding are left out. Otherwise all windows
        count that begin in the input, or in the padding before it.
    mode : {'max', 'average_inc_pad', 'average_exc_pad'}, default 'max'
        Averages may count the padding as zeros, or only elements of the input.

    Returns
    -------
    TensorVariable, SHAPE (batch, channels, windows...)
        Of the type of `x`. Along an axis of size n there are
        ``floor((n + before + after - extent) / stride) + 1`` windows; the quotient is
        rounded up if borders count.

    Raises
    ------
    TypeError
        If `x` has not these axes or is not of these types, or a number is no integer.
    ValueError
        If numbers are too small or too many, the padding is not smaller than the
        extent of the windows, no window fits into a known size, or the mode is unknown.

    Notes
    -----
    Padding never is the largest element. Where several elements of a window are equally
    large, *each of them* receives the gradient of the output, on every backend. This
    follows Theano; PyTorch and JAX choose the first. If one is not a number, neither is
    the output, and no element receives its gradient.

    A window that ends beyond the padding is averaged over its part within. If dilated
    windows can miss the whole input, their maximum is minus infinity, their average 0.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import pool
    >>> x = np.arange(10.0).reshape(1, 1, 2, 5)
    >>> pool(x, 2).eval(mode="FAST_COMPILE").tolist()
    [[[[6.0, 8.0]]]]
    >>> pool(x, 2, ignore_border=False).type.shape
    (1, 1, 1, 3)
    """
    x = pt.as_tensor_variable(x)
    ndim = _count_axes(x)
    windows = make_windows("pool", window, stride, pad, dilation, ignore_border, ndim)
    check_mode("pool", mode)
    if mode == "max":
        return MaxPool(windows)(x)
    return AveragePool(windows, mode == "average_inc_pad")(x)


def check_mode(who, mode):
    """Raise ValueError unless there is such a way to pool."""
    if mode not in _MODES:
        raise ValueError(
            f"{who}: mode must be one of {_MODES}, got {mode!r}."
            + nearest(mode, _MODES)
        )


def _count_axes(x):
    if x.ndim not in (3, 4, 5) or x.dtype not in _DTYPES:
        raise TypeError(
            "pool: x must be float32 or float64 and have the axes (batch, channels) "
            f"and one to three more, got {x.type}. Cast or reshape it first."
        )
    return x.ndim - 2


class _Pooling(Op):
    """Base of the operations: their windows, and the shapes that follow."""

    __props__ = ("windows",)

    def __init__(self, windows):
        self.windows = windows

    def _pooled(self, x):
        """Return the type of one number a window of x, SHAPE (batch, channels, ...)."""
        lengths = x.type.shape[2:]
        counts = self.windows.check(type(self).__name__, lengths)
        return tensor(dtype=x.dtype, shape=(*x.type.shape[:2], *counts))

    def _pooled_shape(self, shape):
        return (*shape[:2], *self.windows.count(shape[2:]))

    def _padded(self, x, value, counts):
        """Return x within padding, and how it is cut out again."""
        lengths = x.shape[2:]
        pairs = self.windows.paddings(lengths, counts)
        padded = np.pad(x, [(0, 0), (0, 0), *pairs], constant_values=value)
        inner = tuple(
            slice(before, before + length)
            for (before, _), length in zip(pairs, lengths, strict=True)
        )
        return padded, (..., *inner)

    def _taps(self, counts):
        return [(..., *each) for each in self.windows.taps(counts)]


class MaxPool(_Pooling):
    """The largest element of each window; see :func:`pool`.

    Parameters
    ----------
    windows : Windows
        Where the windows lie.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import pool
    >>> pool(pt.tensor("x", shape=(None, 3, 8, 6)), (2, 3)).type.shape
    (None, 3, 4, 2)
    """

    def make_node(self, x):
        """Infer the number of windows."""
        return Apply(self, [x], [self._pooled(x)])

    def perform(self, node, inputs, output_storage):
        """Compare slices of the padded input, one for each position of a window."""
        (x,) = inputs
        counts = self.windows.count(x.shape[2:])
        out = np.full((*x.shape[:2], *counts), -np.inf, x.dtype)
        if out.size:
            padded, _ = self._padded(x, -np.inf, counts)
            for tap in self._taps(counts):
                np.maximum(out, padded[tap], out=out)
        output_storage[0][0] = out

    def infer_shape(self, *node_and_shapes):
        """Return (batch, channels, windows...)."""
        return [self._pooled_shape(node_and_shapes[-1][0])]

    def pullback(self, inputs, outputs, cotangents):
        """Give the gradient of each output to all largest elements of its window."""
        return [MaxPoolGradient(self.windows)(*inputs, *outputs, *cotangents)]


class _OfLargest(_Pooling):
    """Base of what moves values between windows and their largest elements."""

    def connection_pattern(self, node):
        """Which elements are the largest does not change with them."""
        return [[False], [False], [True]]

    def _pull(self, values):
        return [disconnected_type(), disconnected_type(), values]


class MaxPoolGradient(_OfLargest):
    """The sum over windows of values at their largest elements.

    Takes x, its pooled values, and values in the shape of these; returns the shape of
    x.
    """

    def make_node(self, x, pooled, values):
        """Return what has the shape of x."""
        return Apply(self, [x, pooled, values], [x.type.clone(dtype=values.dtype)()])

    def perform(self, node, inputs, output_storage):
        """Add to slices of the padded input, one for each position of a window."""
        x, pooled, values = inputs
        counts = pooled.shape[2:]
        out = np.zeros(x.shape, values.dtype)
        if values.size:
            padded, inner = self._padded(x, -np.inf, counts)
            summed = np.zeros(padded.shape, values.dtype)
            for tap in self._taps(counts):
                summed[tap] += np.where(padded[tap] == pooled, values, 0)
            out = np.ascontiguousarray(summed[inner])
        output_storage[0][0] = out

    def infer_shape(self, *node_and_shapes):
        """Return the shape of x."""
        return [node_and_shapes[-1][0]]

    def pullback(self, inputs, outputs, cotangents):
        """Collect from the largest elements."""
        x, pooled, _ = inputs
        values = MaxPoolSelection(self.windows)(x, pooled, *cotangents)
        return self._pull(values)


class MaxPoolSelection(_OfLargest):
    """The sum of values at the largest elements of each window.

    Takes x, its pooled values, and values in the shape of x; returns the shape of the
    pooled ones.
    """

    def make_node(self, x, pooled, values):
        """Return what has the shape of the pooled values."""
        out = pooled.type.clone(dtype=values.dtype)()
        return Apply(self, [x, pooled, values], [out])

    def perform(self, node, inputs, output_storage):
        """Add slices of the padded values, one for each position of a window."""
        x, pooled, values = inputs
        counts = pooled.shape[2:]
        out = np.zeros(pooled.shape, values.dtype)
        if out.size:
            padded, _ = self._padded(x, -np.inf, counts)
            values, _ = self._padded(values, 0, counts)
            for tap in self._taps(counts):
                out += np.where(padded[tap] == pooled, values[tap], 0)
        output_storage[0][0] = out

    def infer_shape(self, *node_and_shapes):
        """Return the shape of the pooled values."""
        return [node_and_shapes[-1][1]]

    def pullback(self, inputs, outputs, cotangents):
        """Give each value back to the largest elements."""
        x, pooled, _ = inputs
        gradient = MaxPoolGradient(self.windows)
        return self._pull(gradient(x, pooled, *cotangents))


class _Averaging(_Pooling):
    """Base of averages: what each window is divided by."""

    __props__ = ("windows", "count_padding")

    def __init__(self, windows, count_padding):
        super().__init__(windows)
        self.count_padding = count_padding

    def divisors(self, lengths, counts, dtype):
        """Return how many elements each window averages, SHAPE (windows...)."""
        populations = self.windows.populations(lengths, counts, self.count_padding)
        return functools.reduce(np.multiply.outer, populations).astype(dtype)


class AveragePool(_Averaging):
    """The average of each window; see :func:`pool`.

    Parameters
    ----------
    windows : Windows
        Where the windows lie.
    count_padding : bool
        Whether elements of the padding count.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import pool
    >>> x = np.arange(4.0).reshape(1, 1, 4)
    >>> for mode in ("average_inc_pad", "average_exc_pad"):
    ...     pool(x, 2, pad=(1,), mode=mode).eval(mode="FAST_COMPILE").tolist()
    [[[0.0, 1.5, 1.5]]]
    [[[0.0, 1.5, 3.0]]]
    """

    def make_node(self, x):
        """Infer the number of windows."""
        return Apply(self, [x], [self._pooled(x)])

    def perform(self, node, inputs, output_storage):
        """Add slices of the padded input, one for each position of a window."""
        (x,) = inputs
        counts = self.windows.count(x.shape[2:])
        out = np.zeros((*x.shape[:2], *counts), x.dtype)
        if out.size:
            padded, _ = self._padded(x, 0, counts)
            for tap in self._taps(counts):
                out += padded[tap]
            out /= self.divisors(x.shape[2:], counts, x.dtype)
        output_storage[0][0] = out

    def infer_shape(self, *node_and_shapes):
        """Return (batch, channels, windows...)."""
        return [self._pooled_shape(node_and_shapes[-1][0])]

    def pullback(self, inputs, outputs, cotangents):
        """Share the gradient of each output among the elements of its window."""
        gradient = AveragePoolGradient(self.windows, self.count_padding)
        return [gradient(*inputs, *cotangents)]


class AveragePoolGradient(_Averaging):
    """The sum over windows of values shared among their elements.

    Takes x, of which only the shape matters, and one value a window; returns the shape
    of x.
    """

    def make_node(self, x, values):
        """Return what has the shape of x."""
        shape = (*values.type.shape[:2], *x.type.shape[2:])
        return Apply(self, [x, values], [tensor(dtype=values.dtype, shape=shape)])

    def perform(self, node, inputs, output_storage):
        """Add to slices of the padded input, one for each position of a window."""
        x, values = inputs
        counts = values.shape[2:]
        out = np.zeros(x.shape, values.dtype)
        if values.size:
            padded, inner = self._padded(out, 0, counts)
            shares = values / self.divisors(x.shape[2:], counts, values.dtype)
            for tap in self._taps(counts):
                padded[tap] += shares
            out = np.ascontiguousarray(padded[inner])
        output_storage[0][0] = out

    def infer_shape(self, *node_and_shapes):
        """Return the shape of x."""
        return [node_and_shapes[-1][0]]

    def connection_pattern(self, node):
        """Of x only the shape is read."""
        return [[False], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Average again."""
        average = AveragePool(self.windows, self.count_padding)
        return [disconnected_type(), average(*cotangents)]
