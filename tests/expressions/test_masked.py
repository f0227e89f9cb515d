"""Fixed zeros."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init
from lasagne_next.params import collect_shared_vars
from tests.expressions.values import leaves_of, pulled_back, value_of


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_masked_entries_are_zero_and_have_no_gradient(dtype, floatX64):
    """Catches a mask that is applied to the start alone."""
    mask = np.tri(7, 5).astype(dtype)
    W = expressions.Masked(mask, init=draw((7, 5)))((7, 5))
    assert [leaf.name for leaf in collect_shared_vars(W)] == ["v"]
    leaves_of(W)["v"].set_value(draw((7, 5), 1))
    np.testing.assert_array_equal(value_of(W), mask * draw((7, 5), 1))
    cotangent = draw((7, 5), 2)
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], cotangent)
    np.testing.assert_array_equal(gradient, mask * cotangent)


def test_a_mask_may_be_soft(floatX64):
    """Catches a mask that is only compared with zero."""
    mask = np.array([[0.5, 0.0], [2.0, 1.0], [0.0, 3.0]])
    value = mask * draw((3, 2))
    spec = expressions.Masked(mask)
    W = spec.from_value(value)((3, 2))
    np.testing.assert_allclose(value_of(W), value)
    np.testing.assert_allclose(leaves_of(W)["v"].get_value(), draw((3, 2)) * (mask > 0))
    assert spec.contains(value)
    assert not spec.contains(draw((3, 2)))


def test_every_unit_starts_with_the_variance_of_the_draw(floatX64):
    """Catches sparse columns that start weaker, and NaN in an empty one."""
    rng = np.random.default_rng(0)
    mask = rng.uniform(size=(4000, 4)) < [1.0, 0.5, 0.1, 0.0]
    W = expressions.Masked(mask, init=init.Normal(0.3)).sample((4000, 4))
    np.testing.assert_allclose(W[:, :2].std(axis=0), 0.3, rtol=0.05)
    np.testing.assert_allclose(W[:, 2].std(), 0.3, rtol=0.15)
    np.testing.assert_array_equal(W[:, 3], 0)
    filters = rng.uniform(size=(3, 40, 5, 5)) < np.reshape([1, 0.5, 0.2], (3, 1, 1, 1))
    W = expressions.Masked(filters, init=init.Normal(0.3)).sample(filters.shape)
    np.testing.assert_allclose(W.std(axis=(1, 2, 3)), 0.3, rtol=0.2)


def test_a_mask_of_a_vector_leaves_the_draw_alone(floatX64):
    """Catches a division by the density of axes that are no inputs."""
    spec = expressions.Masked([1, 0, 1], init=lambda shape: np.array([1.0, 2, 3]))
    np.testing.assert_array_equal(spec.sample((3,)), [1, 0, 3])


def test_the_mask_is_a_constant_of_the_weights_type():
    """Catches a mask of double precision, which turns the weights into that."""
    W = expressions.Masked(np.tri(7, 5), init=draw((7, 5)).astype("float32"))((7, 5))
    assert {each.dtype for each in W.owner.inputs} == {"float32"}


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            "Masked: mask must be an array of numbers, got m of type TensorVariable.*"
            r"write mask \* V",
            lambda: expressions.Masked(pt.matrix("m")),
        ),
        (
            TypeError,
            "Masked: mask must be an array of numbers, got 'causal' of type str",
            lambda: expressions.Masked("causal"),
        ),
        (
            ValueError,
            r"the mask must have the shape of the parameter, \(5, 7\), got \(7, 5\)",
            lambda: expressions.Masked(np.tri(7, 5))((5, 7)),
        ),
    ],
)
def test_impossible_masks_are_refused(error, message, call):
    """Catches a mask that broadcasts."""
    with pytest.raises(error, match=message):
        call()
