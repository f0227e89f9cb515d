"""Whole networks as pickles and deep copies: what is tied stays tied."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import io, layers
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    GaussianNoiseLayer,
    InputLayer,
    get_all_layers,
    get_all_param_values,
    get_all_params,
    get_output,
)
from lasagne_next.params import get_tags
from lasagne_next.random import RandomStream
from lasagne_next.summary import summarize, to_dot
from tests.expression_networks import NETWORKS, masked, random_weights, tied


def through_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


def through_old_pickle(thing):
    return pickle.loads(pickle.dumps(thing, protocol=2))


WAYS = {
    "pickle": through_pickle,
    "protocol 2": through_old_pickle,
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def duplicate(request):
    return request.param


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    return request.param()


def test_the_duplicate_is_described_in_the_same_words(network, duplicate):
    """Catches lost names, layers, shapes, expressions, tags and sharing."""
    double = duplicate(network)
    assert summarize(double) == summarize(network)
    assert to_dot(double) == to_dot(network)
    assert list(io.named_params(double)) == list(io.named_params(network))


def test_the_duplicate_is_equal_and_independent(network, duplicate):
    """Catches values that both networks hold, and values that got lost."""
    double = duplicate(network)
    assert not set(get_all_params(double)) & set(get_all_params(network))
    assert not set(get_all_layers(double)) & set(get_all_layers(network))
    values = get_all_param_values(network)
    for param, value in zip(get_all_params(double), values, strict=True):
        assert np.array_equal(param.get_value(), value)
        assert param.get_value().dtype == value.dtype
        param.set_value(param.get_value() * 0)
    for param, value in zip(get_all_params(network), values, strict=True):
        assert np.array_equal(param.get_value(), value)


def test_layers_find_their_parameters_in_the_duplicate(network, duplicate):
    """Catches dictionaries that were filled before the keys had their hash."""
    for layer in get_all_layers(duplicate(network)):
        for param in layer.get_params(unwrap_shared=False):
            assert isinstance(layer.params[param], set)
        if hasattr(layer, "W"):
            assert layer.W in layer.params


def test_what_is_tied_stays_tied(duplicate):
    """Catches a decoder that depends on a matrix of its own."""
    double = duplicate(tied())
    assert double.W.owner.inputs == [double.input_layer.W]
    assert get_all_params(double)[0] is double.input_layer.W


def test_tags_of_leaves_survive(duplicate):
    """Catches masks that are trained after loading."""
    double = duplicate(masked())
    mask, values = get_all_params(double)[:2]
    assert get_tags(mask) == {"trainable": False}
    assert get_all_params(double, trainable=True) == [values, double.b]


def test_duplicates_compute_the_same(duplicate):
    """Catches expressions that are rebuilt on other leaves than the layers hold."""
    other = ("merged", "random_weights", "ready_made")  # two inputs, or random
    networks = [build() for name, build in NETWORKS.items() if name not in other]
    pairs = [(each, duplicate(each)) for each in networks]
    rng = np.random.default_rng(5)
    outputs = []
    for old, new in pairs:
        size = get_all_layers(old)[0].shape[1]
        data = rng.normal(size=(3, size))
        outputs += [get_output(each, data, deterministic=True) for each in (old, new)]
    results = pytensor.function([], outputs, mode="FAST_COMPILE")()
    assert len(results) > 10
    for old, new in zip(results[::2], results[1::2], strict=True):
        assert np.array_equal(old, new)


def test_noise_goes_on_where_it_was(duplicate):
    """Catches streams that start again, or that share their state."""
    stream = RandomStream(7)
    stream.uniform((2,))
    double = duplicate(stream)
    draw = pytensor.function(
        [],
        [stream.uniform((3,)), double.uniform((3,))],
        mode="FAST_COMPILE",
    )
    old, new = draw()
    assert np.array_equal(old, new)
    again, _ = draw()
    assert not np.array_equal(old, again)


@pytest.mark.parametrize("noise", [DropoutLayer, GaussianNoiseLayer])
def test_noise_layers_draw_in_the_duplicate(noise, duplicate):
    """Catches generators that cannot be copied, or that stand still afterwards."""
    double = duplicate(noise(InputLayer((2, 50))))
    draw = pytensor.function(
        [], get_output(double, np.ones((2, 50))), mode="FAST_COMPILE"
    )
    assert not np.array_equal(draw(), draw())


def test_random_weights_draw_in_the_duplicate(duplicate):
    """Catches draws whose generator lost its update."""
    double = duplicate(random_weights())
    draw = pytensor.function([], double.W, mode="FAST_COMPILE")
    assert not np.array_equal(draw(), draw())


def test_shapes_follow_when_the_duplicate_is_wired_anew(duplicate):
    """Catches counts of re-wirings that are carried into another process."""
    network = DropoutLayer(DropoutLayer(InputLayer((None, 3))))
    network.input_layer.input_layer = InputLayer((None, 7))
    double = duplicate(network)
    assert double.output_shape == (None, 7)
    double.input_layer.input_layer = InputLayer((None, 5))
    assert double.output_shape == (None, 5)
    assert network.output_shape == (None, 7)


def test_a_list_of_layers_of_any_depth_can_be_duplicated(duplicate):
    """Catches the documented way for deep networks being recursive after all."""
    network = InputLayer((None, 2))
    for _ in range(5000):
        network = DenseLayer(network, 2)
    double = duplicate(get_all_layers(network))[-1]
    assert len(get_all_params(double)) == 10000
    assert double.output_shape == (None, 2)


def test_a_network_of_some_hundred_layers_needs_no_list(duplicate):
    """Catches state that makes each layer cost more levels of recursion."""
    network = InputLayer((None, 2))
    for _ in range(200):
        network = DenseLayer(network, 2)
    assert len(get_all_layers(duplicate(network))) == 201


# Layers by name, so that those which are not there yet are tested when they come.
ARGUMENTS = {
    "BiasLayer": (),
    "ConcatLayer": (),
    "DenseLayer": (3,),
    "DimshuffleLayer": ((1, 0),),
    "DropoutLayer": (),
    "ElemwiseMergeLayer": (pt.mul,),
    "ElemwiseSumLayer": (),
    "EmbeddingLayer": (9, 2),
    "ExpressionLayer": (abs,),
    "FlattenLayer": (),
    "GaussianNoiseLayer": (),
    "NINLayer": (3,),
    "NonlinearityLayer": (),
    "PadLayer": (1, 0.0, 1),
    "ParametricRectifierLayer": (),
    "RandomizedRectifierLayer": (),
    "ReshapeLayer": (([0], 2, 2),),
    "ScaleLayer": (),
    "SliceLayer": (slice(1, 3),),
}


@pytest.mark.parametrize("name", [n for n in ARGUMENTS if hasattr(layers, n)])
def test_every_layer_can_be_duplicated(name, duplicate):
    """Catches lambdas, generators and modules in attributes of layers."""
    kind = getattr(layers, name)
    below = DenseLayer(InputLayer((None, 4)), 4)
    incoming = [below, below] if issubclass(kind, layers.MergeLayer) else below
    network = kind(incoming, *ARGUMENTS[name])
    assert summarize(duplicate(network)) == summarize(network)


@pytest.mark.skipif(not hasattr(layers, "InverseLayer"), reason="not there yet")
def test_an_inverse_layer_inverts_the_layer_of_its_own_network(duplicate):
    """Catches an inverse that goes on reading the original's weights."""
    below = DenseLayer(InputLayer((None, 4)), 3)
    double = duplicate(layers.InverseLayer(below, below))
    assert double.input_layers[1] is double.input_layers[0]
    assert len(get_all_params(double)) == 2
