"""What an expression is worth now, and the gradient of its entries."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.expressions import settle
from lasagne_next.params import collect_shared_vars

MODE = "FAST_COMPILE"


def value_of(expression):
    """Return the present value; of random parameters, their mean."""
    return np.asarray(settle(expression).eval(mode=MODE))


def pulled_back(expression, leaves, cotangent):
    """Return the gradients of ``sum(cotangent * expression)``."""
    cotangent = pt.constant(np.asarray(cotangent, dtype=expression.dtype))
    gradients = pytensor.grad(None, leaves, known_grads={expression: cotangent})
    return pytensor.function([], gradients, mode=MODE)()


def leaves_of(parameter):
    """Return leaves by the last part of their names."""
    return {leaf.name.split(".")[-1]: leaf for leaf in collect_shared_vars(parameter)}
