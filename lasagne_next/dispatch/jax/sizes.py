"""Arithmetic with sizes on JAX, where a size must stay a plain number.

JAX knows all sizes when it traces a function, but what its own operations compute from
them are traced values, which cannot be the shape of anything. PyTensor computes with
sizes by its usual operations (3.0.7 to 3.3.7), so that a loop over an unknown number of
steps, among others, does not compile. Here the usual operations on single integers are
computed at once, by numpy, where their inputs are known while tracing. To be removed
when PyTensor does so.
"""

import jax
import numpy as np
from pytensor.link.jax.dispatch.basic import jax_funcify
from pytensor.tensor.basic import ScalarFromTensor
from pytensor.tensor.elemwise import Elemwise

__all__ = ["jax_funcify_integer_elemwise", "jax_funcify_scalar_from_tensor"]

_usual_elemwise = jax_funcify.dispatch(Elemwise)
_usual_scalar_from_tensor = jax_funcify.dispatch(ScalarFromTensor)


@jax_funcify.register(Elemwise)
def jax_funcify_integer_elemwise(op, node, **kwargs):
    """Return the usual function, but compute what is known while tracing."""
    usual = _usual_elemwise(op, node=node, **kwargs)
    if not all(map(_is_whole, [*node.inputs, *node.outputs])):
        return usual

    def elemwise(*inputs):
        return _computed(node, inputs) if _are_known(inputs) else usual(*inputs)

    return elemwise


@jax_funcify.register(ScalarFromTensor)
def jax_funcify_scalar_from_tensor(op, **kwargs):
    """Return the usual function, but leave what is known while tracing as it is."""
    usual = _usual_scalar_from_tensor(op, **kwargs)

    def scalar_from_tensor(x):
        return np.asarray(x)[()] if _are_known([x]) else usual(x)

    return scalar_from_tensor


def _is_whole(variable):
    return variable.type.ndim == 0 and np.dtype(variable.type.dtype).kind in "iub"


def _are_known(values):
    return not any(isinstance(each, jax.core.Tracer) for each in values)


def _computed(node, inputs):
    values = [
        np.asarray(value, dtype=variable.type.dtype)
        for value, variable in zip(inputs, node.inputs, strict=True)
    ]
    storage = [[None] for _ in node.outputs]
    node.op.perform(node, values, storage)
    results = tuple(np.asarray(each)[()] for (each,) in storage)
    return results if len(results) > 1 else results[0]
