"""The operations on Numba."""

from lasagne_next.dispatch.numba import (
    convolution,
    lambert_w,
    markers,
    matrix_product,
    pooling,
)

__all__ = ["convolution", "lambert_w", "markers", "matrix_product", "pooling"]
