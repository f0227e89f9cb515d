"""The long short-term memory on Numba: a whole sequence in one kernel.

A step is one product with a packed matrix, and loops over a row at
a time. A loop reads and writes few arrays, because LLVM vectorises no loop that needs
many checks of what overlaps.
"""

from __future__ import annotations

import numpy as np
from numba.np.linalg import ensure_blas
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from lasagne_next.dispatch.numba import elementary
from lasagne_next.dispatch.numba.matrix_product import _keep_alive
from lasagne_next.dispatch.numba.packed_product import (
    address,
    make_pack,
    make_row,
    packed_product,
    panel_width,
)
from lasagne_next.dispatch.numba.sequences import (
    BACKWARDS,
    CLIP,
    D_GATES,
    GATES,
    HID_INIT,
    HIDDEN,
    HIDDEN_ROW,
    HIDDEN_STEP,
    MASK,
    NEXT,
    PACKED,
    PROJECTED,
    ROOM,
    ROWS,
    SHARE,
    STEPS,
    TO_HIDDEN,
    TO_ROW,
    TO_STEP,
    UNITS,
    address_or_0,
    kernel_of_rows,
    make_weight_gradient,
    new_table,
    unit_stride,
)
from lasagne_next.dispatch.numba.tiles import get
from lasagne_next.dispatch.numba.windows import compiled
from lasagne_next.ops.lstm import LSTMSequence, LSTMSequenceGradient

__all__ = ["numba_funcify_lstm", "numba_funcify_lstm_gradient"]

CACHE_VERSION = 5  # raise when anything below changes

# Places in the table of arguments, besides those of any sequence.
CELL_INIT, PEEPHOLES, CELLS = range(NEXT, NEXT + 3)
TO_CELL, CELL_STEP, CELL_ROW, D_CELLS, TOTALS = range(NEXT + 3, NEXT + 8)


def _make_forward(dtype):
    """Make the task that takes some rows through all steps."""
    functions = elementary.elementary(np.dtype(dtype).name)
    tanh, sigmoid = functions.tanh, functions.sigmoid
    size = np.dtype(dtype).itemsize
    row, flags = make_row(dtype), make_row(np.bool_)
    product = packed_product(dtype)
    columns = panel_width(dtype)

    @numba_njit
    def one_row(units, cell, peephole, gates, new_cell, new_hid):
        if peephole.size:
            for u in range(units):
                gates[u] += peephole[u] * cell[u]
            for u in range(units):
                gates[units + u] += peephole[units + u] * cell[u]
        for u in range(2 * units):
            gates[u] = sigmoid(gates[u])
        for u in range(2 * units, 3 * units):
            gates[u] = tanh(gates[u])
        for u in range(units):
            new_cell[u] = gates[units + u] * cell[u] + gates[u] * gates[2 * units + u]
        if peephole.size:
            for u in range(units):
                gates[3 * units + u] += peephole[2 * units + u] * new_cell[u]
        for u in range(3 * units, 4 * units):
            gates[u] = sigmoid(gates[u])
        for u in range(units):
            new_hid[u] = gates[3 * units + u] * tanh(new_cell[u])

    @compiled
    def some_rows(number, thread, table):
        steps, rows, units = get(table, STEPS), get(table, ROWS), get(table, UNITS)
        backwards = get(table, BACKWARDS)
        projected, packed = get(table, PROJECTED), get(table, PACKED)
        to_step, to_row = get(table, TO_STEP), get(table, TO_ROW)
        peepholes, mask = get(table, PEEPHOLES), get(table, MASK)
        hidden, cells, gates = get(table, HIDDEN), get(table, CELLS), get(table, GATES)
        room = get(table, ROOM)
        before_hid, before_cell = get(table, HID_INIT), get(table, CELL_INIT)
        first = number * get(table, SHARE)
        last = min(first + get(table, SHARE), rows)
        line = units * size
        panels = (4 * units + columns - 1) // columns
        room_line = panels * columns * size
        peephole = row(peepholes, 3 * units if peepholes else 0)
        for count in range(steps):
            t = steps - 1 - count if backwards else count
            for b in range(first, last):
                added = row(projected + t * to_step + b * to_row, 4 * units)
                summed = row(room + b * room_line, 4 * units)
                for u in range(4 * units):
                    summed[u] = added[u]
            product(
                last - first,
                units,
                panels,
                before_hid + first * line,
                line,
                size,
                packed,
                room + first * room_line,
                room_line,
            )
            at_hid = hidden + t * rows * line
            at_cell = cells + t * rows * line
            for b in range(first, last):
                hid = row(before_hid + b * line, units)
                cell = row(before_cell + b * line, units)
                new_hid = row(at_hid + b * line, units)
                new_cell = row(at_cell + b * line, units)
                gate = row(gates + 4 * (t * rows + b) * line, 4 * units)
                summed = row(room + b * room_line, 4 * units)
                for u in range(4 * units):
                    gate[u] = summed[u]
                one_row(units, cell, peephole, gate, new_cell, new_hid)
                if mask and not flags(mask + t * rows + b, 1)[0]:
                    for u in range(units):
                        new_hid[u] = hid[u]
                    for u in range(units):
                        new_cell[u] = cell[u]
            before_hid, before_cell = at_hid, at_cell

    return some_rows


def _make_backward(dtype):
    """Make the task that takes some rows back through all steps."""
    tanh = elementary.elementary(np.dtype(dtype).name).tanh
    size = np.dtype(dtype).itemsize
    row, flags = make_row(dtype), make_row(np.bool_)
    product = packed_product(dtype)
    columns = panel_width(dtype)
    one = dtype(1)

    @numba_njit
    def one_row(units, cell, cell_before, gates, d_hid, d_cell, peephole, d):
        """Write the gradients of the gates, and turn d_cell to the step before."""
        for u in range(units):
            d[u] = tanh(cell[u])
        for u in range(units):
            d_o = d_hid[u] * d[u]
            d[u] = d_hid[u] * (one - d[u] * d[u])
            d[3 * units + u] = d_o
        for u in range(units):
            o = gates[3 * units + u]
            d[3 * units + u] *= o * (one - o)
            d[u] *= o
        for u in range(units):
            d_cell[u] += d[u]
        if peephole.size:
            for u in range(units):
                d_cell[u] += d[3 * units + u] * peephole[2 * units + u]
        for u in range(units):
            f = gates[units + u]
            d[units + u] = cell_before[u] * f * (one - f)
        for u in range(units):
            i, g = gates[u], gates[2 * units + u]
            d[u] = g * i * (one - i)
            d[2 * units + u] = i * (one - g * g)
        for u in range(units):
            d[u] *= d_cell[u]
            d[units + u] *= d_cell[u]
            d[2 * units + u] *= d_cell[u]
        for u in range(units):
            d_cell[u] *= gates[units + u]
        if peephole.size:
            for u in range(units):
                d_cell[u] += d[u] * peephole[u]
            for u in range(units):
                d_cell[u] += d[units + u] * peephole[units + u]

    @numba_njit
    def add_products(units, cell, cell_before, d, total):
        for u in range(units):
            total[u] += d[u] * cell_before[u]
        for u in range(units):
            total[units + u] += d[units + u] * cell_before[u]
        for u in range(units):
            total[2 * units + u] += d[3 * units + u] * cell[u]

    @compiled
    def some_rows(number, thread, table):
        steps, rows, units = get(table, STEPS), get(table, ROWS), get(table, UNITS)
        backwards = get(table, BACKWARDS)
        to_hidden, to_cell = get(table, TO_HIDDEN), get(table, TO_CELL)
        hidden_step, hidden_row = get(table, HIDDEN_STEP), get(table, HIDDEN_ROW)
        cell_step, cell_row = get(table, CELL_STEP), get(table, CELL_ROW)
        packed, cell_init = get(table, PACKED), get(table, CELL_INIT)
        peepholes, mask = get(table, PEEPHOLES), get(table, MASK)
        cells, gates, room = get(table, CELLS), get(table, GATES), get(table, ROOM)
        d_gates, d_cells = get(table, D_GATES), get(table, D_CELLS)
        total = get(table, TOTALS) + 3 * number * units * size
        clip = row(get(table, CLIP), 1)[0]
        first = number * get(table, SHARE)
        last = min(first + get(table, SHARE), rows)
        line = units * size
        panels = (units + columns - 1) // columns
        room_line = panels * columns * size
        peephole = row(peepholes, 3 * units if peepholes else 0)
        for count in range(steps):
            t = count if backwards else steps - 1 - count
            earlier = t + 1 if backwards else t - 1
            before = cell_init if count == steps - 1 else cells + earlier * rows * line
            for b in range(first, last):
                place = t * rows + b
                d_hid = row(room + b * room_line, units)
                d_cell = row(d_cells + b * line, units)
                given = row(to_hidden + t * hidden_step + b * hidden_row, units)
                for u in range(units):
                    d_hid[u] += given[u]
                if to_cell:
                    given = row(to_cell + t * cell_step + b * cell_row, units)
                    for u in range(units):
                        d_cell[u] += given[u]
                d = row(d_gates + 4 * place * line, 4 * units)
                if mask and not flags(mask + place, 1)[0]:
                    # What came for this step goes on to the one before.
                    d[:] = 0
                    continue
                cell = row(cells + place * line, units)
                cell_before = row(before + b * line, units)
                gate = row(gates + 4 * place * line, 4 * units)
                one_row(units, cell, cell_before, gate, d_hid, d_cell, peephole, d)
                if peepholes:
                    add_products(units, cell, cell_before, d, row(total, 3 * units))
                if clip > 0:
                    for u in range(4 * units):
                        d[u] = clip if d[u] > clip else d[u]
                    for u in range(4 * units):
                        d[u] = -clip if d[u] < -clip else d[u]
                d_hid[:] = 0
            product(
                last - first,
                4 * units,
                panels,
                d_gates + 4 * (t * rows + first) * line,
                4 * line,
                size,
                packed,
                room + first * room_line,
                room_line,
            )

    return some_rows


@register_funcify_default_op_cache_key(LSTMSequence)
def numba_funcify_lstm(op, node, **kwargs):
    """Return a function of the projection, the weight, the states and the rest."""
    dtype = node.outputs[0].type.numpy_dtype.type
    forward = kernel_of_rows("lstm_forward", _make_forward, 4, dtype, CACHE_VERSION)
    pack = make_pack(dtype)
    size, columns = np.dtype(dtype).itemsize, panel_width(dtype)
    peepholes, masked, backwards = op.peepholes, op.masked, int(op.backwards)

    @numba_njit
    def lstm(projected, weight, cell_init, hid_init, *rest):
        steps, rows, width = projected.shape
        units = weight.shape[0]
        fits = width == 4 * units and weight.shape[1] == width
        fits = fits and cell_init.shape == (rows, units)
        fits = fits and hid_init.shape == (rows, units)
        if peepholes:
            peephole = np.ascontiguousarray(rest[0])
            fits = fits and peephole.shape == (3, units)
        else:
            peephole = np.empty((0, 0), dtype)
        if masked:
            mask = np.ascontiguousarray(rest[-1])
            fits = fits and mask.shape == (steps, rows)
        else:
            mask = np.empty((0, 0), np.bool_)
        if not fits:
            raise ValueError("LSTMSequence: the sizes of the operands do not fit.")
        hidden = np.empty((steps, rows, units), dtype)
        cells = np.empty((steps, rows, units), dtype)
        gates = np.empty((steps, rows, width), dtype)
        if hidden.size:
            x = unit_stride(projected, size)
            packed = pack(weight)
            room = np.empty((rows, packed.shape[0] * columns), dtype)
            c, h = np.ascontiguousarray(cell_init), np.ascontiguousarray(hid_init)
            table = new_table(steps, rows, units, backwards)
            table[PROJECTED] = address(x)
            table[TO_STEP], table[TO_ROW] = x.strides[0], x.strides[1]
            table[PACKED], table[ROOM] = address(packed), address(room)
            table[CELL_INIT], table[HID_INIT] = address(c), address(h)
            table[PEEPHOLES] = address_or_0(peephole)
            table[MASK] = address_or_0(mask)
            table[HIDDEN], table[CELLS] = address(hidden), address(cells)
            table[GATES] = address(gates)
            forward(address(table))
            _keep_alive(x, packed)
            _keep_alive(c, h)
            _keep_alive(peephole, mask)
            _keep_alive(room, table)
        return hidden, cells, gates

    return lstm, CACHE_VERSION


@register_funcify_default_op_cache_key(LSTMSequenceGradient)
def numba_funcify_lstm_gradient(op, node, **kwargs):
    """Return a function of what the sequence took and returned, and of gradients."""
    ensure_blas()
    dtype = node.outputs[0].type.numpy_dtype.type
    backward = kernel_of_rows("lstm_backward", _make_backward, 4, dtype, CACHE_VERSION)
    pack, weight_gradient = make_pack(dtype), make_weight_gradient(dtype)
    size, columns = np.dtype(dtype).itemsize, panel_width(dtype)
    peepholes, masked, cell_used = op.peepholes, op.masked, op.cell_used
    backwards, clip = int(op.backwards), op.clip

    @numba_njit
    def lstm_gradient(weight, cell_init, hid_init, hidden, cells, gates, to_h, *rest):
        steps, rows, units = hidden.shape
        states = (rows, units)
        fits = weight.shape == (units, 4 * units) and hid_init.shape == states
        fits = fits and cell_init.shape == states and cells.shape == hidden.shape
        fits = fits and gates.shape == (steps, rows, 4 * units)
        fits = fits and to_h.shape == hidden.shape
        if peepholes:
            peephole = np.ascontiguousarray(rest[0])
            fits = fits and peephole.shape == (3, units)
        else:
            peephole = np.empty((0, 0), dtype)
        if masked:
            mask = np.ascontiguousarray(rest[1 if peepholes else 0])
            fits = fits and mask.shape == (steps, rows)
        else:
            mask = np.empty((0, 0), np.bool_)
        if cell_used:
            dc = unit_stride(rest[-1], size)
            fits = fits and dc.shape == hidden.shape
        else:
            dc = np.empty((0, 0, 0), dtype)
        if not fits:
            raise ValueError("LSTMSequenceGradient: the sizes do not fit.")
        d = np.empty((steps, rows, 4 * units), dtype)
        d_weight = np.zeros((units, 4 * units), dtype)
        d_cell = np.zeros((rows, units), dtype)
        packed = pack(weight.T)
        room = np.zeros((rows, packed.shape[0] * columns), dtype)
        totals = np.zeros((rows if peepholes else 1, *peephole.shape), dtype)
        if hidden.size:
            dh = unit_stride(to_h, size)
            c, h = np.ascontiguousarray(cell_init), np.ascontiguousarray(hid_init)
            cells, gates = np.ascontiguousarray(cells), np.ascontiguousarray(gates)
            hidden = np.ascontiguousarray(hidden)
            bound = np.full(1, clip, dtype)
            table = new_table(steps, rows, units, backwards)
            table[TO_HIDDEN], table[TO_CELL] = address(dh), address_or_0(dc)
            table[HIDDEN_STEP], table[HIDDEN_ROW] = dh.strides[0], dh.strides[1]
            table[CELL_STEP], table[CELL_ROW] = dc.strides[0], dc.strides[1]
            table[PACKED], table[CELL_INIT] = address(packed), address(c)
            table[PEEPHOLES] = address_or_0(peephole)
            table[MASK] = address_or_0(mask)
            table[CELLS], table[GATES] = address(cells), address(gates)
            table[D_GATES], table[D_CELLS] = address(d), address(d_cell)
            table[TOTALS], table[ROOM] = address(totals), address(room)
            table[CLIP] = address(bound)
            backward(address(table))
            _keep_alive(dh, dc)
            _keep_alive(packed, c)
            _keep_alive(peephole, mask)
            _keep_alive(cells, gates)
            _keep_alive(table, bound)
            d_weight = weight_gradient(h, hidden, d, backwards)
        d_hid = room[:, :units].copy()
        if peepholes:
            return d, d_weight, d_cell, d_hid, totals.sum(axis=0)
        else:
            return d, d_weight, d_cell, d_hid

    return lstm_gradient, CACHE_VERSION
