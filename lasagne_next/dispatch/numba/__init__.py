"""The operations on Numba."""

from lasagne_next.dispatch.numba import (
    attention,
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
    "attention",
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
