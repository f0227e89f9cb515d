"""Putting other variables in the place of some inside expressions."""

from __future__ import annotations

from pytensor.graph.op import HasInnerGraph
from pytensor.graph.traversal import toposort

__all__ = ["rebuild", "substitute"]


def substitute(outputs, replacements):
    """Build expressions again, with other variables in the place of some.

    Unlike PyTensor's ``graph_replace`` it leaves the graphs that it is given alone,
    takes replacements that depend on what they replace or are of another type, and
    outputs that are replaced themselves.

    Parameters
    ----------
    outputs : list of Variable
        The expressions.
    replacements : dict of Variable to Variable
        What takes the place of what.

    Returns
    -------
    list of Variable
        What depends on no replaced variable is the same object as before.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.params.substitution import substitute
    >>> x, y = pt.scalars("xy")
    >>> substitute([x, y, x + y], {x: x * y})[:2]
    [Mul.0, y]
    """
    rebuilt = dict(replacements)
    for node in toposort(outputs):
        rebuild(node, rebuilt)
    return [rebuilt.get(output, output) for output in outputs]


def rebuild(node, rebuilt):
    """Add the outputs of a node to `rebuilt` if there are new inputs for it in there.

    Outputs that are in `rebuilt` already stay as they are.
    """
    inputs = [rebuilt.get(each, each) for each in node.inputs]
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return
    fresh = _clone(node, inputs)
    for old, new in zip(node.outputs, fresh.outputs, strict=True):
        if old not in rebuilt:
            new.name = old.name
            rebuilt[old] = new


def _clone(node, inputs):
    if isinstance(node.op, HasInnerGraph):
        # Its inner graph fits the old types only; more specific ones are no obstacle as
        # long as the operation need not be made again.
        fresh = node.clone()
        fresh.inputs = [
            old.type.filter_variable(new)
            for old, new in zip(node.inputs, inputs, strict=True)
        ]
        return fresh
    try:
        return node.clone_with_new_inputs(inputs)
    except TypeError:  # of another dtype
        return node.clone_with_new_inputs(inputs, strict=False)
