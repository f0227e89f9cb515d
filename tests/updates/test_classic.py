"""Momentum added to updates, and the corners of resilient propagation."""

from collections import OrderedDict

import numpy as np
import pytensor
import pytest

from lasagne_next import updates
from tests.backends import compile_on


def make_params():
    return [pytensor.shared(np.ones(2), name=name) for name in "AB"]


def apply(name):
    return getattr(updates, name)


NAMES = ["apply_momentum", "apply_nesterov_momentum"]


@pytest.mark.parametrize("name", NAMES)
def test_apply_leaves_the_dictionary_given_as_it_was(name):
    """The argument changed in place."""
    A, B = make_params()
    given = updates.sgd((A * B).sum(), [A, B], 0.1)
    before = dict(given)
    made = apply(name)(given)
    assert dict(given) == before
    assert type(made) is OrderedDict
    assert list(made)[:2] == [A, B]


@pytest.mark.parametrize("name", NAMES)
def test_apply_acts_on_chosen_parameters_only(name):
    """Momentum for all parameters, whatever is asked for."""
    A, B = make_params()
    given = updates.sgd((A * B).sum(), [A, B], 0.1)
    made = apply(name)(given, params=(p for p in [B]))
    assert made[A] is given[A]
    assert [v.name for v in made] == ["A", "B", "B.momentum.velocity"]


@pytest.mark.parametrize("name", NAMES)
def test_apply_accepts_pairs_and_values_of_another_type(name):
    """A float64 value for a float32 parameter; a list of pairs."""
    A = pytensor.shared(np.ones(2, "float32"))
    made = apply(name)([(A, A - np.ones(2))], momentum=np.float64(0.5))
    assert {new.dtype for new in made.values()} == {"float32"}


@pytest.mark.parametrize("name", NAMES)
def test_apply_refuses_parameters_without_an_entry(name):
    """A parameter that moves by its momentum only."""
    A, B = make_params()
    given = updates.sgd(A.sum(), [A], 0.1)
    with pytest.raises(KeyError, match=f"{name}: .*got none for B"):
        apply(name)(given, [B])


@pytest.mark.parametrize("name", NAMES)
def test_apply_refuses_counters(name):
    """Momentum on a step counter in the same dictionary."""
    A, _ = make_params()
    step = updates.step_counter()
    given = updates.combine(updates.sgd(A.sum(), [A], 0.1), updates.advance(step))
    with pytest.raises(ValueError, match=f"{name}: .*floating type, got 'step'"):
        apply(name)(given)
    assert len(apply(name)(given, [A])) == 3


@pytest.mark.parametrize("name", ["momentum", "nesterov_momentum"])
def test_momentum_is_momentum_applied_to_sgd(name):
    """Two functions that drift apart."""
    A, B = make_params()
    loss = (A**2).sum() + (B**2).sum()
    short = getattr(updates, name)(loss, [A], 0.1, 0.5)
    long = apply(f"apply_{name}")(updates.sgd(loss, [B], 0.1), momentum=0.5)
    train = compile_on("FAST_COMPILE", [], [], updates=updates.combine(short, long))
    for _ in range(3):
        train()
    assert A.get_value().tolist() == B.get_value().tolist()


def test_rprop_takes_a_shared_first_step_when_it_starts():
    """The first step size read when the graph is built."""
    A, _ = make_params()
    first = pytensor.shared(0.5)
    made = updates.rprop(A.sum(), [A], learning_rate=first)
    train = compile_on("FAST_COMPILE", [], [], updates=made)
    first.set_value(0.25)
    train()
    first.set_value(100.0)
    train()
    np.testing.assert_allclose(A.get_value(), 1 - 0.25 - 0.3)


def test_rprop_sees_signs_of_tiny_gradients():
    """Signs compared by a product of gradients, which is zero for 1e-30 in float32."""
    A = pytensor.shared(np.float32([1.0]))
    made = updates.rprop((A * np.float32(1e-30)).sum(), [A], learning_rate=0.5)
    train = compile_on("FAST_COMPILE", [], [], updates=made)
    train()
    train()
    np.testing.assert_allclose(A.get_value(), 1 - 0.5 - 0.6, rtol=1e-5)
