"""The operations on JAX."""

from lasagne_next.dispatch.jax import markers, matrix_product

__all__ = ["markers", "matrix_product"]
