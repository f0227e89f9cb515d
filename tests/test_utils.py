"""Small tools: conversions, tuples, norms, unrolled loops, and their refusals."""

import decimal
import fractions
from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import utils

FAST = "FAST_COMPILE"


def test_int_types_cover_python_and_numpy_integers():
    """Catches a tuple without numpy's integers, which shapes often hold."""
    for integer in (3, np.int32(3), np.uint8(3), np.int64(3)):
        assert isinstance(integer, utils.int_types)
    assert not isinstance(3.0, utils.int_types)
    assert not isinstance(np.float32(3), utils.int_types)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floatX_converts_and_leaves_the_right_type_alone(dtype):
    """Catches a copy of an array that needs none, and a scalar that stays a number."""
    with pytensor.config.change_flags(floatX=dtype):
        right = np.ones((2, 3), dtype=dtype)
        assert utils.floatX(right) is right
        for given, shape in [(3, ()), ([1, 2], (2,)), (np.ones(3, "int8"), (3,))]:
            converted = utils.floatX(given)
            assert isinstance(converted, np.ndarray)
            assert converted.dtype == dtype
            assert converted.shape == shape


def test_shared_empty_has_one_element_per_axis_and_takes_any_shape():
    """Catches a static shape, which would refuse every other value later."""
    variable = utils.shared_empty(3)
    assert variable.get_value().shape == (1, 1, 1)
    assert variable.dtype == pytensor.config.floatX
    variable.set_value(np.zeros((2, 3, 5)))
    assert utils.shared_empty().ndim == 2
    assert utils.shared_empty(1, "int32").dtype == "int32"


def test_as_theano_expression_returns_a_variable_itself():
    """Catches a copy, or a constant made of a shared variable's value."""
    for variable in (pt.matrix(), pytensor.shared(1.0), pt.vector() * 2):
        assert utils.as_theano_expression(variable) is variable


@pytest.mark.parametrize(
    ("given", "shape"), [(1, ()), ([[1, 2, 3]], (1, 3)), (np.ones((2, 3)), (2, 3))]
)
def test_as_theano_expression_makes_constants_of_arrays(given, shape):
    """Catches nested lists taken for lists of variables."""
    constant = utils.as_theano_expression(given)
    assert isinstance(constant, pt.TensorConstant)
    assert constant.type.shape == shape
    np.testing.assert_array_equal(constant.data, given)


@pytest.mark.parametrize("given", [{}, {"a": 1}, object(), None, "text"], ids=repr)
def test_as_theano_expression_refuses_what_holds_no_numbers(given):
    """Catches a constant of Python objects, which fails much later."""
    with pytest.raises(TypeError, match=r"input must be a variable or an array .* got"):
        utils.as_theano_expression(given)


def test_match_dtype_changes_only_what_is_wrong():
    """Catches a needless cast node, and a double that stays a double."""
    right, wrong = pt.matrix(dtype="float32"), pt.matrix(dtype="float64")
    assert utils.match_dtype(right, "float32") is right
    assert utils.match_dtype(wrong, "float32").dtype == "float32"
    assert utils.match_dtype(0.3, "float32").dtype == "float32"
    assert utils.match_dtype([1, 2], "float32").type.shape == (2,)
    assert utils.match_dtype(1).dtype == pytensor.config.floatX


def test_nearest_names_the_closest_word_or_nothing():
    """Catches a hint that is further from the word than no hint."""
    assert utils.nearest("meen", ["mean", "sum"]) == " Did you mean 'mean'?"
    assert utils.nearest("zzz", ["mean", "sum"]) == ""
    assert utils.nearest(7, iter(["mean"])) == ""


def test_one_hot_picks_rows_of_the_identity(floatX32):
    """Catches a wrong default number of classes, and a result of integers."""
    x = pt.ivector("x")
    outputs = [utils.one_hot(x), utils.one_hot(x, 5), utils.one_hot(x, pt.constant(4))]
    results = pytensor.function([x], outputs, mode=FAST)([2, 0, 1])
    for result, classes in zip(results, [3, 5, 4], strict=True):
        assert result.dtype == "float32"
        np.testing.assert_array_equal(result, np.eye(classes)[[2, 0, 1]])
    assert utils.one_hot(pt.dvector(), 3).dtype == "float32"
    assert utils.one_hot(x, 5).ndim == 2


def test_unique_keeps_the_first_of_each():
    """Catches a set, whose order is arbitrary."""
    assert utils.unique([3, 1, 3, 2, 1]) == [3, 1, 2]
    assert utils.unique(iter("abca")) == ["a", "b", "c"]
    assert utils.unique([]) == []


def test_unique_is_linear():
    """Catches a membership test in a list: 300,000 elements would take an hour."""
    many = list(range(300_000))
    assert utils.unique(many + many) == many


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((3, 2), (3, 3)),
        (([1, 2], 2), (1, 2)),
        ((iter([1, 2, 3]), 3), (1, 2, 3)),
        ((5, 0), ()),
        (([], 0), ()),
        (("ab", 2), ("a", "b")),
        ((np.int32(3), 2, utils.int_types), (3, 3)),
        ((3, 1, (int, float)), (3,)),
        ((None, 2), (None, None)),
    ],
    ids=str,
)
def test_as_tuple_repeats_or_converts(args, expected):
    """Catches a string taken for a single value, and an iterator read twice."""
    assert utils.as_tuple(*args) == expected


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        (([1, 2, 3], 2), ValueError, "length 2"),
        (([], 2), ValueError, "length 2"),
        ((1.0, 1, int), TypeError, r"of int, got 1\.0"),
        (([1.0], 1, utils.int_types), TypeError, "of int, got"),
        (("1", 1, (int, float)), TypeError, "of int or float, got '1'"),
        # The kind is judged before the length.
        (([1.0, 2.0], 1, int), TypeError, "of int,"),
    ],
    ids=str,
)
def test_as_tuple_refuses(args, error, match):
    """Catches the length judged first, and a message without the types wanted."""
    with pytest.raises(error, match=match):
        utils.as_tuple(*args)


def test_inspect_kwargs_lists_what_has_a_default():
    """Catches **kwargs, self or required arguments among the names."""

    class Thing:
        def method(self, a, b=1, *, c=2, **kwargs):
            """Do nothing."""

    assert utils.inspect_kwargs(Thing().method) == ["b", "c"]
    assert utils.inspect_kwargs(lambda x: x) == []
    assert utils.inspect_kwargs(Mock()) == []


@pytest.mark.parametrize(
    ("shape", "axes", "default"),
    [
        ((7,), None, ()),
        ((5, 3), None, (0,)),
        ((2, 3, 5), None, (1, 2)),
        ((2, 3, 5, 7), None, (1, 2, 3)),
        ((2, 3, 5, 7, 1), None, (1, 2, 3, 4)),
        ((2, 3, 5), (0, 2), (0, 2)),
        ((2, 3), [1], (1,)),
        ((2, 3, 1, 1, 1, 5), (5,), (5,)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_compute_norms_of_arrays_and_expressions(shape, axes, default, dtype):
    """Catches other default axes than the inputs of a unit, and a wider result."""
    array = np.random.default_rng(7).normal(size=shape).astype(dtype)
    wide = array.astype("float64")
    expected = np.sqrt((wide**2).sum(axis=default)) if default else abs(wide)
    norms = utils.compute_norms(array, axes)
    assert isinstance(norms, np.ndarray)
    assert norms.dtype == dtype
    tolerance = 4 * np.sqrt(array.size) * np.finfo(dtype).eps
    np.testing.assert_allclose(norms, expected, rtol=tolerance)
    symbolic = utils.compute_norms(pt.constant(array), axes)
    assert symbolic.dtype == dtype
    np.testing.assert_allclose(symbolic.eval(mode=FAST), expected, rtol=tolerance)


@pytest.mark.parametrize(
    ("array", "error", "match"),
    [
        (np.ones((1,) * 6), ValueError, "Unsupported tensor dimensionality 6"),
        (np.float64(1) * np.ones(()), ValueError, "Unsupported tensor dimension"),
        (pt.tensor6(), ValueError, "Unsupported tensor dimensionality 6"),
        ([1, 2], RuntimeError, "Unsupported type list"),
        (3.0, RuntimeError, "Unsupported type float"),
    ],
    ids=["6d", "0d", "symbolic 6d", "list", "number"],
)
def test_compute_norms_refuses(array, error, match):
    """Catches a guess where there is no unit axis."""
    if isinstance(array, np.float64):  # ones(()) times a number is a numpy scalar
        array = np.asarray(array)
    with pytest.raises(error, match=match):
        utils.compute_norms(array)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", [tuple, list], ids=["tuple", "list"])
def test_unroll_scan_equals_a_python_loop(backwards, kind):
    """Catches outputs stacked in time order when running backwards."""

    def step(x, y, first, second, factor):
        return kind([first + x * factor, second * y])

    def loop(xs, ys):
        first, second, history = np.zeros(2), 1.0, []
        for i in range(3)[::-1] if backwards else range(3):
            first, second = step(xs[i], ys[i], first, second, 2.0)
            history.append((first, second))
        return [np.stack(series) for series in zip(*history, strict=True)]

    x, y = pt.matrix("x"), pt.vector("y")
    outputs = utils.unroll_scan(
        step, [x, y], [pt.zeros(2), 1.0], [2.0], 3, go_backwards=backwards
    )
    xs, ys = np.arange(6.0).reshape(3, 2), np.array([2.0, 3.0, 5.0])
    results = pytensor.function([x, y], outputs, mode=FAST)(xs, ys)
    for result, expected in zip(results, loop(xs, ys), strict=True):
        np.testing.assert_allclose(result, expected)


def test_unroll_scan_takes_a_single_sequence_and_a_single_result():
    """Catches a matrix iterated over as if it were a list of sequences."""
    x = pt.matrix("x")
    (total,) = utils.unroll_scan(lambda row, s: s + row.sum(), x, [0.0], [], 3)
    np.testing.assert_allclose(
        total.eval({x: np.arange(6.0).reshape(3, 2)}, mode=FAST), [1, 6, 15]
    )


def test_numbers_without_a_type_of_numpy_are_told_apart():
    """Catches `numbers.Number` taken as proof that numpy can hold the value."""
    for odd in (fractions.Fraction(1, 2), decimal.Decimal(1)):
        with pytest.raises(TypeError, match="must be a number, a numpy array"):
            utils.create_param(odd, ())


def test_names_of_the_contract_are_here():
    """Catches a helper that moved: old scripts import these from utils."""
    for name in (
        "as_theano_expression as_tuple collect_shared_vars compute_norms create_param "
        "floatX inspect_kwargs int_types one_hot shared_empty unique unroll_scan"
    ).split():
        assert hasattr(utils, name), name
