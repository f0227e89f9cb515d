"""The matrix product on Numba: one raw kernel a type, thin wrappers around it.

The kernel takes addresses and strides, so that it is compiled once and for all layouts.
What is compiled for each layout only reads shapes and strides.
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

CACHE_VERSION = 1  # raise when anything below changes

_NOT_TRANSPOSED, _TRANSPOSED = ord("N"), ord("T")

# Numba's own door to the BLAS of SciPy; known by name, so that machine code that calls
# it can be cached.
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


def _make_kernel(dtype):
    kind = ord("s") if dtype == np.float32 else ord("d")
    one, zero, size = dtype(1), dtype(0), np.dtype(dtype).itemsize

    @numba_basic.numba_njit
    def kernel(rows, inner, columns, x, x_row, x_column, y, y_row, y_column, out):
        # The output is row-major, which BLAS reads as its transpose: it is given the
        # factors in exchanged order, and a row-major factor counts as transposed once
        # more, which is not at all.
        if y_column == size:
            transpose_y, leading_y = _NOT_TRANSPOSED, y_row // size
        else:
            transpose_y, leading_y = _TRANSPOSED, y_column // size
        if x_column == size:
            transpose_x, leading_x = _NOT_TRANSPOSED, x_row // size
        else:
            transpose_x, leading_x = _TRANSPOSED, x_column // size
        _gemm(
            np.int8(kind),
            np.int8(transpose_y),
            np.int8(transpose_x),
            columns,
            rows,
            inner,
            _address_of(one),
            _as_pointer(y),
            leading_y,
            _as_pointer(x),
            leading_x,
            _address_of(zero),
            _as_pointer(out),
            columns,
        )

    return kernel


@numba_basic.numba_njit
def _is_for_blas(height, width, row_stride, column_stride, size):
    """Tell whether one stride is that of an element and the other of whole lines."""
    row_major = column_stride == size and row_stride >= max(width, 1) * size
    column_major = row_stride == size and column_stride >= max(height, 1) * size
    return row_major or column_major


@register_funcify_default_op_cache_key(MatrixProduct)
def numba_funcify_matrix_product(op, node, **kwargs):
    """Return a function of two matrices and, optionally, the output to write to."""
    ensure_blas()
    dtype = node.outputs[0].type.numpy_dtype.type
    size = np.dtype(dtype).itemsize
    kernel = _make_kernel(dtype)

    @numba_basic.numba_njit
    def multiply(x, y, out):
        rows, inner = x.shape
        columns = y.shape[1]
        if inner != y.shape[0]:
            raise ValueError("MatrixProduct: the shapes of x and y do not fit.")
        if rows == 0 or columns == 0:
            return out
        if inner == 0:
            out[:] = 0
            return out
        if not _is_for_blas(rows, inner, x.strides[0], x.strides[1], size):
            x = x.copy()
        if not _is_for_blas(inner, columns, y.strides[0], y.strides[1], size):
            y = y.copy()
        kernel(
            rows,
            inner,
            columns,
            x.ctypes.data,
            x.strides[0],
            x.strides[1],
            y.ctypes.data,
            y.strides[0],
            y.strides[1],
            out.ctypes.data,
        )
        return out

    @numba_basic.numba_njit
    def matrix_product(x, y):
        return multiply(x, y, np.empty((x.shape[0], y.shape[1]), dtype))

    return matrix_product, CACHE_VERSION
