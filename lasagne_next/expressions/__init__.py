"""Parameter expressions, and products that use their structure."""

from lasagne_next.expressions.attention import (
    attention,
    attention_weights,
    masked_softmax,
)
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.blocks import BlockDiagonal, Kronecker, Monarch
from lasagne_next.expressions.convolve import convolve
from lasagne_next.expressions.determinant import (
    LUInvertible,
    log_abs_det,
    mark_log_det,
)
from lasagne_next.expressions.dot import dot, take
from lasagne_next.expressions.elementwise import Box, Positive, Simplex
from lasagne_next.expressions.factors import LowRank, LowRankPlus, Transposed
from lasagne_next.expressions.generated import Generated
from lasagne_next.expressions.markers import (
    carry_state,
    mark_draw,
    settle,
    state_updates,
)
from lasagne_next.expressions.masked import Masked
from lasagne_next.expressions.norms import UnitNorm, WeightNorm, WeightStandardised
from lasagne_next.expressions.orthogonal import Orthogonal
from lasagne_next.expressions.positions import (
    causal_mask,
    fourier_features,
    positions,
    relative_bias,
    relative_scores,
    sinusoids,
)
from lasagne_next.expressions.sampling import bilinear_sample
from lasagne_next.expressions.squares import sum_of_squares
from lasagne_next.expressions.standardise import rms_normalise, standardise
from lasagne_next.expressions.stateful import SpectralNorm, exponential_average
from lasagne_next.expressions.stochastic import Gaussian, kl_to_normal_prior
from lasagne_next.expressions.straight_through import Binary, Quantised
from lasagne_next.expressions.symmetric import (
    PSD,
    SkewSymmetric,
    SPDCholesky,
    Symmetric,
)
from lasagne_next.expressions.toeplitz import Circulant, Toeplitz

__all__ = [
    "PSD",
    "Binary",
    "BlockDiagonal",
    "Box",
    "Circulant",
    "Gaussian",
    "Generated",
    "Kronecker",
    "LUInvertible",
    "LowRank",
    "LowRankPlus",
    "Masked",
    "Monarch",
    "Orthogonal",
    "ParameterExpression",
    "Positive",
    "Quantised",
    "SPDCholesky",
    "Simplex",
    "SkewSymmetric",
    "SpectralNorm",
    "Symmetric",
    "Toeplitz",
    "Transposed",
    "UnitNorm",
    "WeightNorm",
    "WeightStandardised",
    "attention",
    "attention_weights",
    "bilinear_sample",
    "carry_state",
    "causal_mask",
    "convolve",
    "dot",
    "exponential_average",
    "fourier_features",
    "kl_to_normal_prior",
    "log_abs_det",
    "mark_draw",
    "mark_log_det",
    "masked_softmax",
    "positions",
    "relative_bias",
    "relative_scores",
    "rms_normalise",
    "settle",
    "sinusoids",
    "standardise",
    "state_updates",
    "sum_of_squares",
    "take",
]
