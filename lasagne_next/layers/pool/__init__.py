"""Layers that reduce or enlarge maps of positions."""

from lasagne_next.layers.pool.features import FeaturePoolLayer, FeatureWTALayer
from lasagne_next.layers.pool.globally import GlobalPoolLayer
from lasagne_next.layers.pool.pyramid import (
    SpatialPyramidPoolingLayer,
    pool_2d_nxn_regions,
)
from lasagne_next.layers.pool.shuffling import PixelShuffleLayer, PixelUnshuffleLayer
from lasagne_next.layers.pool.upscaling import (
    Upscale1DLayer,
    Upscale2DLayer,
    Upscale3DLayer,
)
from lasagne_next.layers.pool.windows import (
    MaxPool1DLayer,
    MaxPool2DLayer,
    MaxPool3DLayer,
    Pool1DLayer,
    Pool2DLayer,
    Pool3DLayer,
    pool_2d,
    pool_3d,
    pool_output_length,
)

__all__ = [
    "FeaturePoolLayer",
    "FeatureWTALayer",
    "GlobalPoolLayer",
    "MaxPool1DLayer",
    "MaxPool2DLayer",
    "MaxPool3DLayer",
    "PixelShuffleLayer",
    "PixelUnshuffleLayer",
    "Pool1DLayer",
    "Pool2DLayer",
    "Pool3DLayer",
    "SpatialPyramidPoolingLayer",
    "Upscale1DLayer",
    "Upscale2DLayer",
    "Upscale3DLayer",
    "pool_2d",
    "pool_2d_nxn_regions",
    "pool_3d",
    "pool_output_length",
]
