"""Gradients, parameters and hyper-parameters that rules accept and refuse."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import disconnected_grad

from lasagne_next import updates
from lasagne_next.updates import base
from lasagne_next.updates.base import (
    assemble,
    check_positive,
    fit_gradients,
    get_or_compute_grads,
)


def param(value=(1.0, 2.0), name="W", dtype="float64", **kwargs):
    return pytensor.shared(np.asarray(value, dtype), name=name, **kwargs)


def test_a_list_of_gradients_is_returned_itself():
    """Gradients copied or changed, against the contract."""
    W, b = param(), param(name="b")
    gradients = [pt.vector(), pt.vector()]
    assert get_or_compute_grads(gradients, [W, b]) is gradients


def test_a_tuple_of_gradients_is_gradients():
    """The original's oddity: a tuple taken for a loss."""
    W = param()
    gradient = pt.vector()
    assert get_or_compute_grads((gradient,), (W,)) == [gradient]


def test_params_may_be_a_generator():
    """A generator used up by a check before the gradients are taken."""
    W, b = param(), param(name="b")
    for rule in (updates.sgd, updates.adam, updates.nadam, updates.lamb):
        made = rule((W * b).sum(), (p for p in [W, b]), learning_rate=0.1)
        assert {W, b} <= set(made)


def test_no_parameters_give_no_updates():
    """A crash for a network without parameters."""
    assert not updates.sgd(pt.scalar(), [], 0.1)
    assert [v.name for v in updates.adam(pt.scalar(), [])] == ["adam.t"]


@pytest.mark.parametrize(
    "gradient", [None, pytensor.gradient.DisconnectedType()()], ids=repr
)
def test_a_missing_gradient_is_refused_by_name(gradient):
    """None that surfaces later as a puzzling error of the backend."""
    with pytest.raises(ValueError, match=r"sgd: gradients must be .* for 'b'"):
        updates.sgd([pt.vector(), gradient], [param(), param(name="b")], 0.1)


def test_a_wrong_number_of_gradients_is_refused():
    """Gradients paired with the wrong parameters."""
    with pytest.raises(ValueError, match=r"adam: .* got 1 gradients for 2 parameters"):
        updates.adam([pt.vector()], [param(), param(name="b")])


def test_parameters_that_the_loss_does_not_reach_are_all_named():
    """A zero gradient in silence, or an error that names a type only."""
    W, b, c = param(), param(name="b"), param(name=None)
    loss = (W**2).sum() + disconnected_grad(b).sum()
    with pytest.raises(ValueError, match=r"does not depend on 'b', parameter 2 \("):
        updates.sgd(loss, [W, b, c], 0.1)


@pytest.mark.parametrize(
    ("loss", "error", "match"),
    [
        (pt.vector("v"), ValueError, "must be a scalar expression, got v .*mean"),
        (pt.lscalar("n"), ValueError, "must be of floating type, got n"),
        (pytensor.scalar.float64("s"), ValueError, "must be a scalar expression"),
        (0.5, TypeError, "got 0.5 of type float"),
        (np.zeros(2), TypeError, "of type ndarray"),
    ],
    ids=["vector", "integer", "no tensor", "number", "array"],
)
def test_a_loss_that_is_no_scalar_expression_is_refused(loss, error, match):
    """Errors of the gradient function that do not name the rule."""
    with pytest.raises(error, match=f"momentum: .*{match}"):
        updates.momentum(loss, [param()], 0.1)


INPUT = pt.vector("x")
INTEGER = pytensor.shared(np.arange(2), name="labels")
GENERATOR = pytensor.shared(np.random.default_rng(1), name="rng")
TWICE = param()


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ([INPUT], ValueError, "shared variables only, got x at position 0"),
        ([param(), TWICE * 2], ValueError, "shared variables only, .* position 1"),
        ([np.ones(2)], ValueError, "shared variables only"),
        ([INTEGER], ValueError, "floating type, got 'labels' of type .*int64"),
        ([GENERATOR], ValueError, "floating type, got 'rng'"),
        ([TWICE, param(name="b"), TWICE], ValueError, "distinct, got 'W' twice"),
        (TWICE, TypeError, "list of shared variables, got the single variable W"),
    ],
    ids=["input", "expression", "array", "integer", "generator", "twice", "single"],
)
@pytest.mark.parametrize(
    "rule",
    [
        updates.sgd,
        updates.adam,
        updates.nadam,
        updates.lion,
        updates.clip_by_global_norm,
    ],
    ids=lambda rule: rule.__name__,
)
def test_parameters_that_cannot_be_trained_are_refused(rule, params, error, match):
    """Updates for inputs, integers or twice for the same variable."""
    with pytest.raises(error, match=f"{rule.__name__}: .*{match}"):
        rule(TWICE.sum(), params, 0.1)


def test_get_or_compute_grads_refuses_non_shared_parameters():
    """Checked only when a rule is called, not in the public function."""
    with pytest.raises(ValueError, match=r"get_or_compute_grads: .*shared variables"):
        get_or_compute_grads([INPUT], [INPUT])


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (pt.vector("v"), ValueError, "with 1 axes"),
        (np.array([0.1]), ValueError, "with 1 axes"),
        ("0.1", TypeError, "real number or a scalar expression, got '0.1'"),
        (None, TypeError, "got None"),
        (True, TypeError, "got True"),
        (1j, TypeError, "got 1j"),
        (pt.bscalar("b") > 0, TypeError, "real number"),
        (pytensor.scalar.float64("s"), TypeError, "scalar tensor expression, got s"),
    ],
    ids=["vector", "array", "string", "None", "bool", "complex", "condition", "scalar"],
)
@pytest.mark.parametrize("argument", ["learning_rate", "beta2"])
def test_hyperparameters_that_are_no_scalars_are_refused(argument, value, error, match):
    """A rate that changes the shape or the kind of a parameter."""
    W = param()
    with pytest.raises(error, match=f"adam: {argument} must be a .*{match}"):
        updates.adam(W.sum(), [W], **{argument: value})


@pytest.mark.parametrize("value", [0, -1.5])
def test_sizes_must_be_positive(value):
    """A bound of zero, which divides by zero, or a negative one."""
    with pytest.raises(ValueError, match=f"f: n must be positive, got {value}"):
        check_positive("f", "n", value)


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 1), ()])
def test_a_gradient_of_another_shape_is_refused(shape):
    """Broadcasting a gradient over the parameter, or the parameter over it."""
    W = param(shape=(2,))
    with pytest.raises(ValueError, match=r"sgd: .* of 'W' must have its shape \(2,\)"):
        updates.sgd([np.zeros(shape)], [W], 0.1)


def test_gradients_may_have_unknown_sizes_and_another_type():
    """A float64 gradient that changes a float32 parameter; a lost axis of length 1."""
    W = param([[1], [2]], dtype="float32", shape=(2, 1))
    (gradient,) = fit_gradients("f", [pt.matrix(dtype="float64")], [W])
    assert gradient.type == W.type
    made = updates.adam([pt.matrix(dtype="float64")], [W])
    assert all(variable.type.is_super(new.type) for variable, new in made.items())


def test_parameters_of_two_types_keep_theirs():
    """One set of casted scalars used for all parameters."""
    W, b = param(dtype="float32"), param(name="b", dtype="float64")
    for rule in (updates.adam, updates.nadam, updates.lamb):
        made = rule(W.sum() + b.sum(), [W, b])
        assert [v.dtype for v in made] == [new.dtype for new in made.values()]
        assert list(made)[-1].dtype == "float64"


def test_counter_is_of_the_type_of_the_parameters(floatX64):
    """A double precision counter that brings double precision into the graph."""
    assert list(updates.adam([np.ones(2)], [param(dtype="float32")]))[-1].dtype == (
        "float32"
    )


def test_counter_of_half_precision_parameters_counts_beyond_2048():
    """A float16 counter, which stops where 2048 + 1 rounds to 2048."""
    assert base.make_counter("t", [param(dtype="float16")]).dtype == "float32"


def test_rules_of_users_get_state_and_scalars():
    """Assemble that hands state or scalars over in another order than it says."""

    def averaged(p, g, state, rate, share):
        mean = state("mean")
        new_mean = share * mean + g
        return [(mean, new_mean), (p, p - rate * new_mean)]

    W = param()
    made = assemble("averaged", averaged, W.sum(), [W], rate=0.5, share=0.25)
    assert [variable.name for variable in made] == ["W.averaged.mean", "W"]
    assert made[W].eval(mode="FAST_COMPILE").tolist() == [0.5, 1.5]
