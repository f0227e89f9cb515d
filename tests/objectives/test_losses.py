"""All losses: values, derivatives, types and backends, from one table."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import objectives as ob
from lasagne_next.nonlinearities import sigmoid, softmax
from tests.backends import MODES, compile_on
from tests.dtypes import double_variables
from tests.reference import objectives as reference

# PyTensor (3.0.7 to 3.3.7) warns on JAX where two tensors of unknown size meet.
pytestmark = pytest.mark.filterwarnings("ignore:Skipping Assert:UserWarning")

WEIGHTS = np.array([0.5, 2.0, 1.0])


def data():
    """Return arrays of different sizes; x is the one that is differentiated by."""
    rng = np.random.default_rng(7)
    soft = rng.uniform(0.1, 1, size=(5, 3))
    return {
        "x": rng.normal(size=(5, 3)) * 2,
        "y": rng.normal(size=(5, 3)),
        "binary": rng.integers(0, 2, size=(5, 3)),
        "counts": rng.integers(0, 5, size=(5, 3)),
        "soft": soft / soft.sum(axis=1, keepdims=True),
        "labels": np.array([0, 2, 1, 2, 0]),
        "marked": np.array([0, -1, 1, 2, -1]),
        "marked_binary": np.where(rng.random((5, 3)) < 0.3, -1, 1),
    }


# Name: the expression, what it should be, and the second argument of both.
LOSSES = {
    "squared_error": (ob.squared_error, lambda x, t: (x - t) ** 2, "y"),
    "absolute_error": (ob.absolute_error, lambda x, t: abs(x - t), "y"),
    "huber_loss": (
        lambda x, t: ob.huber_loss(x, t, delta=0.75),
        reference.huber,
        "y",
    ),
    "log_cosh_loss": (ob.log_cosh_loss, reference.log_cosh, "y"),
    "poisson_nll": (ob.poisson_nll, reference.poisson, "counts"),
    "gaussian_nll": (
        lambda x, t: ob.gaussian_nll(x, t, log_variance=0.5 * x),
        lambda x, t: reference.gaussian(x, t, 0.5 * x),
        "y",
    ),
    "gaussian_nll_of_unit_variance": (
        ob.gaussian_nll,
        lambda x, t: reference.gaussian(x, t, 0.0),
        "y",
    ),
    "gaussian_kullback_leibler": (
        ob.gaussian_kullback_leibler,
        reference.gaussian_kl,
        "y",
    ),
    "gaussian_kullback_leibler_by_log_variance": (
        lambda x, t: ob.gaussian_kullback_leibler(t, x),
        lambda x, t: reference.gaussian_kl(t, x),
        "y",
    ),
    "cosine_similarity": (ob.cosine_similarity, reference.cosine, "y"),
    "cosine_distance": (
        lambda x, t: ob.cosine_distance(x, t, axis=0),
        lambda x, t: 1 - reference.cosine(x.T, t.T),
        "y",
    ),
    "binary_hinge_loss": (
        lambda x, t: ob.binary_hinge_loss(x, t, delta=0.8, log_odds=True),
        reference.hinge,
        "binary",
    ),
    "binary_hinge_loss_of_probabilities": (
        lambda x, t: ob.binary_hinge_loss(
            pt.tensor_copy(sigmoid(x)), t, delta=0.8, log_odds=False
        ),
        reference.hinge,
        "binary",
    ),
    "binary_hinge_loss_of_sigmoid": (
        lambda x, t: ob.binary_hinge_loss(sigmoid(x), t, delta=0.8, log_odds=False),
        reference.hinge,
        "binary",
    ),
    "binary_hinge_loss_of_signs": (
        lambda x, t: ob.binary_hinge_loss(
            x, 2 * t.astype("int8") - 1, 0.8, log_odds=True, binary=False
        ),
        reference.hinge,
        "binary",
    ),
    "squared_hinge_loss": (
        lambda x, t: ob.squared_hinge_loss(x, t, delta=0.8),
        lambda x, t: reference.hinge(x, t) ** 2,
        "binary",
    ),
    "smooth_hinge_loss": (
        lambda x, t: ob.smooth_hinge_loss(x, t, delta=0.8),
        reference.smooth_hinge,
        "binary",
    ),
    "multiclass_hinge_loss": (
        lambda x, t: ob.multiclass_hinge_loss(x, t, delta=0.8),
        reference.multiclass_hinge,
        "labels",
    ),
    "multiclass_hinge_loss_of_one_hot": (
        lambda x, t: ob.multiclass_hinge_loss(
            x, pt.eq(t[:, None], np.arange(3)), delta=0.8
        ),
        reference.multiclass_hinge,
        "labels",
    ),
    "binary_crossentropy": (
        lambda x, t: ob.binary_crossentropy(pt.tensor_copy(sigmoid(x)), t),
        reference.binary_from_logits,
        "binary",
    ),
    "binary_crossentropy_of_sigmoid": (
        lambda x, t: ob.binary_crossentropy(sigmoid(x), t),
        reference.binary_from_logits,
        "soft",
    ),
    "binary_crossentropy_from_logits": (
        ob.binary_crossentropy_from_logits,
        reference.binary_from_logits,
        "soft",
    ),
    "binary_crossentropy_with_everything": (
        lambda x, t: ob.binary_crossentropy_from_logits(
            x, t, class_weights=(0.5, 3.0), ignore_label=-1, label_smoothing=0.2
        ),
        lambda x, t: reference.binary_from_logits(x, t, (0.5, 3.0), -1, 0.2),
        "marked_binary",
    ),
    "categorical_crossentropy": (
        lambda x, t: ob.categorical_crossentropy(pt.tensor_copy(softmax(x)), t),
        reference.crossentropy_from_logits,
        "labels",
    ),
    "categorical_crossentropy_of_softmax": (
        lambda x, t: ob.categorical_crossentropy(softmax(x), t),
        reference.crossentropy_from_logits,
        "labels",
    ),
    "categorical_crossentropy_of_probabilities": (
        lambda x, t: ob.categorical_crossentropy(pt.tensor_copy(softmax(x)), t),
        reference.crossentropy_from_logits,
        "soft",
    ),
    "categorical_crossentropy_of_softmax_and_probabilities": (
        lambda x, t: ob.categorical_crossentropy(softmax(x), t),
        reference.crossentropy_from_logits,
        "soft",
    ),
    "categorical_crossentropy_from_logits": (
        ob.categorical_crossentropy_from_logits,
        reference.crossentropy_from_logits,
        "labels",
    ),
    "categorical_crossentropy_along_another_axis": (
        lambda x, t: ob.categorical_crossentropy_from_logits(x.T, t, axis=0),
        reference.crossentropy_from_logits,
        "labels",
    ),
    "categorical_crossentropy_with_everything": (
        lambda x, t: ob.categorical_crossentropy_from_logits(
            x, t, class_weights=WEIGHTS, ignore_label=-1, label_smoothing=0.2
        ),
        lambda x, t: reference.crossentropy_from_logits(x, t, WEIGHTS, -1, 0.2),
        "marked",
    ),
    "categorical_crossentropy_smoothed_probabilities": (
        lambda x, t: ob.categorical_crossentropy_from_logits(
            x, t, class_weights=WEIGHTS, label_smoothing=0.2
        ),
        lambda x, t: reference.crossentropy_from_logits(x, t, WEIGHTS, None, 0.2),
        "soft",
    ),
    "kullback_leibler": (
        lambda x, t: ob.kullback_leibler(pt.tensor_copy(softmax(x)), t),
        lambda x, t: reference.kullback_leibler(softmax_of(x), t),
        "soft",
    ),
    "kullback_leibler_of_softmax": (
        lambda x, t: ob.kullback_leibler(softmax(x), softmax(t)),
        lambda x, t: reference.kullback_leibler(softmax_of(x), softmax_of(t)),
        "y",
    ),
}


def softmax_of(x):
    return np.array([reference.softmax(row) for row in x])


def graph(dtype, sizes, names=LOSSES):
    """Return inputs, and of some losses the values and the derivatives by x.

    The sum of squares is differentiated, so that every element has another weight.
    """
    inputs = {
        name: pt.tensor(
            name,
            dtype=dtype if array.dtype.kind == "f" else "int32",
            shape=sizes[: array.ndim],
        )
        for name, array in data().items()
    }
    x = inputs["x"]
    values = [LOSSES[name][0](x, inputs[LOSSES[name][2]]) for name in names]
    gradients = [pt.grad(pt.sqr(value).sum(), x) for value in values]
    return list(inputs.values()), values, gradients


def numeric_gradient(loss, x, step=1e-5):
    """Differentiate sum(loss(x)**2) with central differences."""
    result = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        change = (loss(x + shift) ** 2 - loss(x - shift) ** 2).sum()
        result[index] = change / (2 * step)
    return result


@pytest.fixture(scope="module")
def expected():
    arrays = data()
    results = {}
    for name, (_, loss, other) in LOSSES.items():
        target = arrays[other]
        value = loss(arrays["x"], target)
        gradient = numeric_gradient(lambda x, f=loss, t=target: f(x, t), arrays["x"])
        results[name] = value, gradient
    return results


# Numba compiles for minutes: there, one of each family of losses is enough, as the
# others are built of the same operations.
ON_NUMBA = (
    "huber_loss",
    "log_cosh_loss",
    "gaussian_nll",
    "gaussian_kullback_leibler",
    "cosine_similarity",
    "squared_hinge_loss",
    "multiclass_hinge_loss",
    "binary_crossentropy",
    "binary_crossentropy_with_everything",
    "categorical_crossentropy",
    "categorical_crossentropy_with_everything",
    "kullback_leibler_of_softmax",
)
CASES = [
    ("python", "float64", (5, 3), LOSSES),
    ("python", "float64", (None, None), LOSSES),
    ("python", "float32", (None, 3), LOSSES),
    ("numba", "float32", (None, 3), ON_NUMBA),
    ("jax", "float32", (None, 3), LOSSES),
    ("jax", "float64", (None, None), ON_NUMBA),
]


@pytest.mark.parametrize(
    ("backend", "dtype", "sizes", "names"),
    CASES,
    ids=[f"{backend}-{dtype}-{sizes}" for backend, dtype, sizes, _ in CASES],
)
@pytest.mark.usefixtures("floatX64")
def test_values_and_derivatives(backend, dtype, sizes, names, expected):
    """Catches a wrong formula, sign, axis or option; a branch without a gradient."""
    if backend not in MODES:
        pytest.skip("JAX is not installed")
    inputs, values, gradients = graph(dtype, sizes, names)
    function = compile_on(
        MODES[backend], inputs, [*values, *gradients], on_unused_input="ignore"
    )
    arguments = [
        array.astype(variable.dtype)
        for variable, array in zip(inputs, data().values(), strict=True)
    ]
    results = function(*arguments)
    # Central differences of step 1e-5 are right to about 1e-9; single precision is to
    # 1e-6, of logits up to 5, and squaring and subtracting cost another digit.
    tolerance = {"float64": 1e-7, "float32": 1e-4}[dtype]
    count = len(names)
    for name, value, gradient in zip(
        names, results[:count], results[count:], strict=True
    ):
        # On JAX, PyTensor (3.0.7 to 3.3.7) gives sums their accumulator's type.
        if backend != "jax":
            assert value.dtype == gradient.dtype == dtype, name
        for result, wanted in zip((value, gradient), expected[name], strict=True):
            assert result.shape == wanted.shape, name
            np.testing.assert_allclose(
                result, wanted, rtol=tolerance, atol=tolerance, err_msg=name
            )


def test_single_precision_stays_single(floatX64):
    """Catches a number or an integer target that turns float32 into float64."""
    inputs, values, gradients = graph("float32", (None, 3))
    for mode in ("FAST_COMPILE", pytensor.compile.Mode("py", "fast_run")):
        function = pytensor.function(inputs, [*values, *gradients], mode=mode)
        assert double_variables(function) == []


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool", "uint8"])
@pytest.mark.parametrize(
    "loss",
    [
        ob.squared_error,
        ob.absolute_error,
        ob.huber_loss,
        ob.binary_crossentropy,
        ob.binary_crossentropy_from_logits,
        ob.squared_hinge_loss,
        ob.kullback_leibler,
        ob.categorical_crossentropy,
        ob.multiclass_hinge_loss,
    ],
    ids=lambda loss: loss.__name__,
)
def test_targets_take_the_type_of_the_predictions(loss, dtype, floatX64):
    """Catches targets of integers or of double precision that decide the type."""
    predictions = pt.tensor("p", dtype="float32", shape=(None, 3))
    targets = pt.tensor("t", dtype=dtype, shape=(None, 3))
    result = loss(predictions, targets)
    assert result.dtype == "float32"
    one_hot = np.array([[0, 1, 0]], dtype=dtype)
    probabilities = np.array([[0.25, 0.5, 0.25]], dtype="float32")
    value = result.eval(
        {predictions: probabilities, targets: one_hot}, mode="FAST_COMPILE"
    )
    same = loss(predictions, pt.constant(one_hot.astype("float32")))
    np.testing.assert_array_equal(
        value, same.eval({predictions: probabilities}, mode="FAST_COMPILE")
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_squared_error_keeps_the_type(dtype):
    """Catches half precision that becomes single."""
    a, b = pt.matrix("a", dtype=dtype), pt.matrix("b", dtype=dtype)
    assert ob.squared_error(a, b).dtype == dtype


EXTREME = np.array([[1e4, -1e4, 0.0], [1e-40, -1e-40, 100.0], [-100.0, 30.0, -30.0]])
UNBOUNDED = ("poisson_nll", "gaussian_nll", "gaussian_kullback_leibler_by_log_variance")
EXACT = (
    # These lose the logits and with them every finite loss.
    "binary_crossentropy",
    "binary_hinge_loss_of_probabilities",
    "categorical_crossentropy",
    "categorical_crossentropy_of_probabilities",
    "kullback_leibler",
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_predictions_have_finite_losses_and_derivatives(dtype, floatX64):
    """Catches overflow, log(0), and infinity times zero in a derivative."""
    names = [name for name in LOSSES if name not in UNBOUNDED + EXACT]
    inputs, values, _ = graph(dtype, (None, 3), names)
    outputs = values + [pt.grad(value.sum(), inputs[0]) for value in values]
    function = pytensor.function(
        inputs, outputs, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    arrays = data() | {"x": EXTREME}
    arguments = [
        array[:3].astype(variable.dtype)
        for variable, array in zip(inputs, arrays.values(), strict=True)
    ]
    with np.errstate(under="ignore"):
        results = function(*arguments)
    for name, value, gradient in zip(
        names, results[: len(names)], results[len(names) :], strict=True
    ):
        assert np.isfinite(value).all(), name
        assert np.isfinite(gradient).all(), name
