"""Positions made of channels, and channels of positions."""

from __future__ import annotations

import math

import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.geometry import per_axis

__all__ = [
    "PixelShuffle",
    "PixelUnshuffle",
    "check_factors",
    "pixel_shuffle",
    "pixel_unshuffle",
]


def pixel_shuffle(x, factor):
    r"""Make more positions of channels: each block of positions from one group of them.

    Output channel c at position i is channel ``c * factor + i % factor`` at position
    ``i // factor`` of the input, and in more dimensions with the offsets in a block
    counted row by row.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        The number of channels must be a multiple of the product of factors.
    factor : int or tuple of int
        One number for all axes of positions, or one each.

    Returns
    -------
    TensorVariable, SHAPE (batch, channels / product, factor * positions...)
        The same numbers in another order.

    Raises
    ------
    TypeError
        If `x` has not these axes, or a factor is no integer.
    ValueError
        If a factor is less than 1, or the number of channels does not fit.

    Notes
    -----
    The order is that of PyTorch's ``pixel_shuffle``. TensorFlow's ``depth_to_space``
    orders channels the other way round.

    References
    ----------
    Wenzhe Shi et al. (2016): Real-time single image and video super-resolution using an
    efficient sub-pixel convolutional neural network, equation 4.
    https://arxiv.org/abs/1609.05158

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import pixel_shuffle
    >>> x = np.arange(4.0).reshape(1, 4, 1, 1)
    >>> pixel_shuffle(x, 2).eval(mode="FAST_COMPILE").tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    x = pt.as_tensor_variable(x)
    return PixelShuffle(check_factors("pixel_shuffle", factor, x.ndim - 2))(x)


def pixel_unshuffle(x, factor):
    """Make channels of blocks of positions, the inverse of :func:`pixel_shuffle`.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        The sizes of positions must be multiples of the factors.
    factor : int or tuple of int
        One number for all axes of positions, or one each.

    Returns
    -------
    TensorVariable, SHAPE (batch, channels * product, positions / factor...)
        The same numbers in another order.

    Raises
    ------
    TypeError
        If `x` has not these axes, or a factor is no integer.
    ValueError
        If a factor is less than 1, or a known size is no multiple of it.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import pixel_unshuffle
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> pixel_unshuffle(x, 2).eval(mode="FAST_COMPILE").ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    x = pt.as_tensor_variable(x)
    return PixelUnshuffle(check_factors("pixel_unshuffle", factor, x.ndim - 2))(x)


def check_factors(who, factor, ndim, name="factor"):
    """Return one factor an axis of positions; errors begin with `who`."""
    if not 1 <= ndim <= 3:
        raise TypeError(
            f"{who}: the input must have the axes (batch, channels) and one to three "
            f"more, got {ndim + 2} axes."
        )
    return per_axis(factor, ndim, name, 1, who)


class _Shuffling(Op):
    """Base: the factors, and how sizes change."""

    __props__ = ("factors",)

    def __init__(self, factors):
        self.factors = factors

    def _shuffled(self, shape):
        """Return the shape with more positions."""
        batch, channels, *sizes = shape
        if channels is not None:
            channels = channels // math.prod(self.factors)
        return (batch, channels, *map(_times, sizes, self.factors))

    def _unshuffled(self, shape):
        """Return the shape with more channels."""
        batch, channels, *sizes = shape
        channels = _times(channels, math.prod(self.factors))
        return (batch, channels, *map(_divided, sizes, self.factors))


def _times(size, factor):
    return None if size is None else size * factor


def _divided(size, factor):
    return None if size is None else size // factor


class PixelShuffle(_Shuffling):
    """Positions made of channels; see :func:`pixel_shuffle`.

    Parameters
    ----------
    factors : tuple of int
        By how much each number of positions is multiplied.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import pixel_shuffle
    >>> pixel_shuffle(pt.tensor("x", shape=(None, 12, 8, 6)), (2, 3)).type.shape
    (None, 2, 16, 18)
    """

    def make_node(self, x):
        """Check the number of channels."""
        product = math.prod(self.factors)
        channels = x.type.shape[1]
        if channels is not None and channels % product:
            raise ValueError(
                "pixel_shuffle: the number of channels must be a multiple of "
                f"{product}, the product of the factors {self.factors}, got input "
                f"shape {x.type.shape}."
            )
        return Apply(
            self, [x], [tensor(dtype=x.dtype, shape=self._shuffled(x.type.shape))]
        )

    def perform(self, node, inputs, output_storage):
        """Let each factor follow the axis that it enlarges."""
        (x,) = inputs
        batch, channels, *sizes = self._shuffled(x.shape)
        ndim = len(self.factors)
        x = x.reshape((batch, channels, *self.factors, *x.shape[2:]))
        order = [axis for each in range(2, 2 + ndim) for axis in (each + ndim, each)]
        x = x.transpose((0, 1, *order))
        output_storage[0][0] = x.reshape((batch, channels, *sizes))

    def infer_shape(self, *node_and_shapes):
        """Return (batch, channels / product, factor * positions...)."""
        return [self._shuffled(*node_and_shapes[-1])]

    def pullback(self, inputs, outputs, cotangents):
        """Go back."""
        return [PixelUnshuffle(self.factors)(*cotangents)]


class PixelUnshuffle(_Shuffling):
    """Channels made of positions; see :func:`pixel_unshuffle`.

    Parameters
    ----------
    factors : tuple of int
        By how much each number of positions is divided.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import pixel_unshuffle
    >>> pixel_unshuffle(pt.tensor("x", shape=(None, 2, 16, 18)), 2).type.shape
    (None, 8, 8, 9)
    """

    def make_node(self, x):
        """Check the sizes of positions."""
        for size, each in zip(x.type.shape[2:], self.factors, strict=True):
            if size is not None and size % each:
                raise ValueError(
                    "pixel_unshuffle: the sizes of positions must be multiples of the "
                    f"factors {self.factors}, got input shape {x.type.shape}."
                )
        return Apply(
            self, [x], [tensor(dtype=x.dtype, shape=self._unshuffled(x.type.shape))]
        )

    def perform(self, node, inputs, output_storage):
        """Move the offsets in a block behind the channels."""
        (x,) = inputs
        shape = self._unshuffled(x.shape)
        ndim = len(self.factors)
        pairs = zip(shape[2:], self.factors, strict=True)
        x = x.reshape((*x.shape[:2], *(size for pair in pairs for size in pair)))
        order = (*range(3, 3 + 2 * ndim, 2), *range(2, 2 + 2 * ndim, 2))
        output_storage[0][0] = x.transpose((0, 1, *order)).reshape(shape)

    def infer_shape(self, *node_and_shapes):
        """Return (batch, channels * product, positions / factor...)."""
        return [self._unshuffled(*node_and_shapes[-1])]

    def pullback(self, inputs, outputs, cotangents):
        """Go back."""
        return [PixelShuffle(self.factors)(*cotangents)]
