"""Every public layer and update rule keeps the contract, on every backend."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers, updates
from lasagne_next.layers import InputLayer, get_all_params, get_output
from lasagne_next.testing import check_layer, check_update, double_variables
from tests.backends import MODES, compile_on
from tests.contracts import zoo

SIZES = (5, 2)


def test_every_public_layer_is_in_the_zoo():
    """Catches a new layer that no contract test sees."""
    named = {name.split(",")[0] for name in zoo.LAYERS}
    assert named == zoo.public_layers()


def test_every_update_rule_is_in_the_zoo():
    """Catches a new rule that no contract test sees."""
    assert set(zoo.RULES) == zoo.public_rules()
    assert len(zoo.RULES) == 16


@pytest.mark.parametrize("name", zoo.LAYERS)
def test_layers_keep_the_contract(name):
    """Catches whatever the documentation of check_layer lists."""
    factory, shape = zoo.LAYERS[name]
    honest = not zoo.has_another_gradient(name)
    check_layer(factory, shape, draw=zoo.DRAWS.get(name), gradients=honest)


@pytest.mark.parametrize("name", zoo.RULES)
def test_rules_keep_the_contract(name):
    """Catches whatever the documentation of check_update lists."""
    check_update(getattr(updates, name), **zoo.RULES[name])


def all_layers(batch):
    """Build the zoo on two inputs of each shape, in single precision."""
    inputs, built = {}, {}

    def incoming(name, shape, index):
        key = (shape, index, name in zoo.DRAWS)
        if key not in inputs:
            kind = "int32" if name in zoo.DRAWS else "float32"
            variable = pt.tensor(dtype=kind, shape=(batch, *shape[1:]))
            inputs[key] = InputLayer((batch, *shape[1:]), variable)
        return inputs[key]

    for name, (factory, shape) in zoo.LAYERS.items():
        if isinstance(shape, list):
            below = [incoming(name, each, index) for index, each in enumerate(shape)]
        else:
            below = incoming(name, shape, 0)
        built[name] = factory(below, name=name)
    return inputs, built


def values_of(inputs, batch):
    """Draw numbers for all inputs."""
    generator = np.random.default_rng(6)
    return [
        zoo.lookups(generator, (batch, *shape[1:])).astype("int32")
        if whole
        else generator.normal(size=(batch, *shape[1:])).astype("float32")
        for shape, _, whole in inputs
    ]


@pytest.mark.skipif(len(MODES) < 3, reason="JAX is not installed")
@pytest.mark.parametrize("batch", [None, SIZES[0]], ids=["unknown", "known"])
def test_all_layers_agree_on_all_backends(batch, floatX32):
    """Catches a layer that computes something else, or double, on one backend."""
    # Static sizes change what JAX compiles; Numba takes the same code for both.
    modes = [mode for mode in MODES if batch is None or mode != "numba"]
    inputs, built = all_layers(batch)
    outputs = get_output(list(built.values()), deterministic=True)
    # What no main output reaches, such as a codebook, has tests of its own.
    honest = [built[name] for name in built if not zoo.has_another_gradient(name)]
    params = get_all_params(honest, trainable=True)
    loss = sum(pt.sqr(output).mean() for output in outputs)
    gradients = pytensor.grad(loss, params)
    variables = [each.input_var for each in inputs.values()]
    labels = [*built, *params]
    results = {}
    with pytensor.config.change_flags(floatX="float64"):
        for mode in modes:
            # Gradients on Numba are compiled in the tests of each layer; all of them at
            # once take minutes.
            wanted = dict(zip(labels, [*outputs, *gradients], strict=True))
            if mode == "numba":
                short = [name for name in built if not zoo.is_long_on_numba(name)]
                wanted = {name: wanted[name] for name in short}
            function = compile_on(
                MODES[mode], variables, list(wanted.values()), on_unused_input="ignore"
            )
            assert not double_variables(function), mode
            results[mode] = [
                dict(zip(wanted, function(*values_of(inputs, size)), strict=True))
                for size in ([batch] if batch else SIZES)
            ]
    for mode, calls in results.items():
        for call, wanted in zip(calls, results["python"], strict=True):
            for label, one in call.items():
                assert np.asarray(one).dtype == "float32", label
                np.testing.assert_allclose(
                    one, wanted[label], rtol=1e-4, atol=1e-5, err_msg=f"{mode}: {label}"
                )


@pytest.mark.slow
def test_all_other_layers_agree_on_numba(floatX32):
    """Catches what the default run leaves out for the time that compiling takes."""
    inputs, built = all_layers(None)
    names = [name for name in built if zoo.is_long_on_numba(name)]
    outputs = get_output([built[name] for name in names], deterministic=True)
    variables = [each.input_var for each in inputs.values()]
    results = [
        compile_on(MODES[mode], variables, outputs, on_unused_input="ignore")(
            *values_of(inputs, SIZES[0])
        )
        for mode in ("python", "numba")
    ]
    for name, wanted, one in zip(names, *results, strict=True):
        assert one.dtype == "float32", name
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_layers_in_one_network_share_inputs():
    """Catches a zoo whose function would be fed one input twice."""
    inputs, built = all_layers(None)
    found = layers.get_all_layers(list(built.values()))
    assert {each for each in found if isinstance(each, InputLayer)} == set(
        inputs.values()
    )
