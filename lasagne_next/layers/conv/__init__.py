"""Convolution layers in one, two and three dimensions."""

from lasagne_next.layers.conv.base import (
    BaseConvLayer,
)
from lasagne_next.layers.conv.dilated import (
    DilatedConv2DLayer,
)
from lasagne_next.layers.conv.lengths import (
    conv_input_length,
    conv_output_length,
)
from lasagne_next.layers.conv.plain import (
    Conv1DLayer,
    Conv2DLayer,
    Conv3DLayer,
)
from lasagne_next.layers.conv.separable import (
    DepthwiseConv1DLayer,
    DepthwiseConv2DLayer,
    SeparableConv1DLayer,
    SeparableConv2DLayer,
)
from lasagne_next.layers.conv.transposed import (
    Deconv1DLayer,
    Deconv2DLayer,
    Deconv3DLayer,
    TransposedConv1DLayer,
    TransposedConv2DLayer,
    TransposedConv3DLayer,
)

__all__ = [
    "BaseConvLayer",
    "Conv1DLayer",
    "Conv2DLayer",
    "Conv3DLayer",
    "Deconv1DLayer",
    "Deconv2DLayer",
    "Deconv3DLayer",
    "DepthwiseConv1DLayer",
    "DepthwiseConv2DLayer",
    "DilatedConv2DLayer",
    "SeparableConv1DLayer",
    "SeparableConv2DLayer",
    "TransposedConv1DLayer",
    "TransposedConv2DLayer",
    "TransposedConv3DLayer",
    "conv_input_length",
    "conv_output_length",
]
