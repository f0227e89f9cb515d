"""Constraints after a thousand steps of Adam in single precision."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, updates
from lasagne_next.params import leaf_tags

SIZE, STEPS = 64, 1000
pytestmark = pytest.mark.slow


def trained(spec, shape=(SIZE, SIZE)):
    """Fit a parameter to a matrix that it cannot be, and return its value."""
    with pytensor.config.change_flags(floatX="float32"):
        W = spec(shape)
        rng = np.random.default_rng(1)
        target = rng.normal(size=shape).astype("float32")
        x = rng.normal(size=(8, shape[0])).astype("float32")
        y = expressions.dot(pt.constant(x), W)
        loss = pt.sqr(y - x @ target).mean()
        leaves = [leaf for leaf, t in leaf_tags(W, {"trainable"}) if "trainable" in t]
        rule = updates.adam(loss, leaves, learning_rate=0.01)
        step = pytensor.function([], loss, updates=rule, mode="NUMBA")
    losses = [float(step()) for _ in range(STEPS)]
    assert losses[-1] < losses[0]
    value = W.eval(mode="FAST_COMPILE")
    assert value.dtype == "float32"
    return value.astype("float64")


@pytest.mark.parametrize(
    ("map", "shape", "allowed"),
    [
        ("cayley", (SIZE, SIZE), 1e-6),
        ("cayley", (SIZE, 20), 1e-6),
        ("householder", (SIZE, 20), 1e-5),
        ("exponential", (SIZE, SIZE), 1e-5),
    ],
)
def test_orthonormal_columns_stay_orthonormal(map, shape, allowed):
    """Catches errors that add up, as those of projected gradient steps do."""
    value = trained(expressions.Orthogonal(map, gain=1), shape)
    error = abs(value.T @ value - np.eye(shape[1])).max()
    assert error <= allowed


def test_symmetry_and_signs_stay_exact():
    """Catches a constraint that rounding breaks."""
    value = trained(expressions.Symmetric())
    assert np.array_equal(value, value.T)
    value = trained(expressions.SkewSymmetric())
    assert np.array_equal(value, -value.T)
    value = trained(expressions.PSD(rank=8))
    np.testing.assert_allclose(value, value.T, rtol=1e-5, atol=1e-6)
    assert np.linalg.eigvalsh(value).min() > -1e-5


@pytest.mark.parametrize("map", ["exp", "softplus", "square"])
def test_positive_weights_stay_positive(map):
    """Catches a weight of zero or below, where the target wants a negative one."""
    value = trained(expressions.Positive(map))
    assert value.min() >= 0 if map == "square" else value.min() > 0


def test_lengths_and_sums_stay_what_they_are():
    """Catches norms that drift."""
    value = trained(expressions.UnitNorm())
    np.testing.assert_allclose((value**2).sum(axis=0), 1, rtol=1e-6)
    value = trained(expressions.Simplex(axis=0))
    np.testing.assert_allclose(value.sum(axis=0), 1, rtol=1e-6)
