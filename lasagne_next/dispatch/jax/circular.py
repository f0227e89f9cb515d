"""Circular convolution on JAX."""

import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.circular import (
    CircularConvolution,
    CircularCorrelation,
    check_lengths,
    check_shapes,
)

__all__ = ["jax_funcify_circular_convolution", "jax_funcify_circular_correlation"]


@jax_funcify.register(CircularConvolution)
def jax_funcify_circular_convolution(op, **kwargs):
    """Return a function of rows and a vector."""

    def circular_convolution(x, c):
        check_lengths(x, c)
        return jnp.fft.irfft(jnp.fft.rfft(x) * jnp.fft.rfft(c), x.shape[1])

    return circular_convolution


@jax_funcify.register(CircularCorrelation)
def jax_funcify_circular_correlation(op, **kwargs):
    """Return a function of two matrices."""

    def circular_correlation(x, y):
        check_shapes(x, y)
        products = jnp.fft.rfft(x).conj() * jnp.fft.rfft(y)
        return jnp.fft.irfft(products.sum(axis=0), x.shape[1])

    return circular_correlation
