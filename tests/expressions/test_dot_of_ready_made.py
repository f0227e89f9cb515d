"""Products with ready-made expressions, however they are wrapped and shared."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.graph.traversal import ancestors
from pytensor.scan.op import Scan

from lasagne_next import expressions, layers
from lasagne_next.expressions import settle
from lasagne_next.params import collect_shared_vars, leaf_tags
from tests.expressions.zoo import FIRST_CASES, ZOO, label, make

MODE = "FAST_COMPILE"
SIZES = (8, 12, 24)  # what every expression of the zoo can divide
WRAPPED = {
    "as it is": lambda W: W,
    "transposed": lambda W: W.T,
    "halved": lambda W: W / 2,
    "columns scaled": lambda W: W * np.arange(1, W.type.shape[1] + 1, dtype=W.dtype),
    "rows reordered": lambda W: W[np.arange(W.type.shape[0])[::-1] ^ 1],
    "corrected": lambda W: W - pt.dot(W[:, :2], W[:2]),
    "squared": lambda W: pt.dot(W, W.T),
}


@st.composite
def weights(draw):
    """Strategy: a ready-made weight of any possible size, type and wrapping."""
    name = draw(st.sampled_from(sorted(ZOO)))
    shape = draw(st.sampled_from(SIZES)), draw(st.sampled_from(SIZES))
    if len(ZOO[name][1]) == 1:  # square matrices only
        shape = shape[0], shape[0]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    wrapping = draw(st.sampled_from(sorted(WRAPPED)))
    rows = draw(st.sampled_from([None, 1, 3, 1000]))
    return name, shape, dtype, wrapping, rows


def trainable_leaves(W):
    return [leaf for leaf, tags in leaf_tags(W, {"trainable"}) if "trainable" in tags]


def make_weight(name, shape, dtype, wrapping):
    with pytensor.config.change_flags(floatX=dtype):
        W = settle(make(name, shape)(shape))
    W = pt.specify_shape(W, shape) if None in W.type.shape else W
    rng = np.random.default_rng(1)
    for leaf in trainable_leaves(W):  # away from starts of zero
        start = leaf.get_value()
        leaf.set_value((start + rng.normal(0, 0.1, start.shape)).astype(dtype))
    return WRAPPED[wrapping](W)


@settings(max_examples=25, deadline=None)
@given(case=weights())
def test_values_and_gradients_equal_those_of_the_written_matrix(case):
    """Catches a structure whose use changes a value, a type or a gradient."""
    *kind, rows = case
    W, dtype = make_weight(*kind), case[2]
    inputs = W.type.shape[0]
    x = pt.tensor("x", dtype=dtype, shape=(rows, inputs))
    leaves, results = trainable_leaves(W), []
    for structured in (True, False):
        y = expressions.dot(x, W, structured)
        loss = (y * np.arange(1, W.type.shape[1] + 1, dtype=dtype)).sum()
        results.append([y, *pytensor.grad(loss, [x, *leaves])])
    function = pytensor.function([x], results[0] + results[1], mode=MODE)
    rng = np.random.default_rng(2)
    values = function(rng.normal(size=(rows or 3, inputs)).astype(dtype))
    half, tolerance = len(values) // 2, {"float32": 2e-4, "float64": 1e-9}[dtype]
    for got, wanted in zip(values[:half], values[half:], strict=True):
        assert got.dtype == wanted.dtype == dtype
        largest = max(abs(wanted).max(), 1)  # rounding errors of sums that cancel
        np.testing.assert_allclose(got / largest, wanted / largest, atol=tolerance)


def independent_operations(xs, outputs):
    """Return what a compiled function does with parameters alone."""
    function = pytensor.function(xs, outputs, mode=MODE)
    return sorted(
        str(node.op)
        for node in function.maker.fgraph.toposort()
        if not set(ancestors(node.outputs))
        & set(function.maker.fgraph.inputs[: len(xs)])
    )


@pytest.mark.parametrize(
    ("name", "shape"), FIRST_CASES, ids=[label(case) for case in FIRST_CASES]
)
def test_it_is_evaluated_once_however_many_layers_use_it(name, shape):
    """Catches a parameter that is computed again for every layer that uses it."""
    W = make(name, shape)(shape)
    counts = []
    for uses in (1, 3):
        inputs = [layers.InputLayer((None, shape[0])) for _ in range(uses)]
        outputs = [
            layers.get_output(layers.DenseLayer(each, shape[1], W=W, b=None))
            for each in inputs
        ]
        xs = [each.input_var for each in inputs]
        counts.append(independent_operations(xs, [*outputs, settle(W).sum()]))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["Orthogonal cayley", "PSD"])
def test_it_is_evaluated_once_for_all_time_steps(name):
    """Catches a parameter that is computed again in every step of a loop."""
    W = make(name, (8, 8))((8, 8))
    h = pt.matrix("h")
    step = lambda h: pt.tanh(expressions.dot(h, W, uses=50))  # noqa: E731
    with pytensor.config.change_flags(mode="NUMBA"):
        states = pytensor.scan(step, outputs_info=[h], n_steps=50, return_updates=False)
        function = pytensor.function([h], states[-1])
    nodes = function.maker.fgraph.toposort()
    (loop,) = [node.op for node in nodes if isinstance(node.op, Scan)]
    inside = [str(node.op) for node in loop.fgraph.toposort()]
    assert len(inside) <= 4, inside  # the product, its bias and the nonlinearity
    assert set(collect_shared_vars(W))
