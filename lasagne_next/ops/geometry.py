"""Sizes of windows that move over positions, and the arguments that describe them."""

from __future__ import annotations

import operator
from collections.abc import Iterable

__all__ = [
    "convolved_size",
    "extent",
    "padding_pairs",
    "per_axis",
    "transposed_size",
]

_PADDINGS = ("valid", "full", "same", "causal")


def per_axis(value, num_axes, name, minimum, who):
    """Return one integer an axis, from an integer or as many integers as axes."""
    values = value if isinstance(value, Iterable) else (value,) * num_axes
    wanted = f"an integer or {num_axes} integers, at least {minimum}"
    message = f"{who}: {name} must be {wanted}, got {value!r}."
    try:
        values = tuple(operator.index(each) for each in values)
    except TypeError as error:
        raise TypeError(message) from error
    if len(values) != num_axes or min(values) < minimum:
        raise ValueError(message)
    return values


def extent(size, dilation):
    """Return how many positions a dilated window spans, None if unknown."""
    return None if size is None else (size - 1) * dilation + 1


def padding_pairs(pad, sizes, dilation, name, who):
    """Return one pair (zeros before, zeros after) an axis.

    `sizes` are those of the windows; only the padding modes with a name need them. If a
    window of even extent is padded to 'same', the additional zero comes at the end.
    """
    num_axes = len(sizes)
    if isinstance(pad, str):
        spans = [extent(*pair) for pair in zip(sizes, dilation, strict=True)]
        return _named_padding(pad, spans, name, who)
    pads = tuple(pad) if isinstance(pad, Iterable) else (pad,) * num_axes
    wanted = (
        f"{', '.join(map(repr, _PADDINGS))}, an integer, or an integer or a pair of "
        f"integers for each of the {num_axes} axes, none negative"
    )
    message = f"{who}: {name} must be {wanted}, got {pad!r}."
    if len(pads) != num_axes:
        raise ValueError(message)
    pairs = [each if isinstance(each, Iterable) else (each, each) for each in pads]
    try:
        pairs = tuple(tuple(operator.index(each) for each in pair) for pair in pairs)
    except TypeError as error:
        raise TypeError(message) from error
    if any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ValueError(message)
    return pairs


def _named_padding(pad, spans, name, who):
    if pad not in _PADDINGS:
        raise ValueError(
            f"{who}: {name} must be one of {', '.join(map(repr, _PADDINGS))} or "
            f"numbers, got {pad!r}."
        )
    if pad == "valid":
        return ((0, 0),) * len(spans)
    if None in spans:
        raise ValueError(
            f"{who}: the sizes of the filters must be known for {name}={pad!r}, got "
            f"{tuple(spans)}. Give numbers, or use pytensor.tensor.specify_shape."
        )
    if pad == "full":
        return tuple((span - 1, span - 1) for span in spans)
    if pad == "same":
        return tuple(((span - 1) // 2, span // 2) for span in spans)
    if len(spans) != 1:
        raise ValueError(
            f"{who}: {name}='causal' must go with one axis of positions, got "
            f"{len(spans)}. Give a pair of numbers for each axis."
        )
    return ((spans[0] - 1, 0),)


def convolved_size(size, span, stride, pair):
    """Return how many windows of a span fit; sizes may be symbolic, None is unknown."""
    if size is None or span is None:
        return None
    return (size + sum(pair) - span) // stride + 1


def transposed_size(size, span, stride, pair):
    """Return the fewest positions for so many windows; None is unknown."""
    if size is None or span is None:
        return None
    return (size - 1) * stride + span - sum(pair)
