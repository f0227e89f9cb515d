"""Checks that a layer, update rule, parameter expression or Op keeps the contract.

For classes of your own: one call in a test says whether the rest of the library can
rely on them. Each check raises AssertionError and says what is wrong.

Examples
--------
>>> from functools import partial
>>> from lasagne_next import layers, testing
>>> testing.check_layer(partial(layers.DenseLayer, num_units=3), (None, 5))
"""

from lasagne_next.testing.graphs import double_variables
from lasagne_next.testing.layer import check_layer
from lasagne_next.testing.numerics import check_gradients
from lasagne_next.testing.op import check_op
from lasagne_next.testing.parameter import check_expression
from lasagne_next.testing.update import check_update

__all__ = [
    "check_expression",
    "check_gradients",
    "check_layer",
    "check_op",
    "check_update",
    "double_variables",
]
