"""Exchanging the parameter of a layer that is already built."""

from __future__ import annotations

from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.utils import MissingInputError

from lasagne_next.expressions.base import ParameterExpression, evaluate
from lasagne_next.expressions.markers import settle
from lasagne_next.init import Initializer
from lasagne_next.layers.base import describe
from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.params import get_tags, set_tags, static_shape
from lasagne_next.params.creation import make_param
from lasagne_next.params.substitution import substitute
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
        The attribute that holds the parameter, such as "W", or the name under which the
        layer registered it.
    spec : ParameterExpression, callable, array, variable or None, default None
        What takes its place. A ready-made expression starts at (or nearest to) the
        present value. A plain function, such as ``lambda W: mask * W``, is given the
        present parameter and returns an expression of it. Anything else is taken as it
        is, and an initialiser draws anew. None makes a plain shared variable of the
        present value; of a random parameter, that of its mean.
    network : Layer or list of Layer, optional
        Output layers of the network. What other layers hold of the old parameter, such
        as the same weights or their transpose, is then made of the new one instead.
        Without it, other layers keep what they have.
    strict : bool, default True
        Whether to refuse a ready-made expression that cannot take the present value.

    Returns
    -------
    SharedVariable or expression
        The new parameter. It has the tags that the layer gave the old one. If both are
        shared variables, it has the old one's own tags, too.

    Raises
    ------
    ValueError
        If the layer has no such parameter, its value is needed and not known, `spec`
        gives another shape, or, if `strict`, cannot take the value. Nothing is changed
        then.
    NotImplementedError
        If `spec` is a ready-made expression that cannot start from a value.

    Notes
    -----
    Optimisers keep state for each shared variable. A function of the present parameter
    keeps its leaves, and so their state; everything else makes new ones, for which the
    updates must be built anew.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions, layers
    >>> value = np.outer(np.arange(1, 7.0), np.ones(5))
    >>> layer = layers.DenseLayer((None, 6), 5, W=value)
    >>> W = layers.replace_param(layer, "W", expressions.LowRank(rank=1))
    >>> layers.count_params(layer), W.eval(mode="FAST_COMPILE")[:, 0].round(6).tolist()
    (16, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    """
    old = _present(layer, name)
    shape = _known_shape(layer, name, old)
    label = f"{describe(layer)}: parameter {name}"
    if isinstance(spec, ParameterExpression):
        spec = spec.from_value(_value_of(old, label), strict=strict)
    elif spec is None:
        spec = _value_of(old, label)
    elif callable(spec) and not isinstance(spec, Initializer):
        spec = spec(old)
    new = make_param(spec, shape, old.name or name, label)
    layers = [layer] if network is None else [*get_all_layers(network), layer]
    changes = _changes(layers, old, new)
    if isinstance(old, SharedVariable) and isinstance(new, SharedVariable):
        set_tags(new, **{**get_tags(old), **get_tags(new)})
    for each in layers:
        _exchange(each, changes)
    return new


def _present(layer, name):
    held = getattr(layer, name, None)
    if isinstance(held, Variable) and held in layer.params:
        return held
    registered = f"{layer.name}.{name}" if layer.name is not None else name
    named = [param for param in layer.params if param.name == registered]
    if len(named) == 1:
        return named[0]
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


def _value_of(param, label):
    try:
        return evaluate(settle(param))
    except MissingInputError as error:
        raise ValueError(
            f"{label} must have a value to start from, got {param!r}, which depends on "
            "an input. Pass a function of it instead."
        ) from error


def _changes(layers, old, new):
    """Map all that the layers hold of the old parameter to what takes its place."""
    held = [variable for layer in layers for variable in _variables_in(vars(layer))]
    made = substitute(held, {old: new})
    changes = {
        before: after
        for before, after in zip(held, made, strict=True)
        if before is not after
    }
    for before, after in changes.items():
        if after.name is None:
            after.name = before.name
    return changes


def _variables_in(value):
    """List the variables in nested containers."""
    if isinstance(value, Variable):
        return [value]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return [found for each in value for found in _variables_in(each)]
    return []


def _exchange(layer, changes):
    """Replace variables in all attributes; order and tags are kept."""
    for attribute, value in list(vars(layer).items()):
        if any(each in changes for each in _variables_in(value)):
            vars(layer)[attribute] = _exchanged(value, changes)


def _exchanged(value, changes):
    """Return a value with variables replaced; what can be changed in place is."""
    if isinstance(value, Variable):
        return changes.get(value, value)
    if isinstance(value, dict):
        _exchange_in_dict(value, changes)
    elif isinstance(value, list):
        value[:] = [_exchanged(each, changes) for each in value]
    elif isinstance(value, set):
        members = [_exchanged(each, changes) for each in value]
        value.clear()
        value.update(members)
    elif isinstance(value, tuple | frozenset):
        make = getattr(value, "_make", type(value))
        return make([_exchanged(each, changes) for each in value])
    return value


def _exchange_in_dict(value, changes):
    items = list(value.items())
    value.clear()
    for key, each in items:
        key, each = _exchanged(key, changes), _exchanged(each, changes)
        if key in value and isinstance(each, set):  # tags of one parameter held twice
            each = value[key] | each
        value[key] = each
