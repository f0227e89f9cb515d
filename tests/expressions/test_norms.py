"""Weight vectors of fixed, separate or standardised length."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init
from tests.dtypes import double_variables
from tests.expressions.values import MODE, leaves_of, pulled_back, value_of
from tests.reference.parameters import standardise

NORMED = {
    "UnitNorm": expressions.UnitNorm,
    "WeightNorm": expressions.WeightNorm,
    "WeightStandardised": expressions.WeightStandardised,
}
# Shape, axis, and the axes of one vector.
LAYOUTS = [
    ((7, 5), None, (0,)),
    ((7, 5), 1, (1,)),
    ((7, 5), (0, 1), (0, 1)),
    ((7, 5, 3), None, (1, 2)),
    ((7, 5, 3), -1, (2,)),
    ((4, 5, 3, 2), None, (1, 2, 3)),
    ((5,), 0, (0,)),
    ((1, 5), 1, (1,)),
    ((6, 1), None, (0,)),
]


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("shape", "axis", "axes"), LAYOUTS)
def test_every_vector_has_the_radius(shape, axis, axes, floatX64):
    """Catches norms over the wrong axes."""
    spec = expressions.UnitNorm(radius=1.5, axis=axis, init=draw(shape))
    value = value_of(spec(shape))
    np.testing.assert_allclose(np.sqrt((value**2).sum(axis=axes)), 1.5)
    scale = np.sqrt((draw(shape) ** 2).sum(axis=axes, keepdims=True))
    np.testing.assert_allclose(value, 1.5 * draw(shape) / scale)
    vectors = value.size // np.prod([shape[each] for each in axes])
    assert spec.count_free(shape) == value.size - vectors


@pytest.mark.parametrize(("shape", "axis", "axes"), LAYOUTS)
def test_the_length_is_a_leaf_of_its_own(shape, axis, axes, floatX64):
    """Catches a gain of another shape than the vectors have."""
    W = expressions.WeightNorm(axis=axis, init=draw(shape))(shape)
    np.testing.assert_allclose(value_of(W), draw(shape), rtol=1e-14)
    gain = leaves_of(W)["g"]
    assert gain.type.shape == tuple(
        1 if each in axes else size for each, size in enumerate(shape)
    )
    gain.set_value(np.full(gain.type.shape, 2.5))
    np.testing.assert_allclose(np.sqrt((value_of(W) ** 2).sum(axis=axes)), 2.5)


def test_the_radius_may_learn(floatX64):
    """Catches a radius that must be a number."""
    radius = pytensor.shared(3.0, name="r")
    W = expressions.UnitNorm(radius=radius, init=draw((7, 5)))((7, 5))
    assert set(leaves_of(W)) == {"v", "r"}
    np.testing.assert_allclose(np.linalg.norm(value_of(W), axis=0), 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_single_precision_starts_exactly_enough(dtype, floatX64):
    """Catches norms that lose digits on the way to the leaf."""
    value = draw((50, 40)).astype(dtype)
    W = expressions.WeightNorm(init=value)((50, 40))
    rtol = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(value_of(W), value, rtol=rtol)


def test_standardised_vectors_follow_the_formula(floatX64):
    """Catches a variance of N - 1, a floor at the wrong place, a gain on the mean."""
    v, gain = draw((7, 5)) + 3, draw((1, 5), 1)
    v[:, 1] = 3 + 1e-3 * v[:, 1]  # below the least variance
    W = expressions.WeightStandardised(epsilon=1e-2)((7, 5))
    leaves_of(W)["v"].set_value(v)
    leaves_of(W)["g"].set_value(gain)
    np.testing.assert_allclose(value_of(W), standardise(v, gain[0], 1e-2))


@pytest.mark.parametrize(("shape", "axis", "axes"), LAYOUTS)
def test_standardised_vectors_start_without_their_mean(shape, axis, axes, floatX64):
    """Catches means over the wrong axes."""
    W = expressions.WeightStandardised(axis=axis, init=draw(shape))(shape)
    expected = draw(shape) - draw(shape).mean(axis=axes, keepdims=True)
    np.testing.assert_allclose(value_of(W), expected, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NORMED)
def test_vectors_of_any_size_have_finite_values_and_gradients(name, dtype):
    """Catches division by zero, and the gradient of a root at zero."""
    W = NORMED[name](init=draw((7, 5)).astype(dtype))((7, 5))
    leaves = leaves_of(W)
    gradients = pytensor.grad((W * W).sum() + W.sum(), list(leaves.values()))
    function = pytensor.function([], [W, *gradients], mode=MODE)
    for size in (0, 1e-30, 1e-18, 1e-13, 1e-11, 1e-5, 1e5, 1e12):
        leaves["v"].set_value((size * draw((7, 5))).astype(dtype))
        for each in function():
            assert np.isfinite(each).all(), size


def test_a_zero_vector_gives_zeros_and_can_leave_them(floatX64):
    """Catches a vector that is stuck at zero, or jumps from it."""
    value = draw((7, 5))
    value[:, 2] = 0
    W = expressions.WeightNorm(init=value)((7, 5))
    np.testing.assert_allclose(value_of(W), value)
    gradients = pulled_back(W, [leaves_of(W)["g"]], draw((7, 5), 1))
    assert gradients[0][0, 2] != 0
    W = expressions.UnitNorm()((7, 5))
    leaves_of(W)["v"].set_value(value)
    np.testing.assert_array_equal(value_of(W)[:, 2], 0)
    cotangent = draw((7, 5), 1)
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], cotangent)
    np.testing.assert_array_equal(gradient[:, 2], cotangent[:, 2])


def test_a_value_with_a_zero_vector_is_not_of_unit_norm(floatX64):
    """Catches a membership test that lets zeros pass."""
    value = np.eye(3)
    assert expressions.UnitNorm().contains(value)
    assert not expressions.UnitNorm().contains(np.diag([1.0, 1.0, 0.0]))
    assert not expressions.UnitNorm().contains(2 * value)
    assert expressions.UnitNorm(radius=2).contains(2 * value)


def test_the_variance_of_a_unit_norm_is_that_of_lecun(floatX64):
    """Catches a docstring that promises another start."""
    value = expressions.UnitNorm().sample((300, 200))
    np.testing.assert_allclose(value.var(), 1 / 300, rtol=0.01)


@pytest.mark.parametrize("name", NORMED)
def test_no_gradient_is_double_at_any_order(name, floatX64):
    """Catches a switch, the gradient of which is computed in double precision."""
    W = NORMED[name](init=draw((7, 5)).astype("float32"))((7, 5))
    leaves = list(leaves_of(W).values())
    first = pytensor.grad(pt.sqr(W).sum() + pt.tanh(W).sum(), leaves)
    second = pytensor.grad(sum(pt.sqr(each).sum() for each in first), leaves)
    for mode in (MODE, "FAST_RUN"):
        function = pytensor.function([], [W, *first, *second], mode=mode)
        assert double_variables(function) == []


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "UnitNorm: radius must be greater than 0, got 0",
            lambda: expressions.UnitNorm(radius=0),
        ),
        (
            TypeError,
            "UnitNorm: radius must be a number, got 'one'",
            lambda: expressions.UnitNorm(radius="one"),
        ),
        (
            ValueError,
            "WeightStandardised: epsilon must be greater than 0, got 0",
            lambda: expressions.WeightStandardised(epsilon=0),
        ),
        (
            TypeError,
            r"axis must be an integer, a tuple of integers or None, got 0\.5",
            lambda: expressions.WeightNorm(axis=0.5),
        ),
        (
            TypeError,
            r"axis must be an integer, a tuple of integers or None, got \(\)",
            lambda: expressions.WeightNorm(axis=()),
        ),
        (
            ValueError,
            r"axis must be among the 2 axes of the shape \(7, 5\), got 2",
            lambda: expressions.WeightNorm(axis=2)((7, 5)),
        ),
        (
            ValueError,
            r"axis must be given for the shape \(7,\); only shapes of 2 to 5 axes",
            lambda: expressions.WeightNorm(init=init.Normal())((7,)),
        ),
    ],
)
def test_impossible_arguments_are_refused(error, message, call):
    """Catches a bad axis that shows only as a shape error far away."""
    with pytest.raises(error, match=message):
        call()
