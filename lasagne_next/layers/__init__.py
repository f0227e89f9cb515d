"""Layers, and functions on networks of layers."""

from lasagne_next.layers import base, dense, helper, input, noise, shape
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
from lasagne_next.layers.shape import (
    DimshuffleLayer,
    FlattenLayer,
    PadLayer,
    ReshapeLayer,
    SliceLayer,
    dimshuffle,
    flatten,
    pad,
    reshape,
)

__all__ = [
    "DenseLayer",
    "DimshuffleLayer",
    "DropoutLayer",
    "FlattenLayer",
    "GaussianNoiseLayer",
    "InputLayer",
    "Layer",
    "MergeLayer",
    "NINLayer",
    "PadLayer",
    "ReshapeLayer",
    "SliceLayer",
    "base",
    "count_params",
    "dense",
    "dimshuffle",
    "dropout",
    "dropout_channels",
    "dropout_locations",
    "flatten",
    "get_all_layers",
    "get_all_param_values",
    "get_all_params",
    "get_output",
    "get_output_shape",
    "helper",
    "input",
    "noise",
    "pad",
    "reshape",
    "set_all_param_values",
    "shape",
    "spatial_dropout",
]
