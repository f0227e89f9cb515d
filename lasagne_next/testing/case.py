"""What a layer is checked on: inputs, parameters, numbers to feed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.layers import InputLayer, get_all_layers

__all__ = [
    "NAME",
    "build",
    "draw_normal",
    "draw_values",
    "input_layers",
    "input_shapes",
    "real_inputs",
]

NAME = "checked"


def draw_normal(generator, shape):
    """Draw what layers are fed unless something else is asked for."""
    return generator.normal(size=shape)


def build(case, batch, dtype, keys=()):
    """Build the layer on new inputs, the parameters named in `keys` as expressions."""
    shapes = case.shape if isinstance(case.shape, list) else [case.shape]
    shapes = [(batch, *shape[1:]) for shape in shapes]
    whole = draw_values(case, dtype, 1)[0].dtype.kind in "iub"
    kind = "int32" if whole else dtype
    inputs = [
        InputLayer(shape, pt.tensor(f"x{index}", dtype=kind, shape=shape))
        for index, shape in enumerate(shapes)
    ]
    leaves = {}
    params = {key: _expression(leaves, key, dtype) for key in keys}
    incoming = inputs if isinstance(case.shape, list) else inputs[0]
    with pytensor.config.change_flags(floatX="float64"):
        layer = _made(case, incoming, params)
    return SimpleNamespace(
        layer=layer,
        variables=[each.input_var for each in inputs],
        leaves=leaves,
        batch=batch,
        dtype=dtype,
    )


def _made(case, incoming, params):
    try:
        return case.factory(incoming, name=NAME, **params)
    except TypeError as error:
        unknown = [key for key in params if f"keyword argument '{key}'" in str(error)]
        if unknown:
            raise AssertionError(
                f"{case.what}: each parameter must be passed under the name that "
                f"add_param registers, but there is no argument {unknown}."
            ) from error
        raise


def _expression(leaves, key, dtype):
    """Return a callable that makes a parameter, and keeps its leaf."""

    def make(shape):
        numbers = np.random.default_rng([7, *key.encode()]).normal(size=shape)
        leaves[key] = pytensor.shared(
            np.asarray(numbers, dtype=dtype), name=key, shape=shape
        )
        return pt.tanh(leaves[key])

    return make


def draw_values(case, dtype, batch):
    """Draw an array for each input, the same in each call."""
    generator = np.random.default_rng(3)
    shapes = case.shape if isinstance(case.shape, list) else [case.shape]
    drawn = [np.asarray(case.draw(generator, (batch, *shape[1:]))) for shape in shapes]
    return [
        each.astype("int32" if each.dtype.kind in "iub" else dtype) for each in drawn
    ]


def input_layers(layer):
    """List the input layers below a layer."""
    return [each for each in get_all_layers(layer) if isinstance(each, InputLayer)]


def input_shapes(layer, batch):
    """Map the input layers below a layer to their shapes for a batch size."""
    return {each: (batch, *each.shape[1:]) for each in input_layers(layer)}


def real_inputs(built):
    """List the inputs that have gradients."""
    return [each for each in built.variables if each.dtype == built.dtype]
