"""What the kernels of convolutions share: their arguments, and copies of windows."""

import functools

import numba

from lasagne_next.dispatch.numba.tiles import (
    copy_vector,
    get,
    make_clear,
    make_copy,
    number_access,
    put,
    tile_rows,
    vector_length,
)

__all__ = [
    "BATCH",
    "CHANNELS",
    "DILATION",
    "FILTERS",
    "FILTER_SIZES",
    "FLIP",
    "GROUPS",
    "LENGTH",
    "PAD",
    "STRIDE",
    "TRANSPOSED",
    "W_ADDRESS",
    "X_ADDRESS",
    "X_SIZES",
    "Y_ADDRESS",
    "Y_SIZES",
    "compiled",
    "make_copies",
    "rows_of_block",
    "three",
]

# Places in the table of arguments. Channels and filters are those of a group; what has
# three entries is given for three axes of positions.
X_ADDRESS, W_ADDRESS, Y_ADDRESS, BATCH, GROUPS, FLIP, TRANSPOSED = range(7)
CHANNELS, FILTERS = 7, 8
X_SIZES, Y_SIZES, FILTER_SIZES, STRIDE, PAD, DILATION = range(9, 27, 3)
LENGTH = 32


def compiled(function):
    """Compile a part of a kernel, without wrappers and checks of divisors."""
    return numba.njit(
        function,
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )


ROWS_0, ROWS_1, ROWS_2 = tile_rows()


@compiled
def rows_of_block(left):
    """Return how many of the rows that are left the next tile takes."""
    if left >= ROWS_0:
        return ROWS_0
    if left >= ROWS_1:
        return ROWS_1
    return ROWS_2 if left >= ROWS_2 else 1


@compiled
def three(table, place):
    """Return three entries of a table."""
    return get(table, place), get(table, place + 1), get(table, place + 2)


@functools.cache
def make_copies(dtype):
    """Make the functions that copy a region of an array, and windows out of it."""
    length, item = vector_length(dtype), dtype.itemsize
    copy, copy_row, clear = copy_vector(dtype), make_copy(dtype), make_clear(dtype)
    read, write = number_access(dtype)

    @compiled
    def split_row(target, source, first, begin, end, step, pitch):
        """Copy positions such that those one step apart lie side by side."""
        for phase in range(step):
            goal = target + phase * (pitch // step) * item
            skip = (phase + first - begin) % step
            at = (begin + skip - first) // step
            for place in range(begin + skip, end, step):
                write(goal, at, read(source, place))
                at += 1

    @compiled
    def copy_region(target, source, sizes, first, extents, step, pitch):
        """Copy a region of one channel, which may reach beyond it, with zeros there.

        `pitch` is the distance of rows, `step` that of positions which are to lie side
        by side.
        """
        begin = max(first[0], 0), max(first[1], 0), max(first[2], 0)
        end = (
            min(first[0] + extents[0], sizes[0]),
            min(first[1] + extents[1], sizes[1]),
            min(first[2] + extents[2], sizes[2]),
        )
        inside = end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]
        if inside != extents:
            clear((target, extents[0] * extents[1] * pitch))
        columns = max(inside[2], 0)
        rows = max(inside[1], 0)
        if step == 1 and columns == pitch and columns == sizes[2]:
            columns, rows = columns * rows, min(rows, 1)
        for plane in range(begin[0], end[0]):
            at = (plane - first[0]) * extents[1] + begin[1] - first[1]
            goal = target + at * pitch * item
            origin = source + (plane * sizes[1] + begin[1]) * sizes[2] * item
            for _ in range(rows):
                if step == 1:
                    there = goal + (begin[2] - first[2]) * item
                    copy_row((there, origin + begin[2] * item, columns))
                else:
                    split_row(goal, origin, first[2], begin[2], end[2], step, pitch)
                goal += pitch * item
                origin += sizes[2] * item

    @compiled
    def list_pieces(pieces, start, count, sizes, steps, rows, pitch):
        """List which vectors to copy for some positions in a row, and where to.

        Written are pairs of distances in bytes, from the region and from the result.
        """
        number, position = 0, start
        while position < start + count:
            column = position % sizes[2]
            row = position // sizes[2]
            at = row // sizes[1] * steps[0] * rows + row % sizes[1] * steps[1]
            run = min(sizes[2] - column, start + count - position)
            for done in range(0, run, length):
                put(pieces, 2 * number, (at * pitch + column + done) * item)
                put(pieces, 2 * number + 1, (position - start + done) * item)
                number += 1
            position += run
        return number

    @compiled
    def copy_pieces(target, source, pieces, number):
        for piece in range(number):
            copy(target + get(pieces, 2 * piece + 1), source + get(pieces, 2 * piece))

    return copy_region, list_pieces, copy_pieces
