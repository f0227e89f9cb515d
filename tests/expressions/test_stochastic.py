"""Random parameters."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers, random, updates
from lasagne_next.expressions import kl_to_normal_prior, mark_draw, settle
from lasagne_next.params import collect_shared_vars
from lasagne_next.random import RandomStream
from tests.dtypes import double_variables
from tests.expressions.values import MODE, leaves_of, value_of
from tests.reference.parameters import normal_divergence


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_draws_have_the_mean_and_the_standard_deviation(floatX64):
    """Catches a variance for a deviation, and a map of rho that is not softplus."""
    W = expressions.Gaussian(init=draw((7, 5)))((7, 5))
    leaves_of(W)["rho"].set_value(draw((7, 5), 1))
    sample = pytensor.function([], W, mode=MODE)
    values = np.array([sample() for _ in range(4000)])
    std = np.log1p(np.exp(draw((7, 5), 1)))
    np.testing.assert_allclose(
        values.mean(axis=0), draw((7, 5)), atol=5 * 3 / 4000**0.5
    )
    np.testing.assert_allclose(values.std(axis=0), std, rtol=0.08)


def test_the_start_has_the_relative_deviation(floatX64):
    """Catches a deviation that is not relative to the means."""
    W = expressions.Gaussian(std=0.2, init=init.Normal(3.0))((70, 50))
    leaves = leaves_of(W)
    wanted = 0.2 * leaves["mean"].get_value().std()
    np.testing.assert_allclose(np.logaddexp(0, leaves["rho"].get_value()), wanted)
    constant = expressions.Gaussian(std=0.2, init=init.Constant(1.0))((3, 2))
    np.testing.assert_allclose(
        np.logaddexp(0, leaves_of(constant)["rho"].get_value()), 0.2
    )


@pytest.mark.parametrize("std", [1e-8, 1e-3, 1.0, 1e3])
def test_deviations_of_any_size_can_be_started_from(std, floatX64):
    """Catches cancellation and overflow in the inverse of the softplus."""
    W = expressions.Gaussian(std=std, init=init.Constant(1.0))((3, 2))
    rho = leaves_of(W)["rho"].get_value()
    np.testing.assert_allclose(np.logaddexp(0, rho), std)


def test_every_value_can_be_the_mean():
    """Catches a residual that is measured on a random draw."""
    spec = expressions.Gaussian().from_value(draw((7, 5)))
    assert spec.residual == 0
    np.testing.assert_array_equal(value_of(spec((7, 5))), draw((7, 5)))
    assert expressions.Gaussian().contains(draw((7, 5)))


def test_all_uses_in_a_call_see_one_draw_and_the_next_call_another(floatX64):
    """Catches weights that differ between the layers that share them."""
    W = expressions.Gaussian()((5, 5))
    both = pytensor.function([], [W, 1 * W], mode=MODE)
    first, same = both()
    np.testing.assert_array_equal(first, same)
    assert (both()[0] != first).all()


def test_one_seed_gives_one_sequence_of_draws():
    """Catches draws that cannot be reproduced."""
    values = []
    for _ in range(2):
        random.set_rng(np.random.default_rng(7))
        W = expressions.Gaussian()((5, 3))
        sample = pytensor.function([], W, mode=MODE)
        values.append([sample(), sample()])
    np.testing.assert_array_equal(*values)


def test_settled_outputs_are_those_of_the_means(floatX64):
    """Catches evaluation that stays random."""
    x = pt.matrix("x")
    below = layers.DenseLayer(
        layers.InputLayer((None, 7), x), 5, W=expressions.Gaussian(), name="a"
    )
    layer = layers.DenseLayer(below, 3, W=expressions.Gaussian(), name="b")
    output = settle(layers.get_output(layer))
    compute = pytensor.function([x], output, mode=MODE)
    value = draw((2, 7))
    np.testing.assert_array_equal(compute(value), compute(value))
    means = [leaves_of(each.W)["mean"].get_value() for each in (below, layer)]
    expected = np.maximum(np.maximum(value @ means[0], 0) @ means[1], 0)
    np.testing.assert_allclose(compute(value), expected)
    assert not any("rv" in str(node.op) for node in compute.maker.fgraph.apply_nodes)


def test_means_that_are_random_are_settled_too(floatX64):
    """Catches one layer of draws left in place under another."""
    inner = expressions.Gaussian(init=draw((7, 5)))
    W = expressions.Gaussian(init=inner)((7, 5))
    settled = settle(W)
    assert [leaf.name for leaf in collect_shared_vars(settled)] == ["mean.mean"]
    np.testing.assert_array_equal(value_of(settled), draw((7, 5)))
    one, other = settle([W, W * 2])
    np.testing.assert_array_equal(value_of(other), 2 * value_of(one))


def test_settling_leaves_the_expressions_given_as_they_are(floatX64):
    """Catches a replacement in place, which makes the training network fixed."""
    W = expressions.Gaussian(init=expressions.Gaussian())((7, 5))
    y = W * 2
    settle(y)
    sample = pytensor.function([], y, mode=MODE)
    assert (sample() != sample()).all()
    assert settle(pt.exp(pt.matrix("x"))).owner is not None


def test_nothing_else_is_settled():
    """Catches noise layers that are switched off, and copies of untouched graphs."""
    noise = RandomStream(1).normal((3,))
    x = pt.matrix("x")
    assert settle([noise, x]) == [noise, x]


def test_a_note_of_another_shape_broadcasts(floatX64):
    """Catches a settled expression of the shape of its mean."""
    mean = pytensor.shared(np.arange(3.0).reshape(1, 3), shape=(1, 3))
    value = mean + RandomStream(1).normal((2, 3), dtype="float64")
    settled = settle(mark_draw(value, mean, pt.constant(1.0)) * 2)
    np.testing.assert_array_equal(
        value_of(settled), 2 * np.tile(np.arange(3.0), (2, 1))
    )
    rows = pt.matrix("rows")
    settled = settle(mark_draw(rows + noise_like(rows), mean, pt.constant(1.0)))
    assert settled.eval({rows: draw((4, 3))}, mode=MODE).shape == (4, 3)


def noise_like(rows):
    return RandomStream(1).normal(rows.shape, dtype="float64")


@pytest.mark.parametrize("prior", [1.0, 0.3])
def test_the_divergence_follows_its_closed_form(prior, floatX64):
    """Catches variances for deviations, and the divergence the other way round."""
    W = expressions.Gaussian(init=draw((7, 5)))((7, 5))
    leaves_of(W)["rho"].set_value(draw((7, 5), 1))
    std = np.log1p(np.exp(draw((7, 5), 1)))
    for each in (prior, pytensor.shared(prior)):
        value = kl_to_normal_prior([W], each).eval(mode=MODE)
        np.testing.assert_allclose(value, normal_divergence(draw((7, 5)), std, prior))


def test_the_divergence_is_what_draws_say(floatX64):
    """Catches a closed form that both code and reference have wrong."""
    mean, std, prior = 0.7, 0.4, 1.5
    x = mean + std * draw((400000,))
    log_q = -0.5 * ((x - mean) / std) ** 2 - np.log(std)
    log_p = -0.5 * (x / prior) ** 2 - np.log(prior)
    W = expressions.Gaussian(std=std, init=np.full((1, 1), mean))((1, 1))
    value = kl_to_normal_prior([W], prior).eval(mode=MODE)
    np.testing.assert_allclose(value, (log_q - log_p).mean(), rtol=0.01)
    at_prior = expressions.Gaussian(std=1.0, init=np.zeros((3, 2)))((3, 2))
    np.testing.assert_allclose(
        kl_to_normal_prior([at_prior]).eval(mode=MODE), 0, atol=1e-12
    )


def test_shared_random_weights_count_once(floatX64):
    """Catches a penalty that doubles with each use."""
    W = expressions.Gaussian()((5, 5))
    once = kl_to_normal_prior([W]).eval(mode=MODE)
    twice = kl_to_normal_prior([W, W.T, pt.exp(W)]).eval(mode=MODE)
    np.testing.assert_allclose(twice, once)
    more = kl_to_normal_prior([W, expressions.Gaussian()((5, 5))]).eval(mode=MODE)
    assert more > 1.2 * once


def test_something_random_must_be_there():
    """Catches a penalty of zero on the leaves instead of the parameters."""
    layer = layers.DenseLayer((None, 5), 3, W=expressions.Gaussian())
    message = "kl_to_normal_prior: parameters must contain one made by Gaussian"
    with pytest.raises(ValueError, match=message):
        kl_to_normal_prior(layer.get_params())
    with pytest.raises(ValueError, match=message):
        kl_to_normal_prior([])


def test_weights_learn_their_uncertainty(floatX64):
    """Catches gradients that do not reach mean or deviation through the draw."""
    W = expressions.Gaussian(std=1.0, init=np.full((4, 3), 2.0))((4, 3))
    leaves = leaves_of(W)
    loss = 50 * pt.sqr(W - 1).sum() + kl_to_normal_prior([W])
    rule = updates.adam(loss, list(leaves.values()), learning_rate=0.02)
    step = pytensor.function([], loss, updates=rule, mode=MODE)
    for _ in range(1500):
        step()
    # The exact posterior: precision 100 from the data and 1 from the prior.
    np.testing.assert_allclose(leaves["mean"].get_value(), 100 / 101, atol=0.08)
    std = np.logaddexp(0, leaves["rho"].get_value())
    np.testing.assert_allclose(std, 101**-0.5, rtol=0.35)


def test_no_gradient_is_double(floatX64):
    """Catches noise, or a penalty, of double precision."""
    W = expressions.Gaussian(init=draw((7, 5)).astype("float32"))((7, 5))
    loss = pt.sqr(W).sum() + kl_to_normal_prior([W], 0.5)
    gradients = pytensor.grad(loss, list(leaves_of(W).values()))
    function = pytensor.function([], [W, loss, *gradients], mode=MODE)
    assert double_variables(function) == []


@pytest.mark.parametrize(
    ("error", "std", "message"),
    [
        (ValueError, 0, "Gaussian: std must be greater than 0, got 0"),
        (TypeError, None, "Gaussian: std must be a number, got None"),
    ],
)
def test_impossible_deviations_are_refused(error, std, message):
    """Catches a start without uncertainty, of which the logarithm is infinite."""
    with pytest.raises(error, match=message):
        expressions.Gaussian(std=std)
