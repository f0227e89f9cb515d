"""Samples of normal distributions: statistics, gradients, divergences, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import lasagne_next
from lasagne_next import objectives
from lasagne_next.layers import (
    DenseLayer,
    GaussianSampleLayer,
    InputLayer,
    OutputLayer,
    get_output,
    get_output_shape,
)

FAST = "FAST_COMPILE"
MEANS = np.array([[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]])
LOG_VARIANCES = np.array([[0.5, -1.5, 0.1], [0.0, -0.2, 1.1]])
PRIOR = -0.8, 0.6  # mean and log-variance


def integrated_divergence(mean, log_variance, prior):
    """Integrate q log(q / p) over 14 deviations by the rule of trapezoids.

    For such functions its error falls faster than any power: about 1e-14 here.
    """
    deviation = np.exp(log_variance / 2)
    x, step = np.linspace(
        mean - 14 * deviation, mean + 14 * deviation, 2001, retstep=True
    )
    log_q = -0.5 * (np.log(2 * np.pi) + log_variance + ((x - mean) / deviation) ** 2)
    log_p = -0.5 * (
        np.log(2 * np.pi) + prior[1] + (x - prior[0]) ** 2 / np.exp(prior[1])
    )
    return np.sum(np.exp(log_q) * (log_q - log_p)) * step


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["standard", "another"])
def test_divergences_are_the_integrals(prior, floatX64):
    """Catches a term that is missing, and the two distributions exchanged."""
    wanted = [
        [
            integrated_divergence(m, v, prior or (0, 0))
            for m, v in zip(*row, strict=True)
        ]
        for row in zip(MEANS, LOG_VARIANCES, strict=True)
    ]
    got = objectives.gaussian_kullback_leibler(MEANS, LOG_VARIANCES, *(prior or ()))
    np.testing.assert_allclose(got.eval(mode=FAST), wanted, rtol=1e-10, atol=1e-13)


def test_samples_have_the_divergence_of_the_layer(floatX64):
    """Catches a sample from another distribution than the output "kl" is of."""
    number = 40_000
    inputs = [InputLayer((None, 3)), InputLayer((None, 3))]
    layer = GaussianSampleLayer(inputs)
    names = ("sample", "mean", "log_variance", "kl")
    assert tuple(layer.output_shapes) == names
    outputs = get_output([OutputLayer(layer, name) for name in names])
    variables = [each.input_var for each in inputs]
    function = pytensor.function(variables, outputs, mode=FAST)
    rows = [np.repeat(each[:1], number, axis=0) for each in (MEANS, LOG_VARIANCES)]
    sample, mean, log_variance, kl = function(*rows)
    # log q - log p of each sample: its mean is the divergence.
    ratios = 0.5 * (sample**2 - (sample - mean) ** 2 / np.exp(log_variance))
    ratios = ratios - 0.5 * log_variance
    error = ratios.std(axis=0) / np.sqrt(number)
    assert (abs(ratios.mean(axis=0) - kl[0]) < 5 * error).all()
    deviation = np.exp(LOG_VARIANCES[0] / 2)
    assert (abs(sample.mean(axis=0) - MEANS[0]) < 5 * deviation / 200).all()
    np.testing.assert_allclose(sample.std(axis=0), deviation, rtol=0.02)


def test_a_deterministic_sample_is_the_mean():
    """Catches noise in evaluation, and a divergence that needs noise."""
    mean, log_variance = pt.matrices("mv")
    layer = GaussianSampleLayer([InputLayer((2, 3), mean), InputLayer((2, 3))])
    assert get_output(layer, deterministic=True) is mean
    kl = OutputLayer(layer, "kl")
    inputs = {layer.input_layers[1]: log_variance}
    first, second = (
        get_output(kl, inputs, deterministic=flag) for flag in (True, False)
    )
    feed = {mean: MEANS, log_variance: LOG_VARIANCES}
    feed = {key: value.astype(key.dtype) for key, value in feed.items()}
    np.testing.assert_array_equal(
        first.eval(feed, mode=FAST), second.eval(feed, mode=FAST)
    )


def test_gradients_reach_what_describes_the_distribution(floatX64):
    """Catches a draw with mean and deviation inside, which has no gradient."""
    mean, other = pt.matrices("mv")
    for spread in ("log_variance", "std"):
        layer = GaussianSampleLayer([(2, 3), (2, 3)], spread=spread)
        sample = layer.get_output_for([mean, other])
        slopes = pytensor.grad(sample.sum(), [mean, other])
        function = pytensor.function([mean, other], [sample, *slopes], mode=FAST)
        value = LOG_VARIANCES if spread == "log_variance" else np.exp(LOG_VARIANCES / 2)
        got, by_mean, by_other = function(MEANS, value)
        noise = (got - MEANS) / np.exp(LOG_VARIANCES / 2)
        assert len(np.unique(noise)) == 6
        np.testing.assert_array_equal(by_mean, np.ones((2, 3)))
        wanted = noise if spread == "std" else (got - MEANS) / 2
        np.testing.assert_allclose(by_other, wanted, rtol=1e-10)


def test_both_ways_to_tell_the_spread_have_one_divergence(floatX64):
    """Catches a deviation taken for a variance."""
    results = []
    for spread, value in (
        ("log_variance", LOG_VARIANCES),
        ("std", np.exp(LOG_VARIANCES / 2)),
    ):
        layer = GaussianSampleLayer([(2, 3), (2, 3)], spread)
        outputs = layer.get_outputs_for([pt.constant(MEANS), pt.constant(value)])
        results.append([outputs[k].eval(mode=FAST) for k in ("log_variance", "kl")])
    np.testing.assert_allclose(*results, rtol=1e-10, atol=1e-12)


def test_all_outputs_of_one_call_share_the_sample():
    """Catches a draw for each layer that reads the sample."""
    layer = GaussianSampleLayer([(2, 3), (2, 3)])
    again = OutputLayer(layer, "sample")
    x = pt.matrix("x")
    outputs = get_output([layer, again], {None: x})
    assert outputs[0] is outputs[1]


def test_seeds_make_samples_repeat_themselves():
    """Catches a stream that is seeded by the clock, and two layers seeded alike."""
    x = pt.constant(MEANS)
    samples = []
    for _ in range(2):
        lasagne_next.random.set_rng(np.random.default_rng(7))
        for _ in range(2):
            layer = GaussianSampleLayer([(2, 3), (2, 3)])
            samples.append(layer.get_output_for([x, x]).eval(mode=FAST))
    np.testing.assert_array_equal(samples[0], samples[2])
    np.testing.assert_array_equal(samples[1], samples[3])
    assert not np.array_equal(samples[0], samples[1])


def test_free_bits_stop_the_gradient_below_them(floatX64):
    """Catches a bound for each example in place of the mean over them."""
    kl = pt.matrix("kl")
    loss = objectives.free_bits(kl, 0.5)
    function = pytensor.function([kl], [loss, pytensor.grad(loss.sum(), kl)], mode=FAST)
    got, slope = function([[0.1, 0.0, 2.0], [0.5, 1.2, 0.0]])
    np.testing.assert_allclose(got, [0.5, 0.6, 1.0])
    np.testing.assert_allclose(slope, [[0, 0.5, 0.5], [0, 0.5, 0.5]])
    single = objectives.free_bits(pt.tensor(dtype="float32", shape=(2, 3)), 0.3)
    assert (single.dtype, single.type.shape) == ("float32", (3,))


def test_shapes_and_single_precision(floatX64):
    """Catches a size that only the second input knows, and double precision."""
    x = pt.tensor("x", dtype="float32", shape=(None, 3))
    inputs = [InputLayer((None, 3), x), InputLayer((7, None))]
    layer = GaussianSampleLayer(inputs)
    assert layer.output_shape == (7, 3)
    assert get_output_shape(layer, {inputs[0]: (7, 3), inputs[1]: (7, 3)}) == (7, 3)
    outputs = layer.get_outputs_for([x, x])
    assert {each.dtype for each in outputs.values()} == {"float32"}
    network = DenseLayer(GaussianSampleLayer([(None, 3), (None, 3)]), 2)
    assert network.output_shape == (None, 2)


def test_what_does_not_fit_is_refused():
    """Catches an error without the layer's name, or at run time."""
    for shapes in ([(2, 3), (2, 5)], [(2, 3), (2, 3, 1)]):
        with pytest.raises(ValueError, match="'z': the shapes of means and log_varian"):
            GaussianSampleLayer(shapes, name="z")
    with pytest.raises(ValueError, match="'z': incomings must be two, means and std"):
        GaussianSampleLayer([(2, 3)], "std", name="z")
    with pytest.raises(ValueError, match=r"'z': spread must be .* 'log_variance'\?"):
        GaussianSampleLayer([(2, 3), (2, 3)], "log_varianc", name="z")
    with pytest.raises(TypeError, match="gaussian_kullback_leibler: rank mismatch"):
        objectives.gaussian_kullback_leibler(pt.matrix(), 0.0, pt.vector())
