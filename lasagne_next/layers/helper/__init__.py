"""Functions on whole networks, each given by its output layer or layers."""

from lasagne_next.layers.helper.conversion import replace_param
from lasagne_next.layers.helper.copying import copy_network
from lasagne_next.layers.helper.evaluation import get_output, get_output_shape
from lasagne_next.layers.helper.parameters import (
    count_params,
    get_all_param_values,
    get_all_params,
    set_all_param_values,
)
from lasagne_next.layers.helper.traversal import get_all_layers

__all__ = [
    "copy_network",
    "count_params",
    "get_all_layers",
    "get_all_param_values",
    "get_all_params",
    "get_output",
    "get_output_shape",
    "replace_param",
    "set_all_param_values",
]
