"""Attention and positions as expressions."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions
from tests.reference import attention as reference

RNG = np.random.default_rng(8)
QUERY, KEY, VALUE = (RNG.normal(size=shape) for shape in [(5, 3), (7, 3), (7, 2)])
ALLOWED = RNG.random((5, 7)) > 0.4
ALLOWED[2] = False


def test_attention_is_a_weighted_average(floatX64):
    """Catches a softmax over queries, a wrong scale, a bias before the scale."""
    bias = RNG.normal(size=(5, 7))
    got = expressions.attention(QUERY, KEY, VALUE)
    wanted = reference.attention(QUERY, KEY, VALUE)
    np.testing.assert_allclose(got.eval(mode="FAST_COMPILE"), wanted)
    got = expressions.attention(QUERY, KEY, VALUE, ALLOWED, bias, scale=0.3)
    wanted = reference.attention(QUERY, KEY, VALUE, ALLOWED, bias, scale=0.3)
    np.testing.assert_allclose(got.eval(mode="FAST_COMPILE"), wanted)


def test_leading_axes_are_independent(floatX64):
    """Catches heads that are joined with the wrong axis."""
    query, key, value = (
        RNG.normal(size=shape) for shape in [(2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)]
    )
    got = expressions.attention(query, key, value).eval(mode="FAST_COMPILE")
    for n, h in np.ndindex(2, 3):
        wanted = reference.attention(query[n, h], key[n, h], value[n, h])
        np.testing.assert_allclose(got[n, h], wanted)


def test_nothing_allowed_gives_zeros_and_finite_gradients(floatX64):
    """Catches a division by zero, forward or backward, and large scores that leak."""
    scores = pt.matrix("scores", dtype="float32")
    weights = expressions.masked_softmax(scores, pt.constant(ALLOWED))
    gradient = pytensor.grad(pt.sqr(weights).sum(), scores)
    assert gradient.dtype == "float32"
    function = pytensor.function([scores], [weights, gradient], mode="FAST_COMPILE")
    for scale in (1.0, 1e4):
        x = (scale * RNG.normal(size=(5, 7))).astype("float32")
        got, slopes = function(x)
        assert (got[~ALLOWED] == 0).all()
        sums = got.sum(axis=1)
        np.testing.assert_allclose(sums, [1, 1, 0, 1, 1], rtol=1e-6)
        assert np.isfinite(slopes).all()
        assert (slopes[~ALLOWED] == 0).all()


def test_gradients_agree_with_finite_differences(floatX64):
    """Catches a maximum that is differentiated."""
    pytensor.gradient.verify_grad(
        lambda q, k, v: expressions.attention(q, k, v, ALLOWED, scale=1.5),
        [QUERY, KEY, VALUE],
        rng=np.random.default_rng(1),
        mode="FAST_COMPILE",
    )


@pytest.mark.parametrize("size", [2, 5, 6])
def test_sinusoids_are_those_of_the_paper(size, floatX64):
    """Catches sines and cosines in blocks, and other wavelengths."""
    places = np.array([0.0, 1.0, 30.5])
    got = expressions.sinusoids(pt.constant(places), size, longest=100)
    wanted = [reference.sinusoids(place, size, 100) for place in places]
    np.testing.assert_allclose(got.eval(mode="FAST_COMPILE"), wanted, atol=1e-12)


def test_sinusoids_of_integers_are_floats(floatX32):
    """Catches waves that are cut off to integers."""
    assert expressions.sinusoids(pt.constant([[3]]), 4).dtype == "float32"
    assert expressions.sinusoids(pt.constant([[3]]), 4).type.shape == (1, 1, 4)


def test_relative_positions_are_looked_up_by_distance(floatX64):
    """Catches distances of the wrong sign, and ones that are too large."""
    queries, keys = pt.constant(np.arange(4)), pt.constant(np.arange(6))
    table = RNG.normal(size=(5, 3))
    bias = expressions.relative_bias(pt.constant(table), queries, keys)
    x = RNG.normal(size=(2, 4, 3))
    scores = expressions.relative_scores(
        pt.constant(x), pt.constant(table), queries, keys
    )
    bias, scores = bias.eval(mode="FAST_COMPILE"), scores.eval(mode="FAST_COMPILE")
    for i, j in np.ndindex(4, 6):
        row = min(max(j - i, -2), 2) + 2
        np.testing.assert_array_equal(bias[:, i, j], table[row])
        np.testing.assert_allclose(scores[:, i, j], x[:, i] @ table[row])


def test_the_past_is_up_to_the_present():
    """Catches a step that does not see itself."""
    steps = pt.constant(np.arange(3))
    mask = expressions.causal_mask(steps, steps).eval(mode="FAST_COMPILE")
    assert mask.tolist() == np.tri(3, dtype=bool).tolist()


def test_positions_count_along_an_axis():
    """Catches values that are taken for counts, and a constant of unknown size."""
    x = pt.tensor3("x")
    function = pytensor.function(
        [x],
        [expressions.positions(x), expressions.positions(x, -1)],
        mode="FAST_COMPILE",
    )
    zeros = np.zeros((2, 3, 4), dtype=x.dtype)
    assert [each.tolist() for each in function(zeros)] == [[0, 1, 2], [0, 1, 2, 3]]
    assert [len(each) for each in function(zeros[:0])] == [3, 4]
