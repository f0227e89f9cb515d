"""Operations that PyTensor lacks, useful without the layers too."""

from lasagne_next.ops.attention import Attention, AttentionGradient, attention
from lasagne_next.ops.circular import (
    CircularConvolution,
    CircularCorrelation,
    convolve_circularly,
)
from lasagne_next.ops.convolution import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
    convolve,
    convolve_transposed,
)
from lasagne_next.ops.ctc import CTC
from lasagne_next.ops.gradient_clip import GradientClip, clip_gradient
from lasagne_next.ops.gradient_reversal import GradientReversal, reverse_gradient
from lasagne_next.ops.gru import GRUSequence, GRUSequenceGradient, gru_sequence
from lasagne_next.ops.lambert_w import LambertW, lambert_w
from lasagne_next.ops.lstm import LSTMSequence, LSTMSequenceGradient, lstm_sequence
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
    "CTC",
    "Attention",
    "AttentionGradient",
    "AveragePool",
    "CircularConvolution",
    "CircularCorrelation",
    "Convolution",
    "FilterGradient",
    "GRUSequence",
    "GRUSequenceGradient",
    "GradientClip",
    "GradientReversal",
    "LSTMSequence",
    "LSTMSequenceGradient",
    "LambertW",
    "MatrixProduct",
    "MaxPool",
    "PixelShuffle",
    "PixelUnshuffle",
    "TransposedConvolution",
    "Upsampling",
    "attention",
    "clip_gradient",
    "convolve",
    "convolve_circularly",
    "convolve_transposed",
    "gru_sequence",
    "lambert_w",
    "lstm_sequence",
    "matrix_product",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pool",
    "reverse_gradient",
    "upsample",
]
