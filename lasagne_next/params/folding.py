"""Parameters as constants, for inference."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import toposort
from pytensor.tensor.type import TensorType

from lasagne_next.params.tracing import collect_shared_vars

__all__ = ["fold"]


def fold(outputs, leaves=None):
    """Turn parameters into constants, and compute once what depends on them alone.

    A weight such as ``exp(w)`` or an orthogonal matrix is computed in every call of a
    function that uses it. For inference it need not: here each such expression is
    replaced by its present value.

    Parameters
    ----------
    outputs : TensorVariable or list of TensorVariable
        What is to be computed, of any shapes.
    leaves : iterable of SharedVariable, optional
        What becomes constant; all leaves of `outputs` by default. Use those that are
        frozen, ``get_all_params(network, trainable=False)``, to keep the others
        learnable.

    Returns
    -------
    TensorVariable or list of TensorVariable
        Expressions of the same values, in which later changes of the leaves have no
        effect. The outputs given are not changed.

    Raises
    ------
    TypeError
        If `leaves` contains something other than shared variables.

    Notes
    -----
    Products are folded in the form in which they were built: a low-rank layer keeps its
    two thin factors, which are cheaper than their product. Leaves of integers for
    counting, and state of random generators, stay as they are if they are updated by
    default.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import layers, params
    >>> l_in = layers.InputLayer((None, 4))
    >>> layer = layers.DenseLayer(l_in, 3, W=pt.exp(layers.DenseLayer(l_in, 3).W))
    >>> params.collect_shared_vars(params.fold(layers.get_output(layer)))
    []
    """
    single = isinstance(outputs, Variable)
    roots = [outputs] if single else list(outputs)
    constants = {
        leaf: pt.constant(leaf.get_value(), name=leaf.name)
        for leaf in _foldable(roots, leaves)
    }
    if constants:
        roots = [constants.get(root, root) for root in roots]
        roots = graph_replace(roots, constants, strict=False)
        roots = _computed(roots)
    return roots[0] if single else roots


def _foldable(roots, leaves):
    if leaves is None:
        leaves = [
            leaf
            for leaf in collect_shared_vars(roots)
            if getattr(leaf, "default_update", None) is None
        ]
    leaves = list(leaves)
    for leaf in leaves:
        if not isinstance(leaf, SharedVariable):
            raise TypeError(
                f"fold: leaves must be shared variables, got {leaf!r}. "
                "get_all_params gives those of a network."
            )
    return leaves


def _computed(roots):
    """Replace every largest expression of constants by its value."""
    nodes = list(toposort(roots))
    known = {
        out
        for node in nodes
        for out in node.outputs
        if isinstance(out.type, TensorType)
    }
    for node in nodes:  # from the inputs upwards: an unknown input makes unknown
        if not all(isinstance(i, Constant) or i in known for i in node.inputs):
            known -= set(node.outputs)
    used = [each for node in nodes if not set(node.outputs) <= known
            for each in node.inputs]  # fmt: skip
    largest = list(dict.fromkeys(each for each in [*used, *roots] if each in known))
    if not largest:
        return roots
    compute = pytensor.function([], largest, mode="FAST_COMPILE")
    values = {
        each: pt.constant(value, name=each.name)
        for each, value in zip(largest, compute(), strict=True)
    }
    roots = [values.get(root, root) for root in roots]
    return graph_replace(roots, values, strict=False)
