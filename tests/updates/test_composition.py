"""Dictionaries combined, and steps of single parameters scaled."""

from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates
from tests.backends import compile_on


def make_params():
    return [pytensor.shared(np.ones(2), name=name) for name in "AB"]


def test_combine_keeps_all_entries_in_order():
    """Entries lost, sorted, or added to an argument."""
    A, B = make_params()
    first, second = updates.sgd(A.sum(), [A], 0.1), updates.adam(B.sum(), [B])
    made = updates.combine(first, second, [])
    assert type(made) is OrderedDict
    assert list(made) == [*first, *second]
    assert len(first) == 1


def test_combine_accepts_the_same_entry_twice():
    """Refusing a dictionary that was extended from another one."""
    A, _ = make_params()
    first = updates.sgd(A.sum(), [A], 0.1)
    assert updates.combine(first, first) == first


def test_combine_refuses_two_values_for_one_variable():
    """The last one wins in silence, as with dict.update."""
    A, _ = make_params()
    with pytest.raises(ValueError, match="second one for A in dictionary 1"):
        updates.combine(updates.sgd(A.sum(), [A], 1), updates.sgd(A.sum(), [A], 1))


def test_combine_refuses_keys_that_are_not_shared():
    """A name or an input as key, found only when the function is compiled."""
    with pytest.raises(TypeError, match="shared variables, got x in dictionary 0"):
        updates.combine({pt.scalar("x"): 1})


def test_multipliers_scale_the_steps_of_their_parameters_only():
    """All steps scaled, or the value in place of the step."""
    A, B = make_params()
    step = updates.sgd((A * B).sum(), [A, B], 0.5)
    made = updates.apply_multipliers(step, {A: 0.5})
    assert made[B] is step[B]
    assert list(made) == list(step)
    assert made[A].eval(mode="FAST_COMPILE").tolist() == [0.75, 0.75]
    assert step[A].eval(mode="FAST_COMPILE").tolist() == [0.5, 0.5]


def test_a_multiplier_of_zero_freezes_until_it_is_changed():
    """A shared multiplier read when the graph is built; another type than float32."""
    A = pytensor.shared(np.ones(2, "float32"))
    multiplier = pytensor.shared(np.float64(0.0))
    step = updates.apply_multipliers(updates.sgd(A.sum(), [A], 0.5), {A: multiplier})
    assert step[A].dtype == "float32"
    train = compile_on("FAST_COMPILE", [], [], updates=step)
    train()
    assert A.get_value().tolist() == [1.0, 1.0]
    multiplier.set_value(2.0)
    train()
    assert A.get_value().tolist() == [0.0, 0.0]


def test_multipliers_need_entries_and_numbers():
    """A multiplier for a parameter that is not trained, ignored in silence."""
    A, B = make_params()
    step = updates.sgd(A.sum(), [A], 0.5)
    with pytest.raises(KeyError, match=r"apply_multipliers: .*got none for B"):
        updates.apply_multipliers(step, {B: 2})
    with pytest.raises(TypeError, match=r"a multiplier must be .*got 'high'"):
        updates.apply_multipliers(step, {A: "high"})
    with pytest.raises(ValueError, match="multipliers must contain shared variables"):
        updates.apply_multipliers(step, {pt.vector(): 2})
