"""Layers that apply a function, an offset, a scale or an inverse."""

from lasagne_next.layers.special.affine import BiasLayer, ScaleLayer, standardize
from lasagne_next.layers.special.expression import ExpressionLayer
from lasagne_next.layers.special.inverse import InverseLayer
from lasagne_next.layers.special.nonlinearity import NonlinearityLayer
from lasagne_next.layers.special.rectifiers import (
    ParametricRectifierLayer,
    RandomizedRectifierLayer,
    prelu,
    rrelu,
)
from lasagne_next.layers.special.transformer import (
    TPSTransformerLayer,
    TransformerLayer,
)

__all__ = [
    "BiasLayer",
    "ExpressionLayer",
    "InverseLayer",
    "NonlinearityLayer",
    "ParametricRectifierLayer",
    "RandomizedRectifierLayer",
    "ScaleLayer",
    "TPSTransformerLayer",
    "TransformerLayer",
    "prelu",
    "rrelu",
    "standardize",
]
