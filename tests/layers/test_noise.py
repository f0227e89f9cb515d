"""Noise layers: statistics, seeds, sharing, types, backends, refusals."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import lasagne_next
from lasagne_next import layers
from lasagne_next.layers import (
    DropoutLayer,
    GaussianNoiseLayer,
    InputLayer,
    get_output,
)
from tests.backends import compile_on
from tests.dtypes import double_variables

MODE = "FAST_COMPILE"
SIZE = (100, 70)


def ones(shape=SIZE, dtype=None):
    return np.ones(shape, dtype or pytensor.config.floatX)


def evaluate(layer, value=None, **kwargs):
    """Compile the output of a layer over an input layer, and run it once."""
    return function_of(layer, **kwargs)(ones() if value is None else value)


def function_of(layer, **kwargs):
    l_in = layers.get_all_layers(layer)[0]
    return pytensor.function([l_in.input_var], get_output(layer, **kwargs), mode=MODE)


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_deterministic_output_is_the_input_itself(cls):
    """Catches a rescaled or copied input during evaluation."""
    l_in = InputLayer(SIZE)
    assert get_output(cls(l_in), deterministic=True) is l_in.input_var
    assert get_output(cls(l_in, 0), deterministic=False) is l_in.input_var
    assert get_output(cls(l_in, np.array(0.0))) is l_in.input_var


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_noise_has_no_parameters_and_keeps_the_shape(cls):
    """Catches a symbolic p or sigma that would be trained."""
    layer = cls((None, 7), pytensor.shared(0.5))
    assert layer.get_params() == []
    assert layer.output_shape == (None, 7)


@pytest.mark.parametrize("batch", [None, 100], ids=["unknown", "known"])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_dropout_drops_with_probability_p_and_rescales(batch, p):
    """Catches p taken for the probability of keeping, and a missing division."""
    result = evaluate(DropoutLayer(InputLayer((batch, 70)), p=p))
    np.testing.assert_allclose(np.unique(result), [0, 1 / (1 - p)], rtol=1e-6)
    # 7,000 draws: the fraction has a standard deviation below 0.006.
    assert abs((result == 0).mean() - p) < 0.03


def test_dropout_without_rescaling_keeps_the_values():
    """Catches a division that ignores the flag."""
    result = evaluate(DropoutLayer(InputLayer(SIZE), p=0.2, rescale=False))
    assert np.unique(result).tolist() == [0, 1]
    assert abs((result == 0).mean() - 0.2) < 0.03


def test_everything_may_be_dropped_without_rescaling():
    """Catches a check that refuses p = 1 where nothing is divided."""
    assert not evaluate(DropoutLayer(InputLayer(SIZE), p=1, rescale=False)).any()


@pytest.mark.parametrize("rescale", [True, False])
def test_p_may_be_a_shared_variable_or_an_expression(rescale):
    """Catches a p that is read once, when the layer is built."""
    p = pytensor.shared(np.float32(0.1))
    layer = DropoutLayer(InputLayer(SIZE), p=2 * p, rescale=rescale)
    f = function_of(layer)
    for value in (0.1, 0.4):
        p.set_value(np.float32(value))
        result = f(ones())
        assert abs((result == 0).mean() - 2 * value) < 0.03
        kept = 1 / (1 - 2 * value) if rescale else 1
        assert result.max() == pytest.approx(kept, rel=1e-5)


def test_p_and_sigma_may_be_assigned_later():
    """Catches arguments that are copied into something hidden."""
    l_drop, l_noise = DropoutLayer(InputLayer(SIZE)), GaussianNoiseLayer((5, 7))
    l_drop.p, l_noise.sigma = 0.9, 0
    assert abs((evaluate(l_drop) == 0).mean() - 0.9) < 0.03
    x = pt.matrix()
    assert l_noise.get_output_for(x) is x


def test_gaussian_noise_has_mean_zero_and_the_given_deviation():
    """Catches a variance taken for a standard deviation."""
    result = evaluate(GaussianNoiseLayer(InputLayer((None, 70)), sigma=0.3)) - 1
    assert abs(result.mean()) < 5 * 0.3 / np.sqrt(7000)
    assert result.std() == pytest.approx(0.3, rel=0.05)
    # A normal variable exceeds two deviations in 4.55 % of all draws.
    assert abs((abs(result) > 0.6).mean() - 0.0455) < 0.013


def test_gradients_reach_an_expression_for_sigma():
    """Catches noise drawn with sigma inside, whose gradient is disconnected."""
    log_sigma = pytensor.shared(np.log(0.3))
    x = pt.matrix("x")
    noisy = GaussianNoiseLayer((None, 70), pt.exp(log_sigma)).get_output_for(x)
    slope = pytensor.grad(noisy.sum(), log_sigma)
    noise, slope = pytensor.function([x], [(noisy - x).sum(), slope], mode=MODE)(ones())
    assert slope == pytest.approx(noise)  # d(exp(s) n)/ds = exp(s) n


def test_gradient_passes_through_the_same_mask():
    """Catches a backward pass that draws anew, or forgets the scale."""
    x = pt.matrix("x")
    out = DropoutLayer((None, 70), shared_axes=0).get_output_for(x)
    f = pytensor.function([x], [out, pytensor.grad(out.sum(), x)], mode=MODE)
    out, slope = f(3 * ones())
    np.testing.assert_allclose(out, 3 * slope)
    assert len(np.unique(slope)) == 2


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_noise_is_fresh_at_each_call_and_in_each_output(cls):
    """Catches a state that no call advances, and one draw kept by the layer."""
    layer = cls(InputLayer(SIZE))
    x = layer.input_layer.input_var
    f = pytensor.function([x], [get_output(layer), get_output(layer)], mode=MODE)
    first, second = f(ones())
    third = f(ones())[0]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_outputs_of_one_call_share_the_noise(cls):
    """Catches a layer that is evaluated once for each layer above."""
    noisy = cls(InputLayer(SIZE))
    above = [GaussianNoiseLayer(noisy, 0), GaussianNoiseLayer(noisy, 0)]
    outputs = get_output([noisy, *above])
    results = pytensor.function([noisy.input_layer.input_var], outputs, mode=MODE)(
        ones()
    )
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_the_package_seed_reproduces_the_noise(cls):
    """Catches a layer that is seeded by the clock, or two layers seeded alike."""
    results = []
    for _ in range(2):
        lasagne_next.random.set_rng(np.random.default_rng(7))
        for _ in range(2):
            results.append(evaluate(cls(InputLayer(SIZE))))
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[3])
    assert not np.array_equal(results[0], results[1])


@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_construction_draws_one_number(cls):
    """Catches a second draw, which would change all start values after it."""
    lasagne_next.random.set_rng(np.random.default_rng(7))
    cls(SIZE)
    after = lasagne_next.random.get_rng().integers(1000)
    other = np.random.default_rng(7)
    other.integers(1, 2147462579)
    assert after == other.integers(1000)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("cls", [DropoutLayer, GaussianNoiseLayer])
def test_copies_draw_what_the_original_draws(cls, copied):
    """Catches a stream that cannot be pickled or loses its seed."""
    layer = cls(InputLayer(SIZE), 0.3)
    twin = copied(layer)
    np.testing.assert_array_equal(evaluate(layer), evaluate(twin))


@pytest.mark.parametrize(
    ("axes", "resolved"),
    [((0,), (0,)), ((-1,), (2,)), ((2, 0), (0, 2)), (-2, (1,)), ((), ())],
    ids=str,
)
@pytest.mark.parametrize("batch", [None, 30], ids=["unknown", "known"])
def test_one_draw_decides_along_shared_axes(axes, resolved, batch):
    """Catches a mask shared along the axes that were not named."""
    layer = DropoutLayer(InputLayer((batch, 20, 10)), shared_axes=axes)
    assert layer.shared_axes == resolved
    result = evaluate(layer, ones((30, 20, 10)))
    for axis in range(3):
        constant = (result == result.take([0], axis)).all()
        assert constant == (axis in resolved)
    assert np.unique(result).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("function", "shape", "axes"),
    [
        (layers.dropout_channels, (2, 3, 5, 7), (2, 3)),
        (layers.dropout_channels, (2, 3), ()),
        (layers.dropout_locations, (2, 3, 5, 7), (1,)),
    ],
    ids=["channels", "channels of a matrix", "locations"],
)
def test_shorthands_set_the_shared_axes(function, shape, axes):
    """Catches a shorthand that takes only layers, or lets the user's axes win."""
    for incoming in (shape, InputLayer(shape)):
        layer = function(incoming, 0.3, shared_axes=(0,), name="drop")
        assert isinstance(layer, DropoutLayer)
        assert (layer.shared_axes, layer.p, layer.name) == (axes, 0.3, "drop")


def test_aliases_are_the_objects_themselves():
    """Catches a wrapper where the contract has the class."""
    assert layers.dropout is DropoutLayer
    assert layers.spatial_dropout is layers.dropout_channels


@pytest.mark.parametrize("floatX", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_float_input_keeps_its_type(dtype, floatX):
    """Catches numbers that PyTensor turns into double precision."""
    with pytensor.config.change_flags(floatX=floatX):
        x = pt.matrix("x", dtype=dtype)
        symbolic = pytensor.shared(0.5)
        for layer in (
            DropoutLayer(SIZE, 0.3),
            DropoutLayer(SIZE, symbolic, rescale=False),
            DropoutLayer(SIZE, symbolic),
            GaussianNoiseLayer(SIZE),
            GaussianNoiseLayer(SIZE, symbolic),
        ):
            assert layer.get_output_for(x).dtype == dtype


@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8"])
def test_an_integer_input_becomes_floatX_only_if_rescaled(dtype):
    """Catches a mask of the wrong type, or 1 / (1 - p) cut to an integer."""
    x = pt.matrix("x", dtype=dtype)
    plain = DropoutLayer(SIZE, 0.2, rescale=False).get_output_for(x)
    symbolic = DropoutLayer(SIZE, pytensor.shared(0.2), False).get_output_for(x)
    scaled = DropoutLayer(SIZE, 0.2).get_output_for(x)
    noisy = GaussianNoiseLayer(SIZE, 0.1).get_output_for(x)
    assert (plain.dtype, symbolic.dtype, scaled.dtype) == (dtype, dtype, "float64")
    assert noisy.dtype == "float64"
    results = pytensor.function([x], [plain, symbolic, scaled], mode=MODE)(
        ones(dtype=dtype)
    )
    for result, kept in zip(results, [1, 1, 1.25], strict=True):
        np.testing.assert_allclose(np.unique(result), [0, kept])
        assert abs((result == 0).mean() - 0.2) < 0.03


@pytest.mark.parametrize("shape", [(100, 70), (None, 70)], ids=["known", "unknown"])
def test_every_backend_draws_alike_and_in_single_precision(backend_mode, shape):
    """Catches a draw that a backend refuses, repeats, or makes in double precision."""
    x = pt.tensor("x", dtype="float32", shape=shape)
    p = pytensor.shared(np.float32(0.3))
    outputs = [
        DropoutLayer(shape, 0.2).get_output_for(x),
        DropoutLayer(shape, p, rescale=False).get_output_for(x),
        DropoutLayer(shape, p, shared_axes=0).get_output_for(x),
        GaussianNoiseLayer(shape, 0.3).get_output_for(x) - 1,
    ]
    f = compile_on(backend_mode, [x], outputs)
    # PyTensor 3.3 gives Numba's normal draws their two numbers in double precision.
    assert not [each for each in double_variables(f) if each.type.shape != (1, 1)]
    first, second = f(ones(dtype="float32")), f(ones(dtype="float32"))
    for a, b in zip(first, second, strict=True):
        assert a.dtype == "float32"
        assert not np.array_equal(a, b)
    dropped, plain, shared, noise = first
    assert abs((dropped == 0).mean() - 0.2) < 0.03
    assert dropped.max() == pytest.approx(1.25)
    assert abs((plain == 0).mean() - 0.3) < 0.03
    assert (shared == shared[:1]).all()
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    if shape[0] is None:
        assert f(ones((3, 70), "float32"))[0].shape == (3, 70)


@pytest.mark.parametrize("shape", [(), (5,), (1, 1)], ids=str)
def test_small_inputs_work(shape):
    """Catches a mask that needs a batch axis."""
    x = pt.tensor("x", shape=shape)
    f = pytensor.function([x], DropoutLayer(shape).get_output_for(x), mode=MODE)
    assert set(np.unique(f(ones(shape)))) <= {0.0, 2.0}


REFUSED = {
    "negative p": (
        lambda: DropoutLayer((2, 3), -0.1, name="d"),
        ValueError,
        r"DropoutLayer 'd': p must be at least 0 and below 1, got -0.1 \(input "
        r"shape \(2, 3\)\)",
    ),
    "p of one": (
        lambda: DropoutLayer((2, 3), 1, name="d"),
        ValueError,
        "'d': p .* got 1 ",
    ),
    "p above one": (
        lambda: DropoutLayer((2, 3), 1.5, rescale=False, name="d"),
        ValueError,
        "'d': p must be at least 0 and at most 1, got 1.5 ",
    ),
    "p not a number": (
        lambda: DropoutLayer((2, 3), np.nan, name="d"),
        ValueError,
        "'d': p .* nan",
    ),
    "p a word": (
        lambda: DropoutLayer((2, 3), "half", name="d"),
        TypeError,
        "'d': p must be a number or a symbolic scalar, got 'half' of type str",
    ),
    "p a list": (
        lambda: DropoutLayer((2, 3), [0.5], name="d"),
        TypeError,
        r"'d': p must be a number .*, got \[0.5\] of type list",
    ),
    "p a vector": (
        lambda: DropoutLayer((2, 3), pt.vector("v"), name="d"),
        ValueError,
        "'d': p must be a number or a symbolic scalar, got v of type",
    ),
    "axis too large": (
        lambda: DropoutLayer((2, 3), shared_axes=(2,), name="d"),
        ValueError,
        r"'d': shared_axes must be between -2 and 1, got 2 \(input shape \(2, 3\)",
    ),
    "axis twice": (
        lambda: DropoutLayer((2, 3), shared_axes=(-1, 1), name="d"),
        ValueError,
        r"'d': shared_axes must name each axis once, got \(-1, 1\)",
    ),
    "axis a float": (
        lambda: DropoutLayer((2, 3), shared_axes=(0.5,), name="d"),
        TypeError,
        "'d': shared_axes must be an integer, got 0.5",
    ),
    "negative sigma": (
        lambda: GaussianNoiseLayer((2, 3), -0.1, name="g"),
        ValueError,
        r"GaussianNoiseLayer 'g': sigma must be at least 0, got -0.1 \(input shape",
    ),
    "sigma a word": (
        lambda: GaussianNoiseLayer((2, 3), "big", name="g"),
        TypeError,
        "'g': sigma must be a number or a symbolic scalar, got 'big'",
    ),
    "unknown keyword": (lambda: DropoutLayer((2, 3), q=0.3), TypeError, "q"),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_refused(make, error, message):
    """Catches a message without the layer's name or the value."""
    with pytest.raises(error, match=message):
        make()
