"""Batch normalisation: statistics, averages, and when they are updated."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers
from lasagne_next.expressions import state_updates
from lasagne_next.layers import (
    BatchNormLayer,
    DenseLayer,
    InputLayer,
    batch_norm,
    get_output,
    reestimate_averages,
)
from lasagne_next.updates import sgd
from tests.backends import MODES, compile_on
from tests.reference import normalization as reference

X = np.random.default_rng(4).normal(2.0, 3.0, size=(5, 3, 7, 2))


def fixed(layer):
    """Give a layer parameters and averages unlike their defaults."""
    for number, param in enumerate(layer.get_params()):
        value = param.get_value()
        drawn = np.random.default_rng(number).uniform(0.5, 2, size=value.shape)
        param.set_value(drawn.astype(value.dtype))
    return layer


def shaped(parameter, axes):
    """Give the value of a parameter the axes of the input."""
    return np.expand_dims(parameter.get_value(), axes)


AXES = [("auto", (0, 2, 3)), (-1, (3,)), ((0, -2), (0, 2)), ((0, 1, 2, 3),) * 2]


@pytest.mark.parametrize(("axes", "resolved"), AXES, ids=[str(a) for a, _ in AXES])
def test_batches_and_averages_normalise_along_the_axes(axes, resolved, floatX64):
    """Catches unbiased variances, misplaced epsilon, axes that are not resolved."""
    layer = fixed(BatchNormLayer(X.shape, axes=axes, epsilon=0.1))
    assert layer.axes == resolved
    x = pt.tensor4("x")
    gamma, beta, mean, inv_std = (
        shaped(each, resolved)
        for each in (layer.gamma, layer.beta, layer.mean, layer.inv_std)
    )
    function = pytensor.function(
        [x],
        [
            get_output(layer, {None: x}, batch_norm_update_averages=False),
            get_output(layer, {None: x}, deterministic=True),
        ],
        mode="FAST_COMPILE",
    )
    by_batch, by_averages = function(X)
    wanted = reference.standardise(X, resolved, 0.1) * gamma + beta
    np.testing.assert_allclose(by_batch, wanted, rtol=1e-10)
    np.testing.assert_allclose(by_averages, (X - mean) * gamma * inv_std + beta)


FLAGS = list(itertools.product([False, True], [None, False, True], [None, False, True]))


@pytest.mark.parametrize(("deterministic", "use", "update"), FLAGS)
def test_flags_decide_what_is_used_and_what_is_updated(
    deterministic, use, update, floatX64
):
    """Catches flags that depend on each other, and averages of the variance."""
    x = X[:, :, 0, 0]
    layer = fixed(BatchNormLayer((5, 3), alpha=0.3, epsilon=0.1))
    variable = pt.matrix("x")
    output = get_output(
        layer,
        {None: variable},
        deterministic=deterministic,
        batch_norm_use_averages=use,
        batch_norm_update_averages=update,
    )
    before = [each.get_value() for each in (layer.mean, layer.inv_std)]
    mean, variance = reference.moments(x, (0,))
    seen = mean, 1 / np.sqrt(variance + 0.1)
    m, s = before if (deterministic if use is None else use) else seen
    result = output.eval({variable: x}, mode="FAST_COMPILE")
    wanted = (x - m) * layer.gamma.get_value() * s + layer.beta.get_value()
    np.testing.assert_allclose(result, wanted, rtol=1e-10)
    updated = update if update is not None else not deterministic
    moves = 0.3 if updated else 0.0
    for average, old, new in zip(
        (layer.mean, layer.inv_std), before, seen, strict=True
    ):
        np.testing.assert_allclose(average.get_value(), old + moves * (new - old))


def test_only_functions_of_the_training_output_update(floatX64):
    """Catches an update that is bound to the shared variable itself."""
    layer = BatchNormLayer((None, 3))
    x = pt.matrix("x")
    _training = get_output(layer, {None: x})
    evaluation = get_output(layer, {None: x}, deterministic=True)
    function = pytensor.function([x], evaluation, mode="FAST_COMPILE")
    function(X[:, :, 0, 0])
    assert (layer.mean.get_value() == 0).all()
    assert layer.get_params() == [layer.beta, layer.gamma, layer.mean, layer.inv_std]


def trained(mode, explicit):
    """Train twice on every kind of output at once; return all that came and stayed."""
    l_in = InputLayer((None, 3), pt.matrix("x", dtype="float32"))
    network = batch_norm(
        DenseLayer(l_in, 2, W=np.ones((3, 2), "float32") / 4, nonlinearity=pt.tanh),
        beta=np.zeros(2, "float32"),
        gamma=np.ones(2, "float32"),
        mean=np.zeros(2, "float32"),
        inv_std=np.ones(2, "float32"),
    )
    flag = {"implicit": True, "both": True}.get(explicit, explicit)
    output = get_output(network, batch_norm_update_averages=flag)
    at_evaluation = get_output(network, deterministic=True)
    params = layers.get_all_params(network, trainable=True)
    updates = sgd(pt.sqr(output - 1).sum(), params, 0.1)
    if explicit != "implicit":
        collected = state_updates(output)
        assert [each.name for each in collected] == ["mean", "inv_std"]
        updates.update(collected)
    function = compile_on(
        mode, [l_in.input_var], [output, at_evaluation], updates=updates
    )
    x = X[:, :, 0, 0].astype("float32")
    results = [each for _ in range(3) for each in function(x)]
    return results + [each.get_value() for each in layers.get_all_params(network)]


def test_averages_are_the_same_by_every_way_and_backend(backend_mode, floatX64):
    """Catches updates made twice or not at all, or written before they are read.

    The averages are read, for the evaluation, in the function that writes them.
    """
    wanted = trained("FAST_COMPILE", "explicit")
    assert any(abs(each).max() > 0.01 for each in wanted[-2:])
    # Numba takes ten seconds to compile one of them.
    slow = backend_mode.linker == MODES["numba"].linker
    for way in ["both"] if slow else ["both", "implicit"]:
        for got, want in zip(trained(backend_mode, way), wanted, strict=True):
            assert got.dtype == "float32"
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=way)


def test_jax_may_overwrite_the_averages(floatX64):
    """Catches a storage that is given to JAX both to read and to overwrite."""
    pytest.importorskip("jax")
    from lasagne_next.backends import jax_mode

    wanted = trained("FAST_COMPILE", "explicit")
    for got, want in zip(trained(jax_mode(), "both"), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_averages_that_are_expressions_are_read_only(floatX64):
    """Catches an update of something that is no variable."""
    mean = pytensor.shared(np.ones(3), shape=(3,), name="m")
    layer = BatchNormLayer((None, 3), mean=2 * mean)
    output = get_output(layer, {None: pt.matrix("x")})
    assert list(state_updates(output)) == [layer.inv_std]
    with pytest.raises(ValueError, match="mean and inv_std must be shared variables"):
        reestimate_averages(
            BatchNormLayer(InputLayer((None, 3)), mean=2 * mean), [X[:, :, 0, 0]]
        )


@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_missing_parameters_are_left_out(name, floatX64):
    """Catches a parameter made for None."""
    layer = BatchNormLayer((None, 3), **{name: None})
    assert getattr(layer, name) is None
    assert len(layer.get_params()) == 3
    x = X[:, :, 0, 0]
    result = get_output(layer, {None: x}).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(result, reference.standardise(x, (0,), 1e-4))


def test_a_batch_of_one_is_normalised_over_its_positions(floatX64):
    """Catches an axis of size 1 that is taken for one of the parameter."""
    layer = BatchNormLayer((1, 1, 7, 2))
    x = X[:1, :1]
    result = get_output(layer, {None: x}).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(result, reference.standardise(x, (0, 2, 3), 1e-4))
    assert layer.mean.get_value().shape == (1,)


def test_tags_and_names_are_those_of_the_contract():
    """Catches another order, or a penalty on offsets."""
    layer = BatchNormLayer((None, 3), name="bn")
    assert [each.name for each in layer.get_params()] == [
        "bn.beta", "bn.gamma", "bn.mean", "bn.inv_std"
    ]  # fmt: skip
    assert layer.get_params(regularizable=True) == [layer.gamma]
    assert layer.get_params(trainable=True) == [layer.beta, layer.gamma]
    assert layer.get_params(batch_norm_stat=True) == [layer.mean, layer.inv_std]


def test_bad_arguments_are_refused():
    """Catches parameters of unknown shape, and words that mean nothing."""
    with pytest.raises(ValueError, match="'bn' needs specified input sizes"):
        BatchNormLayer((None, None, 4), name="bn")
    with pytest.raises(ValueError, match=r"'bn': axes must be 'auto'.*got 'atuo'"):
        BatchNormLayer((None, 3), axes="atuo", name="bn")
    with pytest.raises(ValueError, match="axes must be between -2 and 1, got 2"):
        BatchNormLayer((None, 3), axes=2)
    with pytest.raises(TypeError, match=r"alpha must be a number .* got None"):
        BatchNormLayer((None, 3), alpha=None)
    with pytest.raises(TypeError, match=r"epsilon must be a number .* got None"):
        BatchNormLayer((None, 3), epsilon=None)


def test_batch_norm_takes_bias_and_nonlinearity():
    """Catches a bias that stays, and wrong names."""
    dense = DenseLayer((None, 3), 2, nonlinearity=pt.tanh, name="h")
    network = batch_norm(dense, alpha=0.5)
    assert network.nonlinearity is pt.tanh
    assert network.name == "h_bn_nonlin"
    assert network.input_layer.name == "h_bn"
    assert network.input_layer.alpha == 0.5
    assert dense.b is None
    assert dense.get_params() == [dense.W]
    assert dense.nonlinearity(3) == 3
    named = batch_norm(DenseLayer((None, 3), 2, b=None), name="z")
    assert (named.name, named.input_layer.name) == ("z_nonlin", "z")
    assert batch_norm(InputLayer((None, 3))).name is None


def network_of_two():
    """Return two normalised layers on one input, with dropout in front."""
    network = InputLayer((None, 3))
    network = layers.dropout(network, p=0.5)
    network = batch_norm(DenseLayer(network, 4, nonlinearity=pt.tanh), epsilon=0.2)
    return batch_norm(DenseLayer(network, 2))


def test_averages_are_reestimated_over_all_batches(floatX64):
    """Catches batches that count alike though they differ in size, and dropout."""
    network = network_of_two()
    first, second = (
        each for each in layers.get_all_layers(network) if type(each) is BatchNormLayer
    )
    x = X[:, :, :, 0].transpose(0, 2, 1).reshape(35, 3)
    batches = [x[:20], x[20:]]
    assert reestimate_averages(network, batches, mode="FAST_COMPILE") == [first, second]
    hidden = x @ first.input_layer.W.get_value()
    mean, variance = reference.moments(hidden, (0,))
    np.testing.assert_allclose(first.mean.get_value(), mean)
    np.testing.assert_allclose(first.inv_std.get_value(), 1 / np.sqrt(variance + 0.2))
    normalised = [reference.standardise(hidden[:20], (0,), 0.2)]
    normalised += [reference.standardise(hidden[20:], (0,), 0.2)]
    above = np.tanh(np.concatenate(normalised)) @ second.input_layer.W.get_value()
    mean, variance = reference.moments(above, (0,))
    np.testing.assert_allclose(second.mean.get_value(), mean, atol=1e-12)
    np.testing.assert_allclose(second.inv_std.get_value(), 1 / np.sqrt(variance + 1e-4))


def test_reestimation_feeds_several_inputs():
    """Catches arrays that go to the wrong input."""
    one, two = InputLayer((None, 2)), InputLayer((None, 3))
    layer = BatchNormLayer(layers.ConcatLayer([one, two]))
    arrays = [np.full((4, 2), 1.0), np.full((4, 3), 2.0)]
    reestimate_averages(layer, [arrays], mode="FAST_COMPILE")
    assert layer.mean.get_value().tolist() == [1, 1, 2, 2, 2]


def test_reestimation_says_what_it_needs():
    """Catches averages that silently stay as they were."""
    l_in = InputLayer((None, 3))
    with pytest.raises(ValueError, match="must have a BatchNormLayer, got none"):
        reestimate_averages(l_in, [])
    with pytest.raises(ValueError, match="batches must not be empty"):
        reestimate_averages(BatchNormLayer(l_in), [], mode="FAST_COMPILE")
    with pytest.raises(ValueError, match="'bn': the layer must be part of a network"):
        reestimate_averages(BatchNormLayer((None, 3), name="bn"), [])
