"""Reductions on JAX keep the type that the graph says."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next.rewriting.reductions import local_reduce_in_output_type
from tests.backends import MODES, compile_on

pytest.importorskip("jax")


def reduced(function, x):
    """Return the reductions in what a compiled function computes."""
    return [
        node.op
        for node in function.maker.fgraph.apply_nodes
        if hasattr(node.op, "acc_dtype")
    ]


def test_single_precision_stays_single():
    """Catches sums in double precision, which make all that follows double."""
    x = pt.matrix("x", dtype="float32")
    outputs = [
        pt.exp(x.sum()),
        x.sum(axis=0) * 2,
        x.prod(axis=1),
        x.mean(),
        pt.sum(x, axis=1, keepdims=True),
    ]
    function = compile_on(MODES["jax"], [x], outputs)
    value = np.random.default_rng(0).uniform(0.5, 1, (3, 5)).astype("float32")
    expected = [
        np.exp(value.sum()),
        value.sum(axis=0) * 2,
        value.prod(axis=1),
        value.mean(),
        value.sum(axis=1, keepdims=True),
    ]
    for got, wanted in zip(function(value), expected, strict=True):
        assert got.dtype == "float32"
        np.testing.assert_allclose(got, wanted, rtol=1e-5)
    assert {op.acc_dtype for op in reduced(function, x)} == {"float32"}


def test_other_reductions_are_left_alone():
    """Catches integers that overflow, and an accumulator that the user chose."""
    small = pt.matrix("x", dtype="int8")
    single = pt.matrix("y", dtype="float32")
    wide = pt.sum(single, dtype="float64", acc_dtype="float64")
    for output in (small.sum(), wide, single.max(), pt.matrix(dtype="float64").sum()):
        assert not local_reduce_in_output_type.transform(None, output.owner)
    function = compile_on(MODES["jax"], [small, single], [small.sum(), wide])
    total, other = function(np.full((3, 50), 100, "int8"), np.ones((2, 3), "float32"))
    assert total == 15000
    assert other == 6
    assert other.dtype == "float64"


def test_it_can_be_switched_off():
    """Catches a name that the documentation has wrong."""
    x = pt.matrix("x", dtype="float32")
    mode = MODES["jax"].excluding("lasagne_next_reduce_in_output_type")
    function = compile_on(mode, [x], x.sum())
    assert {op.acc_dtype for op in reduced(function, x)} == {"float64"}


def test_other_backends_keep_their_accumulator():
    """Catches sums that lose digits where double precision does no harm."""
    x = pt.matrix("x", dtype="float32")
    function = compile_on(MODES["python"], [x], x.sum())
    assert {op.acc_dtype for op in reduced(function, x)} == {"float64"}
