"""Exchanging the parameter of a layer that is already built."""

from __future__ import annotations

from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import ancestors

from lasagne_next.layers.base import describe
from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.params import static_shape
from lasagne_next.params.creation import make_param
from lasagne_next.utils import nearest

__all__ = ["replace_param"]


def replace_param(layer, name, spec=None, network=None, strict=True):
    """Give a layer another parameter that starts at the value of the present one.

    Compress a trained weight to low rank, put an adapter beside it, constrain it, or
    make an expression plain again.

    Parameters
    ----------
    layer : Layer
        The layer whose parameter is replaced, in place.
    name : str
        The attribute that holds the parameter, such as "W".
    spec : ParameterExpression, callable, array, variable or None, default None
        What takes its place. A ready-made expression starts at (or nearest to) the
        present value. A plain function, such as ``lambda W: mask * W``, is given the
        present parameter and returns an expression of it. Anything else is taken as it
        is. None makes a plain shared variable of the present value.
    network : Layer or list of Layer, optional
        Output layers of the network. Parameters of other layers that depend on the old
        one, such as a tied transpose, then depend on the new one instead.
    strict : bool, default True
        Whether to refuse a ready-made expression that cannot take the present value.

    Returns
    -------
    SharedVariable or expression
        The new parameter. It has the tags of the old one.

    Raises
    ------
    ValueError
        If the layer has no such parameter, `spec` gives another shape, or, if `strict`,
        cannot take the value. Nothing is changed then.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 6), 5, W=np.outer(np.arange(6.0), np.ones(5)))
    >>> W = layers.replace_param(layer, "W", expressions.LowRank(rank=1))
    >>> layers.count_params(layer), W.eval(mode="FAST_COMPILE")[:, 0].round(6).tolist()
    (16, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    old = _present(layer, name)
    shape = _known_shape(layer, name, old)
    label = f"{describe(layer)}: parameter {name}"
    new_name = old.name or name
    if hasattr(spec, "from_value"):
        spec = spec.from_value(old.eval(mode="FAST_COMPILE"), strict=strict)
    elif spec is None:
        spec = old.eval(mode="FAST_COMPILE")
    elif callable(spec):
        spec = spec(old)
    new = make_param(spec, shape, new_name, label)
    changes = {} if network is None else _dependents(network, layer, old, new)
    _exchange(layer, {old: new})
    for other, replacements in changes.items():
        _exchange(other, replacements)
    return new


def _present(layer, name):
    held = getattr(layer, name, None)
    if isinstance(held, Variable) and held in layer.params:
        return held
    names = [
        attribute
        for attribute, value in vars(layer).items()
        if isinstance(value, Variable) and value in layer.params
    ]
    raise ValueError(
        f"{describe(layer)}: name must be one of the parameters "
        f"{', '.join(names) or '(none)'}, got {name!r}.{nearest(name, names)}"
    )


def _known_shape(layer, name, param):
    shape = static_shape(param)
    if None in shape:
        raise ValueError(
            f"{describe(layer)}: parameter {name} must have a known shape to be "
            f"replaced, got {shape}."
        )
    return shape


def _dependents(network, layer, old, new):
    """Work out the new parameters of all other layers that depend on `old`."""
    changes = {}
    for other in get_all_layers(network):
        held = [
            param
            for param in other.params
            if other is not layer and old in set(ancestors([param]))
        ]
        if held:
            replaced = [
                new if param is old else graph_replace([param], {old: new})[0]
                for param in held
            ]
            for before, after in zip(held, replaced, strict=True):
                if after.name is None:
                    after.name = before.name
            changes[other] = dict(zip(held, replaced, strict=True))
    return changes


def _exchange(layer, replacements):
    """Replace parameters in the registry, order and tags kept, and in attributes."""
    entries = list(layer.params.items())
    layer.params.clear()
    for param, tags in entries:
        layer.params[replacements.get(param, param)] = tags
    for attribute, value in list(vars(layer).items()):
        if isinstance(value, Variable) and value in replacements:
            setattr(layer, attribute, replacements[value])
