"""Recognising the logits from which predictions were computed.

The logarithm of a softmax or a sigmoid loses all digits, and its derivative becomes
infinite or NaN, where a probability is rounded to 0 or 1. A loss that finds how the
predictions were made computes from the logits instead. This is done when the loss is
built, as after differentiation the pattern is gone.
"""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.special import Softmax
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

__all__ = ["find_log_softmax", "find_logits"]

_VIEWS = (
    AdvancedSubtensor,
    DimShuffle,
    Reshape,
    SpecifyShape,
    Subtensor,
)


def find_log_softmax(predictions):
    """Return the logarithm of a softmax, or None for other expressions.

    Reshaping, indexing and swapping axes after the softmax is seen through.
    """
    return _below_views(predictions, _log_of_softmax)


def find_logits(predictions):
    """Return what a sigmoid was applied to, or None for other expressions.

    Reshaping, indexing and swapping axes after the sigmoid is seen through.
    """
    return _below_views(predictions, _argument_of_sigmoid)


def _log_of_softmax(node):
    if isinstance(node.op, Softmax):
        return pt.special.log_softmax(node.inputs[0], axis=node.op.axis)
    return None


def _argument_of_sigmoid(node):
    return node.inputs[0] if node.op == pt.sigmoid else None


def _below_views(variable, replace):
    """Apply `replace` to the node below reshapes, and these to its result again."""
    views = []
    node = variable.owner
    while node is not None:
        found = replace(node)
        if found is not None:
            for view in reversed(views):
                found = view.op(found, *view.inputs[1:])
            return found
        if not isinstance(node.op, _VIEWS):
            return None
        views.append(node)
        node = node.inputs[0].owner
    return None
