"""Layers, and functions on networks of layers."""

from lasagne_next.layers import base, dense, helper, input, noise
from lasagne_next.layers.base import Layer, MergeLayer
from lasagne_next.layers.dense import DenseLayer, NINLayer
from lasagne_next.layers.helper import (
    count_params,
    get_all_layers,
    get_all_param_values,
    get_all_params,
    get_output,
    get_output_shape,
    set_all_param_values,
)
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.noise import (
    DropoutLayer,
    GaussianNoiseLayer,
    dropout,
    dropout_channels,
    dropout_locations,
    spatial_dropout,
)

__all__ = [
    "DenseLayer",
    "DropoutLayer",
    "GaussianNoiseLayer",
    "InputLayer",
    "Layer",
    "MergeLayer",
    "NINLayer",
    "base",
    "count_params",
    "dense",
    "dropout",
    "dropout_channels",
    "dropout_locations",
    "get_all_layers",
    "get_all_param_values",
    "get_all_params",
    "get_output",
    "get_output_shape",
    "helper",
    "input",
    "noise",
    "set_all_param_values",
    "spatial_dropout",
]
