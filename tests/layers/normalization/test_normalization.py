"""The other layers that normalise, against their definitions."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next import layers
from lasagne_next.layers import (
    DenseLayer,
    GroupNormLayer,
    InputLayer,
    InstanceNormLayer,
    LayerNormLayer,
    LocalResponseNormalization2DLayer,
    NINLayer,
    RMSNormLayer,
    StandardizationLayer,
    get_output,
)
from tests.reference import normalization as reference

X = np.random.default_rng(5).normal(1.0, 2.0, size=(2, 6, 5, 3))
CHANNELS = np.arange(1.0, 7.0)


def computed(layer, x=X):
    return get_output(layer, {None: x}).eval(mode="FAST_COMPILE")


@pytest.mark.parametrize("channels", [6, None], ids=["known", "unknown"])
@pytest.mark.parametrize("n", [1, 3, 5, 13])
def test_local_response_sums_over_neighbours_that_exist(n, channels, floatX64):
    """Catches sums that wrap around, and windows wider than the input."""
    layer = LocalResponseNormalization2DLayer(
        (2, channels, 5, 3), alpha=0.3, k=1.5, beta=0.6, n=n
    )
    wanted = reference.local_response(X, 0.3, 1.5, 0.6, n)
    np.testing.assert_allclose(computed(layer), wanted, rtol=1e-10)
    assert (layer.alpha, layer.k, layer.beta, layer.n) == (0.3, 1.5, 0.6, n)


def test_local_response_refuses_what_it_cannot_do():
    """Catches an even window, which would be shifted."""
    make = LocalResponseNormalization2DLayer
    with pytest.raises(NotImplementedError, match=r"'l': n must be odd.*got 4"):
        make((2, 6, 5, 3), n=4, name="l")
    with pytest.raises(ValueError, match="n must be a positive odd integer, got 0"):
        make((2, 6, 5, 3), n=0)
    with pytest.raises(ValueError, match=r"'l': the input must have 4 axes.*got 3"):
        make((2, 6, 5), name="l")
    with pytest.raises(TypeError, match=r"beta must be a number .* got 'a'"):
        make((2, 6, 5, 3), beta="a")


AXES = {
    "auto": (2, 3),
    "spatial": (2, 3),
    "features": (1, 2, 3),
    -1: (3,),
    (0, -2): (0, 2),
}


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_standardization_has_mean_zero_and_variance_one(axes, floatX64):
    """Catches unresolved axes."""
    layer = StandardizationLayer(X.shape, axes=axes, epsilon=0.1)
    assert layer.axes == AXES[axes]
    wanted = reference.standardise(X, AXES[axes], 0.1)
    np.testing.assert_allclose(computed(layer), wanted, atol=1e-12)
    assert layer.get_params() == []


def test_standardization_of_matrices(floatX64):
    """Catches 'spatial' on a matrix, where each element is its own mean."""
    x = X[:, :, 0, 0]
    assert StandardizationLayer(x.shape).axes == (1,)
    spatial = StandardizationLayer(x.shape, axes="spatial")
    assert spatial.axes == ()
    np.testing.assert_array_equal(computed(spatial, x), np.zeros_like(x))


def test_standardization_refuses_other_words():
    """Catches a typing error that is taken for something."""
    with pytest.raises(ValueError, match=r"'s': axes must be 'auto'.*got 'feature'"):
        StandardizationLayer((2, 3), axes="feature", name="s")
    with pytest.raises(TypeError, match=r"epsilon must be a number .* got None"):
        StandardizationLayer((2, 3), epsilon=None)


def names(network):
    return [each.name for each in layers.get_all_layers(network)]


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_instance_norm_stacks_what_is_asked_for(scale, bias, floatX64):
    """Catches a bias that stays below, and names of layers left out."""
    below = NINLayer(InputLayer((2, 6, 5, 3)), 4, nonlinearity=pt.tanh, name="c")
    network = layers.instance_norm(below, learn_scale=scale, learn_bias=bias)
    expected = [None, "c", "c_in"]
    expected += ["c_in_scale"] * scale + ["c_in_bias"] * bias + ["c_in_nonlin"]
    assert names(network) == expected
    assert below.b is None
    hidden = np.einsum("bchw,cd->bdhw", X, below.W.get_value())
    wanted = np.tanh(reference.standardise(hidden, (2, 3), 1e-4))
    got = get_output(network, X).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(got, wanted, atol=1e-10)


def test_layer_norm_normalises_all_features(floatX64):
    """Catches statistics of the positions only, and parameters of each position."""
    below = NINLayer(InputLayer((2, 6, 5, 3)), 4, nonlinearity=None, name="c")
    network = layers.layer_norm(below, epsilon=0.1, name="z")
    assert names(network)[2:] == ["z", "z_scale", "z_bias", "z_nonlin"]
    assert [each.type.shape for each in layers.get_all_params(network)] == [
        (6, 4), (4,), (4,)
    ]  # fmt: skip
    hidden = np.einsum("bchw,cd->bdhw", X, below.W.get_value())
    got = get_output(network, X).eval(mode="FAST_COMPILE")
    wanted = reference.standardise(hidden, (1, 2, 3), 0.1)
    np.testing.assert_allclose(got, wanted, atol=1e-10)
    assert names(layers.layer_norm(DenseLayer((2, 3), 4)))[1:] == [None] * 4


def test_layer_norm_layer_has_parameters_of_its_axes(floatX64):
    """Catches parameters that are spread over the other axes."""
    gamma, beta = X[0, :, 0] + 3, X[1, :, 0]  # (6, 3)
    layer = LayerNormLayer(X.shape, axes=(-1, 1), gamma=gamma, beta=beta, name="n")
    wanted = reference.standardise(X, (1, 3), 1e-5)
    wanted = wanted * gamma[:, None] + beta[:, None]
    np.testing.assert_allclose(computed(layer), wanted, rtol=1e-8, atol=1e-10)
    assert [each.name for each in layer.get_params(trainable=True)] == [
        "n.gamma", "n.beta"
    ]  # fmt: skip
    assert layer.get_params(regularizable=True) == []


def test_rms_norm_divides_by_the_root_mean_square(floatX64):
    """Catches a mean that is taken away."""
    gamma = np.array([1.0, 2.0, 3.0])
    layer = RMSNormLayer(X.shape, gamma=gamma)
    wanted = reference.rms_normalise(X, 1e-6) * gamma
    np.testing.assert_allclose(computed(layer), wanted, rtol=1e-10)


def test_instance_norm_layer_normalises_each_channel(floatX64):
    """Catches statistics over channels."""
    layer = InstanceNormLayer(X.shape, gamma=CHANNELS, beta=-CHANNELS)
    column = CHANNELS[:, None, None]
    wanted = reference.standardise(X, (2, 3), 1e-5) * column - column
    np.testing.assert_allclose(computed(layer), wanted, atol=1e-10)


@pytest.mark.parametrize("num_groups", [1, 2, 6])
def test_group_norm_normalises_neighbouring_channels(num_groups, floatX64):
    """Catches interleaved groups, and parameters of each group."""
    layer = GroupNormLayer(X.shape, num_groups, gamma=CHANNELS, beta=-CHANNELS)
    column = CHANNELS[:, None, None]
    wanted = reference.group_standardise(X, num_groups, 1e-5) * column - column
    np.testing.assert_allclose(computed(layer), wanted, atol=1e-10)


PER_EXAMPLE = [LayerNormLayer, RMSNormLayer, InstanceNormLayer, GroupNormLayer]


@pytest.mark.parametrize("kind", PER_EXAMPLE)
def test_parameters_can_be_left_out(kind, floatX64):
    """Catches a parameter made for None, and sizes asked for without need."""
    names = {"gamma": None} if kind is RMSNormLayer else {"gamma": None, "beta": None}
    more = {"num_groups": 1} if kind is GroupNormLayer else {}
    layer = kind((None, 6, None, 3), **names, **more)
    assert layer.gamma is None
    assert layer.get_params() == []
    assert computed(layer).shape == X.shape


def test_large_means_do_not_spoil_the_variance(floatX32):
    """Catches the difference of a mean square and a squared mean."""
    x = (1e4 + np.random.default_rng(2).normal(size=(3, 50))).astype("float32")
    result = computed(LayerNormLayer((None, 50)), x)
    assert result.dtype == "float32"
    assert abs(result.std(axis=1) - 1).max() < 1e-2


def test_bad_inputs_are_refused():
    """Catches parameters of unknown shape, and groups that do not divide."""
    with pytest.raises(ValueError, match="'n' needs specified input sizes"):
        LayerNormLayer((2, None), name="n")
    with pytest.raises(ValueError, match="axes must be between -2 and 1, got 2"):
        RMSNormLayer((2, 3), axes=2)
    with pytest.raises(ValueError, match="'n': the input must have at least 3 axes"):
        InstanceNormLayer((2, 3), name="n")
    with pytest.raises(ValueError, match=r"'n': num_groups must be a divisor.*got 4"):
        GroupNormLayer((2, 6), num_groups=4, name="n")
    with pytest.raises(ValueError, match="known number of channels"):
        GroupNormLayer((2, None))
    for kind in PER_EXAMPLE:
        with pytest.raises(TypeError, match=r"epsilon must be a number .* got None"):
            kind((2, 32, 3), epsilon=None)
