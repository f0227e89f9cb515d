"""Copying networks and parts of networks."""

from __future__ import annotations

import copy
import functools
import types
import warnings

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import toposort

from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.helper.traversal import as_list, get_all_layers
from lasagne_next.params.tracing import is_leaf, walk
from lasagne_next.random import RandomStream, draw_seed

__all__ = ["copy_network"]

# Objects of these packages are never looked into: functions, modules, arrays, compiled
# functions. Graphs of variables are followed in their own way.
_OPAQUE_PACKAGES = ("builtins", "numpy", "pytensor", "scipy", "jax")


def copy_network(layer_or_layers, replace=None, share_params=False, prefix=""):
    """Copy the layers of a network, on other inputs if wanted.

    Parameters
    ----------
    layer_or_layers : Layer or iterable of Layer
        The output layer or layers.
    replace : dict, optional
        Of layer in the network to the layer that takes its place in the copy, most
        often from an input layer to another one. What only the replaced layers needed
        is not copied.
    share_params : bool, default False
        If True, the copy has the very parameters of the original: one network at work
        on two inputs (siamese networks). If False, it starts from the same values but
        has shared variables of its own: a network to compare with, or to train on
        independently. What is tied in the original is tied among the copies.
    prefix : str, default ""
        Put before the names of the copied layers and of the new parameters. Without it
        they are called as in the original.

    Returns
    -------
    Layer or list of Layer
        The copy of each layer asked for; a list if several were given.

    Raises
    ------
    TypeError
        If `layer_or_layers`, or a key or value of `replace`, is no layer.
    ValueError
        If a key of `replace` is not part of the network, or the shapes of the copy do
        not fit each other any more.

    Notes
    -----
    The constructors of the layers are not called again; their attributes are copied.
    Attributes that hold parameters or layers, also in lists, dicts and other objects,
    hold the copies afterwards, but what a lambda captured stays as it was. Random
    streams get new seeds, so that the copy draws noise of its own. Everything else is
    used by both networks: nonlinearities, symbolic inputs (the copy of an input layer
    reads the same variable), and shared variables that are no parameters, such as a
    dropout probability.

    A copy with freshly drawn parameters cannot be had: a layer keeps no record of what
    its parameters were drawn from. Build the network again for that.

    References
    ----------
    .. [1] Jane Bromley et al. (1993): Signature verification using a "siamese" time
       delay neural network. NIPS.
       https://papers.nips.cc/paper/1993/hash/288cc0ff022877bd3df94bc9360b9c5d-Abstract.html

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_all_params
    >>> from lasagne_next.layers.helper import copy_network
    >>> left, right = InputLayer((None, 4)), InputLayer((None, 4))
    >>> network = DenseLayer(DenseLayer(left, 3, name="code"), 2, name="out")
    >>> twin = copy_network(network, replace={left: right}, share_params=True)
    >>> get_all_params([network, twin])
    [code.W, code.b, out.W, out.b]
    >>> target = copy_network(network, prefix="target.")
    >>> get_all_params(target)
    [target.code.W, target.code.b, target.out.W, target.out.b]
    """
    wanted, replace = as_list(layer_or_layers), dict(replace or {})
    _check_layers(wanted, replace)
    contents = _explore(wanted, replace)
    copies = {id(layer): type(layer).__new__(type(layer)) for layer in contents.layers}
    copies |= {id(old): new for old, new in replace.items()}
    variables = {} if share_params else _new_variables(contents, prefix)
    translator = _Translator(contents, copies, variables)
    for layer in contents.layers:
        new = copies[id(layer)]
        vars(new).update((k, translator(v)) for k, v in vars(layer).items())
        vars(new).pop("_epoch", None)  # let the shapes be captured anew
        if layer.name is not None:
            new.name = prefix + layer.name
    results = [copies[id(layer)] for layer in wanted]
    if replace:
        for layer in get_all_layers(results):
            layer.output_shape  # noqa: B018 (raises where shapes do not fit)
    return results if np.iterable(layer_or_layers) else results[0]


def _check_layers(wanted, replace):
    present = set(get_all_layers(wanted))
    for old, new in replace.items():
        if not isinstance(old, Layer) or not isinstance(new, Layer):
            wrong = new if isinstance(old, Layer) else old
            raise TypeError(
                f"copy_network: replace must map layers to layers, got {wrong!r} of "
                f"type {type(wrong).__name__}. Wrap an expression: "
                "InputLayer(shape, input_var=expression)."
            )
        if old not in present:
            raise ValueError(
                f"copy_network: replace must name layers of the network, got "
                f"{describe(old)}, on which none of the layers asked for depends."
            )


class _Contents:
    """What is found in a network: layers, variables, and objects that hold them."""

    def __init__(self):
        self.layers = []
        self.variables = {}
        self.objects = {}
        self.holders = {}  # of id of an object to ids of the objects that hold it


def _explore(wanted, replace):
    """Find all layers that must be copied, and all else in their attributes."""
    contents = _Contents()
    known = set(replace)

    def add_layers(found):
        for layer in get_all_layers(found, treat_as_input=known):
            if layer not in known:
                known.add(layer)
                contents.layers.append(layer)
                pending.extend((each, None) for each in vars(layer).values())

    pending = []
    add_layers(wanted)
    while pending:
        value, holder = pending.pop()
        if holder is not None:
            contents.holders.setdefault(id(value), set()).add(holder)
        if isinstance(value, Layer):
            add_layers([value])
        elif isinstance(value, Variable):
            contents.variables[value] = None
        elif id(value) not in contents.objects:
            contents.objects[id(value)] = value
            pending.extend((part, id(value)) for part in _parts(value))
    return contents


def _parts(value):
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, types.MethodType):
        return [value.__self__]
    package = type(value).__module__.partition(".")[0]
    if package in _OPAQUE_PACKAGES or not hasattr(value, "__dict__"):
        return []
    return list(vars(value).values())


class _Translator:
    """Turns an attribute of a layer into the attribute of its copy."""

    def __init__(self, contents, copies, variables):
        self.variables = variables
        self.done = dict(copies)
        self.affected = self._find_affected(contents)

    def _find_affected(self, contents):
        """Return the ids of the objects that must be copied.

        These are containers, which would otherwise belong to both networks, random
        streams, and whatever holds something that is copied.
        """
        pending = [*self.done, *(id(each) for each in self.variables)]
        pending += [
            key
            for key, value in contents.objects.items()
            if isinstance(value, dict | list | set | RandomStream)
        ]
        affected = set()
        while pending:
            key = pending.pop()
            if key not in affected:
                affected.add(key)
                pending.extend(contents.holders.get(key, ()))
        return affected

    def __call__(self, value):
        if isinstance(value, Variable):
            return self.variables.get(value, value)
        if id(value) not in self.done:
            if id(value) not in self.affected:
                return value
            self.done[id(value)] = self._copy(value)
        return self.done[id(value)]

    def _copy(self, value):
        if isinstance(value, RandomStream):
            return RandomStream(draw_seed())
        if isinstance(value, functools.partial):
            keywords = {name: self(each) for name, each in value.keywords.items()}
            return functools.partial(
                self(value.func), *map(self, value.args), **keywords
            )
        if isinstance(value, types.MethodType):
            return types.MethodType(value.__func__, self(value.__self__))
        if isinstance(value, tuple | frozenset):
            make = getattr(value, "_make", type(value))
            return make([self(each) for each in value])
        # What can hold itself must be known before its contents are copied.
        new = self.done[id(value)] = copy.copy(value)
        if isinstance(value, dict):
            new.clear()
            new.update([(self(key), self(each)) for key, each in value.items()])
        elif isinstance(value, list):
            new[:] = [self(each) for each in value]
        elif isinstance(value, set):
            new.clear()
            new.update([self(each) for each in value])
        else:
            vars(new).update({k: self(each) for k, each in vars(value).items()})
        return new


def _new_variables(contents, prefix):
    """Map every variable that depends on a parameter's leaf to one on a new leaf."""
    params = [
        param
        for layer in contents.layers
        for param in layer.get_params(unwrap_shared=False)
    ]
    inside = walk(params, lambda variable: variable.owner.inputs)
    old_to_new = {
        each: _new_shared(each, prefix)
        for each in inside
        if isinstance(each, SharedVariable)
    }
    default_updates = [
        each.default_update for each in old_to_new if each.default_update is not None
    ]
    roots = [*params, *contents.variables, *default_updates]
    rebuilt = _rebuild(roots, old_to_new)
    with warnings.catch_warnings():
        # PyTensor would rather see updates passed to each function (since 3.0).
        warnings.simplefilter("ignore", DeprecationWarning)
        for old, new in old_to_new.items():
            if old.default_update is not None:
                new.default_update = rebuilt.get(old.default_update, old.default_update)
    for param in params:
        if not isinstance(param, SharedVariable) and param in rebuilt and param.name:
            rebuilt[param].name = prefix + param.name
    return rebuilt


def _new_shared(old, prefix):
    """Make a shared variable of the same type, value, name and tags."""
    value = old.get_value() if is_leaf(old) else np.random.default_rng(draw_seed())
    new = type(old)(
        type=old.type,
        value=value,
        strict=old.container.strict,
        allow_downcast=old.container.allow_downcast,
        name=prefix + old.name if old.name else old.name,
    )
    new.tag = copy.copy(old.tag)
    return new


def _rebuild(roots, replacements):
    """Build all operations again that have something to replace below them."""
    rebuilt = dict(replacements)
    for node in toposort(roots):
        inputs = [rebuilt.get(each, each) for each in node.inputs]
        if any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            fresh = node.clone_with_new_inputs(inputs)
            for old, new in zip(node.outputs, fresh.outputs, strict=True):
                new.name, new.tag = old.name, copy.copy(old.tag)
                rebuilt[old] = new
    return rebuilt
