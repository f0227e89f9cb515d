"""Operations that PyTensor lacks, useful without the layers too."""

from lasagne_next.ops.convolution import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
    convolve,
    convolve_transposed,
)
from lasagne_next.ops.lambert_w import LambertW, lambert_w
from lasagne_next.ops.matrix_product import MatrixProduct, matrix_product
from lasagne_next.ops.pooling import AveragePool, MaxPool, pool

__all__ = [
    "AveragePool",
    "Convolution",
    "FilterGradient",
    "LambertW",
    "MatrixProduct",
    "MaxPool",
    "TransposedConvolution",
    "convolve",
    "convolve_transposed",
    "lambert_w",
    "matrix_product",
    "pool",
]
