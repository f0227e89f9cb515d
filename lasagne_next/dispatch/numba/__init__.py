"""The operations on Numba."""

from lasagne_next.dispatch.numba import (
    convolution,
    ctc,
    elementary,
    gru,
    lambert_w,
    lstm,
    markers,
    matrix_product,
    pooling,
    resampling,
    shuffling,
)

__all__ = [
    "convolution",
    "ctc",
    "elementary",
    "gru",
    "lambert_w",
    "lstm",
    "markers",
    "matrix_product",
    "pooling",
    "resampling",
    "shuffling",
]
