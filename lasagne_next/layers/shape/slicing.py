"""The layer that selects along an axis."""

from __future__ import annotations

from lasagne_next.layers.axes import resolve_axis
from lasagne_next.layers.base import Layer, describe
from lasagne_next.utils import int_types

__all__ = ["SliceLayer"]


class SliceLayer(Layer):
    """Select one position or a range along an axis.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    indices : int or slice
        An integer selects one position and removes the axis, a slice keeps the axis.
        Negative numbers count from the end.
    axis : int, default -1
        The axis, by default the last.
    **kwargs
        `name`.

    Attributes
    ----------
    slice : int or slice
        The `indices` given.
    axis : int
        As given.

    Raises
    ------
    ValueError
        If there is no such axis, an integer is out of the range of a known size, or a
        slice has a step of 0.
    TypeError
        If `indices` is neither an integer nor a slice of integers.

    Examples
    --------
    >>> from lasagne_next.layers import SliceLayer
    >>> SliceLayer((None, 5, 7), indices=-1, axis=1).output_shape
    (None, 7)
    >>> SliceLayer((None, 5, 7), indices=slice(1, None, 2), axis=1).output_shape
    (None, 2, 7)
    """

    def __init__(self, incoming, indices, axis=-1, **kwargs):
        super().__init__(incoming, **kwargs)
        self.slice = indices
        self.axis = axis
        self._check_indices()
        self.get_output_shape_for(self.input_shape)

    def _check_indices(self):
        indices = self.slice
        if isinstance(indices, slice):
            parts = (indices.start, indices.stop, indices.step)
            valid = all(part is None or isinstance(part, int_types) for part in parts)
        else:
            valid = isinstance(indices, int_types)
        if not valid:
            raise TypeError(
                f"{describe(self)}: indices must be an integer or a slice of integers, "
                f"got {indices!r} (input shape {self.input_shape})."
            )
        if isinstance(indices, slice) and indices.step == 0:
            raise ValueError(
                f"{describe(self)}: indices must have a step other than 0, got "
                f"{indices!r} (input shape {self.input_shape})."
            )

    def get_output_shape_for(self, input_shape):
        """Remove the axis or count the positions selected."""
        axis = resolve_axis(self, "axis", self.axis, input_shape)
        before, size, after = (
            input_shape[:axis],
            input_shape[axis],
            input_shape[axis + 1 :],
        )
        if isinstance(self.slice, slice):
            if size is not None:
                size = len(range(*self.slice.indices(size)))
            return (*before, size, *after)
        if size is not None and not -size <= self.slice < size:
            raise ValueError(
                f"{describe(self)}: indices must be between {-size} and {size - 1} "
                f"along axis {axis}, got {self.slice!r} (input shape {input_shape})."
            )
        return (*before, *after)

    def get_output_for(self, input, **kwargs):
        """Return the positions selected."""
        axis = resolve_axis(self, "axis", self.axis, input.type.shape)
        return input[(slice(None),) * axis + (self.slice,)]
