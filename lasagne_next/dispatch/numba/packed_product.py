"""Products with one matrix that is packed once and used many times, on Numba.

BLAS packs its right factor at each call, which costs about as much as the product when
the left factor has few rows. A recurrent network multiplies by the same matrix at each
step. Here it is packed once, into panels of two vector registers' width, and a kernel
keeps a block of the product in registers, written as vector instructions.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic
from pytensor.link.numba.dispatch.basic import numba_njit

from lasagne_next.dispatch.numba.matrix_product import _as_pointer
from lasagne_next.dispatch.numba.symbols import by_name
from lasagne_next.dispatch.numba.tiles import vector_length

__all__ = ["address", "make_pack", "make_row", "packed_product", "panel_width"]

CACHE_VERSION = 3  # raise when anything below changes

_VECTORS = 2  # registers in the width of a panel


def _make_block(rows, panels, lanes, kind, size):
    """Make a product of some rows with some panels, summed up in registers.

    Addresses and distances are in bytes; those of x lead to the next row, and to the
    next column. The inner size must not be 0.
    """
    vector = ir.VectorType(kind, lanes)
    width = lanes * size
    fma_name = f"llvm.fma.v{lanes}f{8 * size}"
    integer = ir.IntType(64)
    lane = ir.IntType(32)
    everywhere = ir.Constant(ir.VectorType(lane, lanes), [0] * lanes)

    @intrinsic
    def block(typing, inner, x, x_step, x_inner, panel, panel_step, out, out_step):
        def code(context, builder, signature, arguments):
            inner, x, x_step, x_inner, panel, panel_step, out, out_step = arguments
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), fma_name
            )

            def at(address, what):
                return builder.inttoptr(address, what.as_pointer())

            before = builder.block
            loop = builder.append_basic_block("loop")
            after = builder.append_basic_block("after")
            lines = [
                builder.add(x, builder.mul(x_step, integer(row))) for row in range(rows)
            ]
            starts = [
                builder.add(panel, builder.mul(panel_step, integer(each)))
                for each in range(panels)
            ]
            builder.branch(loop)
            builder.position_at_end(loop)
            count, x_offset, offset = (builder.phi(integer) for _ in range(3))
            for each in (count, x_offset, offset):
                each.add_incoming(integer(0), before)
            columns = range(panels * _VECTORS)
            sums = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
            factors = []
            for column in columns:
                address = builder.add(starts[column // _VECTORS], offset)
                shift = integer(width * (column % _VECTORS))
                pointer = at(builder.add(address, shift), vector)
                factors.append(builder.load(pointer, align=size))
            totals = [[None for _ in columns] for _ in range(rows)]
            undefined = ir.Constant(vector, ir.Undefined)
            for row, line in enumerate(lines):
                number = builder.load(at(builder.add(line, x_offset), kind), align=size)
                number = builder.insert_element(undefined, number, lane(0))
                number = builder.shuffle_vector(number, undefined, everywhere)
                for column in columns:
                    old = sums[row][column]
                    new = builder.call(fma, [number, factors[column], old])
                    old.add_incoming(ir.Constant(vector, [0.0] * lanes), before)
                    old.add_incoming(new, loop)
                    totals[row][column] = new
            for each, step in (
                (count, integer(1)),
                (x_offset, x_inner),
                (offset, integer(_VECTORS * width)),
            ):
                each.add_incoming(builder.add(each, step), loop)
            again = builder.icmp_signed("<", builder.add(count, integer(1)), inner)
            builder.cbranch(again, loop, after)
            builder.position_at_end(after)
            for row in range(rows):
                line = builder.add(out, builder.mul(out_step, integer(row)))
                for column in columns:
                    address = builder.add(line, integer(width * column))
                    pointer = at(address, vector)
                    old = builder.load(pointer, align=size)
                    total = builder.fadd(old, totals[row][column])
                    builder.store(total, pointer, align=size)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), code

    return block


@numba_njit
def address(x):
    """Return where the numbers of an array begin, as a signed number to count with."""
    return np.intp(x.ctypes.data)


def make_row(dtype):
    """Make a function that views numbers at an address as an array."""

    @numba_njit
    def row(address, count):
        return carray(_as_pointer(address), (count,), dtype)

    return row


def panel_width(dtype):
    """Return of how many columns a panel is; outputs need room for whole panels."""
    return _VECTORS * vector_length(np.dtype(dtype))


def packed_product(dtype):
    """Give a function that multiplies by a packed matrix and adds to its output.

    ``product(rows, inner, panels, x, x_step, x_inner, packed, out, out_step)`` takes
    addresses, and distances in bytes: of rows, and in x of columns too.
    """
    dtype = np.dtype(dtype)
    return by_name(
        f"lasagne_next_packed_product_{dtype}",
        9,
        lambda: _make_product(dtype.type),
        f"{CACHE_VERSION}-{vector_length(dtype)}",
    )


def _make_product(dtype):
    size = np.dtype(dtype).itemsize
    lanes = vector_length(np.dtype(dtype))
    kind = ir.FloatType() if size == 4 else ir.DoubleType()
    most = 8 if lanes * size == 64 else 4  # of 32 or of 16 registers
    many, two, one, one_wide = (
        _make_block(rows, panels, lanes, kind, size)
        for rows, panels in ((most, 1), (2, 1), (1, 1), (1, 4))
    )
    out_width = panel_width(dtype) * size

    @numba_njit
    def product(rows, inner, panels, x, x_step, x_inner, packed, out, out_step):
        panel_step = inner * out_width
        panel = 0
        if rows == 1:
            while panel + 4 <= panels:
                one_wide(inner, x, x_step, x_inner, packed, panel_step, out, out_step)
                panel += 4
                packed += 4 * panel_step
                out += 4 * out_width
        while panel < panels:
            row, at_x, at_out = 0, x, out
            while row + most <= rows:
                many(inner, at_x, x_step, x_inner, packed, panel_step, at_out, out_step)
                row, at_x, at_out = (
                    row + most,
                    at_x + most * x_step,
                    at_out + most * out_step,
                )
            while row + 2 <= rows:
                two(inner, at_x, x_step, x_inner, packed, panel_step, at_out, out_step)
                row, at_x, at_out = row + 2, at_x + 2 * x_step, at_out + 2 * out_step
            if row < rows:
                one(inner, at_x, x_step, x_inner, packed, panel_step, at_out, out_step)
            panel += 1
            packed += panel_step
            out += out_width

    return product


def make_pack(dtype):
    """Make a function that packs a matrix, to shape (panels, rows, panel width)."""
    wide = panel_width(dtype)

    @numba_njit
    def pack(matrix):
        rows, columns = matrix.shape
        packed = np.zeros(((columns + wide - 1) // wide, rows, wide), dtype)
        for panel in range(packed.shape[0]):
            start = panel * wide
            for row in range(rows):
                for column in range(min(wide, columns - start)):
                    packed[panel, row, column] = matrix[row, start + column]
        return packed

    return pack
