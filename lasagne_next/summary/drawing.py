"""The drawing of a network, as text in the DOT language."""

from __future__ import annotations

from lasagne_next.layers.base import layers_below
from lasagne_next.layers.outputs import OutputLayer
from lasagne_next.summary.network import gather_facts

__all__ = ["to_dot"]


def to_dot(network):
    r"""Draw a network in the DOT language of Graphviz.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.

    Returns
    -------
    str
        A directed graph. Boxes are layers with class and output shape, rounded where
        data comes in; arrows carry data; a dashed line joins each layer to the one that
        used one of its leaves first, and names the leaf.

    Notes
    -----
    Save it to a file and run ``dot -Tsvg network.dot -o network.svg``, or give it to
    ``graphviz.Source``. Nothing needs to be installed for making the text.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer
    >>> from lasagne_next.summary import to_dot
    >>> print(to_dot(DenseLayer(InputLayer((None, 4), name="x"), 3, name="out")))
    digraph network {
      rankdir=BT;
      node [shape=box];
      n0 [label="x\nInputLayer\n(None, 4)", style=rounded];
      n1 [label="out\nDenseLayer\n(None, 3)"];
      n0 -> n1;
    }
    """
    facts = gather_facts(network)
    nodes = {layer: f"n{index}" for index, layer in enumerate(facts.layers)}
    lines = ["rankdir=BT;", "node [shape=box];"]
    for layer, label in facts.layers.items():
        kind = type(layer).__name__
        title = label if label.startswith(kind) else f"{label}\n{kind}"
        text = _quote(f"{title}\n{layer.output_shape}")
        style = "" if layers_below(layer) else ", style=rounded"
        lines.append(f"{nodes[layer]} [label={text}{style}];")
    lines += [
        f"{nodes[below]} -> {nodes[layer]}{_edge_style(layer)};"
        for layer in facts.layers
        for below in layers_below(layer)
    ]
    lines += [
        f"{nodes[first]} -> {nodes[layer]} [style=dashed, dir=none, "
        f"constraint=false, label={_quote(', '.join(leaves))}];"
        for (first, layer), leaves in _shared_leaves(facts).items()
    ]
    return "\n  ".join(["digraph network {", *lines]) + "\n}"


def _edge_style(layer):
    if isinstance(layer, OutputLayer):
        return f" [label={_quote(layer.output)}]"
    return ""


def _shared_leaves(facts):
    """Map pairs of a layer and the first user of some of its leaves to these leaves."""
    first_user, shared = {}, {}
    for layer, params in facts.params.items():
        for leaf in (leaf for each in params for leaf in each.leaves):
            first = first_user.setdefault(leaf, layer)
            if first is not layer:
                names = shared.setdefault((first, layer), [])
                if facts.leaves[leaf] not in names:
                    names.append(facts.leaves[leaf])
    return shared


def _quote(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
