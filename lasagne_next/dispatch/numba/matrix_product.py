"""The matrix product on Numba: two raw kernels a type, and a thin wrapper around them.

The kernels take addresses and strides, so that they are compiled once and for all
memory layouts. What is compiled for each layout only reads shapes and strides.
"""

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.linalg import ensure_blas
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.ops.matrix_product import MatrixProduct

__all__ = ["numba_funcify_matrix_product"]

CACHE_VERSION = 2  # raise when anything below changes

_NOT_TRANSPOSED, _TRANSPOSED = ord("N"), ord("T")

# Numba's own doors to the BLAS of SciPy; known by name, so that machine code that calls
# them can be cached.
_gemm = types.ExternalFunction(
    "numba_xxgemm",
    types.intc(
        types.char,  # kind: s or d
        types.char,  # transpose the first factor?
        types.char,  # transpose the second factor?
        types.intp,  # rows
        types.intp,  # columns
        types.intp,  # inner size
        types.voidptr,  # factor of the product
        types.voidptr,
        types.intp,
        types.voidptr,
        types.intp,
        types.voidptr,  # factor of the old output
        types.voidptr,
        types.intp,
    ),
)
_gemv = types.ExternalFunction(
    "numba_xxgemv",
    types.intc(
        types.char,  # kind: s or d
        types.char,  # transpose the matrix?
        types.intp,  # rows
        types.intp,  # columns
        types.voidptr,  # factor of the product
        types.voidptr,
        types.intp,
        types.voidptr,
        types.voidptr,  # factor of the old output
        types.voidptr,
    ),
)


@intrinsic
def _address_of(typing_context, value):
    def code(context, builder, signature, arguments):
        place = cgutils.alloca_once_value(builder, arguments[0])
        return builder.bitcast(place, cgutils.voidptr_t)

    return types.voidptr(value), code


@intrinsic
def _as_pointer(typing_context, address):
    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@intrinsic
def _keep_alive(typing_context, x, y):
    """Do nothing with two arrays, which Numba may free after their last use."""

    def code(context, builder, signature, arguments):
        return context.get_dummy_value()

    return types.void(x, y), code


@numba_basic.numba_njit
def _check_status(status):
    if status != 0:
        raise RuntimeError("MatrixProduct: BLAS could not be called.")


def _make_kernels(dtype):
    """Make the products of a matrix with a matrix and with a vector.

    Each matrix comes as an address and a leading dimension in elements, negative if the
    matrix is column-major. BLAS reads row-major matrices as their transposes.
    """
    kind = ord("s") if dtype == np.float32 else ord("d")
    one, zero = dtype(1), dtype(0)

    @numba_basic.numba_njit
    def matrix_by_matrix(rows, inner, columns, x, leading_x, y, leading_y, out):
        # The row-major output is asked for as its transpose, from the factors in
        # exchanged order: a row-major factor is transposed twice then, so not at all.
        status = _gemm(
            np.int8(kind),
            np.int8(_NOT_TRANSPOSED if leading_y > 0 else _TRANSPOSED),
            np.int8(_NOT_TRANSPOSED if leading_x > 0 else _TRANSPOSED),
            columns,
            rows,
            inner,
            _address_of(one),
            _as_pointer(y),
            abs(leading_y),
            _as_pointer(x),
            abs(leading_x),
            _address_of(zero),
            _as_pointer(out),
            columns,
        )
        _check_status(status)

    @numba_basic.numba_njit
    def matrix_by_vector(rows, inner, x, leading_x, vector, out):
        status = _gemv(
            np.int8(kind),
            np.int8(_TRANSPOSED if leading_x > 0 else _NOT_TRANSPOSED),
            inner if leading_x > 0 else rows,
            rows if leading_x > 0 else inner,
            _address_of(one),
            _as_pointer(x),
            abs(leading_x),
            _as_pointer(vector),
            _address_of(zero),
            _as_pointer(out),
        )
        _check_status(status)

    return matrix_by_matrix, matrix_by_vector


@numba_basic.numba_njit
def _leading_dimension(height, width, row_stride, column_stride, size):
    """Return the distance of lines in elements, negative for columns, 0 if unfit.

    Strides along axes of size 1 do not matter and may be anything.
    """
    if column_stride == size or width == 1:
        if height == 1:
            return width
        if row_stride >= width * size and row_stride % size == 0:
            return row_stride // size
    if row_stride == size or height == 1:
        if width == 1:
            return -height
        if column_stride >= height * size and column_stride % size == 0:
            return -(column_stride // size)
    return 0


def make_outer(dtype):
    """Make a function that adds the product of a transposed matrix and another."""
    kind = ord("s") if dtype == np.float32 else ord("d")
    one = dtype(1)

    @numba_basic.numba_njit
    def add_outer(x, y, out):
        """Add ``x.T @ y`` to `out`; all three in rows without gaps."""
        status = _gemm(
            np.int8(kind),
            np.int8(_NOT_TRANSPOSED),
            np.int8(_TRANSPOSED),
            y.shape[1],
            x.shape[1],
            x.shape[0],
            _address_of(one),
            _as_pointer(y.ctypes.data),
            y.shape[1],
            _as_pointer(x.ctypes.data),
            x.shape[1],
            _address_of(one),
            _as_pointer(out.ctypes.data),
            y.shape[1],
        )
        _check_status(status)
        _keep_alive(x, y)

    return add_outer


@register_funcify_default_op_cache_key(MatrixProduct)
def numba_funcify_matrix_product(op, node, **kwargs):
    """Return a function of two matrices."""
    ensure_blas()
    dtype = node.outputs[0].type.numpy_dtype.type
    size = np.dtype(dtype).itemsize
    matrix_by_matrix, matrix_by_vector = _make_kernels(dtype)

    @numba_basic.numba_njit
    def matrix_product(x, y):
        rows, inner = x.shape
        columns = y.shape[1]
        if inner != y.shape[0]:
            raise ValueError("MatrixProduct: the shapes of x and y do not fit.")
        out = np.empty((rows, columns), dtype)
        if rows == 0 or columns == 0:
            return out
        if inner == 0 or rows == 1 or columns == 1:
            # Some builds of OpenBLAS read the old output even if its factor is 0.
            out[:] = 0
        if inner == 0:
            return out
        leading_x = _leading_dimension(rows, inner, x.strides[0], x.strides[1], size)
        if leading_x == 0:
            x, leading_x = x.copy(), inner
        leading_y = _leading_dimension(inner, columns, y.strides[0], y.strides[1], size)
        if leading_y == 0:
            y, leading_y = y.copy(), columns
        at_x, at_y, at_out = x.ctypes.data, y.ctypes.data, out.ctypes.data
        if columns == 1 and leading_y == 1:
            matrix_by_vector(rows, inner, at_x, leading_x, at_y, at_out)
        elif rows == 1 and leading_x > 0:
            matrix_by_vector(columns, inner, at_y, -leading_y, at_x, at_out)
        else:
            matrix_by_matrix(
                rows, inner, columns, at_x, leading_x, at_y, leading_y, at_out
            )
        _keep_alive(x, y)
        return out

    return matrix_product, CACHE_VERSION
