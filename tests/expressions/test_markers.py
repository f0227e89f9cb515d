"""Marks say something about a graph and change nothing in it."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.replace import clone_replace, graph_replace
from pytensor.graph.traversal import ancestors

from lasagne_next import expressions
from lasagne_next.expressions import carry_state, mark_draw, settle, state_updates
from lasagne_next.expressions.markers import _Mark
from lasagne_next.params import fold
from tests.backends import MODES, compile_on
from tests.expressions.values import MODE

ALL_MODES = {
    "FAST_COMPILE": Mode(linker="py", optimizer="fast_compile"),
    "FAST_RUN": Mode(linker="py", optimizer="fast_run"),
    "VM": Mode(linker="vm", optimizer="fast_compile"),
    "numba": MODES["numba"],
    "no rewrites": Mode(linker="py", optimizer=None),
    "numba, no rewrites": Mode(linker="numba", optimizer=None),
}
if "jax" in MODES:
    ALL_MODES["jax"] = MODES["jax"]
    ALL_MODES["jax, no rewrites"] = Mode(linker="jax", optimizer=None)


def marked():
    """Return an input, a state, and an expression with a mark of each kind."""
    x, count = pt.vector("x", dtype="float64"), pytensor.shared(2.0, name="count")
    value = carry_state(count * x, count, count + 1)
    return x, count, mark_draw(pt.exp(value), value, pt.ones_like(value))


def marks_in(variables):
    nodes = {each.owner for each in ancestors(variables)} - {None}
    return [node for node in nodes if isinstance(node.op, _Mark)]


@pytest.mark.parametrize("mode", ALL_MODES)
def test_no_compiled_function_has_marks(mode):
    """Catches a mode without the rewrite, on backends that cannot compute a mark."""
    x, _, y = marked()
    function = compile_on(ALL_MODES[mode], [x], [y, pytensor.grad(y.sum(), x)])
    assert marks_in(function.maker.fgraph.outputs) == []
    value, gradient = function(np.array([0.0, 1.0]))
    np.testing.assert_allclose(value, np.exp([0, 2]))
    np.testing.assert_allclose(gradient, 2 * np.exp([0, 2]))


def test_marks_compute_where_nothing_takes_them_out():
    """Catches an operation that only a rewrite can run."""
    x, _, y = marked()
    mode = ALL_MODES["no rewrites"].excluding("lasagne_next_remove_marks")
    function = pytensor.function([x], y, mode=mode)
    assert len(marks_in(function.maker.fgraph.outputs)) == 2
    np.testing.assert_allclose(function(np.ones(3)), np.exp([2, 2, 2]))


@pytest.mark.parametrize("backend", ["python", "numba", "jax"])
def test_marks_inside_of_inner_graphs_are_no_obstacle(backend):
    """Catches a scan or an operation from a graph that a backend cannot compile."""
    if backend not in MODES:
        pytest.skip("JAX is not installed")
    x = pt.vector("x", shape=(3,), dtype="float64")
    inner = mark_draw(pt.exp(x), x, x)
    made = OpFromGraph([x], [inner])(x)
    steps = pytensor.scan(
        lambda state: mark_draw(state * 2, state, state),
        outputs_info=x,
        n_steps=3,
        return_updates=False,
    )
    function = compile_on(MODES[backend], [x], [made, steps[-1]])
    value, last = function(np.ones(3))
    np.testing.assert_allclose(value, np.e)
    np.testing.assert_allclose(last, 8)


def test_gradients_of_gradients_pass():
    """Catches a mark that differentiates once only."""
    x, _, y = marked()
    first = pytensor.grad(y.sum(), x)
    second = pytensor.grad(first.sum(), x)
    np.testing.assert_allclose(
        second.eval({x: np.array([0.0, 1.0])}, mode=MODE), 4 * np.exp([0, 2])
    )
    tangent = pytensor.gradient.pushforward(y, x, pt.ones_like(x))
    np.testing.assert_allclose(
        tangent.eval({x: np.array([0.0, 1.0])}, mode=MODE), 2 * np.exp([0, 2])
    )


def test_no_gradient_reaches_the_notes():
    """Catches a new state that is trained through its note."""
    state, value = pytensor.shared(1.0), pytensor.shared(2.0)
    other = pytensor.shared(3.0)
    y = carry_state(value * 2, state, state * other)
    kinds = pytensor.grad(y, [value, other, state], disconnected_inputs="ignore")
    assert [float(each.eval(mode=MODE)) for each in kinds] == [2, 0, 0]


def test_shapes_pass():
    """Catches a mark that must be computed to know its shape."""
    x = pt.tensor("x", shape=(None, 3))
    y = mark_draw(pt.exp(x), x, x)
    assert y.type.shape == (None, 3)
    function = pytensor.function([x], y.shape[0], mode=MODE)
    assert not any("Exp" in str(n.op) for n in function.maker.fgraph.apply_nodes)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, "pickle", "clone", "replace"])
def test_copies_keep_the_marks(duplicate):
    """Catches notes that are lost with the identity of a variable."""
    _, count, y = marked()
    if duplicate == "pickle":
        again = pickle.loads(pickle.dumps(y))
    elif duplicate == "clone":
        again = clone_replace(y, {})
    elif duplicate == "replace":
        new = pytensor.shared(5.0, name="new")
        again = graph_replace([y], {count: new})[0]
        assert list(state_updates(again)) == [new]
    else:
        again = duplicate(y)
    assert len(marks_in([again])) == 2
    ((state, new),) = state_updates(again).items()
    assert state.name in ("count", "new")
    np.testing.assert_allclose(new.eval(mode=MODE), state.get_value() + 1)
    assert "exp" not in pytensor.printing.pprint(settle(again))


def test_updates_run_once_in_a_call():
    """Catches a state that moves with every use, or in functions without updates."""
    x, count, y = marked()
    outputs = [y, y * 2, carry_state(x, count, y.owner.inputs[1].owner.inputs[2])]
    changes = state_updates(outputs)
    assert list(changes) == [count]
    step = pytensor.function([x], outputs, updates=changes, mode=MODE)
    step(np.ones(3))
    step(np.ones(3))
    assert count.get_value() == 4
    pytensor.function([x], outputs, mode=MODE)(np.ones(3))
    assert count.get_value() == 4


def test_equal_updates_are_one():
    """Catches the update of a rebuilt graph that is taken for another one."""
    x, count, y = marked()
    z = pt.vector("z")
    again = graph_replace([y], {x: z})[0]
    assert list(state_updates([y, again])) == [count]


def test_different_updates_are_refused():
    """Catches an update that silently wins over another."""
    count = pytensor.shared(0.0, name="count")
    first, second = (carry_state(count, count, count + step) for step in (1.0, 2.0))
    message = "state_updates: count must have one update, got Add.0 besides Add.0"
    with pytest.raises(ValueError, match=message):
        state_updates([first, second])


def test_folded_state_has_no_update():
    """Catches a constant among the updates, which no function takes."""
    W = expressions.SpectralNorm()((5, 3))
    frozen = list(state_updates(W))
    assert len(frozen) == 2
    assert state_updates(fold(W, frozen)) == {}
    assert state_updates([]) == {}


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "state must be a shared variable, got x of type TensorVariable",
            lambda s, x: carry_state(x, x, x),
        ),
        (
            "new_state must be of float64 with 0 axes, as s is, got float64 with 1",
            lambda s, x: carry_state(x, s, x),
        ),
        (
            "new_state must be of float64 with 0 axes, as s is, got int64 with 0",
            lambda s, x: carry_state(x, s, s.astype("int64")),
        ),
    ],
)
def test_impossible_states_are_refused(message, call, floatX64):
    """Catches an update that fails only when a function is compiled."""
    with pytest.raises(TypeError, match=f"carry_state: {message}"):
        call(pytensor.shared(1.0, name="s"), pt.vector("x"))
