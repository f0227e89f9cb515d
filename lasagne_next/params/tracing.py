"""Finding the shared variables inside expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.tensor.random.type import RandomType

__all__ = ["collect_shared_vars", "is_connected"]


def collect_shared_vars(expressions):
    """List the shared variables that expressions depend on.

    The order is part of the API, since saved files rely on it: depth first, the inputs
    of every operation from left to right. Generator states are skipped: they are no
    parameters. Variables captured by ``scan`` or ``OpFromGraph`` are found.

    Parameters
    ----------
    expressions : Variable or iterable of Variable
        What to search.

    Returns
    -------
    list of SharedVariable
        Each once, in order of first occurrence.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next.params import collect_shared_vars
    >>> x, y, z = (pytensor.shared(0.0, name=name) for name in "xyz")
    >>> collect_shared_vars([x * (y + z), x])
    [x, y, z]
    """
    roots = [expressions] if isinstance(expressions, Variable) else list(expressions)
    return [var for var in walk(roots, _all_inputs) if is_leaf(var)]


def is_connected(expression, leaf):
    """Tell whether a gradient can flow from an expression to one of its leaves.

    Parameters
    ----------
    expression : Variable
        Any expression.
    leaf : SharedVariable
        One of its shared variables.

    Returns
    -------
    bool
        False if every path leads through ``disconnected_grad``, a shape, or another
        operation without a gradient.

    Examples
    --------
    >>> import pytensor
    >>> from pytensor.gradient import disconnected_grad
    >>> from lasagne_next.params import is_connected
    >>> v, w = pytensor.shared(1.0), pytensor.shared(2.0)
    >>> expression = v * disconnected_grad(w)
    >>> is_connected(expression, v), is_connected(expression, w)
    (True, False)
    """
    return leaf in connected_leaves(expression)


def connected_leaves(expression) -> set[SharedVariable]:
    """Return the leaves that a gradient of `expression` reaches."""
    return {var for var in walk([expression], _connected_inputs) if is_leaf(var)}


def is_leaf(variable) -> bool:
    """Tell whether a variable is shared and holds anything but a generator state."""
    return isinstance(variable, SharedVariable) and not isinstance(
        variable.type, RandomType
    )


def walk(roots, inputs_of: Callable) -> Iterator[Variable]:
    """Visit variables depth first, left to right, each once, without recursion."""
    pending = list(reversed(roots))
    seen = set()
    while pending:
        variable = pending.pop()
        if variable in seen:
            continue
        seen.add(variable)
        yield variable
        if variable.owner is not None:
            pending.extend(reversed(inputs_of(variable)))


def _all_inputs(variable):
    return variable.owner.inputs


def _connected_inputs(variable):
    node = variable.owner
    if not hasattr(node.op, "connection_pattern"):
        return node.inputs
    pattern = node.op.connection_pattern(node)
    return [
        each
        for each, row in zip(node.inputs, pattern, strict=True)
        if row[variable.index]
    ]
