"""Aggregation: the graphs that are built, types, refusals."""

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import equal_computations

from lasagne_next.objectives import aggregate


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_graph_is_the_formula(dtype):
    """Catches anything more than the documented product, sum and mean."""
    x, w = pt.matrix("x", dtype=dtype), pt.matrix("w", dtype=dtype)
    for result, formula in (
        (aggregate(x), x.mean()),
        (aggregate(x, mode="mean"), x.mean()),
        (aggregate(x, mode="sum"), x.sum()),
        (aggregate(x, weights=w), (x * w).mean()),
        (aggregate(x, weights=w, mode="sum"), (x * w).sum()),
        (aggregate(x, w, mode="normalized_sum"), (x * w).sum() / w.sum()),
    ):
        assert equal_computations([result], [formula])


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint8", "float64"])
def test_weights_take_the_type_of_the_loss(dtype, floatX64):
    """Catches a mask of integers that turns a float32 loss into float64."""
    loss, weights = pt.fvector("loss"), pt.vector("w", dtype=dtype)
    for mode in ("mean", "sum", "normalized_sum"):
        assert aggregate(loss, weights, mode).dtype == "float32"
    value = aggregate(loss, weights, "normalized_sum").eval(
        {loss: np.array([1, 2, 6], "float32"), weights: np.array([1, 1, 0], dtype)},
        mode="FAST_COMPILE",
    )
    assert value == 1.5


def test_misuse_is_refused():
    """Catches an unknown mode taken for another, and silent broadcasting."""
    x = pt.tensor("x", shape=(5, 3))
    with pytest.raises(ValueError, match="require weights"):
        aggregate(x, mode="normalized_sum")
    with pytest.raises(
        ValueError, match=r"mode must be .* got 'meen'\. Did you mean 'mean'\?"
    ):
        aggregate(x, mode="meen")
    with pytest.raises(ValueError, match=r"weights of shape \(7, 3\) and loss of"):
        aggregate(x, pt.tensor(shape=(7, 3)))
    with pytest.raises(TypeError, match=r"shape \(None, None\) and a loss of shape"):
        aggregate(pt.vector(), pt.matrix())
