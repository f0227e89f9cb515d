"""The function that a layer applies to its output."""

from functools import partial

import pytest

from lasagne_next import layers, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity

SEQUENCES, IMAGES = (None, 5, 3), (None, 2, 7, 5)
BUILDERS = {
    "Gate": layers.Gate,
    "LSTMLayer": partial(layers.LSTMLayer, SEQUENCES, 4),
    "RecurrentLayer": partial(layers.RecurrentLayer, SEQUENCES, 4),
    "Conv2DLayer": partial(layers.Conv2DLayer, IMAGES, 4, 3),
    "TransposedConv2DLayer": partial(layers.TransposedConv2DLayer, IMAGES, 4, 3),
    "SeparableConv2DLayer": partial(layers.SeparableConv2DLayer, IMAGES, 4, 3),
    "NonlinearityLayer": partial(layers.NonlinearityLayer, IMAGES),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_name_is_no_nonlinearity(name):
    """Catches a string that is accepted, and called much later."""
    match = "nonlinearity must be a function.*got 'rectif'.*mean 'rectify'"
    with pytest.raises(TypeError, match=match):
        BUILDERS[name](nonlinearity="rectif")


def test_none_stands_for_the_identity():
    """Catches an attribute None that is called."""
    layer = layers.Layer(IMAGES)
    assert as_nonlinearity(layer, None) is nonlinearities.identity
    assert as_nonlinearity(layer, nonlinearities.tanh) is nonlinearities.tanh
