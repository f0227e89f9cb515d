"""Turning a network into an expression, or into a shape."""

from __future__ import annotations

import difflib
import warnings

from lasagne_next.layers.base import Layer, MergeLayer, annotate, describe
from lasagne_next.layers.helper.traversal import as_list, get_all_layers
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.outputs import (
    OutputLayer,
    all_outputs_of,
    has_several_outputs,
    pick_output,
)
from lasagne_next.utils import as_theano_expression, inspect_kwargs

__all__ = ["get_output", "get_output_shape"]


def get_output(layer_or_layers, inputs=None, **kwargs):
    """Make the expression of a network's output.

    Parameters
    ----------
    layer_or_layers : Layer or iterable of Layer
        The layer or layers wanted.
    inputs : None, expression, array or dict
        None reads the variables of the input layers. An expression or array stands for
        the only input layer. A dict maps layers to the expressions or arrays that stand
        for their outputs; the key None is the input of layers built from a shape tuple.
    **kwargs
        Passed to every layer, most often ``deterministic=True`` for evaluation.

    Returns
    -------
    TensorVariable or list of TensorVariable
        Of the shape of each layer's output; a list if several layers were given. The
        expressions of one call share what they have in common, noise included.

    Raises
    ------
    ValueError
        If one input is given for several input layers or for none, or a layer was built
        from a shape tuple and no input is given for it.
    TypeError
        If a key of `inputs` is no layer.

    Warns
    -----
    UserWarning
        If no layer knows a keyword.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers import DenseLayer, DropoutLayer, InputLayer, get_output
    >>> network = DenseLayer(DropoutLayer(InputLayer((None, 4))), num_units=3)
    >>> get_output(network, pt.matrix("x"), deterministic=True).type.shape
    (None, 3)
    """
    outputs, evaluated = evaluate(layer_or_layers, inputs, kwargs)
    _warn_unused(kwargs, evaluated)
    return outputs


def evaluate(layer_or_layers, inputs, kwargs):
    """Return what `get_output` returns, and the layers that were evaluated for it."""
    given = inputs if isinstance(inputs, dict) else {}
    _check_keys("get_output", given)
    wanted = as_list(layer_or_layers)
    layers = get_all_layers(wanted, treat_as_input=given)
    outputs = {
        layer: as_theano_expression(value)
        for layer, value in given.items()
        if layer is not None
    }
    free_input = as_theano_expression(given[None]) if None in given else None
    for layer in layers:
        if isinstance(layer, InputLayer) and layer not in outputs:
            outputs[layer] = layer.input_var
    if inputs is not None and not isinstance(inputs, dict):
        the_input = _the_only_input("get_output", layers)
        outputs[the_input] = as_theano_expression(inputs)
    evaluated, named = [layer for layer in layers if layer not in outputs], {}
    for layer in evaluated:
        below = _gather("get_output", layer, outputs, named, free_input)
        try:
            outputs[layer], named[layer] = all_outputs_of(layer, below, kwargs)
        except Exception as error:
            annotate(error, layer, _input_shapes(layer))
            raise
    results = _like(layer_or_layers, [outputs[layer] for layer in wanted])
    return results, evaluated


def get_output_shape(layer_or_layers, input_shapes=None):
    """Work out the shape of a network's output.

    Parameters
    ----------
    layer_or_layers : Layer or iterable of Layer
        The layer or layers wanted.
    input_shapes : None, tuple or dict
        None takes the shapes that the network was built with. A tuple is the shape of
        the only input layer. A dict maps layers to the shapes of their outputs; the key
        None is the shape of the input of layers built from a shape tuple.

    Returns
    -------
    tuple or list of tuple
        Integers, and None for unknown sizes.

    Raises
    ------
    ValueError
        If one shape is given for several input layers or for none.
    TypeError
        If a key of `input_shapes` is no layer.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_output_shape
    >>> network = DenseLayer(InputLayer((None, 4)), num_units=3)
    >>> get_output_shape(network), get_output_shape(network, (7, 4))
    ((None, 3), (7, 3))
    """
    wanted = as_list(layer_or_layers)
    if input_shapes is None or input_shapes == {}:
        return _like(layer_or_layers, [layer.output_shape for layer in wanted])
    given = input_shapes if isinstance(input_shapes, dict) else {}
    _check_keys("get_output_shape", given)
    layers = get_all_layers(wanted, treat_as_input=given)
    shapes = {layer: shape for layer, shape in given.items() if layer is not None}
    named = {}  # shapes of all outputs, of layers that have several
    for layer in layers:
        if isinstance(layer, InputLayer) and layer not in shapes:
            shapes[layer] = layer.shape
    if not isinstance(input_shapes, dict):
        shapes[_the_only_input("get_output_shape", layers)] = input_shapes
    for layer in layers:
        if layer not in shapes:
            below = _gather_shapes(layer, shapes, named, given.get(None))
            try:
                shapes[layer] = layer.get_output_shape_for(below)
                if has_several_outputs(layer):
                    named[layer] = layer.get_output_shapes_for(below)
            except Exception as error:
                annotate(error, layer, below)
                raise
    return _like(layer_or_layers, [shapes[layer] for layer in wanted])


def _check_keys(function, given):
    for key in given:
        if key is not None and not isinstance(key, Layer):
            raise TypeError(
                f"{function}: the keys of the inputs must be layers or None, got "
                f"{key!r} of type {type(key).__name__}."
            )


def _the_only_input(function, layers):
    input_layers = [layer for layer in layers if isinstance(layer, InputLayer)]
    if len(input_layers) != 1:
        names = ", ".join(describe(layer) for layer in input_layers) or "none"
        raise ValueError(
            f"{function}: one input was given, but the network has "
            f"{len(input_layers)} input layers ({names}). Pass a dict from layer to "
            "input, with the key None for layers built from a shape tuple."
        )
    return input_layers[0]


def _gather(function, layer, outputs, named, free_input):
    if isinstance(layer, OutputLayer):
        return pick_output(layer, named.get(layer.input_layer))
    if isinstance(layer, MergeLayer) or hasattr(layer, "input_layers"):
        return [
            _free(function, layer, free_input) if below is None else outputs[below]
            for below in layer.input_layers
        ]
    if layer.input_layer is None:
        return _free(function, layer, free_input)
    return outputs[layer.input_layer]


def _free(function, layer, free_input):
    if free_input is None:
        raise ValueError(
            f"{function}: {describe(layer)} was built from a shape tuple, so there is "
            "no input for it. Give one in a dict, under the layer itself or under None."
        )
    return free_input


def _gather_shapes(layer, shapes, named, free_shape):
    if isinstance(layer, OutputLayer):
        return pick_output(layer, named.get(layer.input_layer))
    if isinstance(layer, MergeLayer) or hasattr(layer, "input_layers"):
        return [
            (free_shape or layer.input_shapes[index])
            if below is None
            else shapes[below]
            for index, below in enumerate(layer.input_layers)
        ]
    if layer.input_layer is None:
        return free_shape or layer.input_shape
    return shapes[layer.input_layer]


def _input_shapes(layer):
    return getattr(layer, "input_shapes", None) or getattr(layer, "input_shape", None)


def _like(asked, results):
    try:
        iter(asked)
    except TypeError:
        return results[0]
    return results


def _warn_unused(kwargs, layers):
    unused = set(kwargs) - {"deterministic"}
    if not unused:
        return
    accepted = {"deterministic", *accepted_keywords(layers)}
    unused -= accepted
    if unused:
        words = "\n  ".join(word + _hint(word, accepted) for word in sorted(unused))
        warnings.warn(
            f"get_output() was called with unused keyword arguments:\n  {words}",
            stacklevel=3,
        )


def accepted_keywords(layers):
    """Return the keywords that layers, or those that they pass some to, know."""
    accepted = set()
    for layer in layers:
        accepted.update(getattr(layer, "get_output_kwargs", ()))
        try:
            several = has_several_outputs(layer)
            output_map = layer.get_outputs_for if several else layer.get_output_for
            accepted.update(inspect_kwargs(output_map))
        except (TypeError, ValueError):
            continue  # what has no signature cannot be judged
    return accepted


def _hint(word, accepted):
    close = difflib.get_close_matches(word, sorted(accepted), n=1)
    return f" (perhaps you meant {close[0]})" if close else ""
