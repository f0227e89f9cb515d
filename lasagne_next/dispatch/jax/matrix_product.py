"""The matrix product on JAX."""

import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.matrix_product import MatrixProduct

__all__ = ["jax_funcify_matrix_product"]


@jax_funcify.register(MatrixProduct)
def jax_funcify_matrix_product(op, **kwargs):
    """Return the product of JAX."""
    return jnp.matmul
