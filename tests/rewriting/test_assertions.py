"""JAX warns of the user's own assertions, and of no others."""

import warnings

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.raise_op import Assert

from lasagne_next import layers, objectives
from tests.backends import MODES, compile_on

pytest.importorskip("jax")


def warnings_of(inputs, outputs, mode=None):
    """Compile, run on ones, and return the result and the messages of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function = compile_on(mode or MODES["jax"], inputs, outputs)
        result = function(*(np.ones([3] * each.ndim, each.dtype) for each in inputs))
    messages = [str(each.message) for each in caught]
    return result, [each for each in messages if "Skipping" in each]


def test_a_loss_of_two_unknown_batches_is_silent():
    """Catches warnings that a user of unknown batch sizes can do nothing about."""
    l_in = layers.InputLayer((None, 3), pt.matrix("x", dtype="float64"))
    net = layers.DenseLayer(l_in, 3)
    target = pt.matrix("target", dtype="float64")
    loss = objectives.squared_error(layers.get_output(net), target).mean()
    gradients = pytensor.grad(loss, layers.get_all_params(net))
    inputs = [l_in.input_var, target]
    result, messages = warnings_of(inputs, [loss, *gradients])
    assert messages == []
    plain = MODES["jax"].excluding("lasagne_next_remove_shape_assertions")
    expected, messages = warnings_of(inputs, [loss, *gradients], plain)
    assert messages
    for got, wanted in zip(result, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_other_checks_of_shapes_by_pytensor_are_silent():
    """Catches a rewrite for one of its messages alone."""
    x, y = (pt.matrix(name, dtype="float64") for name in "xy")
    outputs = [
        pt.zeros_like(x + y),
        pt.set_subtensor(x[:2], 2 * y[:2]),
        pt.tensordot(pt.stack([x, x]), pt.stack([y, y]), axes=[[1, 2], [1, 2]]),
    ]
    result, messages = warnings_of([x, y], outputs)
    assert messages == []
    np.testing.assert_array_equal(result[1], [[2, 2, 2], [2, 2, 2], [1, 1, 1]])


def test_assertions_of_the_user_still_warn():
    """Catches a check that JAX skips without a word."""
    x, y = (pt.matrix(name, dtype="float64") for name in "xy")
    guarded = Assert("x must be positive")(x, pt.all(x > 0))
    _, messages = warnings_of([x, y], pt.sqr(guarded - y).mean())
    assert len(messages) == 1
    assert "x must be positive" in messages[0]


def test_a_check_that_is_known_to_fail_stays():
    """Catches an error that turns into a wrong result."""
    message = "Could not broadcast dimensions. More."
    x = pt.matrix("x", dtype="float64")
    failing = Assert(message)(x, pt.constant(np.array(False)))
    with pytest.raises(AssertionError, match="Could not broadcast"):
        compile_on(MODES["jax"], [x], failing)


def test_other_backends_check():
    """Catches misfits that go unnoticed where they could be found."""
    x, y = (pt.vector(name, dtype="float64") for name in "xy")
    function = compile_on(MODES["python"], [x, y], pt.zeros_like(x + y))
    with pytest.raises((AssertionError, ValueError)):
        function(np.ones(2), np.ones(3))
