"""What the operations on whole sequences share: checks, orders, small functions."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.replace import clone_replace

__all__ = [
    "check_mask",
    "check_operand",
    "clip_array",
    "common_size",
    "order",
    "pull_back",
    "repeat_states",
    "sigmoid",
    "units_of",
]

_DTYPES = ("float32", "float64")


def check_operand(who, name, operand, ndim, dtype):
    """Raise TypeError unless an operand has this many axes and this type."""
    if operand.ndim != ndim:
        raise TypeError(
            f"{who}: {name} must have {ndim} axes, got {operand!r} with "
            f"{operand.ndim}. Give it the axes that the documentation names."
        )
    if operand.dtype != dtype or dtype not in (*_DTYPES, "bool"):
        wanted = dtype if dtype in (*_DTYPES, "bool") else "float32 or float64"
        raise TypeError(
            f"{who}: {name} must be of type {wanted}, got {operand!r} of "
            f"{operand.dtype}. Cast it first."
        )


def check_mask(who, mask, steps, rows):
    """Raise ValueError unless an array, if there is one, has SHAPE (steps, rows)."""
    if mask is not None and mask.shape != (steps, rows):
        raise ValueError(
            f"{who}: the mask must have the shape {(steps, rows)}, got {mask.shape}: "
            "the sizes of the operands do not fit."
        )


def common_size(who, what, sizes):
    """Return the one size that is known, or None; raise ValueError if two differ."""
    known = {size for size in sizes if size is not None}
    if len(known) > 1:
        raise ValueError(
            f"{who}: all operands must have the same number of {what}, got "
            f"{sorted(known)}. Check their shapes."
        )
    return known.pop() if known else None


def units_of(who, gates, units, widths):
    """Return the number of units, checked against the widths of stacked gates."""
    for width in widths:
        if width is not None and width % gates:
            raise ValueError(
                f"{who}: {gates} gates of one width must be side by side along the "
                f"last axis, got {width} columns. Stack as many columns for each."
            )
    thought = [None if width is None else width // gates for width in widths]
    return common_size(who, "units", [units, *thought])


def repeat_states(states, sequence):
    """Repeat initial states of a single row over the batch of a sequence."""
    states = [pt.as_tensor_variable(state) for state in states]
    if sequence.type.ndim != 3 or sequence.type.shape[1] == 1:
        return states
    return [
        pt.repeat(state, sequence.shape[1], axis=0)
        if state.type.shape[:1] == (1,)
        else state
        for state in states
    ]


def order(steps, backwards):
    """Return the numbers of the steps in the order in which they are read."""
    return range(steps - 1, -1, -1) if backwards else range(steps)


def sigmoid(x):
    """Compute the logistic function of an array, without overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def clip_array(x, bound):
    """Clip an array to plus and minus a bound, unless that is 0."""
    return np.clip(x, -bound, bound) if bound else x


def pull_back(function, inputs, cotangents):
    """Pull cotangents of what a function of variables returns back to its inputs.

    Inputs that depend on each other are taken as independent. Those of other types than
    floating get no gradient.
    """
    stand_ins = [each.type() for each in inputs]
    outputs = function(*stand_ins)
    # A sum, because a known gradient of one output would hide its share in another.
    loss = sum(
        (output * cotangent).sum()
        for output, cotangent in zip(outputs, cotangents, strict=True)
        if not isinstance(cotangent.type, DisconnectedType)
    )
    wanted = [each for each in stand_ins if each.dtype in _DTYPES]
    gradients = pytensor.grad(
        loss,
        wanted,
        disconnected_inputs="ignore",
        return_disconnected="disconnected",
    )
    replacements = dict(zip(stand_ins, inputs, strict=True))
    found = dict(zip(wanted, gradients, strict=True))
    return [
        disconnected_type()
        if isinstance(found.get(each, disconnected_type()).type, DisconnectedType)
        else clone_replace(found[each], replacements)
        for each in stand_ins
    ]
