"""Layers that keep the order of the elements and change the shape."""

from __future__ import annotations

import math

import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.layers.base import Layer, describe
from lasagne_next.utils import int_types

__all__ = ["FlattenLayer", "ReshapeLayer", "flatten", "reshape"]


class FlattenLayer(Layer):
    """Merge the trailing axes into one.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    outdim : int, default 2
        Number of axes of the output: the first ``outdim - 1`` are kept and the others
        merged. The default keeps the batch axis. If the input has fewer axes, new ones
        of size 1 are appended.
    **kwargs
        `name`.

    Attributes
    ----------
    outdim : int
        As given.

    Raises
    ------
    ValueError
        If `outdim` is less than 1.
    TypeError
        If `outdim` is no integer.

    Notes
    -----
    A ``DenseLayer`` flattens its input by itself.

    Examples
    --------
    >>> from lasagne_next.layers import FlattenLayer
    >>> FlattenLayer((None, 3, 5, 7)).output_shape
    (None, 105)
    >>> FlattenLayer((None, 3, 5, 7), outdim=3).output_shape
    (None, 3, 35)
    """

    def __init__(self, incoming, outdim=2, **kwargs):
        super().__init__(incoming, **kwargs)
        self.outdim = outdim
        if not isinstance(outdim, int_types):
            raise TypeError(
                f"{describe(self)}: outdim must be an integer, got {outdim!r}."
            )
        if outdim < 1:
            raise ValueError(
                f"{describe(self)}: outdim must be at least 1, got {outdim!r} (input "
                f"shape {self.input_shape}). 1 gives a vector."
            )

    def get_output_shape_for(self, input_shape):
        """Multiply the trailing sizes."""
        missing = self.outdim - len(input_shape)
        if missing > 0:
            return (*input_shape, *(1,) * missing)
        trailing = input_shape[self.outdim - 1 :]
        merged = None if None in trailing else math.prod(trailing)
        return (*input_shape[: self.outdim - 1], merged)

    def get_output_for(self, input, **kwargs):
        """Return the input with `outdim` axes, SHAPE (leading..., merged)."""
        missing = self.outdim - input.ndim
        if missing >= 0:
            return input.dimshuffle(*range(input.ndim), *["x"] * missing)
        *leading, merged = self.get_output_shape_for(input.type.shape)
        sizes = [
            input.shape[axis] if size is None else size
            for axis, size in enumerate(leading)
        ]
        return pt.reshape(input, (*sizes, -1 if merged is None else merged))


flatten = FlattenLayer


class ReshapeLayer(Layer):
    """Give the input another shape, in C order.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    shape : tuple
        One entry per axis of the output: a positive integer; ``[i]`` for the size of
        axis ``i`` of the input; a symbolic integer; or, once, -1 for what is left.
    **kwargs
        `name`.

    Attributes
    ----------
    shape : tuple
        As given.

    Raises
    ------
    ValueError
        If an entry is none of these, there are several -1, ``[i]`` is no axis of the
        input, or the known sizes do not match.

    Notes
    -----
    An unknown size that is passed on by ``[i]`` counts on both sides, so that -1 can be
    worked out although the batch size is unknown. With a symbolic entry nothing is
    checked.

    Examples
    --------
    >>> from lasagne_next.layers import ReshapeLayer
    >>> ReshapeLayer((None, 3, 5, 7), ([0], -1, [3])).output_shape
    (None, 15, 7)
    >>> ReshapeLayer((32, 100), (-1, 10)).output_shape
    (320, 10)
    """

    def __init__(self, incoming, shape, **kwargs):
        super().__init__(incoming, **kwargs)
        self.shape = tuple(shape)
        self._check_entries()
        self.get_output_shape_for(self.input_shape)

    def _check_entries(self):
        wanted = "positive integers, -1, [i] or symbolic integers"
        for entry in self.shape:
            if not _is_size(entry):
                raise ValueError(
                    f"{describe(self)}: the entries of shape must be {wanted}, got "
                    f"{entry!r} in {self.shape} (input shape {self.input_shape}). "
                    "Write [i] for the size of axis i of the input."
                )
        if sum(entry == -1 for entry in self.shape if _is_int(entry)) > 1:
            raise ValueError(
                f"{describe(self)}: shape must have -1 at most once, got {self.shape} "
                f"(input shape {self.input_shape}). Write [i] for the size of axis i."
            )

    def get_output_shape_for(self, input_shape):
        """Work out the sizes, None where they depend on something unknown."""
        inputs, outputs, sizes = list(input_shape), [], []
        for entry in self.shape:
            size = self._size_of(entry, input_shape)
            sizes.append(size)
            if isinstance(entry, list) and size is None and inputs[entry[0]] is None:
                # The first to refer to an unknown size cancels it on both sides.
                inputs[entry[0]] = size = 1
            outputs.append(size)
        rest = self.shape.index(-1) if self._has_rest() else None
        if rest is not None:
            outputs[rest] = 1
        if None in inputs or None in outputs:
            return tuple(sizes)
        total, given = math.prod(inputs), math.prod(outputs)
        if total % given if rest is not None else total != given:
            raise ValueError(
                f"{describe(self)}: shape must match the number of elements of the "
                f"input, got {self.shape} (input shape {input_shape}): {given} against "
                f"{total}. Write -1 for one size that is to be worked out."
            )
        if rest is not None:
            sizes[rest] = total // given
        return tuple(sizes)

    def _has_rest(self):
        return any(entry == -1 for entry in self.shape if _is_int(entry))

    def _size_of(self, entry, input_shape):
        if isinstance(entry, list):
            if entry[0] >= len(input_shape):
                raise ValueError(
                    f"{describe(self)}: shape must refer to axes of the input, got "
                    f"{entry} in {self.shape} (input shape {input_shape})."
                )
            return input_shape[entry[0]]
        return int(entry) if _is_int(entry) and entry > 0 else None

    def get_output_for(self, input, **kwargs):
        """Return the input in the new shape."""
        known = self.get_output_shape_for(input.type.shape)
        sizes = [
            _run_time_size(entry, input) if size is None else size
            for entry, size in zip(self.shape, known, strict=True)
        ]
        return pt.reshape(input, sizes, ndim=len(sizes))


def _is_int(entry):
    return isinstance(entry, int_types)


def _is_size(entry):
    if isinstance(entry, Variable):
        type = entry.type
        return getattr(type, "ndim", None) == 0 and type.dtype.startswith(("int", "ui"))
    if isinstance(entry, list):
        return len(entry) == 1 and _is_int(entry[0]) and entry[0] >= 0
    return _is_int(entry) and (entry > 0 or entry == -1)


def _run_time_size(entry, input):
    return input.shape[entry[0]] if isinstance(entry, list) else entry


reshape = ReshapeLayer
