"""Where elementary functions become ours, and where they do not."""

import re

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import Elemwise

from lasagne_next.ops.elementary import Vectorisable
from lasagne_next.rewriting.elementary import local_use_vectorisable_functions
from tests.backends import MODES, compile_on

FUNCTIONS = {
    name: getattr(pt, name)
    for name in "exp expm1 log log1p tanh sigmoid softplus erf erfc".split()
}
OFF = MODES["numba"].excluding("lasagne_next_elementary")


def scalar_kinds(nodes):
    """Return the types of all scalar operations, fused ones included."""
    found = []
    for node in nodes:
        op = getattr(node.op, "scalar_op", node.op)
        inner = getattr(op, "fgraph", None)
        found += scalar_kinds(inner.apply_nodes) if inner is not None else [type(op)]
    return found


def kinds(function):
    """Return the types of the scalar operations of a compiled function."""
    return scalar_kinds(function.maker.fgraph.apply_nodes)


def rewritten(output):
    """Return what the rewrite makes of an operation, without compiling anything."""
    graph = FunctionGraph(outputs=[output], clone=False)
    return local_use_vectorisable_functions.transform(graph, output.owner)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_tensors_are_exchanged(name, dtype):
    """Catches a function that is missing from the list, and a lost type."""
    x = pt.tensor("x", shape=(None, 3), dtype=dtype)
    output = FUNCTIONS[name](x)
    (replacement,) = rewritten(output)
    assert replacement.owner.op == Elemwise(Vectorisable(output.owner.op.scalar_op))
    assert replacement.type == output.type


@pytest.mark.parametrize(
    "output",
    [
        pt.exp(pt.scalar("x", dtype="float32")),
        pt.exp(pt.vector("x", dtype="complex64")),
        pt.tanh(pt.vector("x", dtype="int8")),
        pt.sqrt(pt.vector("x", dtype="float32")),
        pt.vector("x", dtype="float32") + 1,
    ],
    ids=["single number", "complex", "integer", "square root", "sum"],
)
def test_other_operations_are_left_alone(output):
    """Catches a rewrite of what our functions cannot do, or need not."""
    assert not rewritten(output)


def test_numba_computes_what_python_does():
    """Catches functions mixed up, in loops of their own, fused, and of two types."""
    rng = np.random.default_rng(5)
    values = [rng.uniform(0.1, 3, (3, 5)).astype(kind) for kind in ("f4", "f8")]
    inputs = [pt.tensor(shape=(None, 5), dtype=value.dtype) for value in values]
    outputs = [function(x) for x in inputs for function in FUNCTIONS.values()]
    outputs += [pt.erf(x) * pt.tanh(x - 1) + pt.sigmoid(x) * pt.exp(-x) for x in inputs]
    function = compile_on(MODES["numba"], inputs, outputs)
    plain = compile_on(MODES["python"], inputs, outputs)
    assert Vectorisable in kinds(function)
    assert Vectorisable not in kinds(plain)
    for got, wanted in zip(function(*values), plain(*values), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=16 * np.finfo(got.dtype).eps)


def test_fused_loops_are_vectorised():
    """Catches functions that are called in the loop, one number at a time."""
    x, y = pt.vector("x", dtype="float32"), pt.vector("y", dtype="float32")
    # A number that no cache has seen; what comes from a cache cannot be read.
    fresh = np.random.default_rng().uniform(size=1).astype("float32")
    output = pt.sigmoid(x) * pt.tanh(y) + pt.erfc(y) * pt.softplus(fresh - y)
    function = compile_on(MODES["numba"], [x, y], output)
    (node,) = function.maker.fgraph.apply_nodes
    assert isinstance(node.op.scalar_op, Composite)
    function(np.ones(7, "float32"), np.ones(7, "float32"))
    (code,) = function.vm.jit_fn.inspect_llvm().values()
    assert re.search(r"<\d+ x float> @llvm.fabs", code)


def test_it_can_be_switched_off():
    """Catches a name that the documentation has wrong."""
    x = pt.vector("x", dtype="float64")
    function = compile_on(OFF, [x], pt.tanh(x) * pt.exp(-x))
    assert Vectorisable not in kinds(function)
    np.testing.assert_allclose(function([1.0, 2.0]), np.tanh([1, 2]) * np.exp([-1, -2]))


def test_gradients_and_loops_are_reached():
    """Catches functions that stay slow in a gradient, or in the steps of a scan."""
    x = pt.vector("x", dtype="float64")
    steps = pytensor.scan(pt.tanh, outputs_info=x, n_steps=3, return_updates=False)
    gradient = pytensor.grad(pt.erf(x).sum(), x)
    function = compile_on(MODES["numba"], [x], [steps[-1], gradient])
    assert Vectorisable in kinds(function)
    (scan,) = (
        node.op.fgraph
        for node in function.maker.fgraph.apply_nodes
        if type(node.op).__name__ == "Scan"
    )
    inner = {each.owner for each in ancestors(scan.outputs)} - {None}
    assert Vectorisable in scalar_kinds(inner)
    state, slope = function([0.5, 1.5])
    np.testing.assert_allclose(state, np.tanh(np.tanh(np.tanh([0.5, 1.5]))))
    np.testing.assert_allclose(slope, 2 / np.sqrt(np.pi) * np.exp([-0.25, -2.25]))
    second = pytensor.grad(Elemwise(Vectorisable(pt.tanh.scalar_op))(x).sum(), x)
    np.testing.assert_allclose(
        second.eval({x: [0.5]}, mode=MODES["python"]), 1 - np.tanh([0.5]) ** 2
    )
