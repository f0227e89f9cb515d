"""The operations on Numba."""

from lasagne_next.dispatch.numba import markers, matrix_product

__all__ = ["markers", "matrix_product"]
