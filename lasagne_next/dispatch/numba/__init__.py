"""The operations on Numba."""

from lasagne_next.dispatch.numba import matrix_product as matrix_product

__all__ = ["matrix_product"]
