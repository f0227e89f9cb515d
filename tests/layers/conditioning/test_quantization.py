"""Vector quantisation: the nearest code, gradients, losses, averages, backends."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions
from lasagne_next.layers import (
    InputLayer,
    OutputLayer,
    VectorQuantizationLayer,
    get_output,
)
from lasagne_next.testing import double_variables
from tests.backends import MODES, compile_on
from tests.reference import conditioning as reference

FAST = "FAST_COMPILE"
NAMES = ("output", "indices", "codebook_loss", "commitment_loss", "loss", "perplexity")
CODES = np.random.default_rng(5).normal(size=(7, 3))
MAPS = np.random.default_rng(6).normal(size=(2, 3, 5, 4))  # vectors lie along axis 1
ROWS = np.moveaxis(MAPS, 1, -1).reshape(-1, 3)


def outputs_of(layer, x, **kwargs):
    """Return all outputs by name."""
    built = [OutputLayer(layer, name) for name in NAMES]
    return dict(zip(NAMES, get_output(built, {None: x}, **kwargs), strict=True))


def averaged(shape=(None, 3, None, 4), **kwargs):
    options = {"decay": 0.8, "codebook": CODES.copy(), **kwargs}
    return VectorQuantizationLayer(shape, 7, **options)


def test_all_outputs_are_those_of_the_loop(floatX64):
    """Catches the wrong axis, code or order of positions."""
    layer = VectorQuantizationLayer(
        (None, 3, None, 4), 7, commitment=0.4, codebook=CODES
    )
    assert layer.output_shape == (None, 3, None, 4)
    assert layer.output_shapes["indices"] == (None, None, 4)
    assert layer.output_shapes["perplexity"] == ()
    x = pt.tensor4("x")
    function = pytensor.function([x], list(outputs_of(layer, x).values()), mode=FAST)
    got = dict(zip(NAMES, function(MAPS), strict=True))
    codes, numbers, distances = reference.quantise(ROWS, CODES)
    places = (2, 5, 4)
    np.testing.assert_allclose(
        got["output"], np.moveaxis(codes.reshape(*places, 3), -1, 1), rtol=1e-12
    )
    np.testing.assert_array_equal(got["indices"], numbers.reshape(places))
    assert got["indices"].dtype == "int64"
    for name in ("codebook_loss", "commitment_loss"):
        np.testing.assert_allclose(got[name], distances.reshape(places), rtol=1e-10)
    np.testing.assert_allclose(got["loss"], 1.4 * got["codebook_loss"], rtol=1e-12)
    assert got["perplexity"] == pytest.approx(reference.perplexity(numbers))
    assert got["perplexity"] > 2


def test_gradients_go_straight_through_and_apart(floatX64):
    """Catches codes with a gradient of the output, and the wrong side of a loss."""
    layer = VectorQuantizationLayer((None, 3), 7, codebook=CODES)
    assert layer.get_params(trainable=True) == [layer.codebook]
    x, weights = pt.matrix("x"), np.random.default_rng(1).normal(size=ROWS.shape)
    outputs = outputs_of(layer, x)
    codes, numbers, _ = reference.quantise(ROWS, CODES)
    by_code = np.zeros_like(CODES)
    np.add.at(by_code, numbers, 2 * (codes - ROWS))
    wanted = {
        "output": (weights, 0 * CODES),
        "codebook_loss": (0 * ROWS, by_code),
        "commitment_loss": (2 * (ROWS - codes), 0 * CODES),
        "loss": (0.25 * 2 * (ROWS - codes), by_code),
    }
    slopes = []
    for name in wanted:
        loss = (outputs[name] * (weights if name == "output" else 1)).sum()
        slopes += pytensor.grad(loss, [x, layer.codebook], disconnected_inputs="ignore")
    results = iter(pytensor.function([x], slopes, mode=FAST)(ROWS))
    for name, pair in wanted.items():
        for each in pair:
            np.testing.assert_allclose(
                next(results), each, rtol=1e-10, atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize(
    "backend", ["python", "jax", pytest.param("numba", marks=pytest.mark.slow)]
)
def test_averages_follow_the_vectors_on_all_backends(backend, floatX32):
    """Catches an average of means, codes that move unchosen, and double precision."""
    batches = [ROWS[:12].astype("float32"), ROWS[12:18].astype("float32")]
    wanted = [None] * 2
    counts, sums, codes = np.ones(7), CODES.copy(), CODES
    for step, batch in enumerate(batches):
        _, numbers, distances = reference.quantise(batch, codes)
        counts, sums, codes = reference.average_codes(batch, numbers, counts, sums, 0.8)
        wanted[step] = numbers, 0.25 * distances, codes, counts
    assert len(set(numbers)) < 7  # at least one code is not chosen
    if backend not in MODES:
        pytest.skip("JAX is not installed")
    options = {"codebook": CODES.astype("float32"), "restart_below": 1e-6}
    layer = averaged((None, 3, None), **options)
    x = pt.tensor3("x")
    with pytensor.config.change_flags(floatX="float64"):
        graphs = outputs_of(layer, x)
        total = graphs["output"].sum() + graphs["loss"].sum()
        graphs["slope"] = pytensor.grad(total, x)
        function = compile_on(MODES[backend], [x], list(graphs.values()))
    assert not double_variables(function)
    for batch, (numbers, losses, codes, counts) in zip(batches, wanted, strict=True):
        before = layer.codebook.get_value()
        maps = batch.reshape(2, -1, 3).swapaxes(1, 2)
        got = dict(zip(graphs, function(maps), strict=True))
        assert got["indices"].shape == (2, len(batch) // 2)
        np.testing.assert_array_equal(got["indices"].ravel(), numbers)
        rows = {
            name: value.swapaxes(1, 2).reshape(-1, 3)
            for name, value in got.items()
            if value.ndim == 3
        }
        np.testing.assert_allclose(rows["output"], before[numbers], atol=1e-6)
        np.testing.assert_allclose(layer.codebook.get_value(), codes, rtol=2e-5)
        np.testing.assert_allclose(layer.counts.get_value(), counts, rtol=1e-5)
        np.testing.assert_allclose(got["loss"].ravel(), losses, rtol=1e-4)
        np.testing.assert_allclose(
            got["perplexity"], reference.perplexity(numbers), rtol=1e-5
        )
        slope = 1 + 0.5 * (batch - before[numbers])
        np.testing.assert_allclose(rows["slope"], slope, rtol=1e-4, atol=1e-5)


def test_averages_stay_in_evaluation_and_when_told_so(floatX64):
    """Catches a codebook that validation data move."""
    x = pt.matrix("x")
    for kwargs in (
        {"deterministic": True},
        {"update_codebook": False},
        {"update_codebook": "explicit"},
    ):
        layer = averaged((None, 3))
        output = get_output(layer, {None: x}, **kwargs)
        pytensor.function([x], output, mode=FAST)(ROWS)
        np.testing.assert_array_equal(layer.codebook.get_value(), CODES)
    updates = expressions.state_updates(output)
    assert set(updates) == {layer.codebook, layer.counts}
    pytensor.function([x], output, updates=updates, mode=FAST)(ROWS)
    moved = layer.codebook.get_value()
    assert not np.array_equal(moved, CODES)
    for name in ("output", "loss", "perplexity"):
        implicit = averaged((None, 3))
        output = get_output(OutputLayer(implicit, name), {None: x})
        pytensor.function([x], output, mode=FAST)(ROWS)
        np.testing.assert_array_equal(implicit.codebook.get_value(), moved)


def test_averaged_codes_are_no_parameters_to_train(floatX64):
    """Catches a codebook that an update rule would move too."""
    layer = averaged(name="vq")
    assert layer.get_params() == [layer.codebook, layer.counts]
    assert layer.get_params(trainable=True) == []
    x = pt.tensor4("x")
    outputs = outputs_of(layer, x)
    difference = (outputs["loss"] - 0.25 * outputs["commitment_loss"]).sum()
    assert float(difference.eval({x: MAPS}, mode=FAST)) == 0
    fixed = averaged(codebook=pt.constant(CODES) * 2)
    output = get_output(fixed, {None: x})
    assert list(expressions.state_updates(output)) == [fixed.counts]


def test_codes_that_nothing_chooses_start_again(floatX64):
    """Catches a restart of codes in use, or to what is no vector of the batch."""
    far = np.concatenate([CODES[:5], 100 + CODES[5:]])
    layer = averaged((None, 3), codebook=far, decay=0.5, restart_below=0.4)
    x = pt.matrix("x")
    train = pytensor.function([x], get_output(layer, {None: x}), mode=FAST)
    batch = np.concatenate([CODES[:5]] * 2)
    train(batch)
    np.testing.assert_allclose(layer.codebook.get_value()[5:], far[5:])
    train(batch)  # unused counts fall to 1/4
    restarted = layer.codebook.get_value()
    np.testing.assert_allclose(restarted[:5], CODES[:5])
    for code in restarted[5:]:
        assert abs(batch - code).sum(axis=1).min() < 1e-12
    np.testing.assert_array_equal(layer.counts.get_value()[5:], 1)


def test_a_code_that_is_never_used_lasts(floatX32):
    """Catches a division by a count that has become zero."""
    layer = averaged((None, 3), decay=0.0, codebook=CODES.astype("float32"))
    x = pt.matrix("x")
    train = pytensor.function([x], get_output(layer, {None: x}), mode=FAST)
    train(CODES[:2].astype("float32"))
    assert layer.counts.get_value().tolist() == [1, 1, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(layer.codebook.get_value(), CODES, rtol=1e-6)


def test_few_codes_in_use_have_a_low_perplexity(floatX64):
    """Catches a logarithm of zero."""
    layer = VectorQuantizationLayer(InputLayer((None, 3)), 7, codebook=CODES)
    result = get_output(OutputLayer(layer, "perplexity"), CODES[[2, 2]])
    assert float(result.eval(mode=FAST)) == pytest.approx(1)
    result = get_output(OutputLayer(layer, "perplexity"), CODES)
    assert float(result.eval(mode=FAST)) == pytest.approx(7)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_codes": 0}, ValueError, "num_codes must be a positive integer, got 0"),
        ({"num_codes": 2.0}, ValueError, "num_codes must be a positive .*got 2.0"),
        ({"axis": 2}, ValueError, "axis must be between -2 and 1, got 2"),
        ({"axis": 0}, ValueError, "the size of axis 0 must be known"),
        ({"axis": "x"}, TypeError, "axis must be an integer, got 'x'"),
        ({"decay": 1}, ValueError, "decay must be at least 0 and below 1, got 1"),
        ({"decay": "x"}, TypeError, "decay must be a number or a symbolic scalar"),
        ({"commitment": "x"}, TypeError, "commitment must be a number or a symb"),
        ({"restart_below": 1}, ValueError, "restart_below must be .* got 1 with decay"),
        (
            {"restart_below": -1, "decay": 0.9},
            ValueError,
            "restart_below must be at least 0.* got -1",
        ),
        ({"restart_below": "x"}, TypeError, "restart_below must be a number or"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options, error, message):
    """Catches an error without the layer's name, or at run time."""
    with pytest.raises(error, match=f"VectorQuantizationLayer 'vq': {message}"):
        VectorQuantizationLayer((None, 3), **{"num_codes": 5, **options}, name="vq")
