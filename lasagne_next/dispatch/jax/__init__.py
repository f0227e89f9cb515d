"""The operations on JAX."""

from lasagne_next.dispatch.jax import (
    convolution,
    lambert_w,
    markers,
    matrix_product,
    pooling,
    resampling,
    scan,
    shuffling,
    sizes,
    subtensor,
)

__all__ = [
    "convolution",
    "lambert_w",
    "markers",
    "matrix_product",
    "pooling",
    "resampling",
    "scan",
    "shuffling",
    "sizes",
    "subtensor",
]
