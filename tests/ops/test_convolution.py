"""Convolutions and their gradients, without a backend."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
    convolve,
    convolve_transposed,
)
from lasagne_next.testing import check_op
from tests.ops.convolutions import CASES
from tests.reference import convolution as reference

MODE = "FAST_COMPILE"
RTOL = {"float32": 1e-4, "float64": 1e-11}


def evaluate(case, x, W, y, mode=None, static=True):
    """Compute the three products with the operations, or only build them."""
    shapes = [each.shape if static else (None,) * each.ndim for each in (x, W, y)]
    variables = [pt.tensor(dtype=x.dtype, shape=shape) for shape in shapes]
    input, filters, output = variables
    results = [
        Convolution(*case.arguments)(input, filters),
        TransposedConvolution(*case.arguments)(output, filters, case.x_shape[2:]),
        FilterGradient(*case.arguments)(input, output, case.W_shape[2:]),
    ]
    function = pytensor.function(variables, results, mode=mode or MODE)
    return results, function(x, W, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_products_are_those_of_the_definition(case, dtype):
    """Catches a wrong shift, a window too many, exchanged groups, flips or types."""
    arrays = case.arrays(dtype)
    results, values = evaluate(case, *arrays)
    for result, value, wanted in zip(
        results, values, case.expected(*arrays), strict=True
    ):
        assert value.dtype == dtype
        assert result.type.shape == value.shape == wanted.shape
        np.testing.assert_allclose(value, wanted, rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("case", CASES[:3] + CASES[10:13] + CASES[20:21], ids=str)
def test_derivatives_agree_with_finite_differences(case):
    """Catches a wrong first or second derivative, type, or shape that is inferred."""
    x, W, y = case.arrays("float64")
    check_op(Convolution(*case.arguments), [x, W])
    sizes = np.array(case.x_shape[2:]), np.array(case.W_shape[2:])
    check_op(TransposedConvolution(*case.arguments), [y, W, sizes[0]])
    check_op(FilterGradient(*case.arguments), [x, y, sizes[1]])
    check_op(TransposedConvolution(*case.arguments), [y, W])


def test_unknown_sizes_are_inferred_when_the_function_runs():
    """Catches sizes that are taken from the graph alone."""
    case = CASES[13]
    arrays = case.arrays("float64")
    results, values = evaluate(case, *arrays, static=False)
    for value, wanted in zip(values, case.expected(*arrays), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-11)
    assert results[0].type.shape == (None,) * 4
    assert results[1].type.shape == (None, None, *case.x_shape[2:])


def gradients_of(x, W, **arguments):
    """Return the gradients of a sum of squares of a convolution."""
    loss = pt.sqr(convolve(x, W, **arguments)).sum() / 2
    return pytensor.grad(loss, [x, W])


def variables(x_shape, W_shape, dtype="float64"):
    x = pt.tensor("x", shape=x_shape, dtype=dtype)
    return x, pt.tensor("W", shape=W_shape, dtype=dtype)


def test_strided_gradients_have_the_sizes_of_what_they_belong_to():
    """Catches trailing inputs that no window reaches, and filters that grow."""
    x, W = variables((None, 2, None), (3, 2, None))
    both = pytensor.function([x, W], gradients_of(x, W, stride=3), mode=MODE)
    for size, filter_size in ((10, 2), (11, 2), (12, 2), (11, 5)):
        value, weights = np.ones((1, 2, size)), np.ones((3, 2, filter_size))
        to_x, to_W = both(value, weights)
        assert to_x.shape == value.shape
        assert to_W.shape == weights.shape


def test_only_what_is_read_is_computed():
    """Catches a gradient with respect to the data of the first layer."""
    x, W = variables((2, 3, 7), (5, 3, 2))
    to_W = gradients_of(x, W)[1]
    function = pytensor.function([x, W], to_W, mode="FAST_RUN")
    kinds = {type(node.op) for node in function.maker.fgraph.apply_nodes}
    assert TransposedConvolution not in kinds
    assert FilterGradient in kinds


def test_tangents_are_pushed_forward():
    """Catches a convolution that only differentiates backwards."""
    x, W = variables((2, 3, 7), (5, 3, 2))
    direction = pt.tensor3("direction", dtype="float64")
    tangent = pytensor.gradient.pushforward(convolve(x, W), W, direction)
    expected = convolve(x, direction)
    compute = pytensor.function([x, direction], [tangent, expected], mode=MODE)
    rng = np.random.default_rng(2)
    value, wanted = compute(rng.normal(size=(2, 3, 7)), rng.normal(size=(5, 3, 2)))
    np.testing.assert_allclose(value, wanted)


# Padding, filter size: zeros before and after, for a dilation of 2.
PADDINGS = [
    ("valid", 3, (0, 0)),
    ("full", 3, (4, 4)),
    ("same", 3, (2, 2)),
    ("same", 2, (1, 1)),
    ("causal", 3, (4, 0)),
    (2, 3, (2, 2)),
    ((1,), 3, (1, 1)),
    (((0, 3),), 3, (0, 3)),
]


@pytest.mark.parametrize(("pad", "size", "pair"), PADDINGS, ids=str)
def test_paddings_are_zeros_around_the_input(pad, size, pair):
    """Catches a padding that forgets the dilation, or the wrong end."""
    x, W = variables((2, 3, 9), (5, 3, size))
    op = convolve(x, W, pad=pad, dilation=2).owner.op
    assert op.pad == (pair,)
    assert convolve_transposed(x, pt.zeros((3, 5, size)), crop=pad, dilation=2
                               ).owner.op.pad == (pair,)  # fmt: skip


def test_the_additional_zero_of_same_comes_last():
    """Catches the other side, on which results shift by one position."""
    x, W = variables((1, 1, 5, 6), (1, 1, 2, 4))
    same = convolve(x, W, pad="same")
    assert same.owner.op.pad == ((0, 1), (1, 2))
    assert same.type.shape == (1, 1, 5, 6)


def test_paddings_differ_from_axis_to_axis():
    """Catches pairs that are read across the axes."""
    x, W = variables((1, 1, 5, 6), (1, 1, 2, 3))
    assert convolve(x, W, pad=(1, 2)).owner.op.pad == ((1, 1), (2, 2))
    assert convolve(x, W, pad=((1, 2), 0)).owner.op.pad == ((1, 2), (0, 0))


def test_causal_outputs_see_no_later_input():
    """Catches a shift into the future, for both kinds of filters."""
    x, W = variables((1, 1, 8), (1, 1, 3))
    for flip_filters in (True, False):
        y = convolve(x, W, pad="causal", dilation=2, flip_filters=flip_filters)
        assert y.type.shape == x.type.shape
        seen = pytensor.function([x, W], pytensor.grad(y[0, 0, 4], x), mode=MODE)
        reached = seen(np.ones((1, 1, 8)), np.ones((1, 1, 3)))[0, 0]
        np.testing.assert_array_equal(np.flatnonzero(reached), [0, 2, 4])


def test_true_convolutions_are_polynomial_products():
    """Catches a correlation under the name of a convolution."""
    x, W = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0])
    y = convolve(x[None, None], W[None, None], pad="full").eval(mode=MODE)
    np.testing.assert_allclose(y[0, 0], np.convolve(x, W))


def test_transposing_is_exact():
    """Catches an adjoint of something else: <convolve(x), y> = <x, back(y)>."""
    rng = np.random.default_rng(3)
    x, W = rng.normal(size=(2, 4, 11, 9)), rng.normal(size=(6, 2, 3, 2))
    there = {"stride": (3, 2), "dilation": (1, 3), "num_groups": 2}
    y = convolve(x, W, pad=((1, 0), (2, 1)), flip_filters=True, **there)
    cotangent = rng.normal(size=y.type.shape)
    back = convolve_transposed(
        cotangent, W, crop=((1, 0), (2, 1)), output_size=(11, 9), **there
    )
    left = (y.eval(mode=MODE) * cotangent).sum()
    np.testing.assert_allclose((x * back.eval(mode=MODE)).sum(), left)


def test_transposed_convolutions_slide_over_stretched_inputs():
    """Catches flipped filters, and zeros that are put elsewhere."""
    rng = np.random.default_rng(4)
    x, W = rng.normal(size=(1, 2, 3)), rng.normal(size=(2, 5, 4))
    stretched = np.zeros((1, 2, 7))
    stretched[..., ::3] = x
    for flip_filters in (False, True):
        y = convolve_transposed(x, W, stride=3, crop=1, flip_filters=flip_filters)
        wanted = convolve(
            stretched, W.transpose(1, 0, 2), pad=2, flip_filters=flip_filters
        )
        value, wanted = y.eval(mode=MODE), wanted.eval(mode=MODE)
        np.testing.assert_allclose(value, wanted)


def test_output_sizes_are_chosen_among_the_possible_ones():
    """Catches a size that is ignored, and one that does not convolve back."""
    x, W = variables((None, 2, 5), (2, 3, 4))
    assert convolve_transposed(x, W, stride=3).type.shape == (None, 3, 16)
    for size in (16, 17, 18):
        y = convolve_transposed(x, W, stride=3, output_size=size)
        assert y.type.shape == (None, 3, size)
    symbolic = pt.lvector("size")
    y = convolve_transposed(x, W, stride=3, output_size=symbolic)
    assert y.type.shape == (None, 3, None)
    grow = pytensor.function([x, W, symbolic], y, mode=MODE)
    ones = np.ones((1, 2, 5)), np.ones((2, 3, 4))
    assert grow(*ones, [17]).shape == (1, 3, 17)
    with pytest.raises(ValueError, match=r"convolve to \(6,\), but there are \(5,\)"):
        grow(*ones, [19])


def test_integers_are_cast_to_the_type_of_the_filters():
    """Catches images in bytes that are refused, or that turn single into double."""
    image = pt.tensor("image", shape=(1, 2, 3), dtype="uint8")
    W = pt.tensor("W", shape=(5, 2, 2), dtype="float32")
    assert convolve(image, W).type.dtype == "float32"
    assert convolve(image.astype("float64"), W).type.dtype == "float64"


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_operations_copy(duplicate):
    """Catches an operation that cannot be saved with a function."""
    op = convolve(*variables((2, 3, 7), (5, 3, 2)), stride=2).owner.op
    assert duplicate(op) == op
    assert hash(duplicate(op)) == hash(op)
    assert op != convolve(*variables((2, 3, 7), (5, 3, 2))).owner.op


def test_views_are_taken():
    """Catches an input that must lie in one piece."""
    rng = np.random.default_rng(5)
    x, W = rng.normal(size=(3, 9, 4)).T, rng.normal(size=(5, 7, 2))[:, ::-1][:, ::2]
    W = W[:, :, ::-1]
    x = np.concatenate([x[:, :4], x[:, :4]], axis=1)[::-1, ::2, ::-1]
    value = convolve(x, W, flip_filters=False).eval(mode=MODE)
    wanted = reference.convolution(x, W, (4, 5, 2), (1,), (0,), (1,), 1, False)
    np.testing.assert_allclose(value, wanted)


def call(function, x_shape, W_shape, **arguments):
    return lambda: function(*variables(x_shape, W_shape), **arguments)


FIVE, THREE = (None, 4, 5), (6, 4, 3)

MISTAKES = {
    "axes": (
        TypeError,
        "convolve: x and W must both have 3, 4 or 5 axes, got x with 2 and W with 2",
        call(convolve, (2, 3), (2, 3)),
    ),
    "axes of the filters": (
        TypeError,
        "got x with 3 and W with 4",
        call(convolve, FIVE, (6, 4, 3, 3)),
    ),
    "integers": (
        TypeError,
        "x and W must both be float32 or both float64, got int64 and int64. Cast",
        lambda: convolve(np.ones((1, 2, 3), "int64"), np.ones((1, 2, 3), "int64")),
    ),
    "stride": (
        ValueError,
        "convolve: stride must be an integer or 1 integers, at least 1, got 0",
        call(convolve, FIVE, THREE, stride=0),
    ),
    "fractional stride": (
        TypeError,
        r"stride must be an integer or 1 integers, at least 1, got 1\.5",
        call(convolve, FIVE, THREE, stride=1.5),
    ),
    "number of strides": (
        ValueError,
        r"stride must be .*, got \(1, 2\)",
        call(convolve, FIVE, THREE, stride=(1, 2)),
    ),
    "dilation": (
        ValueError,
        "dilation must be an integer or 1 integers, at least 1, got -1",
        call(convolve, FIVE, THREE, dilation=-1),
    ),
    "name of padding": (
        ValueError,
        "pad must be one of 'valid', 'full', 'same', 'causal' or numbers, got 'half'",
        call(convolve, FIVE, THREE, pad="half"),
    ),
    "negative padding": (
        ValueError,
        "pad must be 'valid', .*, none negative, got -1",
        call(convolve, FIVE, THREE, pad=-1),
    ),
    "number of paddings": (
        ValueError,
        r"pad must be 'valid', .* each of the 1 axes, none negative, got \(1, 2\)",
        call(convolve, FIVE, THREE, pad=(1, 2)),
    ),
    "fractional crop": (
        TypeError,
        r"convolve_transposed: crop must be 'valid', .*, got \(0\.5,\)",
        call(convolve_transposed, FIVE, (4, 6, 3), crop=(0.5,)),
    ),
    "causal images": (
        ValueError,
        "pad='causal' must go with one axis of positions, got 2",
        call(convolve, (2, 4, 5, 5), (6, 4, 3, 3), pad="causal"),
    ),
    "unknown filters": (
        ValueError,
        r"sizes of the filters must be known for pad='same', got \(None,\)",
        call(convolve, FIVE, (6, 4, None), pad="same"),
    ),
    "groups": (
        ValueError,
        "num_groups must be an integer or 1 integers, at least 1, got 0",
        call(convolve, FIVE, THREE, num_groups=0),
    ),
    "groups of filters": (
        ValueError,
        "num_groups must divide the 6 filters, got 4",
        call(convolve, FIVE, (6, 1, 3), num_groups=4),
    ),
    "groups of channels": (
        ValueError,
        "num_groups must divide the 4 channels, got 3",
        call(convolve, FIVE, (6, 1, 3), num_groups=3),
    ),
    "channels": (
        ValueError,
        r"the filters must have 2 channels, got 4 \(4 channels, num_groups=2",
        call(convolve, FIVE, (6, 4, 3), num_groups=2),
    ),
    "large filters": (
        ValueError,
        r"must fit into the padded input, got shapes of x \(None, 4, 5\), of the "
        r"filters \(6, 4, 3\) and .* pad \(\(0, 0\),\), dilation \(3,\)",
        call(convolve, FIVE, THREE, dilation=3),
    ),
    "no positions": (
        ValueError,
        r"at least 1 position along each axis, got shapes of x \(None, 4, 0\)",
        call(convolve, (None, 4, 0), THREE, pad=3),
    ),
    "everything cropped": (
        ValueError,
        r"at least 1 position along each axis, got shapes of x \(None, 6, -1\)",
        call(convolve_transposed, FIVE, (4, 6, 3), crop=4),
    ),
    "output size": (
        ValueError,
        r"\(12,\) positions convolve to \(6,\), but there are \(5,\)",
        call(convolve_transposed, FIVE, (4, 6, 2), stride=2, output_size=12),
    ),
    "no output": (
        ValueError,
        "output_size must be an integer or 1 integers, at least 1, got 0",
        call(convolve_transposed, FIVE, (4, 6, 2), stride=2, output_size=0),
    ),
    "sizes of a wrong type": (
        TypeError,
        "sizes must be 1 integers or a vector of integers, got size of type",
        call(convolve_transposed, FIVE, (4, 6, 2), output_size=pt.dvector("size")),
    ),
    "number of sizes": (
        ValueError,
        "sizes must be 1 integers, got 2",
        call(
            convolve_transposed,
            FIVE,
            (4, 6, 2),
            output_size=pt.constant(np.ones(2, int)),
        ),
    ),
    "transposed channels": (
        ValueError,
        "there must be as many filters as channels of the output, got shapes of x",
        call(convolve_transposed, FIVE, (3, 6, 2)),
    ),
    "axes of an operation": (
        TypeError,
        "FilterGradient: x must have 3 axes, got x with 4",
        lambda: FilterGradient((1,), ((0, 0),), (1,))(
            *variables((1, 2, 3, 4), (1, 2, 3, 4)), [3]
        ),
    ),
    "batches": (
        ValueError,
        "FilterGradient: the batch sizes differ, with shapes of x",
        lambda: FilterGradient((1,), ((0, 0),), (1,))(
            *variables((3, 2, 4), (1, 2, 3)), [2]
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_when_the_graph_is_built(mistake):
    """Catches an impossible convolution that fails only when it runs."""
    error, message, build = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        build()


def test_mistakes_of_unknown_sizes_are_refused_when_the_function_runs():
    """Catches windows beyond the end of the input."""
    x, W = variables((None, None, None), (None, None, None))
    function = pytensor.function([x, W], convolve(x, W), mode=MODE)
    with pytest.raises(ValueError, match="must fit into the padded input"):
        function(np.ones((1, 2, 3)), np.ones((1, 2, 4)))
    with pytest.raises(ValueError, match="the filters must have 2 channels, got 3"):
        function(np.ones((1, 2, 3)), np.ones((1, 3, 3)))
