"""The long short-term memory over a whole sequence."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import LSTMSequence, lstm_sequence
from lasagne_next.ops.lstm import LSTMSequenceGradient
from lasagne_next.testing import check_op
from tests.ops.sequences import (
    OPTIONS,
    SIZES,
    call,
    name_of,
    values,
    variables,
    with_gradients,
)
from tests.reference import lstm as reference

MODE = pytensor.compile.mode.Mode(linker="py", optimizer=None)
ALL = {"peepholes": True, "masked": True, "backwards": True}
PLAIN = dict.fromkeys(ALL, False)


def operands(dtype="float64", **shapes):
    """Make fitting operands of static shape, but for those that are given."""
    fitting = {
        "projected": (5, 2, 12),
        "weight": (3, 12),
        "cell_init": (2, 3),
        "hid_init": (2, 3),
    }
    return [
        pt.tensor(name, dtype=dtype, shape=shape)
        for name, shape in (fitting | shapes).items()
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=name_of)
def test_states_are_those_of_the_definition(options):
    """Catches exchanged gates, a peephole to the old cell, a mask that hides a step."""
    inputs = variables(options)
    run = pytensor.function(inputs, call(lstm_sequence, inputs, options), mode=MODE)
    for size in SIZES[:4]:
        arrays = values(size, options)
        expected = call(_reference, arrays, options)
        for value, wanted in zip(run(*arrays), expected, strict=True):
            np.testing.assert_allclose(value, wanted, rtol=1e-10, atol=1e-12)


def _reference(*arrays, grad_clipping, **named):
    return reference.lstm(*arrays, **named)


@pytest.mark.slow  # gated units, whose test is the same, are not
def test_it_keeps_the_contract_of_an_operation():
    """Catches wrong shapes, first and second derivatives."""

    def states(*inputs):
        return pt.concatenate(call(lstm_sequence, inputs, ALL), axis=2)

    check_op(states, values((3, 2, 4), ALL))


def test_the_gradient_of_hidden_states_alone_is_right():
    """Catches a gradient that is added to the cells though nobody reads them."""
    inputs = variables(PLAIN)
    hidden, cell = call(lstm_sequence, inputs, PLAIN)
    loss = pt.sqr(hidden).sum()
    alone = pytensor.grad(loss, inputs)
    beside = pytensor.grad(loss + 0 * cell.sum(), inputs)
    run = pytensor.function(inputs, [*alone, *beside], mode=MODE)
    results = run(*values((4, 3, 2), PLAIN))
    for one, other in zip(results[:4], results[4:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_gradients_are_clipped_at_each_step_before_the_peepholes():
    """Catches clipping of the sum over steps, and of the way through peepholes."""
    inputs, outputs = with_gradients(lstm_sequence, ALL, grad_clipping=0.01)
    run = pytensor.function(inputs, outputs, mode=MODE)
    arrays = values((1, 2, 3), ALL)
    projected, weight, cell, _, peepholes, _ = arrays
    arrays[5][:] = 1
    _, _, d_z, d_weight, _, d_hid, d_peepholes = run(*arrays)
    free = pytensor.function(*with_gradients(lstm_sequence, ALL), mode=MODE)(*arrays)
    assert abs(free[2]).max() > 0.01
    np.testing.assert_allclose(d_z, np.clip(free[2], -0.01, 0.01))
    np.testing.assert_allclose(d_hid, d_z[0] @ weight.T)
    np.testing.assert_allclose(d_weight, arrays[3].T @ d_z[0])
    np.testing.assert_allclose(d_peepholes, free[6])
    assert projected.shape[2] == 4 * peepholes.shape[1] == 4 * cell.shape[1]


def test_initial_states_of_one_row_are_repeated():
    """Catches a state that is the start of the first row only."""
    projected, weight, _, _ = operands()
    row = np.array([[0.5, -1.0, 2.0]])
    run = pytensor.function(
        [projected, weight], lstm_sequence(projected, weight, row, row)[0], mode=MODE
    )
    arrays = values((5, 2, 3), PLAIN)
    both = np.repeat(row, 2, axis=0)
    expected, _ = reference.lstm(*arrays[:2], both, both)
    np.testing.assert_allclose(run(*arrays[:2]), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_and_known_sizes_stay(dtype):
    """Catches double precision inside, and shapes that are forgotten."""
    inputs = operands(dtype, projected=(None, 2, 12))
    hidden, cell = lstm_sequence(*inputs)
    assert hidden.type == cell.type
    assert (hidden.dtype, hidden.type.shape) == (dtype, (None, 2, 3))
    gradients = pytensor.grad(hidden.sum() + cell.sum(), inputs)
    assert [each.type.shape for each in gradients] == [x.type.shape for x in inputs]
    run = pytensor.function(inputs, [hidden, cell, *gradients], mode=MODE)
    assert {each.dtype for each in run(*values((5, 2, 3), PLAIN, dtype))} == {
        np.dtype(dtype)
    }


def test_sizes_may_follow_from_any_operand():
    """Catches a size that is looked for in one place only."""
    inputs = operands(
        projected=(None, None, None), weight=(None, 12), cell_init=(2, None)
    )
    assert lstm_sequence(*inputs)[0].type.shape == (None, 2, 3)


def test_equal_operations_are_one():
    """Catches options that are compared by the words that they were given in."""
    assert LSTMSequence(True, 0, 1, 0) == LSTMSequence(1, False, True, 0.0)
    assert LSTMSequence(True, 0, 1, 0) != LSTMSequence(True, 0, 1, 2)
    assert LSTMSequenceGradient(0, 0, 0, 0, 1) != LSTMSequenceGradient(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("error", "message", "shapes"),
    [
        (
            TypeError,
            "projected must have 3 axes, got projected w",
            {"projected": (2, 12)},
        ),
        (TypeError, "weight must have 2 axes, got weight with 1", {"weight": (12,)}),
        (
            ValueError,
            r"LSTMSequence: all operands must have the same number of units, got \[3",
            {"cell_init": (2, 5)},
        ),
        (ValueError, r"same number of rows, got \[2, 7\]", {"hid_init": (7, 3)}),
        (
            ValueError,
            "4 gates of one width must be side by side along the last axis, got 13",
            {"projected": (5, 2, 13)},
        ),
    ],
)
def test_operands_that_do_not_fit_are_refused(error, message, shapes):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=message):
        lstm_sequence(*operands(**shapes))


def test_other_types_are_refused():
    """Catches a kernel that reads whole numbers as if they were real."""
    with pytest.raises(TypeError, match="projected must be of type float32 or float64"):
        lstm_sequence(*operands("int64"))
    projected = operands("float32")[0]
    with pytest.raises(TypeError, match="weight must be of type float32, got weight"):
        lstm_sequence(projected, *operands("float64")[1:])


def test_misfits_are_refused_when_the_function_runs():
    """Catches operands that are read beyond their end."""
    inputs = variables(PLAIN)
    run = pytensor.function(inputs, lstm_sequence(*inputs), mode=MODE)
    arrays = values((5, 2, 3), PLAIN)
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(arrays[0], arrays[1][:, :8], *arrays[2:])


def test_second_derivatives_with_bounds_stay_single(floatX64):
    """Catches a bound that is taken for a number of double precision."""
    inputs, outputs = with_gradients(lstm_sequence, PLAIN, "float32", grad_clipping=0.3)
    loss = sum((each**2).sum() for each in outputs)
    assert {each.dtype for each in pytensor.grad(loss, inputs)} == {"float32"}
