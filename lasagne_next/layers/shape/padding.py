"""Padding: the values beyond the edge, mode by mode, and the layer that adds them."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.utils import int_types, match_dtype, nearest

__all__ = ["PadLayer", "pad"]


def _edge(before, after):
    return [slice(0, 1)] * before, [slice(-1, None)] * after


def _reflect(before, after):
    return [slice(before, 0, -1)], [slice(-2, -2 - after, -1)]


def _symmetric(before, after):
    return [slice(before - 1, None, -1)], [slice(-1, -1 - after, -1)]


def _wrap(before, after):
    return [slice(-before, None)], [slice(0, after)]


# Which slices of an axis are repeated before and after it. Slices of integers compile
# on every backend, also along an axis of unknown size.
_BORDERS = {
    "edge": _edge,
    "reflect": _reflect,
    "replicate": _edge,
    "symmetric": _symmetric,
    "wrap": _wrap,
}

_MODES = ("constant", *_BORDERS)


def _smallest_size(mode, before, after):
    """Return how large an axis must be to be padded by these widths."""
    widest = max(before, after)
    if widest == 0 or mode == "constant":
        return 0
    return {"edge": 1, "replicate": 1, "reflect": widest + 1}.get(mode, widest)


def _pad(x, widths, mode, val):
    """Pad an expression by pairs of widths, one pair per axis."""
    if mode == "constant":
        return _pad_constant(x, widths, val)
    for axis, (before, after) in enumerate(widths):
        first, last = _BORDERS[mode](before, after)
        if before or after:
            parts = [
                *(_slice(x, axis, part) for part in first if before),
                x,
                *(_slice(x, axis, part) for part in last if after),
            ]
            x = pt.concatenate(parts, axis=axis)  # (..., before + size + after, ...)
    return x


def _slice(x, axis, part):
    return x[(slice(None),) * axis + (part,)]


def _pad_constant(x, widths, val):
    # JAX would turn a scalar constant into a Python number, of double precision.
    val = match_dtype(val if isinstance(val, Variable) else [val], x.dtype)
    known = x.type.shape
    if any(
        known[axis] is None and width != (0, 0) for axis, width in enumerate(widths)
    ):
        # Fused arithmetic on run-time sizes does not compile on JAX (seen in 3.0.7).
        return _overwrite(_pad(x, widths, "edge", None), widths, val)
    sizes = [
        x.shape[axis] if size is None else size + sum(width)
        for axis, (size, width) in enumerate(zip(known, widths, strict=True))
    ]
    canvas = pt.alloc(val, *sizes)  # (before + size + after, ...)
    inner = tuple(slice(before, -after or None) for before, after in widths)
    return pt.set_subtensor(canvas[inner], x)


def _overwrite(x, widths, val):
    for axis, (before, after) in enumerate(widths):
        if before:
            x = pt.set_subtensor(_slice(x, axis, slice(0, before)), val)
        if after:
            x = pt.set_subtensor(_slice(x, axis, slice(-after, None)), val)
    return x


class PadLayer(Layer):
    """Enlarge axes at both ends.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    width : int or iterable
        How much to add: an integer for both ends of all axes from `batch_ndim` on, or
        an iterable of integers (both ends of each axis) or of pairs (before, after). An
        iterable may be shorter than the number of axes; the last ones stay as they are.
    val : number or symbolic scalar, default 0
        The value to pad with in mode 'constant'.
    batch_ndim : int, default 2
        The first axis to pad; by default batch and channels are left alone.
    mode : str, default 'constant'
        'constant' adds `val`, 'edge' (or 'replicate') repeats the outermost elements,
        'reflect' mirrors the input at the centre of these and 'symmetric' beyond them,
        and 'wrap' goes on at the other end, as in ``numpy.pad``.
    **kwargs
        `name`.

    Attributes
    ----------
    width, val, batch_ndim, mode
        As given.

    Raises
    ------
    ValueError
        If a width is negative, there are more widths than axes, no axis is left to pad,
        the mode is unknown, a known size is too small to be mirrored or wrapped, or an
        integer input is to be padded with another kind of number.
    TypeError
        If a width is no integer, or `val` is no scalar.

    Notes
    -----
    The output has the type of the input. With 'reflect' an axis must be larger than its
    widths, with 'symmetric' and 'wrap' at least as large; along axes of unknown size
    this is not checked.

    Examples
    --------
    >>> from lasagne_next.layers import PadLayer
    >>> PadLayer((None, 3, 5, 7), width=2).output_shape
    (None, 3, 9, 11)
    >>> PadLayer((None, 3, 5, 7), width=[(0, 1), (2, 2)], mode="reflect").output_shape
    (None, 3, 6, 11)
    """

    def __init__(self, incoming, width, val=0, batch_ndim=2, mode="constant", **kwargs):
        super().__init__(incoming, **kwargs)
        self.width = width
        self.val = val
        self.batch_ndim = batch_ndim
        self.mode = mode
        is_symbolic(self, "val", val)
        if mode not in _MODES:
            raise ValueError(
                f"{describe(self)}: mode must be one of {_MODES}, got {mode!r}."
                + nearest(mode, _MODES)
            )
        self.get_output_shape_for(self.input_shape)

    def _pairs(self, shape):
        """Return (before, after) for each axis of an input."""
        if not 0 <= self.batch_ndim < len(shape):
            raise ValueError(
                f"{describe(self)}: batch_ndim must be between 0 and {len(shape) - 1}, "
                f"got {self.batch_ndim!r} (input shape {shape}). Axes before it are "
                "not padded."
            )
        padded = len(shape) - self.batch_ndim
        widths = self.width
        if isinstance(widths, int_types):
            widths = [widths] * padded
        if len(widths) > padded:
            raise ValueError(
                f"{describe(self)}: width must have at most {padded} entries, one per "
                f"axis from {self.batch_ndim} on, got {self.width!r} (input shape "
                f"{shape})."
            )
        pairs = [self._pair(width, shape) for width in widths]
        rest = [(0, 0)] * (padded - len(pairs))
        return [(0, 0)] * self.batch_ndim + pairs + rest

    def _pair(self, width, shape):
        pair = (width, width) if isinstance(width, int_types) else width
        try:
            before, after = pair
        except (TypeError, ValueError):
            before = after = None
        if not all(isinstance(each, int_types) for each in (before, after)):
            raise TypeError(
                f"{describe(self)}: the entries of width must be integers or pairs of "
                f"integers, got {width!r} (input shape {shape})."
            )
        if before < 0 or after < 0:
            raise ValueError(
                f"{describe(self)}: width must not be negative, got {width!r} (input "
                f"shape {shape}). SliceLayer removes elements."
            )
        return int(before), int(after)

    def get_output_shape_for(self, input_shape):
        """Add the widths to the sizes."""
        pairs = self._pairs(input_shape)
        for axis, (size, pair) in enumerate(zip(input_shape, pairs, strict=True)):
            smallest = _smallest_size(self.mode, *pair)
            if size is not None and size < smallest:
                raise ValueError(
                    f"{describe(self)}: axis {axis} must have a size of at least "
                    f"{smallest} to be padded by {pair} in mode {self.mode!r}, got "
                    f"{size} (input shape {input_shape}). Reduce width."
                )
        return tuple(
            None if size is None else size + sum(pair)
            for size, pair in zip(input_shape, pairs, strict=True)
        )

    def get_output_for(self, input, **kwargs):
        """Return the padded input."""
        self._check_type(input.dtype)
        pairs = self._pairs(input.type.shape)
        return _pad(input, pairs, self.mode, self.val)

    def _check_type(self, dtype):
        if dtype.startswith(("float", "complex")) or isinstance(self.val, Variable):
            return
        if np.asarray(self.val).astype(dtype) != self.val:
            raise ValueError(
                f"{describe(self)}: val must be a value of type {dtype}, which the "
                f"input has, got {self.val!r} (input shape {self.input_shape})."
            )


pad = PadLayer
