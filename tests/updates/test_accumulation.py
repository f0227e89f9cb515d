"""Calls that add up gradients, against one call with their mean."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates
from tests.backends import compile_on
from tests.updates.rules import (
    HYPER,
    NUM_STEPS,
    RULES,
    gradient_inputs,
    gradient_values,
    shared_params,
)


def test_every_rule_sees_the_mean_at_each_third_call_and_rests_between():
    """State, such as Adam's counter, that advances at the calls between."""
    gradients = gradient_inputs("float64")
    direct, accumulated, pairs = {}, {}, []
    for name, rule in RULES.items():
        first, second = shared_params("float64"), shared_params("float64")
        one = rule(gradients, first, **HYPER[name])
        many = updates.accumulate_gradients(gradients, second, 3, rule, **HYPER[name])
        direct.update(one)
        accumulated.update(many)
        pairs.extend(zip(one, many, strict=False))
    train = compile_on("FAST_COMPILE", gradients, [], updates=direct)
    train_slowly = compile_on("FAST_COMPILE", gradients, [], updates=accumulated)

    steps = gradient_values("float64")
    for start in range(0, NUM_STEPS, 3):
        before = [other.get_value() for _, other in pairs]
        for step in steps[start : start + 3]:
            for (_, other), old in zip(pairs, before, strict=True):
                np.testing.assert_array_equal(other.get_value(), old)
            train_slowly(*step)
        batch = zip(*steps[start : start + 3], strict=True)
        train(*[np.mean(values, axis=0) for values in batch])
        for variable, other in pairs:
            # Means are computed in another order, nothing else differs.
            np.testing.assert_allclose(
                other.get_value(), variable.get_value(), rtol=1e-9, atol=1e-12
            )


def test_a_rule_may_clip_average_and_count():
    """A mean clipped before it is one; counters that count calls, not updates."""
    A = pytensor.shared(np.zeros(2, "float32"), name="A")
    step, averages = updates.step_counter(), updates.parameter_averages([A])

    def rule(gradients, params):
        clipped = updates.clip_by_global_norm(gradients, params, 1)
        made = updates.sgd(clipped, params, learning_rate=1.0)
        made = updates.apply_polyak_average(made, averages)
        return updates.combine(made, updates.advance(step))

    x = pt.vector(dtype="float64")
    made = updates.accumulate_gradients((A * x).sum(), (p for p in [A]), 2, rule)
    assert all(variable.dtype == new.dtype for variable, new in made.items())
    train = compile_on("FAST_COMPILE", [x], [], updates=made)
    for values in [[6, 0], [0, 8], [2, 0], [-2, 0]]:
        train(np.array(values, "float64"))
    np.testing.assert_allclose(A.get_value(), [-0.6, -0.8], rtol=1e-6)
    np.testing.assert_allclose(averages[A].get_value(), [-0.6, -0.8], rtol=1e-6)
    assert step.get_value() == 2


def test_a_shared_number_of_calls_may_be_lowered_on_the_way():
    """A mean over the wrong number, or a counter that has passed its goal."""
    A, n = pytensor.shared(np.zeros(1)), pytensor.shared(5)
    x = pt.scalar(dtype="float64")
    loss, rule = A.sum() * x, updates.sgd
    made = updates.accumulate_gradients(loss, [A], n, rule, learning_rate=1)
    train = compile_on("FAST_COMPILE", [x], [], updates=made)
    train(1.0)
    train(3.0)
    n.set_value(2)
    train(5.0)
    assert A.get_value().tolist() == [-3.0]
    train(1.0)
    train(2.0)
    assert A.get_value().tolist() == [-4.5]


@pytest.mark.parametrize("n", [0, -2, 2.0, pt.scalar("n", dtype="float64")], ids=str)
def test_the_number_of_calls_is_a_positive_integer(n):
    """A parameter that never moves."""
    A = pytensor.shared(np.zeros(1))
    with pytest.raises(ValueError, match="num_calls must be a positive integer, got"):
        updates.accumulate_gradients(A.sum(), [A], n, updates.adam)


def test_state_that_cannot_be_chosen_is_refused():
    """A random generator that advances at each call in silence, or a crash."""
    A = pytensor.shared(np.zeros(1))
    rng = pytensor.shared(np.random.default_rng(1), name="rng")
    with pytest.raises(TypeError, match="must update tensors only, got rng"):
        updates.accumulate_gradients(A.sum(), [A], 2, lambda *_: {rng: rng})
