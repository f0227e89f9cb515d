"""What the kernels of whole sequences share: arguments, threads, the weights' gradient.

Rows of the batch do not depend on each other, so that tasks take some rows each,
through all steps.
"""

from __future__ import annotations

import numpy as np
from pytensor.configdefaults import config
from pytensor.link.numba.dispatch.basic import numba_njit

from lasagne_next.dispatch.numba import elementary
from lasagne_next.dispatch.numba.matrix_product import make_outer
from lasagne_next.dispatch.numba.packed_product import address
from lasagne_next.dispatch.numba.symbols import by_name
from lasagne_next.dispatch.numba.tasks import num_threads, run_tasks
from lasagne_next.dispatch.numba.tiles import get, put, vector_length
from lasagne_next.dispatch.numba.windows import compiled

__all__ = [
    "BACKWARDS",
    "CLIP",
    "D_GATES",
    "GATES",
    "HIDDEN",
    "HIDDEN_ROW",
    "HIDDEN_STEP",
    "HID_INIT",
    "MASK",
    "NEXT",
    "PACKED",
    "PROJECTED",
    "ROOM",
    "ROWS",
    "SHARE",
    "STEPS",
    "TO_HIDDEN",
    "TO_ROW",
    "TO_STEP",
    "UNITS",
    "address_or_0",
    "kernel_of_rows",
    "make_weight_gradient",
    "new_table",
    "unit_stride",
]

CACHE_VERSION = 3  # raise when anything below changes

# What the kernels are told: places in a table of integers. Addresses of what is left
# out are 0. Places from NEXT on belong to each kind of network.
STEPS, ROWS, UNITS, BACKWARDS, SHARE = range(5)
PACKED, HID_INIT, HIDDEN, MASK, GATES, ROOM = range(5, 11)
PROJECTED, TO_STEP, TO_ROW = range(11, 14)
TO_HIDDEN, HIDDEN_STEP, HIDDEN_ROW, D_GATES, CLIP = range(14, 19)
NEXT = 19
LENGTH = 28

BLOCK = 8  # rows that a task takes a multiple of
FEW_PRODUCTS = 1_000_000  # not worth a thread


@numba_njit
def unit_stride(x, size):
    """Return the array, or a copy whose last axis has no gaps."""
    if x.strides[2] != size:
        x = x.copy()
    return x


@numba_njit
def address_or_0(x):
    """Return where an array begins, 0 if it is empty."""
    return address(x) if x.size else 0


@numba_njit
def new_table(steps, rows, units, backwards):
    """Return a table of arguments, with these filled in."""
    table = np.zeros(LENGTH, np.intp)
    table[STEPS], table[ROWS], table[UNITS] = steps, rows, units
    table[BACKWARDS] = backwards
    return table


def kernel_of_rows(name, make, gates, dtype, version):
    """Return a function of the address of a table, which runs tasks on all rows.

    ``make(dtype)`` returns the task; `gates` is how many products by a square matrix a
    step needs.
    """
    dtype = np.dtype(dtype)
    versions = f"{version}-{CACHE_VERSION}-{elementary.CACHE_VERSION}"
    machine = f"{vector_length(dtype)}-{config.numba__fastmath}"
    return by_name(
        f"lasagne_next_{name}_{dtype}",
        1,
        lambda: _shared_out(make(dtype.type), gates),
        f"{versions}-{machine}",
    )


def _shared_out(task, gates):
    """Make the kernel whose tasks take whole blocks of rows, one for each thread."""

    @compiled
    def kernel(table):
        rows, units = get(table, ROWS), get(table, UNITS)
        worth = gates * get(table, STEPS) * rows * units * units // FEW_PRODUCTS
        threads = max(1, min(num_threads(), worth, rows // BLOCK))
        share = (rows + threads - 1) // threads
        share = (share + BLOCK - 1) // BLOCK * BLOCK
        put(table, SHARE, share)
        tasks = (rows + share - 1) // share
        run_tasks(task, tasks, tasks, table)

    return kernel


def make_weight_gradient(dtype):
    """Make a function that sums the products of states and gradients of gates."""
    add_outer = make_outer(dtype)

    @numba_njit
    def weight_gradient(hid_init, hidden, d, backwards):
        """Return SHAPE (units, gates * units), from arrays without gaps."""
        steps, _, width = d.shape
        units = hid_init.shape[1]
        total = np.zeros((units, width), dtype)
        first, later = (steps - 1, 0) if backwards else (0, 1)
        add_outer(hid_init, d[first], total)
        if steps > 1:
            before = hidden[1 - later : steps - later].reshape(-1, units)
            after = d[later : steps - 1 + later].reshape(-1, width)
            add_outer(before, after, total)
        return total

    return weight_gradient
