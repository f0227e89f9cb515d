"""The operations on Numba."""

from lasagne_next.dispatch.numba import (
    circular,
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
    "circular",
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
