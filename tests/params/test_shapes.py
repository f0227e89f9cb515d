"""Shapes known before anything runs."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode

from lasagne_next import random
from lasagne_next.params import declare_unit_axes, static_shape

FAST = "FAST_COMPILE"


def shared(*shape, **kwargs):
    """Make a shared variable whose type knows no sizes."""
    return pytensor.shared(np.ones(shape), **kwargs)


def test_a_leaf_has_the_shape_of_its_value_now():
    """Catches a shape remembered from the start."""
    w = shared(2, 3)
    assert w.type.shape == (None, None)
    assert static_shape(w) == (2, 3)
    w.set_value(np.ones((5, 1)))
    assert static_shape(w) == (5, 1)
    assert static_shape(w * 2) == (5, 1)


def test_inputs_are_unknown_but_for_what_their_type_says():
    """Catches a failure on an expression that is a plain input."""
    assert static_shape(pt.matrix()) == (None, None)
    assert static_shape(pt.tensor(shape=(None, 3))) == (None, 3)
    assert static_shape(pt.tensor(shape=(None, 3)) + 1) == (None, 3)
    assert static_shape(pt.constant([[1.0, 2.0]])) == (1, 2)


EXPRESSIONS = {
    "dot": (lambda a, b: pt.dot(a, b), (2, 5)),
    "matmul": (lambda a, b: a @ b, (2, 5)),
    "gram": (lambda a, b: pt.dot(a, a.T), (2, 2)),
    "broadcast by keepdims": (lambda a, b: a / a.sum(axis=0, keepdims=True), (2, 3)),
    "join": (lambda a, b: pt.concatenate([a, b.T]), (7, 3)),
    "stack": (lambda a, b: pt.stack([a, a], axis=1), (2, 2, 3)),
    "flatten": (lambda a, b: a.flatten(), (6,)),
    "reshape with -1": (lambda a, b: b.reshape((5, -1)), (5, 3)),
    "reshape by a shape": (lambda a, b: a.reshape((a.shape[1], a.shape[0])), (3, 2)),
    "slice": (lambda a, b: b[1:, ::2], (2, 3)),
    "row": (lambda a, b: b[0], (5,)),
    "gather": (lambda a, b: b[[0, 0, 2, 1]], (4, 5)),
    "gather by a range": (lambda a, b: b[pt.arange(a.shape[0])], (2, 5)),
    "fill by a shape": (lambda a, b: pt.zeros((a.shape[0], b.shape[1] * 2)), (2, 10)),
    "identity": (lambda a, b: pt.eye(a.shape[1]) * 2, (3, 3)),
    "cumulative": (lambda a, b: pt.cumsum(a, axis=0), (2, 3)),
    "softmax": (lambda a, b: pt.special.softmax(a, axis=1), (2, 3)),
    "triangle": (lambda a, b: pt.tril(a), (2, 3)),
    "repeat": (lambda a, b: pt.repeat(a, 2, axis=1), (2, 6)),
    "tile": (lambda a, b: pt.tile(a, (3, 1)), (6, 3)),
    "cholesky": (lambda a, b: pt.linalg.cholesky(pt.dot(a, a.T) + pt.eye(2)), (2, 2)),
    "solve": (lambda a, b: pt.linalg.solve(pt.dot(b, b.T) + pt.eye(3), b), (3, 5)),
    "noise by a shape": (lambda a, b: random.RandomStream(1).normal(a.shape), (2, 3)),
    "last state of a loop": (
        lambda a, b: pytensor.scan(
            lambda row, total: row + total,
            sequences=a,
            outputs_info=pt.zeros(3),
            return_updates=False,
        )[-1],
        (3,),
    ),
}


@pytest.mark.parametrize(
    ("build", "expected"), EXPRESSIONS.values(), ids=EXPRESSIONS.keys()
)
def test_shapes_follow_from_the_leaves(build, expected):
    """Catches an operation at which the knowledge of sizes ends."""
    expression = build(shared(2, 3), shared(3, 5))
    assert static_shape(expression) == expected
    assert expression.eval(mode=FAST).shape == expected


def test_shapes_pass_through_an_operation_with_an_inner_graph():
    """Catches an outer operation that knows no more sizes than it was built with."""
    x, y = pt.matrices("x", "y")
    op = OpFromGraph([x, y], [pt.dot(x, y) * 2, x.T])
    product, transposed = op(shared(2, 3), shared(3, 5))
    assert static_shape(product) == (2, 5)
    assert static_shape(pt.exp(transposed)) == (3, 2)
    with pytest.raises(ValueError, match="do not fit in"):
        static_shape(op(shared(2, 3), shared(2, 5))[0])


def test_a_size_that_depends_on_values_is_unknown():
    """Catches a size computed from the present values, which training changes."""
    w = shared(3, 5)
    assert static_shape(w[pt.gt(w[:, 0], 0).nonzero()]) == (None, 5)
    count = pytensor.shared(np.array(3))
    assert static_shape(pt.zeros((count, 2))) == (None, 2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: pt.dot(shared(2, 3), shared(2, 3)),
        lambda: shared(2, 3) @ shared(2, 3),
        lambda: shared(7, 2, 3) @ shared(7, 2, 3),
        lambda: shared(7, 2, 3) @ shared(5, 3, 2),
        lambda: shared(2, 3) + shared(3, 2),
        lambda: pt.concatenate([shared(2, 3), shared(3, 2)], axis=1),
        lambda: pt.exp(pt.dot(shared(2, 3), shared(2, 3)) * 2),
    ],
)
def test_leaves_that_do_not_fit_are_refused_with_their_shapes(build):
    """Catches factors that fit outside only: it fails in the first training step."""
    with pytest.raises(ValueError, match=r"the shapes .*2, 3\) and .* do not fit in"):
        static_shape(build())


def test_an_axis_that_only_happens_to_have_size_one_is_not_stretched():
    """Catches a build that succeeds where every run fails."""
    column, V = shared(2, 1), shared(2, 3)
    with pytest.raises(ValueError, match=r"axis 1 of .* stretched to 3.*shape="):
        static_shape(column * V)
    declared = pytensor.shared(np.ones((2, 1)), shape=(2, 1))
    assert static_shape(declared * V) == (2, 3)
    assert static_shape(column * declared) == (2, 1)
    assert static_shape(pt.specify_broadcastable(column, 1) * V) == (2, 3)


def test_ten_thousand_operations_take_seconds_and_no_recursion():
    """Catches a recursion, and a cost that grows with the square."""
    expression = shared(2, 3)
    for _ in range(10_000):
        expression = -expression
    assert static_shape(expression) == (2, 3)


def test_nothing_is_changed_by_asking():
    """Catches placeholders left in the user's graph."""
    a, b = shared(2, 3, name="a"), shared(3, 5, name="b")
    expression = pt.dot(a, b)
    static_shape(expression)
    assert expression.owner.inputs == [a, b]
    assert expression.type.shape == a.type.shape == (None, None)


def test_axes_of_size_one_are_declared_and_others_left_alone():
    """Catches a node added where the type knows enough, or a rename."""
    w = shared(3, 1, name="w")
    declared = declare_unit_axes(w, (3, 1))
    assert declared.type.shape == (None, 1)
    assert declare_unit_axes(declared, (3, 1)) is declared
    for shape in [(3, None), (3, 5), (None, None)]:
        assert declare_unit_axes(w, shape) is w
    assert w.type.shape == (None, None)


SIZES = st.integers(1, 3)
BUILD = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * pt.exp(b),
    "dot": pt.dot,
    "matmul": lambda a, b: a @ b,
    "rows": lambda a, b: pt.concatenate([a, b]),
    "columns": lambda a, b: pt.concatenate([a, b], axis=1),
    "transpose": lambda a, b: a.T,
    "first row": lambda a, b: a[:1],
    "total": lambda a, b: a.sum(axis=0, keepdims=True),
    "gram": lambda a, b: pt.dot(a, a.T),
    "turned": lambda a, b: a.reshape((a.shape[1], a.shape[0])),
    "gathered": lambda a, b: a[pt.zeros(b.shape[0], dtype="int64")],
}


@given(
    st.lists(st.tuples(SIZES, SIZES, st.booleans()), min_size=2, max_size=4),
    st.lists(
        st.tuples(st.sampled_from(sorted(BUILD)), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=5,
    ),
)
@settings(deadline=None, max_examples=300, derandomize=True)
def test_any_expression_has_the_shape_worked_out_or_is_refused_and_fails(leaves, steps):
    """Catches a shape that is wrong, or a misfit that passes, in any combination."""
    pool = [
        shared(rows, columns, shape=(rows, columns) if declared else None)
        for rows, columns, declared in leaves
    ]
    for name, first, second in steps:
        a, b = pool[-1 - first % len(pool)], pool[second % len(pool)]
        try:
            pool.append(BUILD[name](a, b))
        except ValueError:
            assume(False)  # PyTensor has refused it already
    expression = pool[-1]
    try:
        actual = expression.eval(mode=Mode(linker="py", optimizer=None)).shape
    except ValueError:
        with pytest.raises(ValueError, match=r"do not fit|stretched"):
            static_shape(expression)
    else:
        known = expression.type.shape
        assert static_shape(expression) == actual
        assert all(k in (None, size) for k, size in zip(known, actual, strict=True))
