"""Resampling on JAX: a choice of elements, and its transpose."""

import jax
import jax.numpy as jnp
import numpy as np
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.resampling import Upsampling, UpsamplingGradient

__all__ = ["jax_funcify_upsampling", "jax_funcify_upsampling_gradient"]


def _upsample(op, x):
    shape = [1] * x.ndim
    shape[op.axis] = -1
    indices, weights = op.sources(x.shape[op.axis], np.dtype(x.dtype))
    terms = []
    for index, weight in zip(indices, weights, strict=True):
        taken = jnp.take(x, index, axis=op.axis)
        weight = weight.reshape(shape)
        if (weight != 1).any():
            taken = jnp.where(weight != 0, taken * weight, 0)
        terms.append(taken)
    return sum(terms[1:], terms[0])


@jax_funcify.register(Upsampling)
def jax_funcify_upsampling(op, **kwargs):
    """Return a function of the elements."""

    def upsampling(x):
        if 0 in x.shape:
            shape = list(x.shape)
            shape[op.axis] *= op.factor
            return jnp.zeros(shape, x.dtype)
        return _upsample(op, x)

    return upsampling


@jax_funcify.register(UpsamplingGradient)
def jax_funcify_upsampling_gradient(op, **kwargs):
    """Return a function of values in the shape of the output."""

    def upsampling_gradient(y):
        shape = list(y.shape)
        shape[op.axis] //= op.factor
        if 0 in y.shape:
            return jnp.zeros(shape, y.dtype)
        x = jax.ShapeDtypeStruct(shape, y.dtype)
        return jax.linear_transpose(lambda x: _upsample(op, x), x)(y)[0]

    return upsampling_gradient
