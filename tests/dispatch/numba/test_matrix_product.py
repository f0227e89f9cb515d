"""The matrix product on Numba, whatever the layout of the operands in memory."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from lasagne_next.ops import MatrixProduct, matrix_product
from tests.backends import MODES, compile_on
from tests.ops.layouts import LAYOUTS, SIZES, draw, read_only, record, repeated

RTOL = {"float32": 1e-4, "float64": 1e-12}


@pytest.fixture(scope="module", params=["float32", "float64"])
def multiply(request):
    """Give a compiled product of each type."""
    x, y = (pt.matrix(name, dtype=request.param) for name in "xy")
    return compile_on(MODES["numba"], [x, y], matrix_product(x, y))


def check(multiply, a, b):
    dtype = multiply.maker.fgraph.outputs[0].dtype
    copies = a.copy(), b.copy()
    product = multiply(a, b)
    expected = a.astype("float64") @ b.astype("float64")
    assert product.dtype == dtype
    assert product.shape == expected.shape
    np.testing.assert_allclose(product, expected, rtol=RTOL[dtype], atol=RTOL[dtype])
    np.testing.assert_array_equal(a, copies[0])  # operands are only read
    np.testing.assert_array_equal(b, copies[1])
    assert not np.shares_memory(product, a)
    assert not np.shares_memory(product, b)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_layout_multiplies(multiply, size):
    """Catches a leading dimension that is wrong for one layout or an axis of size 1."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    rows, inner, columns = size
    a, b = draw((rows, inner), dtype, 0), draw((inner, columns), dtype, 1)
    for arrange_a in LAYOUTS.values():
        for arrange_b in LAYOUTS.values():
            check(multiply, arrange_a(a), arrange_b(b))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_strides_of_zero_multiply(multiply, size):
    """Catches memory of broadcast operands that is read beyond its end."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    rows, inner, columns = size
    for a in repeated((rows, inner), dtype, 0):
        for b in repeated((inner, columns), dtype, 1):
            check(multiply, a, b)
            check(multiply, read_only(np.ascontiguousarray(a)), b)


def test_strides_of_parts_of_numbers_multiply():
    """Catches a leading dimension that is rounded down."""
    x, y = (pt.matrix(name, dtype="float64") for name in "xy")
    multiply = compile_on(MODES["numba"], [x, y], matrix_product(x, y))
    multiply.trust_input = True  # PyTensor refuses such arrays otherwise
    a, b = draw((3, 5), "float64", 0), draw((5, 2), "float64", 1)
    check(multiply, record(a), record(b))


def test_an_operand_may_be_both(multiply):
    """Catches a product that overwrites what it reads."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    a = draw((5, 5), dtype, 0)
    check(multiply, a, a)
    check(multiply, a, a.T)
    check(multiply, a[:, 1:4], a[1:4])
    check(multiply, a[:, ::-1], a[::-1])


def test_what_is_no_number_spreads(multiply):
    """Catches old memory of the output, and products with zero that hide a NaN."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    for rows, columns in ((3, 2), (1, 2), (3, 1)):
        a, b = np.ones((rows, 4), dtype), np.ones((4, columns), dtype)
        a[0, 1], b[2, 0] = np.nan, np.inf
        product = multiply(a, b)
        assert np.isnan(product[0]).all()
        assert np.isinf(product[1:, 0]).all()
        assert (product[1:, 1:] == 4).all()
        zeros = multiply(np.zeros((rows, 4), dtype), np.ones((4, columns), dtype))
        assert (zeros == 0).all()


def test_large_copies_live_long_enough(multiply):
    """Catches memory of a copied operand that is given back before it is read."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    a, b = draw((900, 1000), dtype, 0), draw((500, 80), dtype, 1)
    for _ in range(5):
        product = multiply(a[::-1, ::2], b[:, ::-1])
        expected = a[::-1, ::2] @ b[:, ::-1]
        np.testing.assert_allclose(product, expected, rtol=1e-2, atol=1e-2)


def test_misfits_are_refused(multiply):
    """Catches operands that are read beyond their end."""
    dtype = multiply.maker.fgraph.outputs[0].dtype
    with pytest.raises(ValueError, match="the shapes of x and y do not fit"):
        multiply(np.ones((2, 3), dtype), np.ones((2, 5), dtype))


def test_constants_and_shared_variables_multiply():
    """Catches operands that cannot be written to, of another Numba type."""
    x = pt.matrix("x", dtype="float64")
    a, b = draw((5, 3), "float64", 0), draw((3, 2), "float64", 1)
    shared = pytensor.shared(np.asfortranarray(b))
    product = matrix_product(matrix_product(x, pt.constant(a)), shared)
    function = compile_on(MODES["numba"], [x], product)
    value = function(np.eye(5)[:2])
    np.testing.assert_allclose(value, a[:2] @ b)


def test_it_runs_without_rewrites():
    """Catches an operation that is known only after some rewrite has met it."""
    x, y = pt.matrices("xy")
    mode = Mode(linker="numba", optimizer=None)
    function = pytensor.function([x, y], matrix_product(x, y), mode=mode)
    kinds = [type(node.op) for node in function.maker.fgraph.apply_nodes]
    assert kinds == [MatrixProduct]
    dtype = x.dtype
    value = function(np.eye(2, dtype=dtype), np.eye(2, 3, dtype=dtype))
    np.testing.assert_allclose(value, np.eye(2, 3))
