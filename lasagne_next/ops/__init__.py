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
from lasagne_next.ops.resampling import Upsampling, upsample
from lasagne_next.ops.shuffling import (
    PixelShuffle,
    PixelUnshuffle,
    pixel_shuffle,
    pixel_unshuffle,
)

__all__ = [
    "AveragePool",
    "Convolution",
    "FilterGradient",
    "LambertW",
    "MatrixProduct",
    "MaxPool",
    "PixelShuffle",
    "PixelUnshuffle",
    "TransposedConvolution",
    "Upsampling",
    "convolve",
    "convolve_transposed",
    "lambert_w",
    "matrix_product",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pool",
    "upsample",
]
