"""Where windows lie that slide over the trailing axes of a tensor."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.ops.geometry import extent, padding_pairs, per_axis

__all__ = ["Windows", "make_windows"]


class Windows:
    """Size, stride, padding and dilation of windows along some axes.

    Window number o covers, along one axis, the positions ``o * stride - before + k *
    dilation`` for k = 0, ..., size - 1. Positions outside of the input are padding.

    Parameters
    ----------
    size : tuple of int
        Number of positions a window covers.
    stride : tuple of int
        Distance of neighbouring windows.
    pad : tuple of pairs of int
        Number of positions before and after the input.
    dilation : tuple of int
        Distance of neighbouring positions of a window.
    ignore_border : bool
        Whether windows that end beyond the padding are left out.
    """

    __slots__ = ("dilation", "ignore_border", "pad", "size", "stride")

    def __init__(self, size, stride, pad, dilation, ignore_border):
        self.size = size
        self.stride = stride
        self.pad = pad
        self.dilation = dilation
        self.ignore_border = ignore_border

    def _key(self):
        return self.size, self.stride, self.pad, self.dilation, self.ignore_border

    def __eq__(self, other):
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __reduce__(self):
        return type(self), self._key()

    def __repr__(self):
        border = "" if self.ignore_border else ", with the border"
        return (
            f"{self.size}, stride {self.stride}, pad {self.pad}, dilation "
            f"{self.dilation}{border}"
        )

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.size)

    @property
    def extent(self):
        """Distance from the first to the last position of a window, plus one."""
        return tuple(map(extent, self.size, self.dilation))

    def count(self, lengths):
        """Count the windows along each axis of given lengths, ints, None or symbolic.

        Where borders count, the last window begins in the input or the padding before
        it.
        """
        return tuple(map(self._count, range(self.ndim), lengths))

    def _count(self, axis, length):
        if length is None:
            return None
        stride, (before, after) = self.stride[axis], self.pad[axis]
        room = length + before + after - self.extent[axis]
        symbolic = isinstance(length, Variable)
        largest = pt.maximum if symbolic else max
        if self.ignore_border:
            return largest(room // stride + 1, 0)
        count = largest(-(-room // stride), 0) + 1
        starts_outside = (count - 1) * stride >= length + before
        return count - (starts_outside.astype("int64") if symbolic else starts_outside)

    def paddings(self, lengths, counts):
        """Return pairs of padding that just hold all windows, of known numbers."""
        pairs = []
        for axis, (length, count) in enumerate(zip(lengths, counts, strict=True)):
            before = self.pad[axis][0]
            end = (count - 1) * self.stride[axis] + self.extent[axis]
            pairs.append((before, max(end - length - before, 0)))
        return pairs

    def taps(self, counts):
        """Yield, for each position of a window, the slices it has in a padded input."""
        for tap in np.ndindex(*self.size):
            yield tuple(
                slice(first := k * step, first + (count - 1) * stride + 1, stride)
                for k, step, stride, count in zip(
                    tap, self.dilation, self.stride, counts, strict=True
                )
            )

    def populations(self, lengths, counts, count_padding):
        """Count what every window covers: an array for each axis, at least 1.

        With `count_padding` these are positions in the input or its padding, without
        in the input alone.
        """
        found = []
        for axis, (length, count) in enumerate(zip(lengths, counts, strict=True)):
            before, after = self.pad[axis] if count_padding else (0, 0)
            first = np.arange(count) * self.stride[axis] - self.pad[axis][0]
            steps = np.arange(self.size[axis]) * self.dilation[axis]
            covered = first[:, None] + steps  # (count, size)
            inside = (covered >= -before) & (covered < length + after)
            found.append(np.maximum(inside.sum(axis=1), 1))
        return found

    def check(self, what, lengths):
        """Raise ValueError if no window fits into known lengths."""
        counts = self.count(lengths)
        for axis, count in enumerate(counts):
            if count is not None and count < 1:
                raise ValueError(
                    f"{what}: the window must not be larger than the padded input, got "
                    f"windows of extent {self.extent} and padding {self.pad} for an "
                    f"input of size {tuple(lengths)} (trailing axis {axis}). Reduce "
                    "the window or its dilation, or pad more."
                )
        return counts


def make_windows(who, size, stride, pad, dilation, ignore_border, ndim, name="window"):
    """Make windows from numbers as a user gives them; errors begin with `who`."""
    size = per_axis(size, ndim, name, 1, who)
    stride = per_axis(size if stride is None else stride, ndim, "stride", 1, who)
    dilation = per_axis(dilation, ndim, "dilation", 1, who)
    pairs = padding_pairs(pad, size, dilation, "pad", who)
    windows = Windows(size, stride, pairs, dilation, bool(ignore_border))
    for reach, pair in zip(windows.extent, pairs, strict=True):
        if max(pair) >= reach:
            raise ValueError(
                f"{who}: pad must be smaller than the extent of the windows, got "
                f"{pad!r} for windows of extent {windows.extent}. A window would cover "
                "nothing but padding."
            )
    return windows
