"""Noise schedules, scores and samplers of diffusion models.

A diffusion model is a denoiser for all levels of noise. The samplers take any function
``denoise(x, noise)`` from noisy arrays and the standard deviation of their noise to
clean ones, such as a compiled network, and the levels to go through. Schedules, scores
and losses are expressions, to train with.
"""

from lasagne_next.diffusion.likelihood import log_likelihood
from lasagne_next.diffusion.predictions import convert_prediction, preconditioning
from lasagne_next.diffusion.samplers import (
    annealed_langevin,
    ddim,
    ddpm,
    langevin,
    predictor_corrector,
    probability_flow,
    reverse_sde,
)
from lasagne_next.diffusion.schedules import (
    cosine_schedule,
    noise_levels,
    variance_exploding_schedule,
    variance_preserving_schedule,
)
from lasagne_next.diffusion.score_matching import (
    denoising_score_matching,
    score_matching,
    sliced_score_matching,
)
from lasagne_next.diffusion.traces import estimated_trace, jacobian_trace

__all__ = [
    "annealed_langevin",
    "convert_prediction",
    "cosine_schedule",
    "ddim",
    "ddpm",
    "denoising_score_matching",
    "estimated_trace",
    "jacobian_trace",
    "langevin",
    "log_likelihood",
    "noise_levels",
    "preconditioning",
    "predictor_corrector",
    "probability_flow",
    "reverse_sde",
    "score_matching",
    "sliced_score_matching",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]
