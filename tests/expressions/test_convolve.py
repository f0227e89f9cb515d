"""Convolutions with filters that are products of smaller ones."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors

from lasagne_next import expressions
from lasagne_next.layers import Conv2DLayer, InputLayer, get_output
from lasagne_next.ops import Convolution
from lasagne_next.utils import collect_shared_vars

MODE = "FAST_COMPILE"
X = (3, 32, 21, 17)


def normal(*shape):
    return np.random.default_rng(shape).normal(size=shape)


def shared(*shape):
    return pytensor.shared(normal(*shape), shape=shape)


def num_convolutions(y):
    nodes = {each.owner for each in ancestors([y]) if each.owner is not None}
    return sum(isinstance(node.op, Convolution) for node in nodes)


def low_rank():
    return pt.tensordot(shared(40, 2), shared(2, 32, 3, 4), 1)


def three_factors():
    """Return a product that is thinnest at its second place."""
    matrix = pt.dot(pt.dot(shared(40, 9), shared(9, 2)), shared(2, 32 * 3 * 4))
    return matrix.reshape((40, 32, 3, 4))


def scaled():
    return low_rank() * shared(40, 1, 1, 1)


def separable():
    return pt.tensordot(shared(40, 3, 2), shared(2, 32, 5), 1).transpose(0, 2, 1, 3)


def outer_product():
    return shared(1, 32, 1, 5) * shared(40, 1, 3, 1)


def depthwise():
    return shared(32, 1, 7, 1) * shared(32, 1, 1, 5)


CASES = {
    "low rank": (low_rank, {"stride": (2, 1), "pad": "same", "dilation": (1, 2)}),
    "scaled": (scaled, {"pad": 1}),
    "three factors": (three_factors, {"pad": 1}),
    "separable": (
        separable,
        {"stride": (2, 3), "pad": ((1, 0), 2), "dilation": (2, 1)},
    ),
    "separable, not flipped": (separable, {"flip_filters": False, "pad": "full"}),
    "outer product": (outer_product, {"stride": (1, 2), "pad": (0, (2, 1))}),
    "depthwise": (depthwise, {"num_groups": 32, "pad": 3}),
}


@pytest.mark.parametrize(("weight", "options"), CASES.values(), ids=CASES)
def test_two_convolutions_are_one_with_the_whole_filters(weight, options):
    """Catches a stride, a padding or a flip that goes to the wrong step or to both."""
    W, x = weight(), pt.tensor("x", shape=X, dtype="float64")
    leaves = [x, *collect_shared_vars(W)]
    results = []
    for structured in (True, False):
        y = expressions.convolve(x, W, structured=structured, **options)
        assert num_convolutions(y) == (2 if structured else 1)
        results += [y, *pytensor.grad(pt.sin(y).sum(), leaves)]
    assert results[0].type.shape == results[len(results) // 2].type.shape
    values = pytensor.function([x], results, mode=MODE)(normal(*X))
    half = len(values) // 2
    for one, other in zip(values[:half], values[half:], strict=True):
        scale = abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=1e-10)


@pytest.mark.parametrize(
    "W",
    [
        pt.tensordot(shared(8, 6), shared(6, 4, 3, 3), 1),
        pt.tensordot(shared(40, 30), shared(30, 32, 1, 1), 1),
        pt.tensordot(shared(40, 2), shared(2, 32, 3, 3), 1) * shared(1, 32, 1, 1),
        expressions.WeightNorm(init=expressions.LowRank(2)).express(
            pt.tensordot(shared(40, 2), shared(2, 32, 3, 3), 1), shared(40, 1, 1, 1)
        ),
        shared(40, 32, 3, 3) * 2,
        shared(40, 32, 3, 1) * shared(1, 32, 1, 3),
        shared(40, 32 * 9).reshape((40, 32, 3, 3)),
        pt.tensordot(shared(3, 40, 2), shared(2, 32, 3), 1).transpose(1, 2, 0, 3),
    ],
    ids=[
        "small",
        "thick",
        "channels scaled",
        "written for its norms",
        "scaled",
        "not outer",
        "no product",
        "other axes",
    ],
)
def test_other_filters_stay_whole(W):
    """Catches a structure that is seen where there is none, or does not pay."""
    x = pt.tensor("x", shape=(None, W.type.shape[1], 9, 8))
    assert num_convolutions(expressions.convolve(x, W)) == 1


def test_groups_stay_whole():
    """Catches factors that mix the channels of all groups."""
    W = pt.tensordot(shared(40, 2), shared(2, 16, 3, 3), 1)
    x = pt.tensor("x", shape=X)
    assert num_convolutions(expressions.convolve(x, W, num_groups=2)) == 1


@pytest.mark.parametrize("shape", [X, (None, 32, None, None)], ids=["known", "unknown"])
def test_layers_use_what_their_filters_are_made_of(shape):
    """Catches a layer that writes its filters out, and a switch that does not work."""
    weight = expressions.LowRank(rank=2)
    layer = Conv2DLayer(InputLayer(shape), 40, (3, 4), W=weight, name="c")
    assert [each.name for each in layer.get_params()] == ["c.W.u", "c.W.v", "c.b"]
    assert num_convolutions(get_output(layer)) == 2
    assert num_convolutions(get_output(layer, structured=False)) == 1


def test_filters_of_low_rank_start_and_come_back():
    """Catches axes that are split elsewhere than behind the first."""
    W = expressions.LowRank(rank=2).sample((6, 5, 3, 4))
    matrix = W.reshape(6, -1)
    assert np.linalg.matrix_rank(matrix) == 2
    found = expressions.LowRank(rank=2).from_value(W)
    np.testing.assert_allclose(found.sample(W.shape), W, atol=1e-6)
    with pytest.raises(ValueError, match=r"rank must be at most 6.*got 7"):
        expressions.LowRank(rank=7)((6, 5, 3, 4))
    with pytest.raises(ValueError, match="makes matrices"):
        expressions.LowRank(rank=1)((6,))
