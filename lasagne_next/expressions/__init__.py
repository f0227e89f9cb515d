"""Parameter expressions, and products that use their structure."""

from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.dot import dot
from lasagne_next.expressions.elementwise import Box, Positive, Simplex
from lasagne_next.expressions.factors import LowRank
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
from lasagne_next.expressions.stateful import SpectralNorm, exponential_average
from lasagne_next.expressions.stochastic import Gaussian, kl_to_normal_prior
from lasagne_next.expressions.straight_through import Binary, Quantised

__all__ = [
    "Binary",
    "Box",
    "Gaussian",
    "Generated",
    "LowRank",
    "Masked",
    "Orthogonal",
    "ParameterExpression",
    "Positive",
    "Quantised",
    "Simplex",
    "SpectralNorm",
    "UnitNorm",
    "WeightNorm",
    "WeightStandardised",
    "carry_state",
    "dot",
    "exponential_average",
    "kl_to_normal_prior",
    "mark_draw",
    "settle",
    "state_updates",
]
