"""The operations on Numba."""

from lasagne_next.dispatch.numba import convolution, markers, matrix_product

__all__ = ["convolution", "markers", "matrix_product"]
