"""Sums of squares from the parts of a matrix: equal to the plain ones, and cheaper."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors

from lasagne_next import expressions, layers, regularization
from lasagne_next.params import collect_shared_vars, static_shape
from tests.expressions.test_dot import CASES, M, N, shared

MODE = "FAST_COMPILE"
MORE = {
    "identity": lambda: pt.eye(N),
    "diagonal": lambda: pt.diag(shared(N)),
    "Kronecker product with a product": lambda: pt.linalg.kron(
        pt.dot(shared(10, 2), shared(2, 8)), shared(6, 6)
    ),
    "monarch, transposed": lambda: expressions.Monarch(4)((M, N)).T,
    "blocks, transposed": lambda: (
        pt.linalg.block_diag(shared(30, 20), shared(30, 28)).T
    ),
}


def has_large_product(expression):
    """Tell whether the whole matrix is computed."""
    return any(
        each.owner is not None and each.type.shape == (N, M)
        for each in ancestors([expression])
    )


@pytest.mark.parametrize("case", {**CASES, **MORE}.values(), ids=[*CASES, *MORE])
def test_sums_equal_those_of_the_written_matrix(case):
    """Catches a wrong trace, a wrong axis, and a gradient that is cut."""
    W = case()
    leaves = collect_shared_vars(W)
    results = []
    for axis in (None, 0, 1, (0, 1), (-1,)):
        got = expressions.sum_of_squares(W, axis)
        plain = pt.sum(pt.sqr(W), axis=axis)
        assert got.type.ndim == plain.type.ndim
        results += [(got, plain)]
        weights = np.random.default_rng(1).normal(
            size=static_shape(W)[0] if axis else 1
        )
        losses = (got * weights).sum(), (plain * weights).sum()
        if leaves and axis in (None, 1):
            results += zip(
                *(pytensor.grad(each, leaves) for each in losses), strict=True
            )
    got, plain = zip(*results, strict=True)
    values = pytensor.function([], [*got, *plain], mode=MODE)()
    for one, other in zip(values[: len(got)], values[len(got) :], strict=True):
        largest = max(1, abs(other).max())
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * largest)


def test_kept_axes_have_the_size_one():
    """Catches a sum that no longer broadcasts against the matrix."""
    W = pt.dot(shared(N, 4), shared(4, M))
    for axis, shape in ((0, (1, M)), (1, (N, 1)), (None, (1, 1))):
        kept = expressions.sum_of_squares(W, axis, keepdims=True)
        assert kept.eval(mode=MODE).shape == shape


def test_thin_factors_are_not_multiplied():
    """Catches penalties and norms that compute the matrix after all."""
    W = pt.dot(shared(N, 4), shared(4, M))
    assert not has_large_product(regularization.l2(W))
    assert not has_large_product(expressions.sum_of_squares(W, axis=0))
    normed = expressions.WeightNorm(init=expressions.LowRank(2))
    layer = layers.DenseLayer(layers.InputLayer((9, N)), M, W=normed, b=None)
    assert not has_large_product(layers.get_output(layer))
    mean = expressions.Gaussian(init=expressions.LowRank(2))((N, M))
    assert has_large_product(mean)  # the draw needs it, its divergence need not


def test_dense_matrices_and_filters_are_squared_as_they_are():
    """Catches a detour that costs more."""
    for tensor in (shared(N, M), shared(2, 3, 5), pt.dot(shared(N, 59), shared(59, M))):
        total = regularization.l2(tensor)
        assert any(
            each.owner is not None and tensor in each.owner.inputs
            for each in ancestors([total])
        )


def test_single_precision_stays_single(floatX64):
    """Catches counts and zeros of double precision."""
    u, v = shared(N, 4, dtype="float32"), shared(4, M, dtype="float32")
    for W in (pt.dot(u, v), pt.linalg.kron(u, v), pt.diag(u[:, 0])):
        for axis in (None, 0, 1):
            assert expressions.sum_of_squares(W, axis).dtype == "float32"
