"""The operations on JAX."""

import warnings

from lasagne_next.dispatch.jax import (
    attention,
    circular,
    convolution,
    ctc,
    gru,
    lambert_w,
    lstm,
    markers,
    matrix_product,
    pooling,
    resampling,
    scan,
    shuffling,
    sizes,
    subtensor,
)

# PyTensor counts by integers of 64 bits. In single precision JAX has those of
# 32, and would say so at every size that is computed (PyTensor 3.0.7 to 3.3.8).
warnings.filterwarnings(
    "ignore", "Explicitly requested dtype u?int64 ", category=UserWarning
)

__all__ = [
    "attention",
    "circular",
    "convolution",
    "ctc",
    "gru",
    "lambert_w",
    "lstm",
    "markers",
    "matrix_product",
    "pooling",
    "resampling",
    "scan",
    "shuffling",
    "sizes",
    "subtensor",
]
