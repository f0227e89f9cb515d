"""Notes in the graph of a parameter: what to update, and what was drawn at random.

A mark is an operation that returns its first input. Its other inputs say something
about it that functions on expressions read, and that survives copying, pickling and
replacing. Before a function is compiled, the marks are taken out.
"""

from __future__ import annotations

from collections import OrderedDict

from pytensor.compile.mode import optdb
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.graph.replace import graph_replace
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.traversal import ancestors

__all__ = ["carry_state", "mark_draw", "settle", "state_updates"]


class _Mark(Op):
    """Return the first input; no gradient flows to the others."""

    __props__ = ()
    view_map = {0: [0]}  # noqa: RUF012

    def make_node(self, value, *notes):
        return Apply(self, [value, *notes], [value.type()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0]

    def infer_shape(self, *node_and_shapes):
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        return [node_and_shapes[-1][0]]

    def connection_pattern(self, node):
        return [[True], *([False] for _ in node.inputs[1:])]

    def pullback(self, inputs, outputs, cotangents):
        return [cotangents[0], *(disconnected_type() for _ in inputs[1:])]


class _Carried(_Mark):
    """Inputs: value, state, new value of the state."""


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


def carry_state(value, state, new_state):
    """Note beside a value that a shared variable should be updated when it is used.

    Parameters
    ----------
    value : TensorVariable
        Any expression.
    state : SharedVariable
        What it depends on and what is carried from call to call.
    new_state : TensorVariable
        The next value of `state`, of its shape and type.

    Returns
    -------
    TensorVariable
        Equal to `value`; :func:`state_updates` finds the update in it.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next.expressions import carry_state, state_updates
    >>> count = pytensor.shared(0.0, name="count")
    >>> list(state_updates([carry_state(2 * count, count, count + 1)]))
    [count]
    """
    return _Carried()(value, state, new_state)


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
        _, state, new_state = node.inputs
        if updates.setdefault(state, new_state) is not new_state:
            raise ValueError(
                f"state_updates: {state!r} must have one update, got {new_state!r} "
                f"besides {updates[state]!r}."
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
    return _Drawn()(value, mean, std)


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
    means = {node.outputs[0]: node.inputs[1] for node in _nodes(roots, _Drawn)}
    settled = [means.get(root, root) for root in roots]
    inner = [root for root in settled if root not in means.values()]
    if means and inner:
        new = graph_replace(inner, means, strict=False)
        replaced = dict(zip(inner, new, strict=True))
        settled = [replaced.get(root, root) for root in settled]
    return settled[0] if single else settled


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
