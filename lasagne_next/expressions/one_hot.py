"""Seeing rows of the identity matrix, whose products choose rows."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.scalar import basic as scalar
from pytensor.tensor.basic import Alloc, ARange
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.subtensor import AdvancedIncSubtensor, indices_from_subtensor

__all__ = ["chosen_places"]


def chosen_places(x, size):
    """Return where the ones of one-hot rows are, if an expression consists of such.

    Parameters
    ----------
    x : TensorVariable, SHAPE (..., size)
        Made by :func:`lasagne_next.utils.one_hot`, by PyTensor's ``to_one_hot``, or by
        comparing places with ``arange``.
    size : int
        How many places there are.

    Returns
    -------
    (places, is_there) or None
        Integers of SHAPE (...) between 0 and size - 1, and booleans of the same shape,
        or None where every row has its one. Rows without are zero.
    """
    while _is_elementwise(x, scalar.Cast):
        x = x.owner.inputs[0]
    if _is_elementwise(x, scalar.EQ):
        return _compared(x, size)
    op = x.owner and x.owner.op
    if isinstance(op, AdvancedIncSubtensor) and op.set_instead_of_inc:
        return _set(x, size)
    return None


def _is_elementwise(variable, kind):
    op = variable.owner and variable.owner.op
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, kind)


def _compared(x, size):
    """See ``eq(places[..., None], arange(size))``."""
    left, right = x.owner.inputs
    for places, numbers in ((left, right), (right, left)):
        places, is_last = _without_last_axis(places)
        if is_last and _is_range(numbers, size) and places.dtype in _INTEGERS:
            is_there = pt.ge(places, 0) & pt.lt(places, size)
            return pt.clip(places, 0, size - 1), is_there
    return None


_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _without_last_axis(variable):
    """Return what got a new last axis, and whether something did."""
    op = variable.owner and variable.owner.op
    if not isinstance(op, DimShuffle):
        return variable, False
    *kept, last = op.new_order
    is_last = last == "x" and kept == list(range(variable.owner.inputs[0].ndim))
    return variable.owner.inputs[0], is_last


def _is_range(variable, size):
    """Tell whether a variable holds the places 0, ..., size - 1 along its last axis."""
    while _is_elementwise(variable, scalar.Cast):
        variable = variable.owner.inputs[0]
    owner = variable.owner
    if owner is not None and isinstance(owner.op, DimShuffle):
        *new, last = owner.op.new_order
        return last == 0 and set(new) <= {"x"} and _is_range(owner.inputs[0], size)
    if owner is None or not isinstance(owner.op, ARange):
        return False
    return all(
        isinstance(each, Constant) and each.data == wanted
        for each, wanted in zip(owner.inputs, (0, size, 1), strict=True)
    )


def _set(x, size):
    """See ones set in zeros, as by ``to_one_hot``."""
    zeros, ones, *index = x.owner.inputs
    if zeros.ndim != 2 or not (_is_filled(zeros, 0) and _is_number(ones, 1)):
        return None
    index = indices_from_subtensor(index, x.owner.op.idx_list)
    if len(index) != 2 or any(isinstance(each, slice) for each in index):
        return None
    rows, places = index
    if places.ndim != 1 or not _counts_rows(rows, places, zeros):
        return None
    return pt.switch(pt.lt(places, 0), places + size, places), None


def _is_filled(variable, value):
    op = variable.owner and variable.owner.op
    return isinstance(op, Alloc) and _is_number(variable.owner.inputs[0], value)


def _is_number(variable, value):
    return isinstance(variable, Constant) and (variable.data == value).all()


def _counts_rows(rows, places, zeros):
    """Tell whether `rows` is ``arange(places.shape[0])``, for zeros of as many rows."""
    if rows.owner is None or not isinstance(rows.owner.op, ARange):
        return False
    start, stop, step = rows.owner.inputs
    if not (_is_number(start, 0) and _is_number(step, 1)):
        return False
    count = zeros.owner.inputs[1]
    return all(_is_size_of(each, places) for each in (stop, count))


def _is_size_of(variable, vector):
    """Tell whether a number is ``vector.shape[0]``."""
    if isinstance(variable, Constant):
        return variable.data == vector.type.shape[0]
    node = variable.owner
    while node is not None and _is_elementwise(variable, scalar.Cast):
        variable = node.inputs[0]
        node = variable.owner
    # shape[0], as Subtensor{i}(Shape(vector), 0)
    shape = node.inputs[0].owner if node is not None and node.inputs else None
    return (
        shape is not None
        and type(shape.op).__name__ == "Shape"
        and shape.inputs[0] is vector
    )
