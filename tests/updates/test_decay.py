"""Which parameters decay, and trust ratios at zero."""

import numpy as np
import pytensor
import pytest

from lasagne_next import updates
from tests.backends import compile_on

RULES = ["adamw", "lion", "lamb"]


@pytest.mark.parametrize("name", RULES)
def test_only_the_parameters_asked_for_decay(name):
    """Decay of biases too, or of nothing."""
    A, B, C, D = (pytensor.shared(np.array([3.0, 4.0]), name=n) for n in "ABCD")
    rule = getattr(updates, name)
    gradients = [np.ones(2), np.ones(2)]
    hyper = {"learning_rate": 0.1, "weight_decay": 0.5}
    mixed = rule(gradients, [A, B], decay_params=(p for p in [A]), **hyper)
    all_decay = rule([np.ones(2)], [C], **hyper)
    no_decay = rule([np.ones(2)], [D], **hyper | {"weight_decay": 0.0})
    train = compile_on(
        "FAST_COMPILE", [], [], updates=updates.combine(mixed, all_decay, no_decay)
    )
    train()
    np.testing.assert_array_equal(A.get_value(), C.get_value())
    np.testing.assert_allclose(B.get_value(), D.get_value(), rtol=1e-15)
    assert not np.allclose(A.get_value(), B.get_value())


@pytest.mark.parametrize("name", RULES)
def test_decaying_parameters_must_be_trained(name):
    """A misspelt or frozen parameter that does not decay in silence."""
    A, B = (pytensor.shared(np.ones(2), name=n) for n in "AB")
    rule = getattr(updates, name)
    with pytest.raises(ValueError, match=f"{name}: decay_params must be among .* B"):
        rule(A.sum(), [A], decay_params=[B])
    with pytest.raises(TypeError, match=f"{name}: decay_params must be a list"):
        rule(A.sum(), [A], decay_params=A)


def test_lamb_moves_parameters_that_are_zero_and_rests_on_zero_gradients():
    """A ratio of zero, which holds new biases at zero, or a division by zero."""
    zero = pytensor.shared(np.zeros(2))
    still = pytensor.shared(np.array([3.0, 4.0]))
    made = updates.lamb(
        [np.ones(2), np.zeros(2)], [zero, still], learning_rate=0.1, weight_decay=0
    )
    compile_on("FAST_COMPILE", [], [], updates=made)()
    np.testing.assert_allclose(zero.get_value(), -0.1, rtol=1e-5)
    assert still.get_value().tolist() == [3.0, 4.0]
