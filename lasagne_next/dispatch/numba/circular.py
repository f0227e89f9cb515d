"""Circular convolution on Numba: the Fourier transforms of SciPy, called by address.

Compiled code calls back into Python, once for a whole batch. SciPy's transforms are
written in C++, vectorised over the rows, and know every length; what is compiled here
is a call, in a fraction of a second.
"""

import ctypes

import numba
import numpy as np
from llvmlite import binding
from numba import types
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.dispatch.numba.matrix_product import _keep_alive
from lasagne_next.ops.circular import (
    CircularConvolution,
    CircularCorrelation,
    convolve_rows,
    correlate_rows,
)

__all__ = ["numba_funcify_circular_convolution", "numba_funcify_circular_correlation"]

CACHE_VERSION = 1  # raise when anything below changes
LARGE = 2**16  # elements from which on threads pay


class _Memory:
    """Numbers at an address, which NumPy reads as an array without a copy."""

    def __init__(self, address, size, *shape):
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "typestr": f"=f{size}",
            "version": 3,
        }


def _array(*description):
    return np.asarray(_Memory(*description))


def _workers(elements):
    return numba.config.NUMBA_NUM_THREADS if elements >= LARGE else None


def _convolve(size, rows, n, x, c, out):
    x, c = _array(x, size, rows, n), _array(c, size, n)
    _array(out, size, rows, n)[:] = convolve_rows(x, c, _workers(x.size))


def _correlate(size, rows, n, x, y, out):
    x, y = _array(x, size, rows, n), _array(y, size, rows, n)
    _array(out, size, n)[:] = correlate_rows(x, y, _workers(x.size))


def _external(function):
    """Make a function of six integers known by its name, for cached machine code."""

    def call(*arguments):
        try:
            function(*arguments)
        except BaseException:  # nothing may be raised through compiled code
            return 1
        return 0

    signature = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 6)
    kept = signature(call)
    name = f"lasagne_next_circular{function.__name__}"
    binding.add_symbol(name, ctypes.cast(kept, ctypes.c_void_p).value)
    return kept, types.ExternalFunction(name, types.int64(*[types.int64] * 6))


# The first of each pair must live as long as the second may be called.
_kept_convolve, _call_convolve = _external(_convolve)
_kept_correlate, _call_correlate = _external(_correlate)


@register_funcify_default_op_cache_key(CircularConvolution)
def numba_funcify_circular_convolution(op, node, **kwargs):
    """Return a function of rows and a vector."""
    dtype = node.outputs[0].type.numpy_dtype.type
    size = np.dtype(dtype).itemsize

    @numba_basic.numba_njit
    def circular_convolution(x, c):
        if x.shape[1] != c.shape[0]:
            raise ValueError("CircularConvolution: the lengths of x and c differ.")
        x, c = np.ascontiguousarray(x), np.ascontiguousarray(c)
        out = np.empty(x.shape, dtype)
        status = _call_convolve(
            size,
            x.shape[0],
            x.shape[1],
            x.ctypes.data,
            c.ctypes.data,
            out.ctypes.data,
        )
        _keep_alive(x, c)
        if status != 0:
            raise RuntimeError("CircularConvolution: the transform failed.")
        return out

    return circular_convolution, CACHE_VERSION


@register_funcify_default_op_cache_key(CircularCorrelation)
def numba_funcify_circular_correlation(op, node, **kwargs):
    """Return a function of two matrices."""
    dtype = node.outputs[0].type.numpy_dtype.type
    size = np.dtype(dtype).itemsize

    @numba_basic.numba_njit
    def circular_correlation(x, y):
        if x.shape != y.shape:
            raise ValueError("CircularCorrelation: the shapes of x and y differ.")
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        out = np.empty(x.shape[1], dtype)
        status = _call_correlate(
            size,
            x.shape[0],
            x.shape[1],
            x.ctypes.data,
            y.ctypes.data,
            out.ctypes.data,
        )
        _keep_alive(x, y)
        if status != 0:
            raise RuntimeError("CircularCorrelation: the transform failed.")
        return out

    return circular_correlation, CACHE_VERSION
