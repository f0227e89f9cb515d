"""Positive entries, entries between bounds, distributions."""

import numpy as np
import pytensor
import pytest

from lasagne_next import expressions, init
from tests.expressions.values import leaves_of, pulled_back, value_of

MAPS = ("exp", "softplus", "square")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("map", MAPS)
def test_positive_values_come_back(map, dtype, floatX64):
    """Catches an inverse of the softplus that cancels or overflows."""
    values = np.geomspace(1e-7, 100, 30).reshape(6, 5).astype(dtype)
    W = expressions.Positive(map, init=values)((6, 5))
    assert W.dtype == dtype
    rtol = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(value_of(W), values, rtol=rtol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("map", ["exp", "softplus"])
def test_entries_stay_positive_and_finite_whatever_the_leaf(map, dtype):
    """Catches underflow to 0 and overflow to infinity."""
    leaf = np.array([-1e30, -1000, -100, -87.5, 0, 87.5, 100, 1000], dtype)
    W = expressions.Positive(map, init=np.ones(8, dtype))((8,))
    leaves_of(W)["t"].set_value(leaf)
    value = value_of(W)
    assert np.isfinite(value).all()
    assert (value > 0).all()
    assert (np.diff(value) >= 0).all()
    (gradient,) = pulled_back(W, [leaves_of(W)["t"]], np.ones(8))
    assert np.isfinite(gradient).all()


def test_a_positive_draw_is_the_start():
    """Catches a log-normal start although the draw fits."""
    spec = expressions.Positive(init=init.Constant(0.25))
    np.testing.assert_allclose(spec.sample((5, 3)), 0.25)


def test_any_other_draw_gives_its_variance_and_a_mean_as_large(floatX64):
    """Catches a start that drops the negative half, and one of another spread."""
    spec = expressions.Positive(init=init.Normal(0.3))
    values = np.stack([spec.sample((200, 200)) for _ in range(20)])
    assert (values > 0).all()
    np.testing.assert_allclose(values.std(), 0.3, rtol=0.03)
    np.testing.assert_allclose(values.mean(), 0.3, rtol=0.03)


def test_only_values_in_the_set_are_positive():
    """Catches a membership test that is as loose as a residual."""
    spec = expressions.Positive()
    assert spec.contains([[1.0, 1e-30]])
    assert not spec.contains([[1.0, -1e-9]])
    assert not spec.contains([[1.0, np.nan]])
    assert not spec.contains([[1.0, 0.0]])
    assert expressions.Positive("square").contains([[1.0, 0.0]])


def test_a_variable_is_the_leaf():
    """Catches the logarithm taken of a leaf that the user made."""
    t = pytensor.shared(np.full((5, 3), -1.0), shape=(5, 3))
    np.testing.assert_allclose(
        value_of(expressions.Positive(init=t)((5, 3))), np.exp(-1)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_box_values_come_back(dtype, floatX64):
    """Catches small values that are rounded to the bound."""
    values = np.array([[1e-8, 1e-3, 0.25], [0.5, 0.75, 0.999]], dtype)
    W = expressions.Box(0, 1, init=values)((2, 3))
    assert W.dtype == dtype
    np.testing.assert_allclose(
        value_of(W), values, rtol=1e-5 if dtype == "float32" else 1e-12
    )


def test_box_values_never_pass_the_bounds():
    """Catches low + (high - low) * sigmoid(t), which rounding takes beyond high."""
    rng = np.random.default_rng(0)
    t = np.concatenate([rng.normal(0, 10, 5000), [-1e30, -100, 100, 1e30]])
    for low, high in ((-0.3, 0.7), (1e-3, 1.1), (-5, -0.1)):
        W = expressions.Box(low, high, init=np.full(5004, (low + high) / 2, "f"))
        W = W((5004,))
        leaves_of(W)["t"].set_value(t.astype("float32"))
        value = value_of(W)
        assert value.min() >= np.float32(low)
        assert value.max() <= np.float32(high)
        (gradient,) = pulled_back(W, list(leaves_of(W).values()), np.ones(5004))
        assert np.isfinite(gradient).all()


def test_a_draw_that_fits_is_the_start_of_a_box(floatX64):
    """Catches a start of another spread than the draw."""
    draw = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3))
    spec = expressions.Box(-1, 1, init=lambda shape: draw)
    np.testing.assert_allclose(spec.sample((5, 3)), draw)


def test_a_draw_that_does_not_fit_is_moved_to_the_middle(floatX64):
    """Catches half of the entries starting at a bound, where they do not learn."""
    draw = np.random.default_rng(0).normal(0, 0.1, (50, 40))
    spec = expressions.Box(0, 1, init=lambda shape: draw)
    np.testing.assert_allclose(spec.sample((50, 40)), 0.5 + draw)
    spec = expressions.Box(0, 0.1, init=lambda shape: draw)
    value = spec.sample((50, 40))
    np.testing.assert_allclose([value.min(), value.max()], [0.001, 0.099])


def test_values_beyond_the_bounds_start_just_inside(floatX64):
    """Catches an infinite leaf."""
    spec = expressions.Box(-1, 1).from_value([[3.0, -1.0, 0.5]], strict=False)
    np.testing.assert_allclose(value_of(spec((1, 3))), [[1, -1, 0.5]], atol=3e-6)
    assert expressions.Box(-1, 1).contains([[1.0, -1.0]])
    assert not expressions.Box(-1, 1).contains([[1.0, -1.0000001]])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_distributions_come_back(axis, floatX64):
    """Catches an inverse along the wrong axis."""
    value = np.random.default_rng(0).dirichlet(np.ones(5), size=3)
    value = value.T if axis == 0 else value
    spec = expressions.Simplex(axis)
    np.testing.assert_allclose(value_of(spec.from_value(value)(value.shape)), value)
    assert spec.contains(value)
    assert not spec.contains(value * 1.1)
    W = spec(value.shape)
    np.testing.assert_allclose(value_of(W).sum(axis=axis), 1)


def test_distributions_may_be_extreme():
    """Catches overflow in the exponential, and the logarithm of zero."""
    spec = expressions.Simplex(1).from_value(np.eye(3, dtype="float32"))
    np.testing.assert_allclose(value_of(spec((3, 3))), np.eye(3), atol=2e-38)
    W = expressions.Simplex(1)((2, 3))
    leaves_of(W)["t"].set_value([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]])
    np.testing.assert_allclose(value_of(W), [[1, 0, 0], [1 / 3] * 3], atol=1e-12)


def test_a_draw_is_the_leaf_of_a_distribution(floatX64):
    """Catches a draw that is taken for the distribution itself."""
    draw = np.random.default_rng(0).normal(size=(5, 3))
    W = expressions.Simplex(0, init=lambda shape: draw)((5, 3))
    np.testing.assert_array_equal(leaves_of(W)["t"].get_value(), draw)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "map must be one of exp, softplus, square, got 'softpuls'. Did you mean "
            "'softplus'",
            lambda: expressions.Positive("softpuls"),
        ),
        (
            ValueError,
            r"Positive.*: the value must be positive, got -2\.0 in it",
            lambda: expressions.Positive().from_value([[1.0, -2.0]], strict=False),
        ),
        (
            ValueError,
            r"Positive.*: init must give positive or differing values, got only 0\.0",
            lambda: expressions.Positive(init=init.Constant(0))((2, 3)),
        ),
        (
            ValueError,
            "Box: low must be below high, got low 1 and high 1",
            lambda: expressions.Box(1, 1),
        ),
        (
            TypeError,
            "Box: high must be a number, got None",
            lambda: expressions.Box(1, None),
        ),
        (
            ValueError,
            "Box: high must be a finite number, got inf",
            lambda: expressions.Box(0, np.inf),
        ),
        (
            TypeError,
            r"Simplex: axis must be an integer, got 0\.5",
            lambda: expressions.Simplex(0.5),
        ),
        (
            ValueError,
            r"axis must be one of the 2 axes of the shape \(2, 3\), got 2",
            lambda: expressions.Simplex(2)((2, 3)),
        ),
    ],
)
def test_impossible_arguments_are_refused(error, message, call):
    """Catches a bad bound, map or axis that shows only as NaN."""
    with pytest.raises(error, match=message):
        call()
