"""Convolution layers: numbers, shapes, start values, old names, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import init, layers, ops
from lasagne_next.layers import InputLayer, InverseLayer, corrmm, dnn, get_output
from lasagne_next.layers.conv import (
    BaseConvLayer,
    conv_input_length,
    conv_output_length,
)
from tests.reference import convolution as reference
from tests.reference.layers_local import locally_connected

MODE = "FAST_COMPILE"
CONVS = [layers.Conv1DLayer, layers.Conv2DLayer, layers.Conv3DLayer]
TRANSPOSED = [
    layers.TransposedConv1DLayer,
    layers.TransposedConv2DLayer,
    layers.TransposedConv3DLayer,
]
LENGTHS = (7, 5, 6)


def drawn(*shape):
    return np.random.default_rng(list(shape)).normal(size=shape)


def evaluate(layer, x):
    return get_output(layer, x).eval(mode=MODE)


def test_lengths_are_those_of_the_contract():
    """Catches sizes that are rounded the other way."""
    pads = ("valid", 0, "full", "same", 2)
    assert [conv_output_length(13, 5, 3, pad) for pad in pads] == [3, 3, 6, 5, 5]
    assert conv_output_length(None, 5, 3, "same") is None
    found = [
        conv_input_length(*each)
        for each in (
            (2, 3, 1, "valid"),
            (6, 4, 1, 2),
            (2, 3, 2, 0),
            (3, 3, 2, "same"),
            (3, 3, 2, "full"),
        )
    ]
    assert found == [4, 5, 5, 5, 3]
    assert conv_input_length(None, 3, 1) is None
    assert conv_output_length(13, 5, 1, (1, 0), dilation=2) == 6
    assert conv_output_length(8, 4, 1, "same") == 8


@pytest.mark.parametrize("length", [conv_output_length, conv_input_length])
def test_lengths_refuse_words_that_mean_nothing(length):
    """Catches padding that is ignored."""
    with pytest.raises(ValueError, match="Invalid pad: '_nonexistent_mode'"):
        length(5, 3, 1, "_nonexistent_mode")


@pytest.mark.parametrize("flip_filters", [True, False], ids=["flipped", "not"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_filters_are_convolved(n, flip_filters):
    """Catches arguments that are mixed up on the way to the operation."""
    size, stride, pad, dilation = (3, 2, 1)[:n], (2, 1, 3)[:n], (1, 2, 0)[:n], (1, 2, 1)
    x, W, b = drawn(2, 4, *LENGTHS[:n]), drawn(6, 2, *size), drawn(6)
    l_in = InputLayer((None, 4, *LENGTHS[:n]))
    layer = CONVS[n - 1](
        l_in, 6, size, stride, pad, W=W, b=b, nonlinearity=None, num_groups=2,
        flip_filters=flip_filters, dilation=dilation[:n],
    )  # fmt: skip
    shape = (2, *layer.output_shape[1:])
    wanted = reference.convolution(
        x, W, shape, stride, pad, dilation[:n], 2, flip_filters
    )
    wanted += b.reshape(-1, *[1] * n)
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    open_ended = CONVS[n - 1]((None, 4, *[None] * n), 6, size)
    assert open_ended.output_shape == (None, 6, *[None] * n)
    given = layer.filter_size, layer.stride, layer.pad, layer.n, layer.num_groups
    assert given == (size, stride, pad, n, 2)


@pytest.mark.parametrize("flip_filters", [True, False], ids=["flipped", "not"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_transposed_layers_are_adjoint(n, flip_filters):
    """Catches groups that are ignored, and filters that are flipped otherwise."""
    size, stride, crop = (3, 2, 2)[:n], (2, 1, 2)[:n], (1, 0, 1)[:n]
    lengths = (3, 4, 2)[:n]
    x, W = drawn(2, 4, *lengths), drawn(4, 3, *size)
    layer = TRANSPOSED[n - 1](
        InputLayer((None, 4, *lengths)), 6, size, stride, crop, W=W, b=None,
        nonlinearity=None, num_groups=2, flip_filters=flip_filters,
    )  # fmt: skip
    shape = (2, *layer.output_shape[1:])
    ones = (1,) * n
    wanted = reference.transposed_convolution(
        x, W, shape, stride, crop, ones, 2, not flip_filters
    )
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    assert layer.crop == crop
    assert not hasattr(layer, "pad")


def test_output_sizes_of_transposed_layers():
    """Catches sizes that are not those of the contract."""
    l_in = InputLayer((None, 1, 5, 5))
    for crop, size in ((0, 11), ("valid", 11), ("same", 9), ("full", 7)):
        layer = layers.TransposedConv2DLayer(l_in, 2, 3, 2, crop)
        assert layer.output_shape == (None, 2, size, size)
    layer = layers.TransposedConv2DLayer(l_in, 2, 3, 2, "same", output_size=10)
    assert layer.output_shape == (None, 2, 10, 10)
    unknown = InputLayer((None, 1, None, None))
    layer = layers.TransposedConv2DLayer(unknown, 2, 3, 2, output_size=(11, 12))
    assert layer.output_shape == (None, 2, 11, 12)
    assert evaluate(layer, drawn(2, 1, 5, 5)).shape == (2, 2, 11, 12)
    sizes = pt.lvector("sizes")
    layer = layers.TransposedConv2DLayer(unknown, 2, 3, 2, output_size=sizes)
    assert layer.output_shape == (None, 2, None, None)
    y = get_output(layer, drawn(2, 1, 5, 5)).eval({sizes: [12, 11]}, mode=MODE)
    assert y.shape == (2, 2, 12, 11)


@pytest.mark.parametrize(
    ("pad", "stored", "size"),
    [
        (0, (0, 0), (5, 6)),
        (2, (2, 2), (9, 10)),
        ((1, 2), (1, 2), (7, 10)),
        ([(0, 1), 2], ((0, 1), (2, 2)), (6, 10)),
        ("valid", (0, 0), (5, 6)),
        ("same", "same", (7, 7)),
        ("full", "full", (9, 8)),
    ],
)
def test_padding_in_every_form(pad, stored, size):
    """Catches padding that is stored or counted wrongly, and even filters."""
    x = drawn(2, 1, 7, 7)
    layer = layers.Conv2DLayer(InputLayer(x.shape), 1, (3, 2), pad=pad)
    assert layer.pad == stored
    assert layer.output_shape[2:] == size
    assert evaluate(layer, x).shape[2:] == size


def test_causal_layers_see_the_past_alone():
    """Catches padding at the wrong end."""
    x = np.zeros((1, 1, 9))
    x[0, 0, 4] = 1
    layer = layers.Conv1DLayer(
        InputLayer(x.shape), 1, 2, pad="causal", dilation=3, W=init.Constant(1)
    )
    value = evaluate(layer, x)
    np.testing.assert_array_equal(value[0, 0], [0, 0, 0, 0, 1, 0, 0, 1, 0])
    assert layer.pad == "causal"


def test_dilated_layers_have_the_channels_first():
    """Catches filters with holes that are flipped or not exchanged."""
    x, W = drawn(2, 3, 9, 7), drawn(3, 4, 2, 3)
    layer = layers.DilatedConv2DLayer(
        InputLayer(x.shape), 4, (2, 3), (3, 2), W=W, nonlinearity=None
    )
    wanted = reference.convolution(
        x, W.swapaxes(0, 1), (2, 4, 6, 3), (1, 1), (0, 0), (3, 2), 1, False
    )
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    assert (layer.dilation, layer.pad) == ((3, 2), (0, 0))


@pytest.mark.parametrize("channelwise", [True, False], ids=["channelwise", "all"])
@pytest.mark.parametrize("flip_filters", [True, False], ids=["flipped", "not"])
def test_local_filters_belong_to_positions(flip_filters, channelwise):
    """Catches positions that are exchanged, also for filters of even size."""
    x = drawn(2, 3, 5, 4)
    filters = 3 if channelwise else 2
    channels = () if channelwise else (3,)
    W = drawn(filters, *channels, 3, 2, 5, 4)
    layer = layers.LocallyConnected2DLayer(
        InputLayer((None, 3, 5, 4)), filters, (3, 2), W=W, nonlinearity=None,
        flip_filters=flip_filters, channelwise=channelwise,
    )  # fmt: skip
    wanted = locally_connected(x, W, flip_filters, channelwise)
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    assert layer.output_shape == (None, filters, 5, 4)
    assert isinstance(layer, layers.Conv2DLayer)


def test_separable_layers_are_two_convolutions():
    """Catches channels that are mixed before their filters."""
    x = drawn(2, 3, 6, 5)
    W, mixture, b = drawn(6, 1, 3, 2), drawn(6, 4), drawn(4)
    l_in = InputLayer((None, 3, 6, 5))
    depthwise = layers.DepthwiseConv2DLayer(
        l_in, (3, 2), depth_multiplier=2, W=W, b=None, nonlinearity=None
    )
    maps = evaluate(depthwise, x)
    ones = (1, 1)
    wanted = reference.convolution(x, W, (2, 6, 4, 4), ones, (0, 0), ones, 3, True)
    np.testing.assert_allclose(maps, wanted, atol=1e-12)
    assert depthwise.num_filters == 6
    layer = layers.SeparableConv2DLayer(
        l_in, 4, (3, 2), depth_multiplier=2, W=W, W_pointwise=mixture, b=b,
        nonlinearity=None,
    )  # fmt: skip
    wanted = np.einsum("nchw,cf->nfhw", maps, mixture) + b[:, None, None]
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    assert layer.get_params() == [layer.W, layer.W_pointwise, layer.b]
    layer = layers.SeparableConv1DLayer((None, 3, 9), 4, 2, dilation=3, pad="causal")
    assert layer.output_shape == (None, 4, 9)
    assert layers.DepthwiseConv1DLayer((None, 3, 9), 2).output_shape == (None, 3, 8)


def test_parameters_have_names_orders_tags_and_shapes():
    """Catches a bias that is penalised, and biases that are tied by mistake."""
    layer = layers.Conv2DLayer((None, 3, 7, 5), 4, 2, untie_biases=True, name="c")
    assert layer.get_params() == [layer.W, layer.b]
    assert layer.get_params(regularizable=True) == [layer.W]
    assert (layer.W.name, layer.b.name) == ("c.W", "c.b")
    assert layer.b.type.shape == (4, 6, 4)
    x, b = drawn(2, 3, 7, 5), drawn(4, 6, 4)
    tied = layers.Conv2DLayer(InputLayer(x.shape), 4, 2, W=layer.W, nonlinearity=None)
    free = layers.Conv2DLayer(
        InputLayer(x.shape), 4, 2, untie_biases=True, W=layer.W, b=b, nonlinearity=None
    )
    np.testing.assert_allclose(evaluate(free, x), evaluate(tied, x) + b)
    assert layers.Conv2DLayer((None, 3, 7, 5), 4, 2, b=None).b is None
    one = layers.Conv2DLayer((None, 1, 7, 5), 1, 1, W=np.ones((1, 1, 1, 1)))
    assert one.output_shape == (None, 1, 7, 5)


IMAGES = (None, 6, 8, 8)


@pytest.mark.parametrize(
    ("build", "fan_in", "fan_out"),
    [
        (lambda W: layers.Conv2DLayer(IMAGES, 4, 3, W=W), 54, 36),
        (lambda W: layers.Conv2DLayer(IMAGES, 4, 3, W=W, num_groups=2), 27, 18),
        (lambda W: layers.TransposedConv2DLayer(IMAGES, 4, 4, 2, W=W), 24, 64),
        (lambda W: layers.DilatedConv2DLayer(IMAGES, 4, 3, 2, W=W), 54, 36),
        (lambda W: layers.LocallyConnected2DLayer(IMAGES, 4, 3, W=W), 54, 36),
        (lambda W: layers.DepthwiseConv2DLayer(IMAGES, 3, W=W), 9, 9),
    ],
    ids=["plain", "groups", "transposed", "dilated", "local", "depthwise"],
)
def test_start_values_fit_the_inputs_of_an_output(build, fan_in, fan_out):
    """Catches fans that are read off a shape with other axes."""
    for spec, std in (
        (init.HeNormal(), np.sqrt(1 / fan_in)),
        (init.GlorotNormal(), np.sqrt(2 / (fan_in + fan_out))),
    ):
        W = build(spec).W.get_value()
        assert abs(W.std() / std - 1) < 5 / np.sqrt(W.size)
    assert build(init.HeNormal(fan_in=100)).W.get_value().std() < 0.15


def test_transposed_layers_keep_the_variance():
    """Catches a fan that counts inputs which an output does not see."""
    l_in = InputLayer((None, 16, 9, 9))
    layer = layers.TransposedConv2DLayer(
        l_in, 16, 4, 2, W=init.HeNormal(), b=None, nonlinearity=None
    )
    value = evaluate(layer, drawn(5, 16, 9, 9))[:, :, 4:-4, 4:-4]
    assert abs(value.std() - 1) < 0.1


def test_the_convolution_can_be_exchanged():
    """Catches arguments that a user's convolution does not get."""
    seen = []

    def convolution(
        x, W, x_shape, W_shape, subsample, border_mode, filter_flip, **more
    ):
        seen.append((x_shape, W_shape, subsample, border_mode, filter_flip, more))
        return ops.convolve(x, W, subsample, "same", flip_filters=filter_flip)

    l_in = InputLayer((None, 2, 5, 4))
    layer = layers.Conv2DLayer(l_in, 3, 3, pad="same", convolution=convolution)
    x = drawn(2, 2, 5, 4)
    plain = layers.Conv2DLayer(l_in, 3, 3, pad="same", W=layer.W)
    np.testing.assert_allclose(evaluate(layer, x), evaluate(plain, x))
    wanted = (None, 2, 5, 4), (3, 2, 3, 3), (1, 1), "half", True, {}
    assert seen[0] == wanted
    layer = layers.Conv2DLayer(
        InputLayer((None, 4, 5, 4)), 6, 3, 2, 1, flip_filters=False, num_groups=2,
        dilation=(1, 2), convolution=convolution,
    )  # fmt: skip
    with pytest.raises(ValueError, match="channels"):
        get_output(layer)
    assert seen[1][2:5] == ((2, 2), (1, 1), False)
    assert seen[1][5] == {"num_groups": 2, "filter_dilation": (1, 2)}


def test_layers_are_inverted_by_their_gradient():
    """Catches a decoder that is not the transposed encoder."""
    x = drawn(2, 3, 7, 5)
    l_in = InputLayer((None, 3, 7, 5))
    below = layers.Conv2DLayer(l_in, 4, (3, 2), stride=2, b=None, nonlinearity=None)
    inverse = InverseLayer(below, below)
    assert inverse.output_shape == (None, 3, 7, 5)
    tied = layers.TransposedConv2DLayer(
        below, 3, (3, 2), 2, W=below.W, b=None, nonlinearity=None,
        flip_filters=not below.flip_filters, output_size=(7, 5),
    )  # fmt: skip
    np.testing.assert_allclose(evaluate(inverse, x), evaluate(tied, x), atol=1e-12)


def test_kernels_may_be_expressions():
    """Catches a mask that lets an output see what it should not."""
    mask = np.ones((4, 1, 3, 3))
    mask[:, :, 1, 2:] = mask[:, :, 2] = 0
    V = pytensor.shared(drawn(4, 1, 3, 3), shape=(4, 1, 3, 3))
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1
    layer = layers.Conv2DLayer(
        InputLayer(x.shape), 4, 3, pad="same", W=V * mask, flip_filters=False,
        nonlinearity=None,
    )  # fmt: skip
    value = evaluate(layer, x)
    assert not value[0, :, :2].any()
    assert not value[0, :, 2, :2].any()
    assert value[0, :, 3].any()
    assert layer.get_params() == [V, layer.b]


def test_old_names_do_not_flip_filters():
    """Catches model definitions of old that load and compute something else."""
    for kind in (dnn.Conv2DDNNLayer, corrmm.Conv2DMMLayer):
        assert kind(IMAGES, 2, 3).flip_filters is False
        assert kind(IMAGES, 2, 3, flip_filters=True).flip_filters is True
        assert kind(IMAGES, 4, 3, num_groups=2, pad="same").output_shape[2:] == (8, 8)
    assert dnn.Conv3DDNNLayer((None, 1, 4, 5, 6), 2, 3).flip_filters is False
    for name in dnn.__all__:
        old = getattr(dnn, name)
        if not name.startswith("Conv"):
            assert old is getattr(layers, name.replace("DNN", "").replace("_dnn", ""))


def test_the_base_leaves_the_convolution_open():
    """Catches a base that computes something by accident."""
    layer = BaseConvLayer(IMAGES, 2, 3, name="c")
    with pytest.raises(NotImplementedError, match="BaseConvLayer 'c' must define con"):
        layer.get_output_for(pt.tensor4())
