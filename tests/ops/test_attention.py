"""Attention in one operation."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import Attention, AttentionGradient, attention
from lasagne_next.testing import check_op
from tests.ops.attentions import EMPTY, SIZES, values, variables, with_gradients
from tests.reference import attention as reference

MODE = pytensor.compile.mode.Mode(linker="py", optimizer=None)


@pytest.mark.parametrize("masked", [False, True])
def test_values_are_averaged_as_defined(masked):
    """Catches another scale, weights over queries, a mask that hides what it shows."""
    inputs = variables(masked)
    run = pytensor.function(inputs, attention(*inputs), mode=MODE)
    for size in SIZES[:2]:
        query, key, value, *mask = arrays = values(size, masked)
        found = run(*arrays)
        for example, head in np.ndindex(*size[:2]):
            allowed = mask[0][example, 0] if masked else None
            operands = (each[example, head] for each in (query, key, value))
            if masked and not allowed.any(axis=1).all():
                some = allowed.any(axis=1)
                assert not found[example, head][~some].any()
                allowed = allowed | ~some[:, None]
                expected = reference.attention(*operands, allowed) * some[:, None]
            else:
                expected = reference.attention(*operands, allowed)
            np.testing.assert_allclose(found[example, head], expected, rtol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_it_keeps_the_contract_of_an_operation(masked):
    """Catches wrong shapes, first and second derivatives."""
    arrays = values((2, 1, 3, 4, 2, 3), masked)
    mask = [pt.constant(each) for each in arrays[3:]]
    check_op(lambda *inputs: attention(*inputs, *mask), arrays[:3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_and_known_sizes_stay(dtype):
    """Catches double precision inside, and shapes that are forgotten."""
    shapes = [(None, 2, 5, 3), (2, 2, None, None), (None, None, 7, 4)]
    inputs = [pt.tensor(dtype=dtype, shape=shape) for shape in shapes]
    found = attention(*inputs)
    assert (found.dtype, found.type.shape) == (dtype, (2, 2, 5, 4))
    outputs = [found, *pytensor.grad(found.sum(), inputs)]
    run = pytensor.function(inputs, outputs, mode=MODE)
    results = run(*values((2, 2, 5, 7, 3, 4), False, dtype))
    assert {each.dtype for each in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("masked", [False, True])
def test_empty_axes_give_empty_or_zero_results(masked):
    """Catches the largest score of no keys."""
    inputs, outputs = with_gradients(masked)
    run = pytensor.function(inputs, outputs, mode=MODE, on_unused_input="ignore")
    for size in EMPTY:
        arrays = values(size, masked) if size[2] else values(size, False)
        if masked and not size[2]:
            arrays.append(np.ones((2, 1, 0, 4), bool))
        results = run(*arrays)
        shapes = [(*arrays[0].shape[:3], 6), *(each.shape for each in arrays[:3])]
        assert [each.shape for each in results] == shapes
        assert not any(each.any() for each in results)


def test_large_scores_do_not_overflow():
    """Catches exponentials of the scores themselves."""
    inputs, outputs = with_gradients(False)
    run = pytensor.function(inputs, outputs, mode=MODE)
    query, key, value = values(SIZES[0], False)
    results = run(1e3 * query, 1e3 * key, value)
    assert all(np.isfinite(each).all() for each in results)


def test_second_derivatives_repeat_what_the_first_do():
    """Catches sizes of 1 that show only when a function runs."""
    inputs, (_, *gradients) = with_gradients(True)
    second = pytensor.grad(sum((each**2).sum() for each in gradients), inputs[:3])
    run = pytensor.function(inputs, second, mode=MODE)
    arrays = values((2, 3, 5, 7, 3, 4), True)
    mask = np.arange(7)[None, None, None] < 5
    wide = np.broadcast_to(mask, (2, 3, 5, 7))
    for value, other in zip(
        run(*arrays[:3], mask), run(*arrays[:3], wide), strict=True
    ):
        np.testing.assert_allclose(value, other)


def test_a_mask_has_no_gradient():
    """Catches a gradient of zero where there is none."""
    mask = pt.tensor4("mask")
    found = attention(*variables(False), mask)
    with pytest.raises(pytensor.gradient.DisconnectedInputError):
        pytensor.grad(found.sum(), mask)


def test_equal_operations_are_one():
    """Catches options that are compared by the words that they were given in."""
    assert Attention(1) == Attention(True)
    assert Attention(1) != Attention(0)
    assert Attention(1) != AttentionGradient(1)


@pytest.mark.parametrize(
    ("error", "message", "shapes"),
    [
        (TypeError, "query must have 4 axes, got q", {"q": (2, 3)}),
        (TypeError, "key must have 4 axes, got k", {"k": (2, 5, 3)}),
        (ValueError, r"number of heads, got \[2, 3\]", {"v": (2, 3, 7, 4)}),
        (ValueError, r"features of a key, got \[3, 5\]", {"k": (2, 2, 7, 5)}),
        (ValueError, r"number of keys, got \[6, 7\]", {"v": (2, 2, 6, 4)}),
        (ValueError, r"number of queries, got \[4, 5\]", {"mask": (2, 1, 4, 7)}),
    ],
)
def test_operands_that_do_not_fit_are_refused(error, message, shapes):
    """Catches a misfit that shows only when a function runs."""
    fitting = {"q": (2, 2, 5, 3), "k": (2, 2, 7, 3), "v": (2, 2, 7, 4)}
    fitting["mask"] = (2, 1, 5, 7)
    operands = [
        pt.tensor(name, dtype="float32", shape=shape)
        for name, shape in (fitting | shapes).items()
    ]
    with pytest.raises(error, match=message):
        attention(*operands)


def test_sizes_of_arrays_that_do_not_fit_are_refused():
    """Catches one example, one head or one row of a mask that is repeated silently."""
    inputs, outputs = with_gradients(True)
    run = pytensor.function(inputs, outputs, mode=MODE)
    arrays = values((2, 3, 5, 7, 3, 4), True)
    for index, wrong in [(0, np.s_[:1]), (1, np.s_[:, :1]), (2, np.s_[:, :, :1])]:
        misfit = [x[wrong] if i == index else x for i, x in enumerate(arrays)]
        with pytest.raises(ValueError, match="Attention: the sizes of the operands"):
            run(*misfit)
    single = [each[:1] for each in arrays[:3]]
    with pytest.raises(ValueError, match="Attention: the sizes of the operands"):
        run(*single, arrays[3])
    inputs = [*inputs[:3], pt.tensor4("cotangent", dtype="float64")]
    run = pytensor.function(inputs, AttentionGradient(False)(*inputs), mode=MODE)
    with pytest.raises(ValueError, match="AttentionGradient: the sizes"):
        run(*arrays[:3], arrays[2])


def test_other_types_are_refused():
    """Catches a kernel that reads single precision as double."""
    query, key, value = variables(False, "float32")
    with pytest.raises(TypeError, match="key must be of type float32, got Cast"):
        attention(query, key.astype("float64"), value)
    with pytest.raises(TypeError, match="query must be of type float32 or float64"):
        attention(query.astype("int64"), key, value)
