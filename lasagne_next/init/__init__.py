"""Start values of parameters.

An initialiser is called with the shape of a parameter and returns an array of
``config.floatX``. All draw from the package generator (:mod:`lasagne_next.random`).
"""

from lasagne_next.init.base import Initializer
from lasagne_next.init.distributions import Constant, Normal, TruncatedNormal, Uniform
from lasagne_next.init.fans import (
    Glorot,
    GlorotNormal,
    GlorotUniform,
    He,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
)
from lasagne_next.init.structured import Identity, Orthogonal, Sparse

__all__ = [
    "Constant",
    "Glorot",
    "GlorotNormal",
    "GlorotUniform",
    "He",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Normal",
    "Orthogonal",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
]
