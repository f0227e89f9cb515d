"""Functions that a layer applies to its output.

Each is a callable on an expression that keeps its shape and its type (integers become
``config.floatX``), can be pickled, and has finite derivatives at extreme inputs. Any
other callable on expressions will do as a layer's nonlinearity too. :func:`glu` and
:func:`maxout` change the shape; they are for ``ExpressionLayer`` and for expressions.
"""

from lasagne_next.nonlinearities.pooled import glu, maxout
from lasagne_next.nonlinearities.rectifiers import (
    CELU,
    SELU,
    LeakyRectify,
    celu,
    elu,
    leaky_rectify,
    rectify,
    relu6,
    selu,
    very_leaky_rectify,
)
from lasagne_next.nonlinearities.simplex import (
    LogSoftmax,
    Softmax,
    log_softmax,
    softmax,
)
from lasagne_next.nonlinearities.smooth import (
    gelu,
    gelu_tanh,
    log_sigmoid,
    mish,
    silu,
    softplus,
    swish,
)
from lasagne_next.nonlinearities.squashing import (
    ScaledTanH,
    ScaledTanh,
    hard_sigmoid,
    hard_tanh,
    identity,
    linear,
    sigmoid,
    softsign,
    tanh,
)

__all__ = [
    "CELU",
    "SELU",
    "LeakyRectify",
    "LogSoftmax",
    "ScaledTanH",
    "ScaledTanh",
    "Softmax",
    "celu",
    "elu",
    "gelu",
    "gelu_tanh",
    "glu",
    "hard_sigmoid",
    "hard_tanh",
    "identity",
    "leaky_rectify",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "maxout",
    "mish",
    "rectify",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
    "very_leaky_rectify",
]
