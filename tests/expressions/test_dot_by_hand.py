"""A step with an expression computes what the step of an expert computes."""

from collections import Counter

import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, updates
from lasagne_next.params import set_tags
from tests.benchmarks.expression_kinds import KINDS, Problem

EQUAL = ["low rank", "adapter", "diagonal plus", "PSD factor", "Kronecker",
         "block-diagonal", "monarch", "reordered", "circulant"]  # fmt: skip


def operations(kind, p, form):
    """Return the operations of a compiled training step, with the shapes they make."""
    parts = [pytensor.shared(each, shape=each.shape) for each in kind.leaves(p)]
    set_tags(parts[: kind.num_frozen], trainable=False)
    x = pt.tensor("x", dtype="float32", shape=(p.batch, p.inputs))
    if form == "by hand":
        y = kind.by_hand(p, x, *parts)
    else:
        y = expressions.dot(x, kind.weight(p, *parts))
    loss = pt.sqr(y).mean()
    rule = updates.sgd(loss, parts[kind.num_frozen :], 1e-3)
    train = pytensor.function([x], loss, updates=rule, mode="NUMBA")
    return Counter(
        (str(node.op), *(out.type.shape for out in node.outputs))
        for node in train.maker.fgraph.apply_nodes
    )


@pytest.mark.parametrize("name", EQUAL)
def test_the_compiled_step_has_the_operations_of_the_one_by_hand(name, floatX32):
    """Catches a dearer order, a copy or a cast, whatever else the machine does."""
    kind, size = KINDS[name], (512, 512, 16, 128)
    mine = operations(kind, Problem(*size), "expression")
    assert mine == operations(kind, Problem(*size), "by hand")
