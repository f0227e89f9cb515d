"""Pooling and upscaling layers: numbers, shapes, attributes, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors

from lasagne_next import layers
from lasagne_next.layers import InputLayer, InverseLayer, get_output
from lasagne_next.layers.pool import (
    pool_2d,
    pool_2d_nxn_regions,
    pool_3d,
    pool_output_length,
)
from tests.reference import layers_pool, pooling, resampling

MODE = "FAST_COMPILE"
POOLS = [layers.Pool1DLayer, layers.Pool2DLayer, layers.Pool3DLayer]
MAX_POOLS = [layers.MaxPool1DLayer, layers.MaxPool2DLayer, layers.MaxPool3DLayer]
UPSCALES = [layers.Upscale1DLayer, layers.Upscale2DLayer, layers.Upscale3DLayer]
LENGTHS = (7, 5, 9)


def drawn(*shape):
    return np.random.default_rng(list(shape)).normal(size=shape)


def evaluate(layer, x, **kwargs):
    return get_output(layer, x, **kwargs).eval(mode=MODE)


def test_output_lengths_are_those_of_the_contract():
    """Catches windows that are counted in another way."""
    lengths = (1, 2, 3, 4, 5, 7)
    found = [
        [pool_output_length(i, 3, 2, 0, b) for b in (True, False)] for i in lengths
    ]
    assert found == [[0, 1], [0, 1], [1, 1], [1, 2], [2, 2], [3, 3]]
    assert pool_output_length(None, 3, 2, 0, True) is None
    assert pool_output_length(7, None, 2, 0, True) is None
    assert pool_output_length(7, 3, 2, 1, True) == 4
    assert pool_output_length(5, 2, 3, 0, False) == 2


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("mode", ["max", "average_inc_pad", "average_exc_pad"])
def test_pools_reduce_windows(n, mode):
    """Catches arguments that are mixed up on the way to the operation."""
    x = drawn(2, 3, *LENGTHS[:n])
    size, stride, pad = (3, 2, 4)[:n], (2, 1, 3)[:n], (1, 0, 2)[:n]
    geometry = (size, stride, tuple((p, p) for p in pad), (1,) * n, True)
    wanted = pooling.pool(x, *geometry, mode)
    shape = (None, 3, *[None] * n)
    layer = POOLS[n - 1](InputLayer(shape), size, stride, pad, True, mode)
    np.testing.assert_allclose(evaluate(layer, x), wanted)
    assert layer.output_shape == shape
    assert POOLS[n - 1](x.shape, size, stride, pad).output_shape == wanted.shape
    attributes = layer.pool_size, layer.stride, layer.pad, layer.mode
    assert attributes == (size, stride, pad, mode)
    if mode == "max":
        layer = MAX_POOLS[n - 1](InputLayer(shape), size, stride, pad)
        np.testing.assert_allclose(evaluate(layer, x), wanted)
        assert isinstance(layer, POOLS[n - 1])


def test_numbers_become_tuples_and_strides_the_window():
    """Catches attributes that depend on how an argument was written."""
    layer = layers.MaxPool2DLayer((None, 3, 7, 9), np.int64(2))
    assert (layer.pool_size, layer.stride, layer.pad) == ((2, 2), (2, 2), (0, 0))
    assert layer.ignore_border is True
    layer = layers.Pool2DLayer((None, 3, 7, 9), 2, 1, pad=[(0, 1), 1])
    assert layer.pad == ((0, 1), (1, 1))
    assert layer.output_shape == (None, 3, 7, 10)
    layer = layers.Pool2DLayer((None, 3, 7, 9), (2, 3), 1, pad="same", dilation=2)
    assert layer.output_shape == (None, 3, 7, 9)


def test_the_functions_of_theano_pool():
    """Catches arguments in another order than Theano's."""
    x = drawn(2, 3, 7, 5)
    y = pool_2d(pt.constant(x), (3, 2), False, (2, 1), (0, 0), "average_exc_pad")
    wanted = layers.Pool2DLayer(
        InputLayer(x.shape), (3, 2), (2, 1), 0, False, "average_exc_pad"
    )
    np.testing.assert_array_equal(y.eval(mode=MODE), evaluate(wanted, x))
    x = drawn(2, 3, 4, 5, 7)
    y = pool_3d(pt.constant(x), (1, 3, 2), True, 2, (0, 1, 1), "max")
    wanted = layers.MaxPool3DLayer(InputLayer(x.shape), (1, 3, 2), 2, (0, 1, 1))
    np.testing.assert_array_equal(y.eval(mode=MODE), evaluate(wanted, x))


@pytest.mark.parametrize("mode", ["repeat", "dilate", "linear"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_upscaling_multiplies_positions(n, mode):
    """Catches axes that are exchanged, and a mode that is not passed on."""
    lengths, factors = (2, 3, 1)[:n], (3, 1, 2)[:n]
    x = drawn(2, 3, *lengths)
    layer = UPSCALES[n - 1](InputLayer((None, 3, *lengths)), factors, mode)
    wanted = resampling.upsample(x, factors, mode)
    np.testing.assert_allclose(evaluate(layer, x), wanted, atol=1e-12)
    assert layer.output_shape == (None, *wanted.shape[1:])
    assert layer.scale_factor == factors
    assert UPSCALES[n - 1]((None, 3, *[None] * n), 2).output_shape[2:] == (None,) * n
    x = pt.tensor(shape=(None, 3, *lengths))
    assert get_output(UPSCALES[n - 1](InputLayer(x.type.shape, x), 1)) is x


def test_shuffles_move_channels_to_positions_and_back():
    """Catches another order of channels, and shapes that do not follow."""
    x = drawn(2, 12, 3, 5)
    l_in = InputLayer((None, 12, None, 5))
    layer = layers.PixelShuffleLayer(l_in, (2, 3))
    wanted = resampling.pixel_shuffle(x, (2, 3))
    np.testing.assert_array_equal(evaluate(layer, x), wanted)
    assert layer.output_shape == (None, 2, None, 15)
    back = layers.PixelUnshuffleLayer(layer, (2, 3))
    assert back.output_shape == (None, 12, None, 5)
    np.testing.assert_array_equal(evaluate(back, x), x)
    assert layers.PixelShuffleLayer((None, None, 3), 2).output_shape == (None, None, 6)
    assert layers.PixelUnshuffleLayer((None, None, 4), 2).output_shape[1] is None


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_groups_of_features_are_pooled(axis):
    """Catches features that are taken in strides, and negative axes."""
    x = drawn(2, 6, 4, 8)
    layer = layers.FeaturePoolLayer(InputLayer((None, 6, 4, 8)), 2, axis)
    wanted = layers_pool.feature_pool(x, 2, axis, np.max)
    np.testing.assert_allclose(evaluate(layer, x), wanted)
    assert layer.output_shape[1:] == wanted.shape[1:]
    layer = layers.FeaturePoolLayer(InputLayer((None, 6, 4, 8)), 2, axis, pt.sum)
    wanted = layers_pool.feature_pool(x, 2, axis, np.sum)
    np.testing.assert_allclose(evaluate(layer, x), wanted)


@pytest.mark.parametrize("axis", [1, -1])
def test_the_first_largest_feature_wins(axis):
    """Catches winners of ties, and features that are taken in strides."""
    x = np.random.default_rng(0).integers(0, 3, (5, 6, 4)).astype("float64")
    layer = layers.FeatureWTALayer(InputLayer((None, 6, 4)), 2, axis)
    wanted = layers_pool.feature_wta(x, 2, axis)
    np.testing.assert_array_equal(evaluate(layer, x), wanted)
    assert layer.output_shape == (None, 6, 4)


def test_global_pooling_reduces_all_positions():
    """Catches an axis that is left over."""
    for shape in ((2, 3, 5), (2, 3, 5, 7), (2, 3, 5, 1, 2)):
        x = drawn(*shape)
        l_in = InputLayer((None, 3, *[None] * (len(shape) - 2)))
        layer = layers.GlobalPoolLayer(l_in)
        wanted = x.reshape(2, 3, -1)
        np.testing.assert_allclose(evaluate(layer, x), wanted.mean(axis=2))
        layer = layers.GlobalPoolLayer(l_in, pt.max)
        np.testing.assert_allclose(evaluate(layer, x), wanted.max(axis=2))


@pytest.mark.parametrize("implementation", ["fast", "kaiming"])
@pytest.mark.parametrize("mode", ["max", "average_exc_pad"])
def test_pyramids_have_the_cells_they_promise(implementation, mode):
    """Catches six cells instead of four along an axis of size 7."""
    reduction = np.max if mode == "max" else np.mean
    for size, shape in (((7, 8), (2, 3, 7, 8)), ((None, 3), (2, 3, 2, 3))):
        x = drawn(*shape)
        l_in = InputLayer((None, 3, *size))
        layer = layers.SpatialPyramidPoolingLayer(l_in, [4, 2, 1], mode, implementation)
        assert layer.output_shape == (None, 3, 21)
        value = evaluate(layer, x)
        assert value.shape == (2, 3, 21)
        if implementation == "kaiming" or None in size:
            wanted = layers_pool.pyramid(x, [4, 2, 1], reduction)
            np.testing.assert_allclose(value, wanted)


def test_fast_pyramids_use_windows_where_they_fit():
    """Catches cells that are cut out one by one without need."""
    x = drawn(2, 3, 12, 8)
    layer = layers.SpatialPyramidPoolingLayer(InputLayer(x.shape), [4, 2, 1])
    np.testing.assert_allclose(
        evaluate(layer, x), layers_pool.pyramid(x, [4, 2, 1], np.max)
    )
    names = [str(each) for each in _operations(get_output(layer, x))]
    assert sum("MaxPool" in name for name in names) == 3
    cells = pool_2d_nxn_regions(pt.constant(x), 3)
    assert len(cells) == 9
    assert cells[0].type.shape == (2, 3, 1)


def _operations(variable):
    return [each.owner.op for each in ancestors([variable]) if each.owner]


def test_pooling_is_inverted_by_its_gradient():
    """Catches unpooling that does not know where the largest element was."""
    x = np.array([[[1.0, 5.0, 2.0, 2.0, 7.0]]])
    l_in = InputLayer((None, 1, 5))
    below = layers.MaxPool1DLayer(l_in, 2)
    layer = InverseLayer(below, below)
    assert layer.output_shape == (None, 1, 5)
    # Both of the equal elements get the value back.
    np.testing.assert_array_equal(evaluate(layer, x), [[[0, 5, 2, 2, 0]]])
    below = layers.Upscale1DLayer(l_in, 2)
    layer = InverseLayer(below, below)
    np.testing.assert_array_equal(evaluate(layer, x), 2 * x)


IMAGES, SEQUENCES = (None, 6, 7, 9), (None, 6, 7)


@pytest.mark.parametrize(
    ("error", "message", "build"),
    [
        (
            ValueError,
            "Pool2DLayer 'p': Expected 4 input dimensions.* got 3",
            lambda: layers.Pool2DLayer(SEQUENCES, 2, name="p"),
        ),
        (
            ValueError,
            "MaxPool1DLayer: Expected 3 input dimensions",
            lambda: layers.MaxPool1DLayer(IMAGES, 2),
        ),
        (
            ValueError,
            "Pool2DLayer 'p': mode must be .* got 'mean'",
            lambda: layers.Pool2DLayer(IMAGES, 2, mode="mean", name="p"),
        ),
        (
            ValueError,
            r"Pool2DLayer 'p': the window must not be larger .* size \(7, 9\)",
            lambda: layers.Pool2DLayer(IMAGES, 8, name="p"),
        ),
        (
            ValueError,
            "MaxPool2DLayer: pool_size must .* got 0",
            lambda: layers.MaxPool2DLayer(IMAGES, 0),
        ),
        (
            ValueError,
            "MaxPool2DLayer: pad must be smaller .* got 3",
            lambda: layers.MaxPool2DLayer(IMAGES, 3, pad=3),
        ),
        (
            TypeError,
            "mode",
            lambda: layers.MaxPool2DLayer(IMAGES, 3, mode="max"),
        ),
        (
            ValueError,
            "Upscale2DLayer 'u': scale_factor must .* got 0",
            lambda: layers.Upscale2DLayer(IMAGES, 0, name="u"),
        ),
        (
            ValueError,
            "Upscale2DLayer 'u': mode must .* got 'cubic'",
            lambda: layers.Upscale2DLayer(IMAGES, 2, "cubic", name="u"),
        ),
        (
            ValueError,
            "Upscale1DLayer: Expected 3 input dimensions",
            lambda: layers.Upscale1DLayer(IMAGES, 2),
        ),
        (
            ValueError,
            "PixelShuffleLayer 's': the number of channels .* multiple of 4, got 6",
            lambda: layers.PixelShuffleLayer(IMAGES, 2, name="s"),
        ),
        (
            ValueError,
            "PixelUnshuffleLayer: the number of positions .* multiple of 2, got 7",
            lambda: layers.PixelUnshuffleLayer(IMAGES, 2),
        ),
        (
            TypeError,
            "PixelShuffleLayer: the input must have .* got 2 axes",
            lambda: layers.PixelShuffleLayer((None, 6), 2),
        ),
        (
            ValueError,
            "FeaturePoolLayer 'f': the number of features .* got 6 .* pool_size 4",
            lambda: layers.FeaturePoolLayer(IMAGES, 4, name="f"),
        ),
        (
            TypeError,
            "FeatureWTALayer: the size of axis 0 must be known",
            lambda: layers.FeatureWTALayer(IMAGES, 2, axis=0),
        ),
        (
            TypeError,
            "FeatureWTALayer: pool_size must be an integer, got 1.5",
            lambda: layers.FeatureWTALayer(IMAGES, 1.5),
        ),
        (
            ValueError,
            "FeaturePoolLayer: pool_size must be at least 1, got 0",
            lambda: layers.FeaturePoolLayer(IMAGES, 0),
        ),
        (
            ValueError,
            "FeaturePoolLayer: axis must be between -4 and 3, got 4",
            lambda: layers.FeaturePoolLayer(IMAGES, 2, axis=4),
        ),
        (
            ValueError,
            "GlobalPoolLayer 'g': the input must have at least 3 axes",
            lambda: layers.GlobalPoolLayer((None, 6), name="g"),
        ),
        (
            ValueError,
            "SpatialPyramidPoolingLayer: Expected 4 input dimensions",
            lambda: layers.SpatialPyramidPoolingLayer(SEQUENCES),
        ),
        (
            ValueError,
            "Mode|mode must be one of",
            lambda: layers.SpatialPyramidPoolingLayer(IMAGES, mode="mean"),
        ),
        (
            ValueError,
            "implementation must be one of .* got 'quick'",
            lambda: layers.SpatialPyramidPoolingLayer(IMAGES, implementation="quick"),
        ),
        (
            TypeError,
            "pool_dims must be integers",
            lambda: layers.SpatialPyramidPoolingLayer(IMAGES, [2, 1.5]),
        ),
        (
            ValueError,
            r"pool_dims must be integers of at least 1, got \[0\]",
            lambda: layers.SpatialPyramidPoolingLayer(IMAGES, 0),
        ),
    ],
)
def test_what_makes_no_sense_is_refused(error, message, build):
    """Catches a mistake that shows only when a function runs."""
    with pytest.raises(error, match=message):
        build()


def test_trainings_reach_below_the_pools():
    """Catches a layer that stops gradients."""
    x = pt.tensor("x", shape=(None, 6, 8, 8))
    below = InputLayer((None, 6, 8, 8), x)
    for layer in (
        layers.MaxPool2DLayer(below, 2),
        layers.FeatureWTALayer(below, 3),
        layers.SpatialPyramidPoolingLayer(below),
    ):
        slope = pytensor.grad(pt.sqr(get_output(layer)).sum(), x)
        assert slope.eval({x: drawn(2, 6, 8, 8)}, mode=MODE).any()
