"""Loops and sizes on JAX."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

pytest.importorskip("jax")

from tests.backends import FAST_COMPILE, MODES, compile_on


def both(inputs, outputs, *values):
    """Return what JAX computes after what Python does."""
    for mode in (FAST_COMPILE, MODES["jax"]):
        results = compile_on(mode, inputs, outputs)(*values)
        yield [np.asarray(each) for each in results]


@pytest.mark.parametrize("truncate", [-1, 2])
def test_loops_over_an_unknown_number_of_steps_compile(truncate, floatX64):
    """Catches sizes that become traced values, and rows that are not filled up."""
    x, W = pt.tensor3("x"), pytensor.shared(np.full((3, 3), 0.2), shape=(3, 3))
    states = pytensor.scan(
        lambda element, state, W: pt.tanh(element + state @ W),
        sequences=[x],
        outputs_info=[pt.zeros((x.shape[1], 3))],
        non_sequences=[W],
        go_backwards=True,
        truncate_gradient=truncate,
        strict=True,
        return_updates=False,
    )
    gradients = pytensor.grad(pt.sqr(states).sum(), [x, W])
    value = np.random.default_rng(0).normal(size=(5, 2, 3))
    one, other = both([x], [states, *gradients], value)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_sizes_are_computed_while_tracing(floatX64):
    """Catches arithmetic that JAX traces, so that it can be no shape."""
    x = pt.matrix("x")
    n, m = x.shape
    sizes = [pt.minimum(n, 3) + pt.maximum(m, 2) // 2, pt.switch(pt.gt(n, m), n, m)]
    one, other = both([x], [pt.alloc(1.5, *sizes), x[: n - 1]], np.ones((2, 5)))
    assert one[0].shape == other[0].shape == (4, 5)
    np.testing.assert_array_equal(one[1], other[1])


def test_numbers_that_are_no_sizes_are_traced_as_ever(floatX64):
    """Catches the value of the first call baked into the function."""
    i, x = pt.lscalar("i"), pt.vector("x")
    function = compile_on(MODES["jax"], [i, x], [(i + 1) * 2 - x.shape[0]])
    assert [int(function(each, np.ones(3))[0]) for each in (1, 4)] == [1, 7]


def test_slices_that_are_the_whole_are_added_and_set(floatX64):
    """Catches a slice taken for the whole, and the crash of XLA where it is."""
    x, y, n = pt.matrix("x"), pt.vector("y"), pt.vector("n")
    outputs = [
        pt.inc_subtensor(x[: n.shape[0]], y)[::-1],
        pt.set_subtensor(x[: n.shape[0]], y),
        pt.inc_subtensor(x[:, :2], y[:2]),
    ]
    for size in (4, 3):
        values = [np.arange(20.0).reshape(4, 5), np.arange(5.0), np.ones(size)]
        one, other = both([x, y, n], outputs, *values)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
