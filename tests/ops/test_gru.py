"""Gated recurrent units over a whole sequence."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import GRUSequence, GRUSequenceGradient, gru_sequence
from lasagne_next.testing import check_op
from tests.ops.sequences import SIZES, call, name_of, values, variables, with_gradients
from tests.reference import gru as reference

MODE = pytensor.compile.mode.Mode(linker="py", optimizer=None)
PLAIN = {"masked": False, "backwards": False}
ALL = {"masked": True, "backwards": True}


def operands(dtype="float64", **shapes):
    """Make fitting operands of static shape, but for those that are given."""
    fitting = {"projected": (5, 2, 9), "weight": (3, 9), "hid_init": (2, 3)}
    return [
        pt.tensor(name, dtype=dtype, shape=shape)
        for name, shape in (fitting | shapes).items()
    ]


def _reference(*arrays, grad_clipping, **named):
    return reference.gru(*arrays, **named)


@pytest.mark.parametrize("options", [PLAIN, ALL], ids=name_of)
def test_states_are_those_of_the_definition(options):
    """Catches exchanged gates, a reset before the product, a mask that hides a step."""
    inputs = variables(options, gates=3)
    run = pytensor.function(inputs, call(gru_sequence, inputs, options), mode=MODE)
    for size in SIZES[:4]:
        arrays = values(size, options, gates=3)
        expected = call(_reference, arrays, options)
        np.testing.assert_allclose(run(*arrays), expected, rtol=1e-10, atol=1e-12)


def test_it_keeps_the_contract_of_an_operation():
    """Catches wrong shapes, first and second derivatives."""

    def states(*inputs):
        return call(gru_sequence, inputs, ALL)

    check_op(states, values((3, 2, 4), ALL, gates=3))


def test_gradients_are_clipped_at_each_step_and_each_of_three_places():
    """Catches clipping of the sum over steps, and one way into the candidate left."""
    bound = 0.01
    inputs, outputs = with_gradients(gru_sequence, ALL, gates=3, grad_clipping=bound)
    run = pytensor.function(inputs, outputs, mode=MODE)
    arrays = values((1, 2, 3), ALL, gates=3)
    projected, weight, hid, mask = arrays
    mask[:] = 1
    hidden, d_x, d_weight, d_hid = run(*arrays)
    u, r, c = np.split(projected[0], 3, axis=1)
    u_hid, r_hid, c_hid = np.split(hid @ weight, 3, axis=1)
    u, r = reference.sigmoid(u + u_hid), reference.sigmoid(r + r_hid)
    c = np.tanh(c + r * c_hid)

    def clip(x):
        return np.clip(x, -bound, bound)

    d = 2 * hidden[0]
    d_c = clip(d * u * (1 - c * c))
    both = [clip(d * (c - hid) * u * (1 - u)), clip(d_c * c_hid * r * (1 - r))]
    assert abs(d * u * (1 - c * c)).max() > bound
    np.testing.assert_allclose(d_x[0], np.concatenate([*both, d_c], axis=1))
    d_z = np.concatenate([*both, clip(d_c * r)], axis=1)
    np.testing.assert_allclose(d_weight, hid.T @ d_z)
    np.testing.assert_allclose(d_hid, d * (1 - u) + d_z @ weight.T)


def test_initial_states_of_one_row_are_repeated():
    """Catches a state that is the start of the first row only."""
    projected, weight, _ = operands()
    row = np.array([[0.5, -1.0, 2.0]])
    hidden = gru_sequence(projected, weight, row)
    run = pytensor.function([projected, weight], hidden, mode=MODE)
    arrays = values((5, 2, 3), PLAIN, gates=3)[:2]
    expected = reference.gru(*arrays, np.repeat(row, 2, axis=0))
    np.testing.assert_allclose(run(*arrays), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_and_known_sizes_stay(dtype):
    """Catches double precision inside, and shapes that are forgotten."""
    inputs = operands(dtype, projected=(None, 2, 9))
    hidden = gru_sequence(*inputs)
    assert (hidden.dtype, hidden.type.shape) == (dtype, (None, 2, 3))
    gradients = pytensor.grad(hidden.sum(), inputs)
    assert [each.type.shape for each in gradients] == [x.type.shape for x in inputs]
    run = pytensor.function(inputs, [hidden, *gradients], mode=MODE)
    results = run(*values((5, 2, 3), PLAIN, dtype, gates=3))
    assert {each.dtype for each in results} == {np.dtype(dtype)}


def test_sizes_may_follow_from_any_operand():
    """Catches a size that is looked for in one place only."""
    shapes = {"projected": (None, None, None), "weight": (None, 9)}
    hidden = gru_sequence(*operands(**shapes, hid_init=(2, None)))
    assert hidden.type.shape == (None, 2, 3)
    mask = pt.matrix("mask", shape=(5, None))
    hidden = gru_sequence(*operands(projected=(None, None, 9)), mask)
    assert hidden.type.shape == (5, 2, 3)


def test_equal_operations_are_one():
    """Catches options that are compared by the words that they were given in."""
    assert GRUSequence(0, 1, 0) == GRUSequence(False, True, 0.0)
    assert GRUSequence(0, 1, 0) != GRUSequence(0, 1, 2)
    assert GRUSequence(0, 1, 0) != GRUSequenceGradient(0, 1, 0)


@pytest.mark.parametrize(
    ("error", "message", "shapes"),
    [
        (TypeError, "projected must have 3 axes, got proj", {"projected": (2, 9)}),
        (TypeError, "hid_init must have 2 axes, got hid_init", {"hid_init": (3,)}),
        (ValueError, r"number of units, got \[3, 5\]", {"hid_init": (2, 5)}),
        (ValueError, r"GRUSequence: .* rows, got \[2, 7\]", {"hid_init": (7, 3)}),
        (ValueError, "3 gates of one width .*, got 13", {"projected": (5, 2, 13)}),
    ],
)
def test_operands_that_do_not_fit_are_refused(error, message, shapes):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=message):
        gru_sequence(*operands(**shapes))


def test_a_mask_of_another_shape_is_refused():
    """Catches a mask that is repeated, or read beyond its end."""
    inputs = variables(ALL, gates=3)
    run = pytensor.function(inputs, call(gru_sequence, inputs, ALL), mode=MODE)
    *arrays, mask = values((5, 2, 3), ALL, gates=3)
    for wrong in (mask[:, :1], mask[:4], np.ones((6, 2), "int8")):
        with pytest.raises(ValueError, match=r"mask must have the shape \(5, 2\), got"):
            run(*arrays, wrong)


def test_other_types_are_refused():
    """Catches a kernel that reads whole numbers as if they were real."""
    with pytest.raises(TypeError, match="projected must be of type float32 or float64"):
        gru_sequence(*operands("int64"))
    projected = operands("float32")[0]
    with pytest.raises(TypeError, match="weight must be of type float32, got weight"):
        gru_sequence(projected, *operands("float64")[1:])


def test_misfits_are_refused_when_the_function_runs():
    """Catches operands that are read beyond their end."""
    inputs = variables(PLAIN, gates=3)
    run = pytensor.function(inputs, gru_sequence(*inputs), mode=MODE)
    arrays = values((5, 2, 3), PLAIN, gates=3)
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(arrays[0], arrays[1][:, :6], arrays[2])


def test_second_derivatives_with_bounds_stay_single(floatX64):
    """Catches a bound that is taken for a number of double precision."""
    inputs, outputs = with_gradients(
        gru_sequence, PLAIN, "float32", gates=3, grad_clipping=0.3
    )
    loss = sum((each**2).sum() for each in outputs)
    assert {each.dtype for each in pytensor.grad(loss, inputs)} == {"float32"}
