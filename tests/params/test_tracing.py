"""Finding the shared variables inside expressions."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import disconnected_grad, grad_clip

from lasagne_next import random, utils
from lasagne_next.layers import DenseLayer, InputLayer, get_output
from lasagne_next.params import collect_shared_vars, is_connected


def shared(name, *shape):
    return pytensor.shared(np.ones(shape), name=name)


@pytest.fixture
def xyz():
    return [shared(name) for name in "xyz"]


def test_the_order_is_left_to_right_whatever_the_nesting(xyz):
    """Catches PyTensor's own walk, which lists inputs from right to left."""
    x, y, z = xyz
    for expressions in (
        [x, y, z],
        (x + y) + z,
        x + (y + z),
        pt.stack([x, y, z]),
        [x * y, z],
        x * pt.exp(y) ** z,
        iter([x, y * z]),
    ):
        assert collect_shared_vars(expressions) == [x, y, z]
    assert collect_shared_vars((z + x) + y) == [z, x, y]


def test_each_is_listed_once_at_its_first_occurrence(xyz):
    """Catches duplicates, and the last occurrence kept instead."""
    x, y, _ = xyz
    assert collect_shared_vars([x, x, y * x, y]) == [x, y]
    assert collect_shared_vars(y * x + x * y) == [y, x]


def test_constants_inputs_and_generators_are_skipped():
    """Catches a generator's state among the parameters, saved and updated."""
    w = shared("w", 3)
    noise = random.RandomStream(1).normal((3,))
    assert collect_shared_vars(w + noise + pt.vector() + 2.0) == [w]
    assert collect_shared_vars(pt.vector()) == []
    assert collect_shared_vars(pt.constant(1.0)) == []
    assert collect_shared_vars([]) == []


def test_parameters_of_a_random_draw_are_found():
    """Catches a walk that stops at the random operation with its generator."""
    scale = shared("scale", 3)
    stream = random.RandomStream(1)
    assert collect_shared_vars(stream.normal((3,), 0.0, scale)) == [scale]


def test_leaves_inside_scan_are_found():
    """Catches what a loop captures without its being passed."""
    w, b, h = shared("w", 3, 3), shared("b", 3), shared("h", 3)
    states = pytensor.scan(
        lambda state, weights: pt.dot(state, weights) + b,
        outputs_info=h,
        non_sequences=w,
        n_steps=2,
        return_updates=False,
    )
    assert set(collect_shared_vars(states[-1])) == {w, b, h}
    assert all(is_connected(states[-1], leaf) for leaf in (w, b, h))


def test_leaves_given_to_an_operation_with_an_inner_graph_are_found():
    """Catches a connection pattern of the outer operation that says all or nothing."""
    x, y = pt.matrices("x", "y")
    op = OpFromGraph([x, y], [x * disconnected_grad(y)])
    a, b = shared("a", 2, 3), shared("b", 2, 3)
    assert collect_shared_vars(op(a, b)) == [a, b]
    assert is_connected(op(a, b), a)
    assert not is_connected(op(a, b), b)


def test_leaves_of_other_networks_are_found():
    """Catches a walk that does not leave the expression written by the user."""
    hyper = DenseLayer(InputLayer((1, 2), name="code"), 6, name="hyper")
    weights = get_output(hyper).reshape((2, 3))
    assert collect_shared_vars(weights) == [hyper.W, hyper.b]


def test_ten_thousand_nested_operations_are_no_recursion():
    """Catches a recursive walk; 5,000 shared nodes also catch an exponential one."""
    w = expression = shared("w", 2)
    for _ in range(5000):
        expression = expression + expression
    for _ in range(5000):
        expression = -expression
    assert collect_shared_vars(expression) == [w]
    assert is_connected(expression, w)


@pytest.mark.parametrize(
    ("expression", "connected"),
    [
        (lambda v, w: v * w, True),
        (lambda v, w: v * disconnected_grad(w), False),
        (lambda v, w: v * w.shape[0], False),
        (lambda v, w: v * pt.zeros_like(w), False),
        (lambda v, w: v[pt.argsort(w)], False),
        (lambda v, w: v * disconnected_grad(w) + w, True),
        (lambda v, w: v * grad_clip(w, -1, 1), True),
        # A gradient of zero is a gradient.
        (lambda v, w: v * (w > 0), True),
        (lambda v, w: v * pt.sign(w), True),
        (lambda v, w: pt.concatenate([v, w])[:3], True),
        # Binarised with a straight-through gradient.
        (lambda v, w: w + disconnected_grad(pt.sign(w) - w) + v, True),
    ],
)
def test_connected_means_that_pytensor_finds_a_gradient(expression, connected):
    """Catches a rule that disagrees with the gradient it predicts."""
    v, w = shared("v", 3), shared("w", 3)
    value = expression(v, w)
    assert collect_shared_vars(value) in ([v, w], [w, v])
    assert is_connected(value, v)
    assert is_connected(value, w) is connected
    if connected:
        pytensor.grad(value.sum(), w)
    else:
        with pytest.raises(pytensor.gradient.DisconnectedInputError):
            pytensor.grad(value.sum(), w)


def reference_leaves(expression):
    """List leaves by the definition: depth first, left to right."""
    if isinstance(expression, SharedVariable):
        return [expression]
    if expression.owner is None:
        return []
    return [leaf for each in expression.owner.inputs for leaf in reference_leaves(each)]


OPERATIONS = [
    lambda a, b: a + b,
    lambda a, b: pt.dot(b, a),
    lambda a, b: pt.exp(a),
    lambda a, b: pt.concatenate([a, b])[:2],
    lambda a, b: pt.switch(a > 0, b, a),
    lambda a, b: a.T,
    lambda a, b: pt.stack([b, a, b]).sum(axis=0),
]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(OPERATIONS) - 1), st.integers(0, 9), st.integers(0, 9)
        ),
        min_size=1,
        max_size=9,
    )
)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_any_expression_lists_its_leaves_as_the_definition_says(steps):
    """Catches an order that is right only for trees."""
    pool = [shared(f"w{i}", 2, 2) for i in range(4)] + [pt.matrix(), pt.eye(2)]
    for operation, first, second in steps:
        a, b = pool[first % len(pool)], pool[second % len(pool)]
        pool.append(OPERATIONS[operation](a, b))
    expected = utils.unique(reference_leaves(pool[-1]))
    assert collect_shared_vars(pool[-1]) == expected
