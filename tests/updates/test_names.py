"""The public names of the module."""

from lasagne_next import updates

CONTRACT = (
    "sgd apply_momentum momentum apply_nesterov_momentum nesterov_momentum adagrad "
    "rmsprop adadelta adam adamax amsgrad norm_constraint total_norm_constraint"
).split()


def test_all_names_of_the_contract_are_public():
    """A name that old code imports and does not find."""
    assert set(CONTRACT) <= set(updates.__all__)
    assert all(hasattr(updates, name) for name in updates.__all__)
    assert callable(updates.get_or_compute_grads)
    assert "get_or_compute_grads" not in updates.__all__


def test_rules_are_functions_and_not_modules_of_the_same_name():
    """A file momentum.py that hides the function of this name."""
    assert all(callable(getattr(updates, name)) for name in updates.__all__)
