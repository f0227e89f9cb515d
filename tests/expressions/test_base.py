"""What every ready-made expression does with its start, its names and its tags."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers, random
from lasagne_next.expressions import ParameterExpression
from lasagne_next.params import collect_shared_vars, get_tags, set_tags
from tests.expressions.values import leaves_of, value_of

SHAPE = (5, 3)


def draw(seed=0, shape=SHAPE, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


class Doubled(ParameterExpression):
    """The shortest useful expression: twice its leaf."""

    inner = "v"

    def __init__(self, init=init.GlorotUniform()):  # noqa: B008
        self.init = init

    def express(self, v):
        return v * 2

    def invert(self, value):
        return {"v": value / 2}


class OneWay(ParameterExpression):
    """An expression without an inverse, and without a leaf like the parameter."""

    def start(self, value):
        return {"u": value.sum(axis=1), "count": np.arange(3)}

    def express(self, u, count):
        return u.dimshuffle(0, "x") + count


# Those whose set contains every array, or this one, and that start from draws as drawn.
EXACT = {
    "Doubled": (Doubled, draw()),
    "Positive": (expressions.Positive, abs(draw())),
    "Box": (lambda init: expressions.Box(-4, 4, init=init), draw()),
    "Simplex": (
        lambda init: expressions.Simplex(0, init=init),
        abs(draw()) / abs(draw()).sum(axis=0),
    ),
    "UnitNorm": (expressions.UnitNorm, None),
    "WeightNorm": (expressions.WeightNorm, draw()),
    "WeightStandardised": (expressions.WeightStandardised, draw() - draw().mean(0)),
    "Masked": (
        lambda init: expressions.Masked(np.tri(*SHAPE), init=init),
        draw() * np.tri(*SHAPE),
    ),
    "Binary": (expressions.Binary, np.where(draw() > 0, 0.5, -0.5)),
    "Orthogonal": (expressions.Orthogonal, 3 * np.linalg.qr(draw())[0]),
    "SpectralNorm": (expressions.SpectralNorm, draw()),
    "Gaussian": (expressions.Gaussian, draw()),
    "LowRank": (lambda init: expressions.LowRank(3, init=init), draw()),
}
EXACT["UnitNorm"] = (expressions.UnitNorm, draw() / np.linalg.norm(draw(), axis=0))


@pytest.mark.parametrize("name", EXACT)
def test_an_array_is_the_start(name, floatX64):
    """Catches an array that only lends its variance."""
    make, value = EXACT[name]
    np.testing.assert_allclose(value_of(make(init=value)(SHAPE)), value, rtol=1e-9)


@pytest.mark.parametrize("name", EXACT)
def test_leaves_have_the_type_of_the_array(name, floatX64):
    """Catches single precision that becomes double on the way through the start."""
    make, value = EXACT[name]
    W = make(init=value.astype("float32"))(SHAPE)
    assert {leaf.dtype for leaf in collect_shared_vars(W)} == {"float32"}
    assert W.dtype == "float32"
    rtol = {"Quantised": 1e-2}.get(name, 2e-5)
    np.testing.assert_allclose(value_of(W), value, rtol=rtol, atol=1e-6)


def test_integers_become_floating(floatX32):
    """Catches weights of integers, which nothing can train."""
    W = Doubled(init=np.arange(6).reshape(2, 3))((2, 3))
    assert W.dtype == "float32"
    np.testing.assert_array_equal(value_of(W), [[0, 1, 2], [3, 4, 5]])


def test_leaves_of_other_kinds_keep_their_type():
    """Catches a count that becomes a floating number."""
    _, count = collect_shared_vars(OneWay()((4, 3)))
    assert count.dtype == "int64"


def test_names_tell_the_way_to_a_leaf():
    """Catches leaves of nested expressions that share a name."""
    spec = expressions.WeightNorm(init=expressions.WeightNorm(init=Doubled()))
    layer = layers.DenseLayer((None, 5), 3, W=spec, b=None, name="h")
    names = [leaf.name for leaf in layer.get_params()]
    assert names == ["h.W.v.v.v", "h.W.v.g", "h.W.g"]
    assert [leaf.name for leaf in collect_shared_vars(spec(SHAPE))] == [
        "v.v.v",
        "v.g",
        "g",
    ]


def test_a_variable_takes_the_place_of_the_inner_leaf():
    """Catches a copy, which would be trained apart, and a renamed variable."""
    mine = pytensor.shared(draw(), shape=SHAPE, name="mine")
    W = expressions.WeightNorm(init=mine)(SHAPE, name="W")
    assert collect_shared_vars(W)[0] is mine
    assert mine.name == "mine"
    np.testing.assert_allclose(value_of(W), draw())


def test_an_expression_takes_the_place_of_the_inner_leaf():
    """Catches an expression that is frozen at its present value."""
    mine = pytensor.shared(draw(), shape=SHAPE, name="mine")
    W = expressions.WeightNorm(init=pt.exp(mine))(SHAPE, name="W")
    np.testing.assert_allclose(value_of(W), np.exp(draw()))
    mine.set_value(mine.get_value() + 1)  # lengths are kept, and directions
    np.testing.assert_allclose(value_of(W), np.exp(draw()))
    mine.set_value(draw(1))
    norms = [
        np.linalg.norm(value_of(W), axis=0),
        np.linalg.norm(np.exp(draw()), axis=0),
    ]
    np.testing.assert_allclose(*norms)


def test_the_inner_leaf_alone_may_depend_on_an_input(floatX64):
    """Catches a generated weight that is refused though no start is needed."""
    x = pt.tensor("x", shape=SHAPE, dtype="float64")
    W = expressions.UnitNorm(init=pt.exp(x))(SHAPE)
    value = W.eval({x: draw()}, mode="FAST_COMPILE")
    np.testing.assert_allclose(np.linalg.norm(value, axis=0), 1)


def test_a_function_may_give_a_variable():
    """Catches callables that are taken for initialisers whatever they return."""
    made = []

    def positive(shape):
        made.append(pytensor.shared(np.ones(shape), shape=shape, name="log"))
        return pt.exp(made[0])

    W = expressions.WeightNorm(init=positive)(SHAPE)
    assert collect_shared_vars(W)[0] is made[0]
    np.testing.assert_allclose(value_of(W), np.e)


def test_both_of_two_nested_constraints_hold(floatX64):
    """Catches an outer expression that undoes the inner one."""
    masked = expressions.Masked(np.tri(*SHAPE))
    W = value_of(expressions.UnitNorm(radius=2, init=masked)(SHAPE))
    np.testing.assert_allclose(np.linalg.norm(W, axis=0), 2)
    assert not np.triu(W, 1).any()
    W = value_of(expressions.UnitNorm(init=expressions.LowRank(2))((7, 5)))
    np.testing.assert_allclose(np.linalg.norm(W, axis=0), 1)
    assert np.linalg.matrix_rank(W) == 2


def test_tags_reach_what_was_made_and_nothing_else():
    """Catches tags set on a user's variable, and lost ones inside an expression."""
    layer = layers.DenseLayer(
        (None, 5), 3, W=expressions.Gaussian(init=expressions.LowRank(2)), b=None
    )
    assert len(layer.get_params()) == 3
    assert layer.get_params(regularizable=True) == []
    mine = set_tags(pytensor.shared(draw(), shape=SHAPE), trainable=False)
    W = expressions.Gaussian(init=mine)(SHAPE)
    assert get_tags(mine) == {"trainable": False}
    assert collect_shared_vars(W)[0] is mine
    # What an inner expression says of its own leaves is stronger.
    inner = expressions.Orthogonal()
    W = expressions.Gaussian(init=inner)(SHAPE)
    assert get_tags(leaves_of(W)["base"])["trainable"] is False


def test_an_expression_inside_starts_from_the_value_too(floatX64):
    """Catches from_value that throws the inner structure away."""
    W = draw(shape=(7, 2)) @ draw(1, shape=(2, 5))
    spec = expressions.WeightNorm(init=expressions.LowRank(2)).from_value(W)
    started = spec((7, 5), name="W")
    assert [leaf.name for leaf in collect_shared_vars(started)] == [
        "W.v.u",
        "W.v.v",
        "W.g",
    ]
    np.testing.assert_allclose(value_of(started), W)
    assert spec.residual < 1e-12
    with pytest.raises(ValueError, match="cannot be represented"):
        spec.from_value(draw(shape=(7, 5)))


def test_from_value_leaves_the_expression_as_it_was():
    """Catches a start that leaks into the next parameter."""
    spec = Doubled(init=init.Constant(1.0))
    started = spec.from_value(draw())
    first, second = started(SHAPE), started(SHAPE)
    leaves_of(first)["v"].set_value(np.zeros(SHAPE))
    np.testing.assert_array_equal(value_of(second), draw())
    np.testing.assert_array_equal(value_of(started(SHAPE)), draw())
    np.testing.assert_array_equal(value_of(spec(SHAPE)), np.ones(SHAPE))


def test_from_value_reports_how_far_the_start_is(floatX64):
    """Catches a residual of squares, or one that is not relative."""
    value = np.diag([4.0, 3.0])
    spec = expressions.LowRank(1).from_value(value, strict=False)
    np.testing.assert_allclose(spec.residual, 3 / 5)
    with pytest.raises(ValueError, match=r"off by 0\.6 of its norm. Pass strict=False"):
        expressions.LowRank(1).from_value(value)
    assert expressions.LowRank(1).from_value(value, tolerance=0.7).residual > 0.5
    assert expressions.LowRank(1).contains(value, tolerance=0.7)
    assert not expressions.LowRank(1).contains(value)
    assert Doubled().from_value(np.zeros(SHAPE)).residual == 0


def test_reading_and_starting_again_changes_nothing():
    """Catches an inverse that drifts."""
    for make, value in EXACT.values():
        once = value_of(make(init=value.astype("float32"))(SHAPE))
        again = value_of(make(init=once)(SHAPE))
        np.testing.assert_allclose(again, once, rtol=1e-5, atol=1e-7)


def test_counting_draws_nothing(floatX64):
    """Catches a summary of a network that changes the numbers drawn after it."""
    random.set_rng(np.random.default_rng(5))
    for spec in (expressions.LowRank(2), expressions.Gaussian(), Doubled()):
        spec.count_free(SHAPE)
    assert random.get_rng().normal() == np.random.default_rng(5).normal()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (Doubled(), 35),
        (expressions.WeightNorm(), 35),
        (expressions.UnitNorm(), 30),
        (expressions.WeightStandardised(), 30),
        (expressions.SpectralNorm(), 34),
        (expressions.Simplex(axis=0), 30),
        (expressions.Simplex(axis=1), 28),
        (expressions.Masked(np.tri(7, 5)), 25),
        (expressions.Gaussian(), 70),
        (expressions.Binary(), 35),
        (expressions.Quantised(), 35),
        (expressions.Orthogonal(), 20),
        (expressions.Orthogonal("householder", reflections=2), 12),
        (expressions.LowRank(2), 24),
        (expressions.WeightNorm(init=expressions.LowRank(2)), 24),
        (expressions.UnitNorm(init=expressions.LowRank(2)), 19),
        (expressions.Masked(np.tri(7, 5), init=expressions.LowRank(2)), 24),
        (expressions.WeightNorm(init=pytensor.shared(np.ones((7, 5)))), 35),
    ],
    ids=lambda each: repr(each)[:60],
)
def test_free_numbers(spec, expected):
    """Catches a count of leaves where some of their numbers are idle."""
    assert spec.count_free((7, 5)) == expected


def test_square_orthogonal_matrices_have_the_dimension_of_rotations():
    """Catches the count of the leaf, which is twice as large."""
    assert expressions.Orthogonal().count_free((8, 8)) == 28


def test_an_array_is_shown_by_its_shape():
    """Catches a representation that fills the screen."""
    spec = expressions.WeightNorm(init=np.ones((50, 60)))
    assert repr(spec) == "WeightNorm(axis=None, init=<array of shape (50, 60)>)"


def test_a_sample_is_a_new_draw():
    """Catches a sample that is computed once."""
    spec = Doubled()
    assert spec.sample([5, 3]).shape == SHAPE
    assert (spec.sample(SHAPE) != spec.sample(SHAPE)).all()


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            r"Doubled.*: init must give the shape \(5, 3\), got \(3, 5\)",
            lambda: Doubled(init=np.ones((3, 5)))(SHAPE),
        ),
        (
            ValueError,
            r"got \(\)\. Use init\.Constant to fill a shape",
            lambda: Doubled(init=0.5)(SHAPE),
        ),
        (
            ValueError,
            r"init must give the shape \(5, 3\), got \(3, 5\)",
            lambda: expressions.WeightNorm(init=pytensor.shared(np.ones((3, 5))))(
                SHAPE
            ),
        ),
        (
            ValueError,
            r"parameter 'v' must have shape \(5, 3\), got .* of shape \(3, 5\)",
            lambda: Doubled(init=pytensor.shared(np.ones((3, 5))))(SHAPE),
        ),
        (
            TypeError,
            "init must give an array of real numbers, got 'zeros' of type str",
            lambda: Doubled(init="zeros")(SHAPE),
        ),
        (
            TypeError,
            "init must give an array of real numbers, got None of type NoneType",
            lambda: Doubled(init=None)(SHAPE),
        ),
        (
            TypeError,
            "LowRank.*: init must give an array, got v, which cannot be taken apart",
            lambda: expressions.LowRank(
                2, init=pytensor.shared(np.ones(SHAPE), name="v")
            )(SHAPE),
        ),
        (
            ValueError,
            "init must have a value now, got Exp.0, which depends on an input",
            lambda: expressions.WeightNorm(init=pt.exp(pt.matrix("x")))(SHAPE),
        ),
        (
            TypeError,
            "value must be an array of real numbers, got x of type",
            lambda: Doubled().from_value(pt.matrix("x")),
        ),
        (
            NotImplementedError,
            "OneWay.* has no inverse, so it cannot start from a given value",
            lambda: OneWay().from_value(np.ones((4, 3))),
        ),
        (
            NotImplementedError,
            "OneWay.* has no inverse",
            lambda: OneWay().contains(np.ones((4, 3))),
        ),
        (
            NotImplementedError,
            "ParameterExpression.* must define express",
            lambda: ParameterExpression().express(),
        ),
    ],
)
def test_what_cannot_be_is_refused(error, message, call):
    """Catches an obscure error from inside numpy or PyTensor."""
    with pytest.raises(error, match=message):
        call()


def test_errors_name_the_parameter():
    """Catches a message that leaves open which of many layers is meant."""
    with pytest.raises(ValueError, match="init must give the shape") as caught:
        layers.DenseLayer((None, 5), 3, W=Doubled(init=np.ones((3, 5))), name="h")
    assert "h" in " ".join(caught.value.__notes__)
