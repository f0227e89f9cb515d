"""Parameters that another expression computes."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, layers
from lasagne_next.params import set_tags
from tests.expressions.values import MODE, value_of


def test_a_network_makes_the_weights_of_a_layer(floatX64):
    """Catches weights that are computed once, and a generator that is not trained."""
    code = pt.matrix("code")
    below = layers.InputLayer((1, 4), code)
    generator = layers.DenseLayer(below, num_units=15, nonlinearity=None, name="g")
    W = expressions.Generated(layers.get_output(generator))
    layer = layers.DenseLayer((None, 5), 3, W=W, b=None)
    assert layer.W.type.shape == (5, 3)
    assert layer.get_params(trainable=True) == generator.get_params()
    assert W.count_free((5, 3)) == 4 * 15 + 15
    x, value = pt.matrix("x"), np.arange(4.0).reshape(1, 4)
    output = layers.get_output(layer, {None: x})
    gradient = pytensor.grad(output.sum(), generator.W)
    compute = pytensor.function([x, code], [layer.W, gradient], mode=MODE)
    made, slope = compute(np.ones((2, 5)), value)
    np.testing.assert_allclose(made, (value @ generator.W.get_value()).reshape(5, 3))
    assert slope.any()


def test_several_parameters_may_share_a_source():
    """Catches a source that must belong to one parameter."""
    source = pytensor.shared(np.arange(20.0), shape=(20,), name="all")
    W = expressions.Generated(source[:15])
    b = expressions.Generated(source[15:18])
    layer = layers.DenseLayer((None, 5), 3, W=W, b=b)
    assert layer.get_params() == [source]
    np.testing.assert_array_equal(value_of(layer.W), np.arange(15.0).reshape(5, 3))
    np.testing.assert_array_equal(value_of(layer.b), [15, 16, 17])


def test_a_hyperfan_start_gives_the_variance(floatX64):
    """Catches a rule in the notes that is off."""
    rng, wanted, inputs = np.random.default_rng(0), 0.01, 40
    code = rng.normal(size=(1, inputs))
    weights = rng.normal(size=(inputs, 60 * 50))
    weights *= np.sqrt(wanted / (inputs * (code**2).mean()))
    W = expressions.Generated(pt.dot(code, weights))((60, 50))
    np.testing.assert_allclose(value_of(W).var(), wanted, rtol=0.06)


def test_frozen_leaves_are_not_free():
    """Catches a count of what cannot be chosen."""
    u = pytensor.shared(np.ones((5, 2)))
    v = set_tags(pytensor.shared(np.ones((2, 3))), trainable=False)
    assert expressions.Generated(pt.dot(u, v)).count_free((3, 5)) == 10


def test_a_source_of_unknown_size_is_trusted():
    """Catches a source that is refused since its size depends on an input."""
    W = expressions.Generated(pt.vector("v"))((2, 3))
    assert W.type.shape == (2, 3)
    value = W.eval({W.owner.inputs[0]: np.arange(6.0)}, mode=MODE)
    np.testing.assert_array_equal(value, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            r"Generated.*: source must have 15 elements for the shape \(5, 3\), "
            r"got the shape \(4, 4\)",
            lambda: expressions.Generated(pytensor.shared(np.ones((4, 4))))((5, 3)),
        ),
        (
            TypeError,
            "Generated: source must be an expression, got array.* of type ndarray",
            lambda: expressions.Generated(np.ones(15)),
        ),
        (
            NotImplementedError,
            "Generated.* has no inverse",
            lambda: expressions.Generated(pt.vector()).from_value(np.ones((5, 3))),
        ),
    ],
)
def test_impossible_sources_are_refused(error, message, call):
    """Catches a wrong size that shows only when a function runs."""
    with pytest.raises(error, match=message):
        call()
