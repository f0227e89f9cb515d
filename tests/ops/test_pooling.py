"""Windows reduced to their largest or their average element."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import MaxPool, pool
from lasagne_next.ops.windows import Windows
from lasagne_next.testing import check_op
from tests.reference import pooling as reference

MODE = "FAST_COMPILE"

# Name: (lengths, size, stride, pad, dilation, ignore_border), all per axis.
CASES = {
    "1d": ((7,), (3,), (2,), ((0, 0),), (1,), True),
    "1d, border": ((7,), (2,), (3,), ((0, 0),), (1,), False),
    "1d, dilated": ((11,), (3,), (1,), ((1, 2),), (2,), True),
    "2d": ((6, 7), (2, 3), (2, 3), ((0, 0), (0, 0)), (1, 1), True),
    "2d, overlapping": ((5, 7), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), True),
    "2d, padded": ((5, 7), (3, 2), (2, 3), ((1, 1), (0, 1)), (1, 1), True),
    "2d, border": ((5, 8), (3, 2), (2, 3), ((0, 0), (0, 0)), (1, 1), False),
    "2d, all": ((6, 9), (3, 2), (2, 5), ((2, 1), (0, 1)), (2, 3), False),
    "3d": ((3, 5, 7), (2, 3, 2), (1, 2, 3), ((1, 0), (0, 0), (0, 1)), (1, 1, 2), True),
}
POOLINGS = ["max", "average_inc_pad", "average_exc_pad"]


def drawn(lengths, ties=False, dtype="float64"):
    generator = np.random.default_rng(list(lengths))
    shape = (2, 3, *lengths)
    if ties:
        return generator.integers(0, 3, shape).astype(dtype)
    return generator.normal(size=shape).astype(dtype)


def pooled(x, case, mode):
    _, size, stride, pad, dilation, ignore_border = case
    return pool(x, size, stride, pad, dilation, ignore_border, mode)


@pytest.mark.parametrize("mode", POOLINGS)
@pytest.mark.parametrize("name", CASES)
def test_windows_are_reduced(name, mode):
    """Catches windows that lie elsewhere, count padding, or are too many."""
    lengths, *geometry = CASES[name]
    x = drawn(lengths)
    wanted = reference.pool(x, *geometry, mode)
    y = pooled(pt.constant(x), CASES[name], mode)
    assert y.type.shape == wanted.shape
    np.testing.assert_allclose(y.eval(mode=MODE), wanted, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_ties_share_no_gradient_but_all_get_it(name):
    """Catches a gradient that goes to the first of equal elements only."""
    lengths, *geometry, _ = CASES[name]
    x = drawn(lengths, ties=True)
    given = pt.constant(x)
    y = pooled(given, CASES[name], "max")
    values = drawn(y.type.shape[2:])
    slope = pytensor.grad(None, given, known_grads={y: pt.constant(values)})
    wanted = reference.max_gradient(x, values, *geometry)
    np.testing.assert_allclose(slope.eval(mode=MODE), wanted, rtol=1e-12)


QUICK = {("1d, dilated", "average_exc_pad"), ("2d, all", "max")}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(
            name, mode, marks=[] if (name, mode) in QUICK else pytest.mark.slow
        )
        for name in ("1d, dilated", "2d, all", "3d")
        for mode in POOLINGS
    ],
)
def test_shapes_and_derivatives_are_right(name, mode):
    """Catches infer_shape, gradients, and gradients of gradients."""
    case = CASES[name]

    def squares(x):
        return pt.sqr(pooled(x, case, mode))

    def pooling(x):
        return pooled(x, case, mode)

    check_op(pooling, [drawn(case[0])])
    generator = np.random.default_rng(1)
    x = drawn(case[0])

    def slope(x):
        loss = pt.sqr(squares(x)).sum()
        return pt.sqr(pytensor.grad(loss, x)).sum()

    pytensor.gradient.verify_grad(slope, [x], rng=generator, mode=MODE, eps=1e-6)


def test_same_padding_keeps_sizes():
    """Catches another convention than that of the convolutions."""
    x = drawn((5, 7))
    y = pool(x, (2, 3), 1, pad="same")
    assert y.type.shape == x.shape
    padded = pool(x, (2, 3), 1, pad=[(0, 1), 1])
    np.testing.assert_array_equal(y.eval(mode=MODE), padded.eval(mode=MODE))


def test_padding_never_is_the_largest():
    """Catches padding with zeros, which beats negative numbers."""
    x = np.full((2, 1, 3), -5.0)
    assert (pool(x, 2, 1, pad=1).eval(mode=MODE) == -5).all()


def test_windows_that_miss_the_input_are_minus_infinity_or_zero():
    """Catches a division by zero, and an uninitialised maximum."""
    x = np.ones((1, 2, 2))
    geometry = {"stride": 1, "pad": 3, "dilation": 4}
    out = pool(x, 2, **geometry).eval(mode=MODE)
    np.testing.assert_array_equal(out[0, 0], [1, -np.inf, -np.inf, 1])
    geometry = {"stride": 1, "pad": 1, "dilation": 4, "ignore_border": False}
    for mode, wanted in (("max", -np.inf), ("average_exc_pad", 0)):
        out = pool(x, 2, mode=mode, **geometry).eval(mode=MODE)
        assert out[0, 0, 0] == wanted


@pytest.mark.parametrize("ignore_border", [True, False], ids=["inner", "border"])
def test_sizes_may_be_unknown_or_zero(ignore_border):
    """Catches shapes that are worked out from known sizes only."""
    x = pt.tensor("x", shape=(None, 3, None, 5))
    y = pool(x, (3, 2), (2, 3), ignore_border=ignore_border)
    slope = pytensor.grad(pt.sqr(y).sum(), x)
    function = pytensor.function([x], [y, y.shape, slope], mode=MODE)
    assert y.type.shape == (None, 3, None, 2)
    for shape in ((0, 3, 7, 5), (2, 3, 4, 5), (2, 3, 3, 5), (2, 3, 1, 5)):
        value, inferred, gradient = function(np.ones(shape))
        assert tuple(inferred) == value.shape
        assert gradient.shape == shape
    assert value.shape[2] == (not ignore_border)  # of size 1, smaller than the window


def test_the_type_stays():
    """Catches double precision from a constant."""
    x = pt.tensor("x", shape=(None, 1, 4), dtype="float32")
    for mode in POOLINGS:
        y = pool(x, 2, mode=mode)
        assert y.dtype == pytensor.grad(y.sum(), x).dtype == "float32"
        assert y.eval({x: np.ones((2, 1, 4), "float32")}, mode=MODE).dtype == "float32"


def test_equal_windows_are_one_operation():
    """Catches an operation that is not equal to itself, or cannot be saved."""
    x = pt.tensor4("x")
    op = pool(x, 2).owner.op
    assert isinstance(op, MaxPool)
    assert op == pool(x, (2, 2), stride=2).owner.op
    assert op != pool(x, 2, stride=1).owner.op
    assert pool(x, 2, mode="average_inc_pad").owner.op != (
        pool(x, 2, mode="average_exc_pad").owner.op
    )
    for duplicate in (copy.deepcopy(op), pickle.loads(pickle.dumps(op))):
        assert duplicate == op
        assert hash(duplicate) == hash(op)
    assert pickle.dumps(op) == pickle.dumps(pool(x, (2, 2), stride=2).owner.op)
    assert repr(op.windows) == "(2, 2), stride (2, 2), pad ((0, 0), (0, 0)), " + (
        "dilation (1, 1)"
    )
    assert Windows((2,), (1,), ((0, 0),), (1,), False) != op.windows


IMAGES = pt.tensor("x", shape=(None, 3, 5, 7))


@pytest.mark.parametrize(
    ("error", "message", "x", "arguments"),
    [
        (TypeError, "one to three more, got Matrix", pt.matrix("x"), {"window": 2}),
        (TypeError, "float32 or float64", pt.tensor4(dtype="int32"), {"window": 2}),
        (TypeError, "window must be an integer .* got 1.5", IMAGES, {"window": 1.5}),
        (ValueError, r"2 integers.* got \(1, 2, 3\)", IMAGES, {"window": (1, 2, 3)}),
        (ValueError, "at least 1, got 0", IMAGES, {"window": 0}),
        (ValueError, "pool: stride .* got -1", IMAGES, {"window": 2, "stride": -1}),
        (ValueError, "dilation .* got 0", IMAGES, {"window": 2, "dilation": 0}),
        (TypeError, "pad must .* got 0.5", IMAGES, {"window": 2, "pad": 0.5}),
        (ValueError, "pad must .* got -1", IMAGES, {"window": 2, "pad": -1}),
        (ValueError, "pad must be smaller .* got 2", IMAGES, {"window": 2, "pad": 2}),
        (ValueError, "Did you mean 'max'", IMAGES, {"window": 2, "mode": "maxx"}),
        (
            ValueError,
            r"extent \(6, 6\) and padding \(\(0, 0\), \(0, 0\)\) .* size \(5, 7\)",
            IMAGES,
            {"window": 6},
        ),
    ],
)
def test_impossible_geometry_is_refused(error, message, x, arguments):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=message):
        pool(x, **arguments)
