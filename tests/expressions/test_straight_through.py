"""Discrete values with the gradient of something continuous."""

import numpy as np
import pytensor
import pytest

from lasagne_next import expressions, init, layers
from lasagne_next.params import collect_shared_vars, set_tags
from tests.expressions.values import MODE, leaves_of, pulled_back, value_of
from tests.reference.parameters import quantise


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("mode", [MODE, "FAST_RUN"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_values_are_exact(dtype, mode):
    """Catches clipped + (signs - clipped), which rounding makes inexact."""
    W = expressions.Binary(init=draw((70, 5)).astype(dtype))((70, 5))
    leaves = leaves_of(W)
    leaves["v"].set_value(draw((70, 5), 1).astype(dtype))
    scale = leaves["scale"].get_value()
    assert scale.shape == (1, 5)
    value = pytensor.function([], W, mode=mode)()
    expected = np.where(draw((70, 5), 1) >= 0, scale, -scale)
    np.testing.assert_array_equal(value, expected)


def test_the_binary_gradient_passes_between_the_bounds_alone(floatX64):
    """Catches a gradient of zero everywhere, as signs have, or one times the scale."""
    W = expressions.Binary(init=draw((2, 3)))((2, 3))
    v = np.array([[-2.0, -1.0, -0.3], [0.0, 1.0, 1.001]])
    leaves_of(W)["v"].set_value(v)
    cotangent = draw((2, 3), 1)
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], cotangent)
    np.testing.assert_allclose(gradient, cotangent * (abs(v) <= 1))


def test_zero_counts_as_positive():
    """Catches the sign of zero, a third value."""
    W = expressions.Binary(init=np.array([[1.0], [0.0], [-1.0]]))((3, 1))
    np.testing.assert_allclose(value_of(W), [[2 / 3], [2 / 3], [-2 / 3]])


def test_a_binary_start_has_the_variance_of_the_draw(floatX64):
    """Catches the mean absolute value, which loses a quarter of it."""
    value = expressions.Binary(init=init.Uniform(0.2)).sample((500, 30))
    np.testing.assert_allclose(value.var(), 0.04 / 3, rtol=0.01)
    spec = expressions.Binary(init=init.Uniform(0.2))
    v = leaves_of(spec((500, 30)))["v"].get_value()
    assert abs(v).max() == 1  # inside the bounds, so that all can learn


def test_the_nearest_binary_value_is_found(floatX64):
    """Catches the root mean square, which is not nearest."""
    value = draw((7, 5))
    spec = expressions.Binary().from_value(value, strict=False)
    start = value_of(spec((7, 5)))
    np.testing.assert_allclose(abs(start), np.tile(abs(value).mean(axis=0), (7, 1)))
    for factor in (0.99, 1.01):
        farther = np.linalg.norm(factor * start - value) / np.linalg.norm(value)
        assert farther > spec.residual
    assert expressions.Binary().contains(start)
    assert not expressions.Binary().contains(value)


def test_each_filter_has_its_own_scale(floatX64):
    """Catches one scale along the wrong axes."""
    W = expressions.Binary(init=draw((4, 3, 5, 5)))((4, 3, 5, 5))
    assert leaves_of(W)["scale"].type.shape == (4, 1, 1, 1)
    W = expressions.Binary(init=draw((7,)))((7,))
    assert leaves_of(W)["scale"].type.shape == (1,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_quantised_values_are_the_nearest_levels(bits, dtype):
    """Catches an offset of half a level, and a range of one level too many."""
    value = draw((7, 5)).astype(dtype)
    W = expressions.Quantised(bits, init=value)((7, 5))
    scale = abs(value).max()
    assert leaves_of(W)["scale"].get_value() == scale
    if bits < 16:
        expected = quantise(value.astype(float), float(scale), bits)
        np.testing.assert_allclose(value_of(W), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(value_of(W), value, atol=scale / (2**bits - 2) * 1.001)
    assert expressions.Quantised(bits).contains(value_of(W))
    np.testing.assert_array_equal(leaves_of(W)["v"].get_value(), value)


def test_the_quantised_gradient_passes_in_the_range_alone(floatX64):
    """Catches the gradient of rounding, which is zero, and one outside the range."""
    W = expressions.Quantised(4, init=np.array([[1.0, -0.4, 0.2]]))((1, 3))
    v = np.array([[-1.2, 0.33, 1.0]])
    leaves_of(W)["v"].set_value(v)
    cotangent = draw((1, 3))
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], cotangent)
    np.testing.assert_allclose(gradient, cotangent * (abs(v) <= 1))


def test_scales_learn_only_if_asked_to(floatX64):
    """Catches a trainable scale, and one that cannot be made so."""
    layer = layers.DenseLayer((None, 7), 5, W=expressions.Quantised(4), b=None)
    v, scale = collect_shared_vars(layer.W)[::-1]
    if v.name.endswith("scale"):
        v, scale = scale, v
    assert layer.get_params(trainable=True) == [v]
    set_tags(scale, trainable=True)
    assert set(layer.get_params(trainable=True)) == {v, scale}
    # Equation 3 of learned step size quantization: round(u) - u within the range.
    cotangent = draw((7, 5), 1)
    (gradient,) = pulled_back(layer.W, [scale], cotangent)
    s, value = scale.get_value(), v.get_value()
    rounded = np.round(value / s * 7) / 7
    expected = (cotangent * (rounded - value / s)).sum()
    at_bound = abs(value) == s  # there the clipped v may count as either
    slack = abs(cotangent[at_bound]).sum()
    assert abs(gradient - expected) <= slack + 1e-9


@pytest.mark.parametrize("make", [expressions.Binary, expressions.Quantised])
def test_zeros_are_finite(make):
    """Catches division by a scale of zero."""
    W = make(init=np.zeros((3, 2)))((3, 2))
    np.testing.assert_array_equal(value_of(W), 0)
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], np.ones((3, 2)))
    np.testing.assert_array_equal(gradient, 1)


@pytest.mark.parametrize("bits", [1, 17, 2.5, "8"])
def test_impossible_numbers_of_bits_are_refused(bits):
    """Catches one bit, for which there would be no level but zero."""
    with pytest.raises(ValueError, match="bits must be an integer from 2 to 16, got"):
        expressions.Quantised(bits)
