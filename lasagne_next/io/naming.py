"""Names for layers, parameters and update state that never collide.

A name counts where it belongs to one object alone. Everything else is named after its
place, so that two networks built by the same program agree on every name, also if
nobody named anything.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from pytensor.graph.basic import Variable
from pytensor.graph.traversal import toposort

from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.params.tracing import collect_shared_vars, is_leaf

__all__ = ["STATE_PREFIX", "label_layers", "label_params", "name_leaves", "name_states"]

STATE_PREFIX = "updates:"


def label_layers(layers):
    """Give each layer its own name, or else its class and number.

    Parameters
    ----------
    layers : list of Layer
        In the order of :func:`lasagne_next.layers.get_all_layers`.

    Returns
    -------
    OrderedDict
        Of layer to label. Layers of one class are numbered from 0, named ones too.

    Examples
    --------
    >>> from lasagne_next.io.naming import label_layers
    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_all_layers
    >>> network = DenseLayer(DenseLayer(InputLayer((None, 4)), 3, name="code"), 2)
    >>> list(label_layers(get_all_layers(network)).values())
    ['InputLayer0', 'code', 'DenseLayer1']
    """
    numbers = Counter()
    proposals = []
    for layer in layers:
        kind = type(layer).__name__
        proposals.append((_usable(getattr(layer, "name", None)), kind, numbers[kind]))
        numbers[kind] += 1
    labels = _distinct([(name, f"{kind}{number}") for name, kind, number in proposals])
    return OrderedDict(zip(layers, labels, strict=True))


def label_params(layer):
    """Give each parameter of a layer a label within the layer, such as W.

    Parameters
    ----------
    layer : Layer
        Any layer.

    Returns
    -------
    OrderedDict
        Of parameter (shared variable or expression) to the attribute that holds it, or
        else to its name without that of the layer, or to "param" and its position.

    Examples
    --------
    >>> from lasagne_next.io.naming import label_params
    >>> from lasagne_next.layers import DenseLayer
    >>> list(label_params(DenseLayer((None, 4), 3, name="code")).items())
    [(code.W, 'W'), (code.b, 'b')]
    """
    params = layer.get_params(unwrap_shared=False)
    attributes = {
        value: name  # reversed, so that the first of several attributes counts
        for name, value in reversed(vars(layer).items())
        if isinstance(value, Variable) and not name.startswith("_")
    }
    proposals = []
    for index, param in enumerate(params):
        name = (param.name or "").removeprefix(f"{layer.name}.")
        proposals.append((_usable(attributes.get(param, name)), f"param{index}"))
    return OrderedDict(zip(params, _distinct(proposals), strict=True))


def name_leaves(network):
    """Give each leaf of a network a key.

    Parameters
    ----------
    network : Layer or iterable of Layer
        The output layer or layers.

    Returns
    -------
    OrderedDict
        Of key to shared variable, in the order of
        :func:`lasagne_next.layers.get_all_params`.
    """
    places = OrderedDict()
    for layer, label in label_layers(get_all_layers(network)).items():
        for leaf, place in _places_in(layer, label):
            places.setdefault(leaf, (_own_name(leaf, layer), place))
    return OrderedDict(zip(_distinct(list(places.values())), places, strict=True))


def name_states(updates, named):
    """Give each state variable of an update rule a key.

    A state is named after the parameter that it belongs to, or, if there is none or
    several (as for a step counter), after its own name or its position.

    Parameters
    ----------
    updates : dict
        Of shared variable to new value.
    named : dict
        The leaves of the network by key.

    Returns
    -------
    OrderedDict
        Of key to shared variable, in the order of `updates`.
    """
    keys = {leaf: key for key, leaf in named.items()}
    states = [each for each in updates if is_leaf(each) and each not in keys]
    groups = OrderedDict()
    for state, owner in zip(states, _owners(states, updates, keys), strict=True):
        groups.setdefault(owner, []).append(state)
    labels = {}
    for owner, members in groups.items():
        start = STATE_PREFIX if owner is None else f"{STATE_PREFIX}{keys[owner]}:"
        proposals = [
            (_state_name(state, owner), str(index))
            for index, state in enumerate(members)
        ]
        labels |= {
            state: start + label
            for state, label in zip(members, _distinct(proposals), strict=True)
        }
    unique = _distinct([(None, labels[state]) for state in states])
    return OrderedDict(zip(unique, states, strict=True))


def _places_in(layer, label):
    """Yield the leaves of a layer, each with a key made of its place."""
    for param, own in label_params(layer).items():
        if is_leaf(param):
            yield param, f"{label}.{own}"
        else:
            for index, leaf in enumerate(collect_shared_vars(param)):
                yield leaf, f"{label}.{own}:leaf{index}"


def _own_name(leaf, layer):
    # What a layer without a name makes is called W or b by the layer, not by anybody.
    # It is no name: the key would change as soon as a second such layer is added.
    if layer.name is None and vars(layer).get(leaf.name) is leaf:
        return None
    return _usable(leaf.name)


def _state_name(state, owner):
    name = state.name or ""
    if owner is not None:
        name = name.removeprefix(f"{owner.name}.")
    return _usable(name)


def _owners(states, updates, keys):
    """Find for each state the one parameter of the network that it belongs to.

    This is the only one whose new value depends on the state, like a velocity, or else
    the only one whose new value the state is made from, like an average.
    """
    params = [each for each in updates if each in keys]
    readers = {state: [] for state in states}
    sources = {state: [state] for state in states}
    for param, found in zip(params, _trace(params, updates, sources), strict=True):
        for state in found:
            readers[state].append(param)
    sources = {updates[param]: [param] for param in params}
    made_from = _trace(states, updates, sources)
    return [
        _only(found if len(readers[state]) != 1 else readers[state])
        for state, found in zip(states, made_from, strict=True)
    ]


def _trace(variables, updates, sources):
    """Tell for the new value of each variable which labelled sources are inside."""
    nothing = frozenset()
    found = {source: frozenset(labels) for source, labels in sources.items()}
    values = [updates[each] for each in variables]
    for node in toposort([each for each in values if isinstance(each, Variable)]):
        inside = nothing.union(*(found.get(each, nothing) for each in node.inputs))
        for output in node.outputs:
            found[output] = inside | found.get(output, nothing)
    return [found.get(value, nothing) for value in values]


def _only(elements):
    return next(iter(elements)) if len(elements) == 1 else None


def _usable(name):
    """Return a name that can be a key in a file, or None."""
    if not isinstance(name, str) or "\0" in name or name.startswith(STATE_PREFIX):
        return None
    return name or None


def _distinct(proposals):
    """Choose a label from each pair: the first if nobody else has it, or the second."""
    counts = Counter(first for first, _ in proposals if first is not None)
    taken = {first for first, count in counts.items() if count == 1}
    labels = []
    for first, second in proposals:
        label = first
        if counts[first] != 1:
            label = second
            while label in taken:
                label += "_"
            taken.add(label)
        labels.append(label)
    return labels
