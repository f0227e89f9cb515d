"""Work on planes, each independent of the others, shared out among a few threads."""

import numpy as np
from numba import carray
from pytensor.link.numba.dispatch import basic as numba_basic

from lasagne_next.dispatch.numba.matrix_product import _as_pointer
from lasagne_next.dispatch.numba.tasks import num_threads, run_tasks
from lasagne_next.dispatch.numba.tiles import get
from lasagne_next.dispatch.numba.windows import compiled

__all__ = ["over_planes"]

CACHE_VERSION = 1  # raise when anything below changes
FEW_NUMBERS = 100_000  # not worth a thread
ENTRIES = 4  # of the table for each array: its address and three sizes


def over_planes(rows, node):
    """Make a function that calls ``rows`` with some planes of each array at a time.

    Parameters
    ----------
    rows : function
        Of contiguous arrays (planes, depth, rows, columns), two or four.
    node : Apply
        Its operands and its result are the arrays. Where their types differ, all
        planes are one task.

    Returns
    -------
    function
        Of a tuple of the arrays, for Numba.
    """
    dtypes = [each.type.numpy_dtype for each in (*node.inputs, *node.outputs)]
    num_arrays, dtype = len(dtypes), dtypes[0].type
    size = dtypes[0].itemsize
    if len(set(dtypes)) > 1:

        @numba_basic.numba_njit
        def run_all(arrays):
            rows(arrays[0], arrays[1], arrays[2], arrays[3])

        return run_all

    @compiled
    def part(table, place, first, count):
        d, h, w = get(table, place + 1), get(table, place + 2), get(table, place + 3)
        start = get(table, place) + first * d * h * w * size
        return carray(_as_pointer(start), (count, d, h, w), dtype)

    @compiled
    def bounds(table, number):
        planes, tasks = get(table, 0), get(table, 1)
        first = number * planes // tasks
        return first, (number + 1) * planes // tasks - first

    if num_arrays == 2:

        @compiled
        def task(number, thread, table):
            first, count = bounds(table, number)
            rows(part(table, 2, first, count), part(table, 6, first, count))

    else:

        @compiled
        def task(number, thread, table):
            first, count = bounds(table, number)
            rows(
                part(table, 2, first, count),
                part(table, 6, first, count),
                part(table, 10, first, count),
                part(table, 14, first, count),
            )

    @numba_basic.numba_njit
    def run(arrays):
        planes = arrays[0].shape[0]
        tasks = max(1, min(planes, 4 * num_threads()))
        threads = num_threads() if arrays[0].size > FEW_NUMBERS else 1
        table = np.zeros(2 + ENTRIES * num_arrays, np.intp)
        table[0], table[1] = planes, tasks
        for index in range(num_arrays):
            array, place = arrays[index], 2 + ENTRIES * index
            table[place] = np.intp(array.ctypes.data)
            table[place + 1] = array.shape[1]
            table[place + 2] = array.shape[2]
            table[place + 3] = array.shape[3]
        run_tasks(task, tasks, threads, np.intp(table.ctypes.data))
        # Read at last, so that nothing is freed before.
        return table[0] + arrays[0].size + arrays[num_arrays - 1].size

    return run
