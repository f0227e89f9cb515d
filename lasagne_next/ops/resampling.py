"""More positions of the same numbers: repeated, spread out, interpolated."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.shuffling import check_factors
from lasagne_next.utils import nearest

__all__ = [
    "Upsampling",
    "UpsamplingGradient",
    "check_upsampling",
    "upsample",
]

_MODES = ("repeat", "dilate", "linear")


def upsample(x, factor, mode="repeat"):
    r"""Multiply the number of positions along the trailing axes.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        Of any type of numbers; of float32 or float64 for 'linear'.
    factor : int or tuple of int
        One number for all axes of positions, or one each.
    mode : {'repeat', 'dilate', 'linear'}, default 'repeat'
        'repeat' takes the nearest element, 'dilate' puts each element at the start of
        its block and zeros elsewhere, 'linear' interpolates along one axis after the
        other (bilinear in two dimensions).

    Returns
    -------
    TensorVariable, SHAPE (batch, channels, factor * positions...)
        Of the type of `x`.

    Raises
    ------
    TypeError
        If `x` has not these axes or is not of these types, or a factor is no
        integer.
    ValueError
        If a factor is less than 1, there are too many, or the mode is unknown.

    Notes
    -----
    For 'linear', position o of the output lies at ``(o + 1/2) / factor - 1/2`` in the
    input, and beyond the outermost elements their value holds. PyTorch calls this
    ``align_corners=False``, and Keras and JAX compute the same.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import upsample
    >>> x = np.array([[[1.0, 2.0, 4.0]]])
    >>> for mode in ("repeat", "dilate", "linear"):
    ...     upsample(x, 2, mode).eval(mode="FAST_COMPILE")[0, 0].tolist()
    [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    [1.0, 0.0, 2.0, 0.0, 4.0, 0.0]
    [1.0, 1.25, 1.75, 2.5, 3.5, 4.0]
    """
    x = pt.as_tensor_variable(x)
    factors = check_upsampling("upsample", factor, mode, x.ndim - 2)
    if mode == "linear" and x.dtype not in ("float32", "float64"):
        raise TypeError(
            f"upsample: x must be float32 or float64 to be interpolated, got {x.type}."
        )
    for axis, each in enumerate(factors, start=2):
        if each > 1:
            x = Upsampling(axis, each, mode)(x)
    return x


def check_upsampling(who, factor, mode, ndim, name="factor"):
    """Return one factor an axis; errors begin with `who`."""
    factors = check_factors(who, factor, ndim, name)
    if mode not in _MODES:
        raise ValueError(
            f"{who}: mode must be one of {_MODES}, got {mode!r}."
            + nearest(mode, _MODES)
        )
    return factors


def _sources(length, factor, mode):
    """Return which elements make each output, and their weights: two (taps, outputs).

    An element of weight 0 takes no part, whatever it is.
    """
    positions = np.arange(length * factor)
    if mode != "linear":
        weights = np.ones(len(positions))
        if mode == "dilate":
            weights = (positions % factor == 0).astype("float64")
        return (positions // factor)[None], weights[None]
    place = (positions + 0.5) / factor - 0.5
    lower = np.floor(place).astype("int64")
    upper_weight = place - lower
    indices = np.clip(np.stack([lower, lower + 1]), 0, max(length - 1, 0))
    return indices, np.stack([1 - upper_weight, upper_weight])


class _Upsampling(Op):
    """Base: the axis, its factor, and how elements are put together."""

    __props__ = ("axis", "factor", "mode")

    def __init__(self, axis, factor, mode):
        self.axis = axis
        self.factor = factor
        self.mode = mode

    def sources(self, length, dtype):
        """Return indices and weights, SHAPE (taps, outputs) each."""
        indices, weights = _sources(length, self.factor, self.mode)
        return indices, weights.astype(dtype)

    def _resized(self, shape, resize):
        shape = list(shape)
        if shape[self.axis] is not None:
            shape[self.axis] = resize(shape[self.axis])
        return tuple(shape)


class Upsampling(_Upsampling):
    """More positions along one axis; see :func:`upsample`.

    Parameters
    ----------
    axis : int
        Which axis.
    factor : int
        By how much its size is multiplied.
    mode : {'repeat', 'dilate', 'linear'}
        How.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import upsample
    >>> upsample(pt.tensor("x", shape=(None, 3, 8, 6)), (2, 3)).type.shape
    (None, 3, 16, 18)
    """

    def make_node(self, x):
        """Multiply the size."""
        shape = self._resized(x.type.shape, lambda size: size * self.factor)
        return Apply(self, [x], [tensor(dtype=x.dtype, shape=shape)])

    def perform(self, node, inputs, output_storage):
        """Add the elements that make each output."""
        x = np.moveaxis(inputs[0], self.axis, -1)
        out = np.zeros((*x.shape[:-1], x.shape[-1] * self.factor), x.dtype)
        for index, weight in zip(*self.sources(x.shape[-1], x.dtype), strict=True):
            used = weight != 0
            out[..., used] += x[..., index[used]] * weight[used]
        output_storage[0][0] = np.ascontiguousarray(np.moveaxis(out, -1, self.axis))

    def infer_shape(self, *node_and_shapes):
        """Multiply the size."""
        (shape,) = node_and_shapes[-1]
        return [self._resized(shape, lambda size: size * self.factor)]

    def pullback(self, inputs, outputs, cotangents):
        """Collect what was made of each element."""
        return [UpsamplingGradient(self.axis, self.factor, self.mode)(*cotangents)]


class UpsamplingGradient(_Upsampling):
    """The adjoint of :class:`Upsampling`: the sum of what was made of each element."""

    def make_node(self, y):
        """Divide the size."""
        shape = self._resized(y.type.shape, lambda size: size // self.factor)
        return Apply(self, [y], [tensor(dtype=y.dtype, shape=shape)])

    def perform(self, node, inputs, output_storage):
        """Add the outputs to the elements that made them."""
        y = np.moveaxis(inputs[0], self.axis, -1)
        out = np.zeros((*y.shape[:-1], y.shape[-1] // self.factor), y.dtype)
        for index, weight in zip(*self.sources(out.shape[-1], y.dtype), strict=True):
            used = weight != 0
            np.add.at(out, (..., index[used]), y[..., used] * weight[used])
        output_storage[0][0] = np.ascontiguousarray(np.moveaxis(out, -1, self.axis))

    def infer_shape(self, *node_and_shapes):
        """Divide the size."""
        (shape,) = node_and_shapes[-1]
        return [self._resized(shape, lambda size: size // self.factor)]

    def pullback(self, inputs, outputs, cotangents):
        """Upsample again."""
        return [Upsampling(self.axis, self.factor, self.mode)(*cotangents)]
