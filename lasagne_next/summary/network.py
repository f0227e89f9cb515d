"""What is in a network: facts that the table and the drawing show."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from lasagne_next.io.naming import label_layers, label_params, name_leaves
from lasagne_next.layers.base import layers_below
from lasagne_next.layers.helper.parameters import get_all_params
from lasagne_next.layers.helper.traversal import as_list, get_all_layers
from lasagne_next.layers.outputs import OutputLayer
from lasagne_next.params.tags import leaf_tags
from lasagne_next.params.tracing import collect_shared_vars, is_leaf

__all__ = ["Facts", "ParamFacts", "gather_facts"]


@dataclass
class ParamFacts:
    """A parameter of a layer: its label there and the leaves inside."""

    param: object
    label: str
    leaves: list
    new_leaves: list

    @property
    def is_plain(self):
        """Whether it is a shared variable that no other layer held before."""
        return is_leaf(self.param) and bool(self.new_leaves)


@dataclass
class Facts:
    """Layers, parameters and leaves of a network under the names that files use."""

    layers: OrderedDict  # of layer to label
    leaves: OrderedDict  # of leaf to key
    params: OrderedDict = field(default_factory=OrderedDict)  # of layer to ParamFacts
    used_by: dict = field(default_factory=dict)  # of leaf to "<layer>.<parameter>"
    tags: dict = field(default_factory=dict)  # of leaf to set of tags

    def inputs_of(self, layer):
        """Return the labels of what is read of the layers below."""
        labels = [self.layers[each] for each in layers_below(layer)]
        if isinstance(layer, OutputLayer):
            return [f"{label}.{layer.output}" for label in labels]
        return labels


def gather_facts(network):
    """Look at each layer, parameter and leaf of a network once.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.

    Returns
    -------
    Facts
        In the order of :func:`lasagne_next.layers.get_all_layers`.
    """
    network = as_list(network)
    labels = label_layers(get_all_layers(network))
    keys = OrderedDict((leaf, key) for key, leaf in name_leaves(network).items())
    facts = Facts(labels, keys)
    for layer, label in labels.items():
        facts.params[layer] = [
            _look_at(param, own, f"{label}.{own}", layer, facts)
            for param, own in label_params(layer).items()
        ]
    for tag in ("trainable", "regularizable"):
        for leaf in get_all_params(network, **{tag: True}):
            facts.tags[leaf].add(tag)
    return facts


def _look_at(param, own, place, layer, facts):
    leaves = collect_shared_vars(param)
    new = [leaf for leaf in leaves if leaf not in facts.used_by]
    for leaf, tags in leaf_tags(param, layer.params.get(param, set())):
        facts.used_by.setdefault(leaf, []).append(place)
        facts.tags.setdefault(leaf, set()).update(tags)
    return ParamFacts(param, own, leaves, new)


def count_numbers(leaves):
    """Count the numbers in some leaves."""
    return sum(np.size(leaf.get_value(borrow=True)) for leaf in leaves)
