"""Which shapes are left for JAX to infer."""

import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Constant
from pytensor.tensor.basic import MakeVector

from lasagne_next.rewriting.reshape import local_infer_last_unknown_size as rewrite

X = pt.tensor3("x")
BATCH, TIME, FEATURES = (X.shape[axis] for axis in range(3))


def rewritten(sizes):
    """Return the sizes after the rewrite, None for symbolic ones."""
    shape = MakeVector("int64")(*(pt.as_tensor(each, dtype="int64") for each in sizes))
    found = rewrite.transform(None, pt.reshape(X, shape, ndim=len(sizes)).owner)
    if not found:
        return None
    sizes = found[0].owner.inputs[1].owner.inputs
    return [int(each.data) if isinstance(each, Constant) else None for each in sizes]


def test_the_one_computed_size_is_inferred():
    """Catches a size that is read from a shape and counted as computed."""
    assert rewritten([BATCH * 3, TIME, 4]) == [-1, None, 4]
    assert rewritten([BATCH, TIME * FEATURES]) == [None, -1]


@pytest.mark.parametrize(
    "sizes",
    [[BATCH, TIME, 4], [BATCH * 2, TIME * 2], [-1, TIME * 2], [BATCH * 2, 0]],
    ids=["none computed", "two computed", "one inferred already", "zero"],
)
def test_other_shapes_stay(sizes):
    """Catches a shape that becomes ambiguous."""
    assert rewritten(sizes) is None
