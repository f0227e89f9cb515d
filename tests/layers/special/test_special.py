"""The special layers on all backends: numbers, types and gradients together."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers, nonlinearities
from lasagne_next.layers import InputLayer, get_output
from lasagne_next.layers.special import (
    BiasLayer,
    ExpressionLayer,
    InverseLayer,
    NonlinearityLayer,
    ParametricRectifierLayer,
    RandomizedRectifierLayer,
    ScaleLayer,
    standardize,
)
from tests.backends import compile_on
from tests.dtypes import double_variables

X = np.random.default_rng(3).normal(size=(5, 3, 2)).astype("float32")
VECTOR = np.array([0.5, -1.5, 2.0], dtype="float32")


def half(x):
    return x / 2


def network(batch):
    """Return layers over one input, and what each computes by definition."""
    l_in = InputLayer((batch, 3, 2), pt.tensor3("x", dtype="float32"))
    column = VECTOR[None, :, None]  # (1, channels, 1)
    encoder = layers.DenseLayer(
        l_in, 4, W=np.full((6, 4), 0.5, "float32"), b=None, nonlinearity=None
    )
    return l_in, {
        NonlinearityLayer(l_in, nonlinearities.tanh): np.tanh(X),
        BiasLayer(l_in, b=VECTOR): X + column,
        BiasLayer(l_in, b=VECTOR, shared_axes=(0, -1)): X + column,
        ScaleLayer(l_in, scales=VECTOR): X * column,
        standardize(l_in, VECTOR, np.abs(VECTOR)): (X - column) / np.abs(column),
        ParametricRectifierLayer(l_in, alpha=VECTOR): np.maximum(X, 0)
        + column * np.minimum(X, 0),
        ParametricRectifierLayer(
            l_in, alpha=np.array(0.1, "float32"), shared_axes="all"
        ): np.where(X > 0, X, 0.1 * X),
        RandomizedRectifierLayer(l_in): np.where(X > 0, X, 0.55 * X),
        ExpressionLayer(l_in, half): X / 2,
        InverseLayer(encoder, encoder): (
            (X.reshape(5, 6) @ np.full((6, 4), 0.5)) @ np.full((4, 6), 0.5)
        ).reshape(X.shape),
    }


@pytest.mark.parametrize("batch", [None, 5], ids=["unknown", "known"])
def test_backends_compute_the_definition_in_single_precision(
    batch, backend_mode, floatX64
):
    """Catches wrong axes and slopes, and constants that make it double precision."""
    l_in, expected = network(batch)
    outputs = get_output(list(expected), deterministic=True)
    params = layers.get_all_params(list(expected), trainable=True)
    gradients = pytensor.grad(sum(output.sum() for output in outputs), params)
    function = compile_on(backend_mode, [l_in.input_var], [*outputs, *gradients])
    results = [np.asarray(each) for each in function(X)]
    for layer, got, wanted in zip(expected, results, expected.values(), strict=False):
        assert got.dtype == "float32", layer
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5, err_msg=layer)
        assert layer.output_shape == (batch, 3, 2)
    assert {each.dtype for each in results} == {np.dtype("float32")}
    assert not double_variables(function)


PARAMETRIC = {
    "bias": lambda x, p: BiasLayer(x, b=p),
    "scale": lambda x, p: ScaleLayer(x, scales=p),
    "prelu": lambda x, p: ParametricRectifierLayer(x, alpha=p),
}


@pytest.mark.parametrize("make", PARAMETRIC.values(), ids=list(PARAMETRIC))
def test_gradients_of_an_expression_agree_with_finite_differences(make, floatX64):
    """Catches a parameter that is spread over wrong axes in the backward pass."""
    x = X.astype("float64")

    def loss(t):
        layer = make((5, 3, 2), pt.sin(t))
        return (get_output(layer, {None: pt.constant(x)}) ** 3).sum()

    t = VECTOR.astype("float64")
    leaf = pytensor.shared(t, shape=(3,))
    layer = make((5, 3, 2), pt.sin(leaf))
    assert layer.get_params(trainable=True) == [leaf]
    assert layer.get_params(regularizable=True) == []
    pytensor.gradient.verify_grad(
        loss, [t], rng=np.random.default_rng(1), mode="FAST_COMPILE"
    )


@pytest.mark.parametrize("make", PARAMETRIC.values(), ids=list(PARAMETRIC))
def test_unknown_sizes_that_are_not_shared_are_refused(make):
    """Catches a parameter of shape (None,)."""
    with pytest.raises(ValueError, match="needs specified input sizes"):
        make((5, None, 2), VECTOR)


@pytest.mark.parametrize(
    "cls", [BiasLayer, ScaleLayer, ParametricRectifierLayer, RandomizedRectifierLayer]
)
def test_shared_axes_are_resolved_and_checked(cls):
    """Catches negative axes that are silently ignored."""
    assert cls((20, 30, 40, 50), shared_axes=(0, 2)).shared_axes == (0, 2)
    assert cls((20, 30, 40, 50), shared_axes=-1).shared_axes == (3,)
    assert cls((20, 30, 40, 50)).shared_axes == (0, 2, 3)
    assert cls((20, 30), shared_axes="all").shared_axes == (0, 1)
    with pytest.raises(ValueError, match="'q': shared_axes must be between -2 and 1"):
        cls((20, 30), shared_axes=2, name="q")
    with pytest.raises(ValueError, match=r"'q': shared_axes .*mean 'auto'"):
        cls((20, 30), shared_axes="autto", name="q")


def test_without_an_offset_the_input_passes():
    """Catches an addition of nothing."""
    l_in = InputLayer((2, 3))
    layer = BiasLayer(l_in, b=None)
    assert get_output(layer) is l_in.input_var
    assert layer.get_params() == []


def test_scales_of_none_are_refused():
    """Catches an attribute error later on."""
    with pytest.raises(TypeError, match="ScaleLayer 's': scales must be a parameter"):
        ScaleLayer((2, 3), scales=None, name="s")


def test_standardize_saves_its_numbers_but_trains_nothing():
    """Catches tags that would train or penalise means and deviations."""
    layer = standardize(InputLayer((None, 3)), VECTOR, VECTOR)
    assert len(layers.get_all_params(layer)) == 2
    assert layers.get_all_params(layer, trainable=True) == []
    assert layers.get_all_params(layer, regularizable=True) == []


def test_nonlinearity_none_is_the_identity_and_others_must_be_callable():
    """Catches None that is called."""
    l_in = InputLayer((2, 3))
    assert get_output(NonlinearityLayer(l_in, None)) is l_in.input_var
    with pytest.raises(TypeError, match="NonlinearityLayer 'n': nonlinearity must be"):
        NonlinearityLayer(l_in, "tanh", name="n")


@pytest.mark.parametrize("wrap", [layers.prelu, layers.rrelu])
def test_rectifiers_take_the_place_of_the_nonlinearity(wrap):
    """Catches a rectifier on top of another."""
    below = layers.DenseLayer((None, 4), 3)
    bias = below.b
    layer = wrap(below, shared_axes="all")
    assert below.nonlinearity is nonlinearities.identity
    assert below.b is bias
    assert layer.shared_axes == (0, 1)
    assert layer.input_layer is below


def test_random_slopes_are_uniform_and_shared_along_axes():
    """Catches one slope for all, slopes out of the bounds, and masks that repeat."""
    l_in = InputLayer((None, 50, 7))
    layer = RandomizedRectifierLayer(l_in, 0.2, 0.6)
    function = pytensor.function(
        [l_in.input_var], get_output(layer), mode="FAST_COMPILE"
    )
    first, second = (-function(-np.ones((6, 50, 7))) for _ in range(2))
    assert 0.2 <= first.min() < 0.25
    assert 0.55 < first.max() <= 0.6
    np.testing.assert_array_equal(first, np.broadcast_to(first[:1, :, :1], first.shape))
    assert abs(first - second).max() > 0.01
    np.testing.assert_array_equal(function(np.ones((1, 50, 7))), np.ones((1, 50, 7)))


def test_equal_bounds_draw_nothing():
    """Catches a needless random draw."""
    l_in = InputLayer((2, 3))
    output = get_output(RandomizedRectifierLayer(l_in, 0.5, 0.5))
    value = output.eval({l_in.input_var: -np.ones((2, 3))}, mode="FAST_COMPILE")
    np.testing.assert_array_equal(value, np.full((2, 3), -0.5))


def test_bounds_may_be_symbolic_and_learn():
    """Catches a comparison of a variable, and bounds that get no gradient."""
    lower = pytensor.shared(0.1)
    l_in = InputLayer((2, 3))
    output = get_output(RandomizedRectifierLayer(l_in, lower, 0.5))
    gradient = pytensor.grad(output.sum(), lower)
    assert gradient.eval({l_in.input_var: -np.ones((2, 3))}, mode="FAST_COMPILE") < 0


def test_bounds_out_of_order_are_refused():
    """Catches slopes outside the bounds."""
    with pytest.raises(ValueError, match="'r': lower must be at most upper, got lower"):
        RandomizedRectifierLayer((2, 3), 0.8, 0.3, name="r")
    with pytest.raises(TypeError, match="'r': upper must be a number or a symbolic"):
        RandomizedRectifierLayer((2, 3), 0.1, "b", name="r")


def test_expression_layers_infer_shapes():
    """Catches zero confused with unknown, and functions called on every access."""
    calls = []

    def pairs(x):
        calls.append(x)
        return x.reshape((x.shape[0], 4, 2))

    layer = ExpressionLayer((None, 8), pairs, output_shape="auto")
    assert layer.output_shape == (None, 4, 2)
    assert layer.output_shape == (None, 4, 2)
    assert len(calls) == 1
    empty = ExpressionLayer((None, 8), lambda x: x[:, :0], output_shape="auto")
    assert empty.output_shape == (None, 0)
    assert ExpressionLayer((5, 8), pt.sum, output_shape="auto").output_shape == ()
    assert ExpressionLayer((5, 8), pt.sqr).output_shape == (5, 8)
    assert ExpressionLayer((5, 8), pt.sqr, output_shape=[7]).output_shape == (7,)
    double = ExpressionLayer((5, 8), pt.sqr, output_shape=lambda s: (s[0], 2 * s[1]))
    assert double.output_shape == (5, 16)


def test_inferred_shapes_follow_the_input():
    """Catches a shape that is remembered across a re-wiring."""
    narrow, wide = InputLayer((None, 4)), InputLayer((None, 6))
    layer = ExpressionLayer(narrow, lambda x: x[:, 1:], output_shape="auto")
    assert layer.output_shape == (None, 3)
    layer.input_layer = wide
    assert layer.output_shape == (None, 5)
    assert layers.get_output_shape(layer, {wide: (2, 9)}) == (2, 8)


def test_expression_layers_refuse_odd_arguments():
    """Catches a misspelt word taken for a shape of letters."""
    with pytest.raises(TypeError, match="'e': function must be a function"):
        ExpressionLayer((2, 3), 5, name="e")
    with pytest.raises(ValueError, match=r"'e': output_shape .* got 'aut'.*'auto'"):
        ExpressionLayer((2, 3), pt.sqr, output_shape="aut", name="e")
    with pytest.raises(TypeError, match=r"'e': output_shape .* got 5"):
        ExpressionLayer((2, 3), pt.sqr, output_shape=5, name="e")


def test_the_inverse_uses_the_slope_of_the_nonlinearity():
    """Catches an inverse that ignores bias and nonlinearity."""
    rng = np.random.default_rng(5)
    W, b, x = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(2, 4))
    l_in = InputLayer((None, 4))
    encoder = layers.DenseLayer(l_in, 3, W=W, b=b, nonlinearity=nonlinearities.tanh)
    inverse = InverseLayer(encoder, encoder)
    output = get_output(inverse)
    h = np.tanh(x @ W + b)
    value = output.eval({l_in.input_var: x}, mode="FAST_COMPILE")
    np.testing.assert_allclose(value, (h * (1 - h**2)) @ W.T)
    assert inverse.output_shape == (None, 4)
    assert layers.get_all_params(inverse) == [encoder.W, encoder.b]


def test_merge_layers_invert_to_a_chosen_input():
    """Catches an inverse that takes the first input whatever is asked for."""
    a, b = InputLayer((None, 2)), InputLayer((None, 3))
    joined = layers.ConcatLayer([a, b])
    feed = {a.input_var: np.ones((4, 2)), b.input_var: 2 * np.ones((4, 3))}
    for wrt, expected in ((b, 2 * np.ones((4, 3))), (0, np.ones((4, 2)))):
        inverse = InverseLayer(joined, joined, wrt)
        assert inverse.output_shape == (None, expected.shape[1])
        value = get_output(inverse).eval(feed, mode="FAST_COMPILE")
        np.testing.assert_array_equal(value, expected)


def test_inverses_that_cannot_be_are_refused():
    """Catches attribute errors and disconnected gradients without a name."""
    a, b = InputLayer((None, 2), name="a"), InputLayer((None, 3))
    joined = layers.ConcatLayer([a, b], name="j")
    with pytest.raises(ValueError, match=r"'i': wrt must be .* ConcatLayer 'j'.*none"):
        InverseLayer(joined, joined, name="i")
    with pytest.raises(ValueError, match="'i': wrt must be one of the 2 input layers"):
        InverseLayer(joined, joined, 2, name="i")
    free = layers.DenseLayer((None, 2), 3)
    with pytest.raises(ValueError, match="got none"):
        InverseLayer(free, free)
    with pytest.raises(ValueError, match=r"'i': incoming must have the output shape"):
        InverseLayer(a, joined, 0, name="i")
    shape_only = ExpressionLayer(a, lambda x: pt.zeros_like(x))
    with pytest.raises(ValueError, match="'i': the output of ExpressionLayer must"):
        get_output(InverseLayer(shape_only, shape_only, name="i"))


def test_special_layers_survive_pickling():
    """Catches a layer that holds a lambda or a module."""
    _, expected = network(None)
    for layer in expected:
        again = pickle.loads(pickle.dumps(layer))
        assert again.output_shape == layer.output_shape
        assert len(layers.get_all_params(again)) == len(layers.get_all_params(layer))
