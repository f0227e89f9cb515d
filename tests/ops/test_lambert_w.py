"""Lambert's W function."""

import math

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
import pytest
from scipy.optimize import brentq

from lasagne_next.ops import LambertW, lambert_w
from tests.backends import MODES, compile_on

POINTS = np.concatenate(
    [
        -math.exp(-1) + np.logspace(-6, -1, 12),
        [-0.25, -1e-3, -1e-9, 0, 1e-12, 1e-5, 0.3, 0.999, 1, math.e, 2.999, 3, 3.001],
        np.logspace(1, 300, 15),
    ]
)


def root(x):
    """Solve w exp(w) = x from the definition, by bisection of its logarithm."""
    if x > 3:
        return brentq(lambda w: w + math.log(w) - math.log(x), 0.5, 700, xtol=1e-14)
    return brentq(lambda w: w * math.exp(w) - x, -1, 2, xtol=1e-15, rtol=1e-15)


@pytest.fixture(scope="module", params=MODES)
def functions(request):
    """Give W and its slope in both precisions, from one function."""
    x, y = pt.vector("x", dtype="float64"), pt.vector("y", dtype="float32")
    outputs = [lambert_w(x), pt.grad(lambert_w(x).sum(), x), lambert_w(y)]
    return compile_on(MODES[request.param], [x, y], outputs)


def test_it_inverts_w_exp_w(functions):
    """Catches iterations that stop early, overflow, or start on the other branch."""
    w, slope, single = functions(POINTS, np.float32(POINTS[:-13]))
    expected = np.array([root(x) for x in POINTS])
    np.testing.assert_allclose(w, expected, rtol=1e-12, atol=1e-14)
    # Near -1/e, errors of rounding in x grow by the slope.
    wanted = np.exp(-expected) / (1 + expected)
    np.testing.assert_allclose(slope[12:], wanted[12:], rtol=1e-10)
    assert single.dtype == "float32"
    np.testing.assert_allclose(single[9:], expected[9:-13], rtol=2e-5, atol=1e-7)


def test_it_has_limits_and_says_where_there_is_no_solution(functions):
    """Catches a NaN at zero, at infinity or at -1/e, and a number below it."""
    branch = -math.exp(-1)
    edges = np.array([branch, 0, math.inf, branch - 1e-9, -math.inf, math.nan])
    w, slope, single = functions(edges, np.float32(edges))
    np.testing.assert_allclose(w, [-1, 0, math.inf, *[math.nan] * 3], atol=1e-7)
    assert slope[1] == 1
    np.testing.assert_allclose(np.asarray(single)[[1, 2]], [0, math.inf])
    assert np.isnan(np.asarray(single)[[4, 5]]).all()


def test_slopes_agree_with_finite_differences():
    """Catches a wrong derivative of first or second order."""
    points = np.array([-0.3, -0.1, 0.0, 0.5, 2.0, 40.0])
    rng = np.random.default_rng(1)
    pytensor.gradient.verify_grad(lambert_w, [points], rng=rng, mode="FAST_COMPILE")

    def slope(x):
        return pytensor.grad(lambert_w(x).sum(), x)

    pytensor.gradient.verify_grad(slope, [points], rng=rng, mode="FAST_COMPILE")


def test_integers_become_floats_and_have_no_slope():
    """Catches W(2) = 0, and a gradient of an integer that is not zero."""
    x = pt.lvector("x")
    w = lambert_w(x)
    assert w.dtype == "float64"
    np.testing.assert_allclose(w.eval({x: [2]}, mode="FAST_COMPILE"), [root(2.0)])
    slope = LambertW().pullback([ps.int64("n")], [ps.float64("w")], [ps.float64("g")])
    assert slope[0].dtype == "float64"
