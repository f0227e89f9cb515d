"""The operations on JAX."""

from lasagne_next.dispatch.jax import matrix_product as matrix_product

__all__ = ["matrix_product"]
