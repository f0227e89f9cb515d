"""Layers, and functions on networks of layers."""

from lasagne_next.layers import base, dense, helper, input
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

__all__ = [
    "DenseLayer",
    "InputLayer",
    "Layer",
    "MergeLayer",
    "NINLayer",
    "base",
    "count_params",
    "dense",
    "get_all_layers",
    "get_all_param_values",
    "get_all_params",
    "get_output",
    "get_output_shape",
    "helper",
    "input",
    "set_all_param_values",
]
