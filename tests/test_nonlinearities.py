"""Nonlinearities: values, derivatives, extremes, types, backends, refusals."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import nonlinearities as nl
from tests.backends import MODES, compile_on
from tests.dtypes import double_variables
from tests.reference import nonlinearities as reference

SELU = (1.0507009873554804934193349852946, 1.6732632423543772848170429916717)

ELEMENTWISE = {
    "sigmoid": (nl.sigmoid, reference.sigmoid),
    "tanh": (nl.tanh, np.tanh),
    "scaled_tanh": (nl.ScaledTanH(0.5, 1.7), lambda x: 1.7 * np.tanh(0.5 * x)),
    "softsign": (nl.softsign, lambda x: x / (1 + abs(x))),
    "hard_sigmoid": (nl.hard_sigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "hard_tanh": (nl.hard_tanh, lambda x: np.clip(x, -1, 1)),
    "linear": (nl.linear, lambda x: x),
    "rectify": (nl.rectify, lambda x: np.maximum(x, 0)),
    "leaky_rectify": (nl.leaky_rectify, lambda x: np.where(x > 0, x, 0.01 * x)),
    "very_leaky_rectify": (nl.very_leaky_rectify, lambda x: np.where(x > 0, x, x / 3)),
    "relu6": (nl.relu6, lambda x: np.clip(x, 0, 6)),
    "elu": (nl.elu, reference.elu),
    "selu": (
        nl.selu,
        lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * reference.elu(x)),
    ),
    "celu": (nl.CELU(0.7), lambda x: reference.celu(x, 0.7)),
    "softplus": (nl.softplus, reference.softplus),
    "log_sigmoid": (nl.log_sigmoid, lambda x: -reference.softplus(-x)),
    "gelu": (nl.gelu, reference.gelu),
    "gelu_tanh": (nl.gelu_tanh, reference.gelu_tanh),
    "silu": (nl.silu, lambda x: x * reference.sigmoid(x)),
    "mish": (nl.mish, lambda x: x * np.tanh(reference.softplus(x))),
}
ALONG_AXIS = {
    "softmax": (nl.softmax, lambda x: reference.softmax(x, 1)),
    "log_softmax": (nl.log_softmax, lambda x: np.log(reference.softmax(x, 1))),
    "softmax_0": (nl.Softmax(axis=0), lambda x: reference.softmax(x, 0)),
    "glu": (nl.glu, lambda x: reference.glu(x, 1)),
    "glu_0": (lambda x: nl.glu(x, axis=0), lambda x: reference.glu(x, 0)),
    "maxout": (lambda x: nl.maxout(x, 3), lambda x: reference.maxout(x, 3, 1)),
}
EVERY = ELEMENTWISE | ALONG_AXIS
# Away from the kinks at 0, 1, 3 and 6, and such that the shape is 4 by 6.
ORDINARY = np.linspace(-7.03, 7.21, 24).reshape(6, 4).T.copy()
EXTREME = np.array([[0.0, -0.0, 1e-40], [-1e-40, 20.0, -20.0], [100.0, -100.0, 1e4]])
EXTREME = np.concatenate([EXTREME, [[-1e4, 1e-3, -1e-3]]]).repeat(2, axis=1)


def graph(dtype, shape=(None, 6)):
    """Return an input, each value, and the derivative of the sum of its squares."""
    x = pt.tensor("x", dtype=dtype, shape=shape)
    values = [function(x) for function, _ in EVERY.values()]
    return x, [*values, *(pt.grad(pt.sqr(value).sum(), x) for value in values)]


def numeric_derivative(function, x, step=1e-5):
    """Differentiate sum(function(x)**2) with central differences."""
    result = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        change = (function(x + shift) ** 2 - function(x - shift) ** 2).sum()
        result[index] = change / (2 * step)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("floatX64")
def test_values_and_derivatives_on_every_backend(backend_mode, dtype, request):
    """Catches a wrong formula, and infinity times zero in a branch not taken."""
    is_long = backend_mode is MODES["numba"] and dtype == "float64"
    if is_long and not request.config.getoption("--runslow"):
        pytest.skip("needs --runslow")
    x, outputs = graph(dtype)
    function = compile_on(backend_mode, [x], outputs)
    tolerance = {"float32": 2e-5, "float64": 1e-8}[dtype]
    results = function(ORDINARY.astype(dtype))
    for i, (name, (_, expected)) in enumerate(EVERY.items()):
        value, derivative = results[i], results[i + len(EVERY)]
        # PyTensor (3.0.7 to 3.3.7) gives sums the type of their accumulator on JAX.
        if backend_mode is not MODES.get("jax"):
            assert value.dtype == derivative.dtype == dtype, name
        np.testing.assert_allclose(
            value, expected(ORDINARY), rtol=tolerance, atol=tolerance, err_msg=name
        )
        np.testing.assert_allclose(
            derivative,
            numeric_derivative(expected, ORDINARY),
            rtol=tolerance,
            atol=tolerance,
            err_msg=name,
        )
    with np.errstate(all="raise", under="ignore"):
        extreme = function(EXTREME.astype(dtype))
    for name, value, derivative in zip(
        EVERY, extreme, extreme[len(EVERY) :], strict=False
    ):
        assert np.isfinite(value).all(), name
        assert np.isfinite(derivative).all(), name
        if name in ELEMENTWISE:
            expected = ELEMENTWISE[name][1](EXTREME)
            np.testing.assert_allclose(
                value, expected, rtol=1e-5, atol=1e-37, err_msg=name
            )


@pytest.mark.parametrize("shape", [(4, 6), (None, 6), (None, None)], ids=str)
def test_shapes_are_known_as_far_as_the_input_is(shape):
    """Catches a static size that is lost, which layers above need."""
    x = pt.tensor("x", shape=shape)
    for function, _ in ELEMENTWISE.values():
        assert function(x).type.shape == shape
    assert nl.softmax(x).type.shape == nl.log_softmax(x).type.shape == shape
    rows, columns = shape
    assert nl.glu(x).type.shape == (rows, columns and 3)
    assert nl.maxout(x, 2, axis=1).type.shape == (rows, columns and 3)


def test_single_precision_stays_single(floatX64):
    """Catches a Python number that meets a float32 tensor under floatX=float64."""
    x, outputs = graph("float32")
    for mode in ("FAST_COMPILE", pytensor.compile.Mode("py", "fast_run")):
        assert double_variables(pytensor.function([x], outputs, mode=mode)) == []


@pytest.mark.parametrize("name", EVERY)
def test_integers_become_floatX(name, floatX32):
    """Catches 0.5 rounded to the type of an integer input."""
    if name == "linear":
        pytest.skip("the identity returns its argument")
    function, expected = EVERY[name]
    data = np.array([[-2, 1, 3, 0, 2, 5], [0, -7, 1, 1, 4, 2]])
    if name == "maxout":
        assert function(data).dtype == "int64"
        return
    result = function(data)
    assert result.dtype == "float32"
    np.testing.assert_allclose(
        result.eval(mode="FAST_COMPILE"), expected(data * 1.0), rtol=1e-5, atol=1e-9
    )


def test_the_derivative_at_zero_is_documented():
    """Catches max(0, x), whose derivative at 0 is another one."""
    x = pt.vector("x")
    functions = [nl.rectify, nl.LeakyRectify(0.5), nl.elu, nl.selu, nl.CELU(3.0)]
    derivatives = [pt.grad(f(x).sum(), x) for f in functions]
    f = pytensor.function([x], pt.stack(derivatives), mode="FAST_COMPILE")
    np.testing.assert_allclose(
        f([0.0]).ravel(), [0.5, 0.75, 1.0, SELU[0] * (1 + SELU[1]) / 2, 1.0]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rectify_is_exact(dtype):
    """Catches half of the smallest number rounded to zero."""
    smallest = np.finfo(dtype).smallest_subnormal
    data = np.array([smallest, -smallest, 1 / 3, 1e4, -1e4], dtype=dtype)
    result = nl.rectify(pt.constant(data)).eval(mode="FAST_COMPILE")
    np.testing.assert_array_equal(result, np.maximum(data, 0))


def test_tails_keep_their_relative_accuracy(floatX64):
    """Catches 1 + erf and log of sigmoid, which lose all digits for large -x."""
    x = pt.vector("x")
    outputs = [nl.gelu(x), nl.log_sigmoid(-x), nl.elu(x), nl.mish(x)]
    f = pytensor.function([x], outputs, mode="FAST_COMPILE")
    gelu, log_sigmoid, _, mish = f([-9.0])
    # scipy.stats.norm.cdf(-9) = 1.1286e-19; the others are about exp(-9).
    assert gelu[0] == pytest.approx(-9 * 1.1285884059538408e-19, rel=1e-12)
    assert log_sigmoid[0] == pytest.approx(-np.log1p(np.exp(-9.0)), rel=1e-12)
    assert mish[0] == pytest.approx(-9 * np.tanh(np.log1p(np.exp(-9.0))), rel=1e-12)
    assert f([-1e-12])[2][0] == pytest.approx(-1e-12, rel=1e-9)


def test_softmax_of_any_rank_and_axis():
    """Catches an axis counted from the wrong end, and a vector that gains an axis."""
    data = np.random.default_rng(0).normal(size=(2, 3, 5, 7))
    x, y = pt.tensor4("x"), pt.vector("y")
    axes = [-1, 0, 1, 2]
    outputs = [nl.softmax(x, axis) for axis in axes]
    outputs += [nl.softmax(x, (2, 3)), nl.softmax(y), nl.log_softmax(x, 1)]
    results = pytensor.function([x, y], outputs, mode="FAST_COMPILE")(
        data, data[0, 0, 0]
    )
    for axis, result in zip(axes, results, strict=False):
        np.testing.assert_allclose(result, reference.softmax(data, axis), rtol=1e-12)
    joint = reference.softmax(data.reshape(2, 3, 35), -1).reshape(data.shape)
    np.testing.assert_allclose(results[4], joint, rtol=1e-12)
    assert results[5].shape == (7,)
    np.testing.assert_allclose(results[5], reference.softmax(data[0, 0, 0], 0))
    np.testing.assert_allclose(results[6], np.log(reference.softmax(data, 1)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_pooled_functions_on_any_axis(axis):
    """Catches a split of the wrong axis, and interleaved instead of adjacent groups."""
    data = np.random.default_rng(0).normal(size=(6, 12, 18))
    x = pt.tensor3("x")
    glu, maxout = pytensor.function(
        [x], [nl.glu(x, axis), nl.maxout(x, 3, axis)], mode="FAST_COMPILE"
    )(data)
    np.testing.assert_allclose(glu, reference.glu(data, axis))
    np.testing.assert_allclose(maxout, reference.maxout(data, 3, axis % 3))


def test_scales_can_be_expressions(floatX64):
    """Catches a scale that must be a number, and one that turns float32 to float64."""
    slope = pytensor.shared(0.25)
    x = pt.fvector("x")
    functions = [
        nl.LeakyRectify(slope),
        nl.ScaledTanH(slope, slope),
        nl.SELU(slope, slope),
        nl.CELU(slope),
    ]
    for function in functions:
        value = function(x)
        assert value.dtype == "float32"
        assert np.isfinite(pt.grad(value.sum(), slope).eval({x: [-1, 2]}))
    assert nl.LeakyRectify(slope)(x).eval({x: [-1, 2]}).tolist() == [-0.25, 2]


INSTANCES = {
    "LeakyRectify(leakiness=0.01)": nl.leaky_rectify,
    "LeakyRectify(leakiness=0.3333333333333333)": nl.very_leaky_rectify,
    "ScaledTanH(scale_in=1, scale_out=1)": nl.ScaledTanh(),
    "SELU(scale=1, scale_neg=1)": nl.SELU(),
    "SELU(scale=1.0507009873554805, scale_neg=1.6732632423543772)": nl.selu,
    "CELU(alpha=1.0)": nl.celu,
    "Softmax(axis=1)": nl.Softmax(axis=1),
    "LogSoftmax(axis=-1)": nl.LogSoftmax(),
}


@pytest.mark.parametrize(("text", "instance"), INSTANCES.items(), ids=INSTANCES)
def test_representations_can_be_pasted(text, instance):
    """Catches an address in the documentation of a default argument."""
    assert repr(instance) == text


@pytest.mark.parametrize("name", nl.__all__)
def test_everything_can_be_pickled_and_copied(name):
    """Catches a lambda, with which no network can be saved."""
    each = getattr(nl, name)
    for other in (pickle.loads(pickle.dumps(each)), copy.deepcopy(each)):
        if isinstance(each, type) or (callable(each) and hasattr(each, "__name__")):
            assert other is each
        else:
            assert vars(other) == vars(each)


def test_aliases_are_the_same_object():
    """Catches a copy where old code compares by identity."""
    assert nl.identity is nl.linear
    assert nl.ScaledTanh is nl.ScaledTanH
    assert nl.swish is nl.silu
    x = object()
    assert nl.linear(x) is x


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda x: nl.softmax(x, 3),
            ValueError,
            r"softmax: axis must be between -2 and 1, got 3 \(input shape \(5, 7\)\)",
        ),
        (
            lambda x: nl.log_softmax(x, (0, -3)),
            ValueError,
            "log_softmax: axis .*got -3",
        ),
        (lambda x: nl.softmax(x, 1.0), TypeError, "axis must be an integer, got 1.0"),
        (lambda x: nl.Softmax(2)(x), ValueError, "softmax: axis .*got 2"),
        (lambda x: nl.softmax(x.sum()), ValueError, "axis must be between 0 and -1"),
        (lambda x: nl.glu(x), ValueError, "axis 1 must be a multiple of 2, got 7"),
        (lambda x: nl.glu(x, 2), ValueError, "glu: axis must be between -2 and 1"),
        (lambda x: nl.glu(x, None), TypeError, "glu: axis must be an integer"),
        (
            lambda x: nl.maxout(x, 3),
            ValueError,
            "axis 1 must be a multiple of 3, got 7",
        ),
        (lambda x: nl.maxout(x, 0), ValueError, "pool_size must be at least 1, got 0"),
        (lambda x: nl.maxout(x, 2.0), TypeError, "pool_size must be an integer, got 2"),
        (lambda x: nl.maxout(x, 2, 9), ValueError, "maxout: axis must be between"),
    ],
)
def test_bad_arguments_are_refused(call, error, match):
    """Catches an error that comes only when the function runs."""
    with pytest.raises(error, match=match):
        call(pt.tensor("x", shape=(5, 7)))
