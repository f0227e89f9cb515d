"""Layers that arrange the elements of their input differently."""

from lasagne_next.layers.shape.dimshuffling import DimshuffleLayer, dimshuffle
from lasagne_next.layers.shape.padding import PadLayer, pad
from lasagne_next.layers.shape.reshaping import (
    FlattenLayer,
    ReshapeLayer,
    flatten,
    reshape,
)
from lasagne_next.layers.shape.slicing import SliceLayer

__all__ = [
    "DimshuffleLayer",
    "FlattenLayer",
    "PadLayer",
    "ReshapeLayer",
    "SliceLayer",
    "dimshuffle",
    "flatten",
    "pad",
    "reshape",
]
