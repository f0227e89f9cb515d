"""The operations on JAX."""

from lasagne_next.dispatch.jax import convolution, markers, matrix_product

__all__ = ["convolution", "markers", "matrix_product"]
