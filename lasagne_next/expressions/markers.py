"""Notes in the graph of a parameter: what to update, and what was drawn at random.

A mark is an operation that returns its first input. Its other inputs say something
about it that functions on expressions read, and that survives copying, pickling and
replacing. Before a function is compiled, the marks are taken out.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict

import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable, equal_computations
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.traversal import ancestors, toposort

from lasagne_next.params.substitution import rebuild

__all__ = ["carry_state", "mark_draw", "settle", "state_updates"]


class _Mark(Op):
    """Return the first input; no gradient flows to the others."""

    __props__ = ()
    view_map = {0: [0]}  # noqa: RUF012

    def make_node(self, value, *notes):
        """Return a value of the same type."""
        return Apply(self, [value, *notes], [value.type()])

    def perform(self, node, inputs, output_storage):
        """Pass the value on, where no rewrite has taken the mark out."""
        output_storage[0][0] = inputs[0]

    def infer_shape(self, *node_and_shapes):
        """Return the shape of the value."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        return [node_and_shapes[-1][0]]

    def connection_pattern(self, node):
        """Connect the value alone."""
        return [[True], *([False] for _ in node.inputs[1:])]

    def pullback(self, inputs, outputs, cotangents):
        """Pass the gradient on to the value."""
        return [cotangents[0], *(disconnected_type() for _ in inputs[1:])]


class _Carried(_Mark):
    """Inputs: value, state, new value of the state, and its double if it has one."""


class _Drawn(_Mark):
    """Inputs: value, mean, standard deviation."""


@node_rewriter([_Carried, _Drawn])
def remove_marks(fgraph, node):
    """Replace a mark by its first input."""
    return [node.inputs[0]]


optdb.register(
    "lasagne_next_remove_marks",
    dfs_rewriter(remove_marks),
    "fast_compile",
    "fast_run",
    "minimum_compile",
    "numba",
    "jax",
    position=-0.02,
)


def carry_state(value, state, new_state, implicit=False):
    """Note beside a value that a shared variable should be updated when it is used.

    Parameters
    ----------
    value : TensorVariable
        Any expression.
    state : SharedVariable
        What it depends on and what is carried from call to call.
    new_state : TensorVariable
        The next value of `state`, of its shape and type.
    implicit : bool, default False
        Whether every function compiled from the result makes the update by itself,
        with or without :func:`state_updates`.

    Returns
    -------
    TensorVariable
        Equal to `value`; :func:`state_updates` finds the update in it.

    Raises
    ------
    TypeError
        If `state` is no shared variable, or `new_state` is not of its kind.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next.expressions import carry_state, state_updates
    >>> count = pytensor.shared(0.0, name="count")
    >>> list(state_updates([carry_state(2 * count, count, count + 1)]))
    [count]
    >>> _ = carry_state(2 * count, count, count + 1, implicit=True).eval()
    >>> float(count.get_value())
    1.0
    """
    if not isinstance(state, SharedVariable):
        raise TypeError(
            f"carry_state: state must be a shared variable, got {state!r} of type "
            f"{type(state).__name__}."
        )
    new_state = pt.as_tensor_variable(new_state)
    if (new_state.dtype, new_state.ndim) != (state.dtype, state.ndim):
        raise TypeError(
            f"carry_state: new_state must be of {state.dtype} with {state.ndim} axes, "
            f"as {state!r} is, got {new_state.dtype} with {new_state.ndim} axes."
        )
    notes = [state, new_state]
    if implicit:
        notes.append(_updated_double(state, new_state))
    return _Carried()(value, *notes)


def _updated_double(state, new_state):
    """Return a variable with the storage of `state` that updates itself.

    An update that went with `state` itself would be made by every function that reads
    it, also by those for evaluation. Nothing is computed from the double, so that no
    operation in place can overwrite the storage while `state` is still to be read.
    """
    double = state.clone()
    with warnings.catch_warnings():
        # PyTensor would rather see updates passed to each function (since 3.0).
        warnings.simplefilter("ignore", DeprecationWarning)
        double.default_update = new_state
    return double


def state_updates(expressions):
    """Collect the updates of the state that expressions carry.

    Parameters
    ----------
    expressions : TensorVariable or iterable of TensorVariable
        Outputs of a network, or its parameters. Updates inside them are found.

    Returns
    -------
    OrderedDict
        Of shared variable to new value, to be given to ``pytensor.function`` together
        with the updates of the parameters. A function that does not get them leaves the
        state as it is.

    Raises
    ------
    ValueError
        If two expressions want different updates of one variable.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 5), 3, W=expressions.SpectralNorm(), name="h")
    >>> list(expressions.state_updates(layer.get_params(unwrap_shared=False)))
    [h.W.left, h.W.right]
    """
    roots = [expressions] if isinstance(expressions, Variable) else list(expressions)
    updates = OrderedDict()
    for node in _nodes(roots, _Carried):
        _, state, new_state = node.inputs[:3]
        if not isinstance(state, SharedVariable):
            continue
        known = updates.setdefault(state, new_state)
        if known is not new_state and not equal_computations([known], [new_state]):
            raise ValueError(
                f"state_updates: {state!r} must have one update, got {new_state!r} "
                f"besides {known!r}."
            )
    return updates


def mark_draw(value, mean, std):
    """Note beside a random value from which normal distribution it was drawn.

    Parameters
    ----------
    value : TensorVariable
        The draw.
    mean, std : TensorVariable
        Mean and standard deviation, of shapes that broadcast with the draw.

    Returns
    -------
    TensorVariable
        Equal to `value`; :func:`settle` can replace it by the mean.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import mark_draw, settle
    >>> mean = pt.vector("mean")
    >>> settle(mark_draw(mean + 0.1, mean, pt.ones_like(mean))) is mean
    True
    """
    return _Drawn()(value, _stretched(mean, value), _stretched(std, value))


def _stretched(note, value):
    """Give a note the shape of the value beside which it stands."""
    if note.type.broadcastable == value.type.broadcastable:
        return note
    sizes = zip(value.type.shape, value.shape, strict=True)
    return pt.alloc(note, *(size if known is None else known for known, size in sizes))


def settle(expressions):
    """Replace the random draws of parameters by their means.

    Parameters
    ----------
    expressions : TensorVariable or list of TensorVariable
        Outputs of a network whose parameters are random, of any shapes.

    Returns
    -------
    TensorVariable or list of TensorVariable
        The same expressions, with the mean in place of each draw that a parameter
        expression made (:class:`Gaussian`). Noise layers are not touched; for these
        pass ``deterministic=True`` to ``get_output``.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 5), 3, W=expressions.Gaussian(), name="h")
    >>> expressions.settle(layer.W)
    h.W.mean
    """
    single = isinstance(expressions, Variable)
    roots = [expressions] if single else list(expressions)
    settled = {}
    for node in toposort(roots):  # draws that the mean depends on come first
        if isinstance(node.op, _Drawn):
            value, mean = node.outputs[0], node.inputs[1]
            settled[value] = settled.get(mean, mean)
        else:
            rebuild(node, settled)
    roots = [settled.get(root, root) for root in roots]
    return roots[0] if single else roots


def drawn(expressions):
    """Return (mean, standard deviation) of each marked draw in expressions."""
    return [tuple(node.inputs[1:]) for node in _nodes(list(expressions), _Drawn)]


def _nodes(roots, kind):
    """Yield the nodes of a kind above any of the roots, each once."""
    seen = set()
    for variable in ancestors(roots):
        node = variable.owner
        if node is not None and isinstance(node.op, kind) and node not in seen:
            seen.add(node)
            yield node
