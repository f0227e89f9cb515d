"""The product of two matrices of one floating type."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import MatrixProduct, matrix_product
from tests.ops.layouts import SIZES, draw

MODE = "FAST_COMPILE"


def matrices(dtype="float64", x_shape=(None, None), y_shape=(None, None)):
    x = pt.tensor("x", shape=x_shape, dtype=dtype)
    return x, pt.tensor("y", shape=y_shape, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_multiplies(dtype):
    """Catches exchanged operands, and another type of the result."""
    x, y = matrices(dtype)
    multiply = pytensor.function([x, y], matrix_product(x, y), mode=MODE)
    for rows, inner, columns in SIZES:
        a, b = draw((rows, inner), dtype, 0), draw((inner, columns), dtype, 1)
        expected = np.zeros((rows, columns))
        for i, j, k in np.ndindex(rows, columns, inner):
            expected[i, j] += float(a[i, k]) * float(b[k, j])
        product = multiply(a, b)
        assert product.dtype == dtype
        rtol = 1e-4 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(product, expected, rtol=rtol, atol=rtol)


def test_gradients_agree_with_finite_differences():
    """Catches a missing transpose in a gradient of first or second order."""
    rng = np.random.default_rng(3)
    a, b = draw((2, 3), "float64", 0), draw((3, 5), "float64", 1)
    pytensor.gradient.verify_grad(matrix_product, [a, b], rng=rng, mode=MODE)

    def slope(x, y):
        weights = pt.constant(draw((2, 5), "float64", 2))
        cost = (pt.sqr(matrix_product(x, y)) * weights).sum()
        return sum(pt.sqr(each).sum() for each in pytensor.grad(cost, [x, y]))

    pytensor.gradient.verify_grad(slope, [a, b], rng=rng, mode=MODE)


def test_tangents_are_pushed_forward():
    """Catches a product that only differentiates backwards."""
    x, y = matrices()
    direction = pt.matrix("direction", dtype="float64")
    tangent = pytensor.gradient.pushforward(matrix_product(x, y), x, direction)
    compute = pytensor.function([y, direction], tangent, mode=MODE)
    value = compute(draw((3, 5), "float64", 1), draw((2, 3), "float64", 2))
    expected = draw((2, 3), "float64", 2) @ draw((3, 5), "float64", 1)
    np.testing.assert_allclose(value, expected)


@pytest.mark.parametrize(
    ("x_shape", "y_shape", "expected"),
    [
        ((None, 3), (3, 5), (None, 5)),
        ((2, None), (None, 5), (2, 5)),
        ((2, 3), (None, None), (2, None)),
        ((1, 3), (3, 1), (1, 1)),
    ],
)
def test_known_sizes_are_known_of_the_product(x_shape, y_shape, expected):
    """Catches an axis of size 1 that no longer broadcasts."""
    assert matrix_product(*matrices("float32", x_shape, y_shape)).type.shape == expected


def test_the_shape_needs_no_product():
    """Catches a product that is computed to see how large it is."""
    x, y = matrices()
    product = matrix_product(x, y)
    shape = pytensor.function([x, y], product.shape, mode=MODE)
    assert not any(
        isinstance(node.op, MatrixProduct) for node in shape.maker.fgraph.apply_nodes
    )
    np.testing.assert_array_equal(shape(np.ones((2, 3)), np.ones((3, 5))), [2, 5])


def test_equal_products_are_one():
    """Catches an operation that is not equal to itself."""
    assert MatrixProduct() == MatrixProduct()
    assert hash(MatrixProduct()) == hash(MatrixProduct())
    x, y = matrices()
    twice = pytensor.function(
        [x, y], [matrix_product(x, y), matrix_product(x, y) + 1], mode="FAST_RUN"
    )
    names = [type(node.op) for node in twice.maker.fgraph.apply_nodes]
    assert names.count(MatrixProduct) <= 1


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_it_copies(duplicate):
    """Catches an operation that cannot be saved with a function."""
    x, y = matrices()
    again = duplicate(matrix_product(x, y))
    assert again.owner.op == MatrixProduct()


def test_arrays_are_taken():
    """Catches operands that must be symbolic."""
    value = matrix_product(np.ones((2, 3)), np.ones((3, 5))).eval(mode=MODE)
    np.testing.assert_array_equal(value, np.full((2, 5), 3.0))


@pytest.mark.parametrize(
    ("error", "message", "x", "y"),
    [
        (
            TypeError,
            "MatrixProduct: x must have 2 axes, got x with 1. Use pytensor.tensor.dot",
            pt.vector("x"),
            pt.matrix("y"),
        ),
        (
            TypeError,
            "MatrixProduct: y must have 2 axes, got y with 3",
            pt.matrix("x"),
            pt.tensor3("y"),
        ),
        (
            TypeError,
            "x and y must both be float32 or both float64, got float32 and float64",
            pt.matrix("x", dtype="float32"),
            pt.matrix("y", dtype="float64"),
        ),
        (
            TypeError,
            "must both be float32 or both float64, got int64 and int64. Cast them",
            pt.matrix("x", dtype="int64"),
            pt.matrix("y", dtype="int64"),
        ),
        (
            ValueError,
            r"columns of x must be as many as the rows of y, got shapes \(2, 3\) and",
            np.ones((2, 3)),
            np.ones((2, 5)),
        ),
    ],
)
def test_impossible_operands_are_refused(error, message, x, y):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=message):
        matrix_product(x, y)


def test_misfits_are_refused_when_the_function_runs():
    """Catches operands that are read beyond their end."""
    x, y = matrices()
    multiply = pytensor.function([x, y], matrix_product(x, y), mode=MODE)
    with pytest.raises(ValueError, match="matmul"):
        multiply(np.ones((2, 3)), np.ones((2, 5)))
