"""The layer that permutes axes."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.layers.base import Layer, describe
from lasagne_next.utils import int_types

__all__ = ["DimshuffleLayer", "dimshuffle"]


class DimshuffleLayer(Layer):
    """Permute axes, add axes of size 1, and remove axes of size 1.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    pattern : tuple
        One entry per axis of the output: an axis of the input, or 'x' for a new axis of
        size 1. Axes that are left out are removed; their size must be 1 (or unknown,
        and 1 at run time).
    **kwargs
        `name`.

    Attributes
    ----------
    pattern : tuple
        As given.

    Raises
    ------
    ValueError
        If an entry is neither an axis of the input nor 'x', an axis appears twice, or
        an axis of another size than 1 is left out.

    Examples
    --------
    >>> from lasagne_next.layers import DimshuffleLayer
    >>> DimshuffleLayer((2, 3, 5, 7), (3, 2, 'x', 0, 1)).output_shape
    (7, 5, 1, 2, 3)
    """

    def __init__(self, incoming, pattern, **kwargs):
        super().__init__(incoming, **kwargs)
        self.pattern = pattern
        self._check_pattern()
        self.get_output_shape_for(self.input_shape)

    def _check_pattern(self):
        for entry in self.pattern:
            if not (isinstance(entry, int_types) or entry == "x"):
                raise ValueError(
                    f"{describe(self)}: the entries of pattern must be integers or "
                    f"'x', got {entry!r} in {self.pattern}."
                )
        axes = [entry for entry in self.pattern if entry != "x"]
        if len(set(axes)) < len(axes):
            raise ValueError(
                f"{describe(self)}: pattern must name each axis at most once, got "
                f"{self.pattern} (input shape {self.input_shape})."
            )

    def get_output_shape_for(self, input_shape):
        """Permute the sizes."""
        for entry in self.pattern:
            if entry != "x" and not 0 <= entry < len(input_shape):
                raise ValueError(
                    f"{describe(self)}: the axes in pattern must be between 0 and "
                    f"{len(input_shape) - 1}, got {entry!r} in {self.pattern} (input "
                    f"shape {input_shape})."
                )
        for axis in self._removed(len(input_shape)):
            if input_shape[axis] not in (1, None):
                raise ValueError(
                    f"{describe(self)}: pattern must have all axes of a size other "
                    f"than 1, got {self.pattern} without axis {axis} (input shape "
                    f"{input_shape})."
                )
        return tuple(1 if each == "x" else input_shape[each] for each in self.pattern)

    def _removed(self, ndim):
        return [axis for axis in range(ndim) if axis not in self.pattern]

    def get_output_for(self, input, **kwargs):
        """Return the input with its axes in the order of the pattern."""
        self.get_output_shape_for(input.type.shape)
        removed = [
            axis for axis in self._removed(input.ndim) if input.type.shape[axis] != 1
        ]
        if removed:
            input = pt.specify_broadcastable(input, *removed)
        return input.dimshuffle(*self.pattern)


dimshuffle = DimshuffleLayer
