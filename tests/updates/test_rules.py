"""Each rule against its paper, on each backend, for each kind of hyper-parameter."""

from collections import OrderedDict
from functools import partial

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates
from tests.backends import MODES, compile_on
from tests.updates.graphs import tensor_types
from tests.updates.rules import (
    HYPER,
    RULES,
    expected_values,
    gradient_inputs,
    gradient_values,
    shared_params,
    start_values,
)


def all_rules(dtype, make_hyper=lambda value, dtype: value, select=slice(None)):
    """Return gradient inputs, parameters of each rule, and updates of all together."""
    gradients = gradient_inputs(dtype, select)
    params = {name: shared_params(dtype, select) for name in RULES}
    combined = OrderedDict()
    for name, rule in RULES.items():
        hyper = {key: make_hyper(h, dtype) for key, h in HYPER[name].items()}
        combined = updates.combine(combined, rule(gradients, params[name], **hyper))
    return gradients, params, combined


def run_and_compare(train, params, dtype, rtol, select=slice(None)):
    for step, gradients in enumerate(gradient_values(dtype)):
        train(*gradients[select])
        for name in RULES:
            wanted = expected_values(name)[step][select]
            for param, value in zip(params[name], wanted, strict=True):
                got = np.asarray(param.get_value())
                assert got.dtype == dtype
                message = f"{name}, step {step}"
                np.testing.assert_allclose(got, value, rtol, rtol, err_msg=message)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_rule_follows_its_paper(dtype):
    """Wrong formula, bias correction or use of new values in place of old ones.

    Tolerances: in double precision rounding only; in single precision 12 steps of
    about ten roundings of 6e-8 each, relative to values of about one.
    """
    gradients, params, combined = all_rules(dtype)
    train = compile_on("FAST_COMPILE", gradients, [], updates=combined)
    run_and_compare(train, params, dtype, {"float32": 2e-5, "float64": 1e-11}[dtype])


@pytest.mark.parametrize("backend", sorted(set(MODES) - {"python"}))
def test_every_rule_gives_the_same_numbers_on_compiled_backends(backend):
    """An Op without dispatch, or one that returns another type than it says.

    One parameter in single precision: every loop costs a second of compilation.
    """
    vector = slice(1, 2)
    gradients, params, combined = all_rules("float32", select=vector)
    train = compile_on(MODES[backend], gradients, [], updates=combined)
    run_and_compare(train, params, "float32", 2e-5, vector)
    assert not [t for t in tensor_types(train) if t.dtype == "float64"]


def symbolic(value, dtype):
    return pytensor.shared(np.asarray(value / 2, dtype)) * 2


KINDS = {
    "numpy float32": lambda value, dtype: np.float32(value),
    "numpy float64": lambda value, dtype: np.float64(value),
    "array": lambda value, dtype: np.array(value),
    "shared float32": lambda value, dtype: pytensor.shared(np.float32(value)),
    "shared float64": lambda value, dtype: pytensor.shared(np.float64(value)),
    "expression": symbolic,
    "float64 expression": lambda value, dtype: symbolic(value, "float64"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floatX", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_have_the_type_of_their_variable(kind, floatX, dtype):
    """Double precision from a hyper-parameter or from floatX; a lost axis of length 1.

    Compiles nothing: the types of the expressions say it.
    """
    with pytensor.config.change_flags(floatX=floatX):
        _, _, combined = all_rules(dtype, KINDS[kind])
    for variable, value in combined.items():
        assert value.type.dtype == variable.type.dtype == dtype, variable
        assert variable.type.is_super(value.type), variable


@pytest.mark.parametrize("kind", ["numpy float32", "shared float64", "expression"])
def test_kinds_of_hyperparameters_give_the_same_numbers(kind):
    """A hyper-parameter that is ignored, or baked in, when it is symbolic."""
    gradients, params, combined = all_rules("float32", KINDS[kind])
    train = compile_on("FAST_COMPILE", gradients, [], updates=combined)
    run_and_compare(train, params, "float32", 2e-5)
    if kind != "shared float64":
        assert not [t for t in tensor_types(train) if t.dtype == "float64"]


def test_a_shared_learning_rate_acts_when_it_is_changed():
    """The value of a shared hyper-parameter taken when the graph is built."""
    rate = pytensor.shared(np.float64(0.5))
    p = pytensor.shared(np.float32([1, 2, 3]))
    train = compile_on("FAST_COMPILE", [], [], updates=updates.sgd(p.sum(), [p], rate))
    train()
    rate.set_value(0.25)
    train()
    assert p.get_value().tolist() == [0.25, 1.25, 2.25]


KEYS = {
    "sgd": ["A", "B"],
    "momentum": ["A", "B", "A.momentum.velocity", "B.momentum.velocity"],
    "nesterov_momentum": ["A", "B", "A.momentum.velocity", "B.momentum.velocity"],
    "adagrad": ["A.adagrad.sum", "A", "B.adagrad.sum", "B"],
    "rmsprop": ["A.rmsprop.mean", "A", "B.rmsprop.mean", "B"],
    "adadelta": [
        *["A.adadelta.gradient", "A", "A.adadelta.step"],
        *["B.adadelta.gradient", "B", "B.adadelta.step"],
    ],
    "adam": ["A.adam.m", "A.adam.v", "A", "B.adam.m", "B.adam.v", "B", "adam.t"],
    "adamax": [
        *["A.adamax.m", "A.adamax.u", "A", "B.adamax.m", "B.adamax.u", "B"],
        "adamax.t",
    ],
    "amsgrad": [
        *["A.amsgrad.m", "A.amsgrad.v", "A.amsgrad.largest", "A"],
        *["B.amsgrad.m", "B.amsgrad.v", "B.amsgrad.largest", "B", "amsgrad.t"],
    ],
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_come_in_the_order_of_the_contract(name):
    """An order by which saved optimiser state of old code could not be restored."""
    params = [pytensor.shared(np.ones(2), name=n) for n in "AB"]
    gradients = [np.ones(2), np.ones(2)]
    made = RULES[name](gradients, params, **HYPER[name])
    assert type(made) is OrderedDict
    assert [variable.name for variable in made] == KEYS[name]


@pytest.mark.parametrize("name", RULES)
def test_state_starts_at_zero_with_the_static_shape_of_the_parameter(name):
    """State of unknown or wrong shape, of another type, or with a value from before."""
    params = shared_params("float32")
    made = RULES[name](gradient_inputs("float32"), params, **HYPER[name])
    types = [param.type for param in params]
    for variable in made:
        assert variable.type in types
        if variable.name != "nadam.product" and variable not in params:
            assert not variable.get_value().any()
            assert variable.get_value().shape == variable.type.shape


def test_state_of_unnamed_parameters_is_unnamed():
    """The text "None" in names."""
    p = pytensor.shared(np.ones(2))
    made = updates.adam([np.ones(2)], [p])
    assert [variable.name for variable in made] == [None, None, None, "adam.t"]


REFERENCE_VALUES = {
    "sgd": [(0.1,), (0.81707280688755, 0.6648326359915, 0.5386151140949)],
    "momentum": [(0.1, 0.5), (0.6848486952183, 0.44803321781003, 0.27431190123502)],
    "nesterov_momentum": [
        (0.1, 0.5),
        (0.67466543592725, 0.44108468114241, 0.2769002108997),
    ],
    "adagrad": [(0.1,), (0.55373120047759, 0.55373120041518, 0.55373120039438)],
    "rmsprop": [(0.01,), (0.83205403985348, 0.83205322744821, 0.83205295664444)],
    "adadelta": [(), (0.95453237704725, 0.9545237471374, 0.95452214847397)],
    "adam": [(0.01,), (0.90034972009036, 0.90034967993061, 0.90034966654402)],
    "adamax": [(0.01,), (0.90211749000754, 0.90211748762402, 0.90211748682951)],
    "amsgrad": [(0.01,), (0.90034979581833,) * 3],
}


# The values for these were taken with epsilon added at another place than the formulas
# of the contract have it; by the formulas they hold to this precision only.
LOOSE = {"adagrad": 1e-5, "rmsprop": 1e-5, "adam": 1e-7, "adamax": 1e-10}
LOOSE["amsgrad"] = 2e-7


def test_reference_values_of_the_contract():
    """Any difference from Lasagne over ten steps; the values have 14 digits."""
    combined, params = OrderedDict(), {}
    for name, (arguments, _) in REFERENCE_VALUES.items():
        params[name] = [pytensor.shared(np.ones(3)) for _ in range(2)]
        weights = np.array([0.1, 0.2, 0.3])
        loss = sum((weights * p**2).sum() for p in params[name])
        combined.update(RULES[name](loss, params[name], *arguments))
    train = compile_on("FAST_COMPILE", [], [], updates=combined)
    for _ in range(10):
        train()
    for name, (_, wanted) in REFERENCE_VALUES.items():
        for param in params[name]:
            rtol = LOOSE.get(name, 1e-12)
            np.testing.assert_allclose(param.get_value(), wanted, rtol, err_msg=name)


def test_rules_agree_with_pytorch():
    """Another reading of the papers than PyTorch's, where we say that we agree."""
    torch = pytest.importorskip("torch")
    theirs = {
        "adamw": (torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.2}),
        "rprop": (torch.optim.Rprop, {"lr": 0.02}),
        "adadelta": (torch.optim.Adadelta, {"rho": 0.95}),
        "adamax": (torch.optim.Adamax, {"lr": 0.02}),
    }
    ours = {"lr": "learning_rate"}
    for name, (optimiser, arguments) in theirs.items():
        hyper = {ours.get(key, key): value for key, value in arguments.items()}
        params, gradients = shared_params("float64"), gradient_inputs("float64")
        train = compile_on(
            "FAST_COMPILE",
            gradients,
            [],
            updates=RULES[name](gradients, params, **hyper),
        )
        tensors = [
            torch.tensor(value, requires_grad=True) for value in start_values("float64")
        ]
        optimiser = optimiser(tensors, **arguments)
        for values in gradient_values("float64"):
            train(*values)
            for tensor, value in zip(tensors, values, strict=True):
                tensor.grad = torch.tensor(value)
            optimiser.step()
        for tensor, param in zip(tensors, params, strict=True):
            np.testing.assert_allclose(
                param.get_value(), tensor.detach().numpy(), rtol=1e-6, err_msg=name
            )


def test_the_update_of_a_parameter_is_one_loop():
    """A formula that the compiler cannot fuse: several passes over the memory."""
    rules = {name: partial(RULES[name], **HYPER[name]) for name in RULES}
    del rules["lamb"]  # which needs norms of what it computes

    def accumulated(gradients, params):
        return updates.accumulate_gradients(gradients, params, 4, updates.adam)

    for name, rule in (rules | {"accumulated adam": accumulated}).items():
        p = pytensor.shared(np.ones((3, 5), "float32"), shape=(3, 5))
        gradient = pt.tensor(dtype="float32", shape=(3, 5))
        made = rule([gradient], [p])
        train = compile_on(None, [gradient], [], updates=made)
        loops = [
            node
            for node in train.maker.fgraph.apply_nodes
            if any(out.type.shape == (3, 5) for out in node.outputs)
        ]
        assert len(loops) == 1, name


def test_radam_in_single_precision_switches_at_the_same_step_as_in_double():
    """The length of the average computed by subtracting large numbers."""
    params = [pytensor.shared(np.ones(2, dtype)) for dtype in ("float32", "float64")]
    made = OrderedDict()
    for p in params:
        made.update(updates.radam([np.ones(2, p.dtype)], [p], learning_rate=0.1))
    train = compile_on("FAST_COMPILE", [], [], updates=made)
    for _ in range(7):
        train()
        single, double = (p.get_value() for p in params)
        np.testing.assert_allclose(single, double, rtol=1e-4)


def test_rmsprop_scales_with_numpy_scalars_in_float32(floatX32):
    """A numpy float64 scalar that turns a single precision update into double."""
    p = pytensor.shared(np.ones(2, "float32"))
    made = updates.rmsprop(p.sum(), [p], np.float64(0.1), np.float64(0.9))
    assert {value.dtype for value in made.values()} == {"float32"}
