"""Where products become our own, and where they do not."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.math import Dot

from lasagne_next.ops import MatrixProduct
from lasagne_next.rewriting.matrix_product import local_use_matrix_product
from tests.backends import MODES, compile_on
from tests.ops.layouts import draw


def kinds(function):
    """Return the types of all operations, inner graphs included."""
    found = []

    def look(nodes):
        for node in nodes:
            found.append(type(node.op))
            inner = getattr(node.op, "fgraph", None)
            if inner is not None:
                look({each.owner for each in ancestors(inner.outputs)} - {None})

    look(function.maker.fgraph.apply_nodes)
    return found


def rewritten(x, y):
    """Return what the rewrite makes of a product, without compiling anything."""
    graph = FunctionGraph(outputs=[Dot()(x, y)], clone=False)
    return local_use_matrix_product.transform(graph, graph.outputs[0].owner)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_two_matrices_are_exchanged(dtype):
    """Catches a rewrite that never fires, or exchanges the operands."""
    x = pt.tensor("x", shape=(None, 3), dtype=dtype)
    y = pt.tensor("y", shape=(3, 1), dtype=dtype)
    (product,) = rewritten(x, y)
    assert product.owner.op == MatrixProduct()
    assert product.owner.inputs == [x, y]
    assert product.type == Dot()(x, y).type


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (pt.vector("x", dtype="float64"), pt.matrix("y", dtype="float64")),
        (pt.matrix("x", dtype="float64"), pt.vector("y", dtype="float64")),
        (pt.matrix("x", dtype="float32"), pt.matrix("y", dtype="float64")),
        (pt.matrix("x", dtype="int64"), pt.matrix("y", dtype="int64")),
        (pt.matrix("x", dtype="complex64"), pt.matrix("y", dtype="complex64")),
    ],
    ids=["vector", "by vector", "mixed", "integer", "complex"],
)
def test_other_products_are_left_alone(x, y):
    """Catches a rewrite of what our operation refuses."""
    if x.ndim == y.ndim:
        assert not rewritten(x, y)
        return
    function = compile_on(MODES["numba"], [x, y], pt.dot(x, y))
    product = [kind for kind in kinds(function) if kind in (Dot, MatrixProduct)]
    assert MatrixProduct not in product or len(product) == 1
    values = np.ones([3] * x.ndim, x.dtype), np.ones([3] * y.ndim, y.dtype)
    np.testing.assert_allclose(function(*values), values[0] @ values[1])


def test_only_numba_takes_it():
    """Catches a rewrite that blocks what other backends do with products."""
    x, y = pt.matrices("xy")
    for name, mode in MODES.items():
        function = compile_on(mode, [x, y], pt.dot(x, y))
        assert (MatrixProduct in kinds(function)) == (name == "numba")


def test_it_can_be_switched_off():
    """Catches a name that the documentation has wrong."""
    x, y = pt.matrices("xy")
    mode = MODES["numba"].excluding("lasagne_next_matrix_product")
    assert kinds(compile_on(mode, [x, y], pt.dot(x, y))) == [Dot]


def test_gradients_and_inner_graphs_are_reached():
    """Catches products of a scan, or of an operation made from a graph, left slow."""
    x, y = (pt.matrix(name, dtype="float64") for name in "xy")
    made = OpFromGraph([x, y], [pt.dot(x, y)])(x, y)
    steps = pytensor.scan(
        lambda state, factor: pt.tanh(pt.dot(state, factor)),
        outputs_info=x,
        non_sequences=y,
        n_steps=3,
        return_updates=False,
    )
    gradient = pytensor.grad(pt.dot(x, y).sum() + steps[-1].sum(), y)
    function = compile_on(MODES["numba"], [x, y], [made, steps[-1], gradient])
    assert Dot not in kinds(function)
    assert MatrixProduct in kinds(function)
    a, b, direction = (draw((3, 3), "float64", seed) for seed in range(3))
    product, state, slope = function(a, b)
    expected = a
    for _ in range(3):
        expected = np.tanh(expected @ b)
    np.testing.assert_allclose(product, a @ b)
    np.testing.assert_allclose(state, expected)
    above, below = (
        sum(each.sum() for each in function(a, b + step * direction)[:2])
        for step in (1e-6, -1e-6)
    )
    np.testing.assert_allclose((above - below) / 2e-6, (slope * direction).sum())
