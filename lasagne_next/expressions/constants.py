"""Values of expressions in which nothing can vary, such as triangular masks."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.tensor.shape import Shape, Shape_i

from lasagne_next.params import static_shape
from lasagne_next.params.substitution import substitute

__all__ = ["constant_value"]

MOST_PARTS = 40  # operations that are looked at; a mask takes a handful


def constant_value(variable):
    """Compute what depends on constants and on known shapes alone.

    Parameters
    ----------
    variable : TensorVariable
        Any expression, such as the mask in ``pytensor.tensor.tril(w)``.

    Returns
    -------
    numpy.ndarray or None
        Its value, None if a leaf or an unknown size takes part.
    """
    if isinstance(variable, Constant):
        return variable.data
    sizes = {}
    if variable.owner is None or not _collect_sizes(variable, sizes):
        return None
    (fixed,) = substitute([variable], sizes)
    return pytensor.function([], fixed, mode="FAST_COMPILE")()


def _collect_sizes(variable, sizes):
    """Collect constants for shapes; tell whether all the rest is constant."""
    waiting, seen = [variable], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, Constant) or each in seen:
            continue
        seen.add(each)
        if each.owner is None or len(seen) > MOST_PARTS:
            return False
        if isinstance(each.owner.op, Shape | Shape_i):
            size = _size(each.owner)
            if size is None:
                return False
            sizes[each] = size
            continue
        waiting.extend(each.owner.inputs)
    return True


def _size(node):
    known = static_shape(node.inputs[0])
    if isinstance(node.op, Shape_i):
        known = known[node.op.i]
        return None if known is None else pt.constant(known, dtype="int64")
    return None if None in known else pt.constant(known, dtype="int64", ndim=1)
