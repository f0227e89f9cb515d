"""Layers that one network steers another with, and codes that carry what it says."""

from lasagne_next.layers.conditioning.film import FiLMLayer
from lasagne_next.layers.conditioning.gated import GatedActivationLayer
from lasagne_next.layers.conditioning.gaussian import GaussianSampleLayer
from lasagne_next.layers.conditioning.quantization import VectorQuantizationLayer
from lasagne_next.layers.conditioning.reversal import GradientReversalLayer
from lasagne_next.layers.conditioning.time import TimeEmbeddingLayer

__all__ = [
    "FiLMLayer",
    "GatedActivationLayer",
    "GaussianSampleLayer",
    "GradientReversalLayer",
    "TimeEmbeddingLayer",
    "VectorQuantizationLayer",
]
