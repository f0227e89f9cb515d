"""Layers that normalise their input."""

from lasagne_next.layers.normalization.batch import BatchNormLayer, batch_norm
from lasagne_next.layers.normalization.local_response import (
    LocalResponseNormalization2DLayer,
)
from lasagne_next.layers.normalization.per_example import (
    GroupNormLayer,
    InstanceNormLayer,
    LayerNormLayer,
    RMSNormLayer,
)
from lasagne_next.layers.normalization.population import reestimate_averages
from lasagne_next.layers.normalization.standardization import (
    StandardizationLayer,
    instance_norm,
    layer_norm,
)

__all__ = [
    "BatchNormLayer",
    "GroupNormLayer",
    "InstanceNormLayer",
    "LayerNormLayer",
    "LocalResponseNormalization2DLayer",
    "RMSNormLayer",
    "StandardizationLayer",
    "batch_norm",
    "instance_norm",
    "layer_norm",
    "reestimate_averages",
]
