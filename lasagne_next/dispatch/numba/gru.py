"""Gated recurrent units on Numba: a whole sequence in one kernel.

A step is one product with a packed matrix, and loops over a row at a time. A loop reads
and writes few arrays, because LLVM vectorises no loop that needs many checks of what
overlaps.
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
from lasagne_next.ops.gru import GRUSequence, GRUSequenceGradient

__all__ = ["numba_funcify_gru", "numba_funcify_gru_gradient"]

CACHE_VERSION = 3  # raise when anything below changes

D_PRODUCTS = NEXT  # a place in the table of arguments, besides those of any sequence


def _make_forward(dtype):
    """Make the task that takes some rows through all steps."""
    functions = elementary.elementary(np.dtype(dtype).name)
    tanh, sigmoid = functions.tanh, functions.sigmoid
    size = np.dtype(dtype).itemsize
    row, flags = make_row(dtype), make_row(np.bool_)
    product = packed_product(dtype)
    columns = panel_width(dtype)

    @numba_njit
    def one_row(units, hid, added, summed, gates, new_hid):
        for u in range(2 * units):
            gates[u] = sigmoid(summed[u])
        for u in range(units):
            gates[3 * units + u] = summed[2 * units + u]
        for u in range(units):
            sum_of_both = gates[units + u] * gates[3 * units + u]
            gates[2 * units + u] = tanh(added[2 * units + u] + sum_of_both)
        for u in range(units):
            new_hid[u] = hid[u] + gates[u] * (gates[2 * units + u] - hid[u])

    @compiled
    def some_rows(number, thread, table):
        steps, rows, units = get(table, STEPS), get(table, ROWS), get(table, UNITS)
        backwards = get(table, BACKWARDS)
        projected, packed = get(table, PROJECTED), get(table, PACKED)
        to_step, to_row = get(table, TO_STEP), get(table, TO_ROW)
        hidden, gates, mask = get(table, HIDDEN), get(table, GATES), get(table, MASK)
        room, before = get(table, ROOM), get(table, HID_INIT)
        first = number * get(table, SHARE)
        last = min(first + get(table, SHARE), rows)
        line = units * size
        panels = (3 * units + columns - 1) // columns
        room_line = panels * columns * size
        for count in range(steps):
            t = steps - 1 - count if backwards else count
            for b in range(first, last):
                added = row(projected + t * to_step + b * to_row, 2 * units)
                summed = row(room + b * room_line, 3 * units)
                for u in range(2 * units):
                    summed[u] = added[u]
                summed[2 * units :] = 0
            product(
                last - first,
                units,
                panels,
                before + first * line,
                line,
                size,
                packed,
                room + first * room_line,
                room_line,
            )
            now = hidden + t * rows * line
            for b in range(first, last):
                hid, new_hid = row(before + b * line, units), row(now + b * line, units)
                added = row(projected + t * to_step + b * to_row, 3 * units)
                summed = row(room + b * room_line, 3 * units)
                gate = row(gates + 4 * (t * rows + b) * line, 4 * units)
                one_row(units, hid, added, summed, gate, new_hid)
                if mask and not flags(mask + t * rows + b, 1)[0]:
                    for u in range(units):
                        new_hid[u] = hid[u]
            before = now

    return some_rows


def _make_backward(dtype):
    """Make the task that takes some rows back through all steps."""
    size = np.dtype(dtype).itemsize
    row, flags = make_row(dtype), make_row(np.bool_)
    product = packed_product(dtype)
    columns = panel_width(dtype)
    one = dtype(1)

    @numba_njit
    def bounded(x, bound, start, stop):
        if bound > 0:
            for u in range(start, stop):
                x[u] = bound if x[u] > bound else x[u]
            for u in range(start, stop):
                x[u] = -bound if x[u] < -bound else x[u]

    @numba_njit
    def one_row(units, hid, gates, d_hid, clip, d, d_product):
        """Write both gradients, and turn d_hid to the step before, without products."""
        for u in range(units):
            z = gates[u]
            d[u] = d_hid[u] * z * (one - z)
        for u in range(units):
            d[u] *= gates[2 * units + u] - hid[u]
        for u in range(units):
            c = gates[2 * units + u]
            d[2 * units + u] = d_hid[u] * gates[u] * (one - c * c)
        bounded(d, clip, 2 * units, 3 * units)
        for u in range(units):
            r = gates[units + u]
            d[units + u] = gates[3 * units + u] * r * (one - r)
        for u in range(units):
            d[units + u] *= d[2 * units + u]
        bounded(d, clip, 0, 2 * units)
        for u in range(units):
            d_hid[u] *= one - gates[u]
        for u in range(2 * units):
            d_product[u] = d[u]
        for u in range(2 * units, 3 * units):
            d_product[u] = d[u] * gates[u - units]
        bounded(d_product, clip, 2 * units, 3 * units)

    @compiled
    def some_rows(number, thread, table):
        steps, rows, units = get(table, STEPS), get(table, ROWS), get(table, UNITS)
        backwards = get(table, BACKWARDS)
        to_hidden, packed = get(table, TO_HIDDEN), get(table, PACKED)
        to_step, to_row = get(table, HIDDEN_STEP), get(table, HIDDEN_ROW)
        hidden, gates, mask = get(table, HIDDEN), get(table, GATES), get(table, MASK)
        d_gates, d_products = get(table, D_GATES), get(table, D_PRODUCTS)
        room, hid_init = get(table, ROOM), get(table, HID_INIT)
        clip = row(get(table, CLIP), 1)[0]
        first = number * get(table, SHARE)
        last = min(first + get(table, SHARE), rows)
        line = units * size
        panels = (units + columns - 1) // columns
        room_line = panels * columns * size
        for count in range(steps):
            t = count if backwards else steps - 1 - count
            earlier = t + 1 if backwards else t - 1
            before = hid_init if count == steps - 1 else hidden + earlier * rows * line
            for b in range(first, last):
                place = t * rows + b
                d_hid = row(room + b * room_line, units)
                given = row(to_hidden + t * to_step + b * to_row, units)
                for u in range(units):
                    d_hid[u] += given[u]
                d = row(d_gates + 3 * place * line, 3 * units)
                d_product = row(d_products + 3 * place * line, 3 * units)
                if mask and not flags(mask + place, 1)[0]:
                    # What came for this step goes on to the one before.
                    d[:] = 0
                    d_product[:] = 0
                    continue
                hid = row(before + b * line, units)
                gate = row(gates + 4 * place * line, 4 * units)
                one_row(units, hid, gate, d_hid, clip, d, d_product)
            product(
                last - first,
                3 * units,
                panels,
                d_products + 3 * (t * rows + first) * line,
                3 * line,
                size,
                packed,
                room + first * room_line,
                room_line,
            )

    return some_rows


@register_funcify_default_op_cache_key(GRUSequence)
def numba_funcify_gru(op, node, **kwargs):
    """Return a function of the projection, the weight, the state and the mask."""
    dtype = node.outputs[0].type.numpy_dtype.type
    forward = kernel_of_rows("gru_forward", _make_forward, 3, dtype, CACHE_VERSION)
    pack, size, columns = make_pack(dtype), np.dtype(dtype).itemsize, panel_width(dtype)
    masked, backwards = op.masked, int(op.backwards)

    @numba_njit
    def gru(projected, weight, hid_init, *rest):
        steps, rows, width = projected.shape
        units = weight.shape[0]
        fits = width == 3 * units and weight.shape[1] == width
        fits = fits and hid_init.shape == (rows, units)
        if masked:
            mask = np.ascontiguousarray(rest[0])
            fits = fits and mask.shape == (steps, rows)
        else:
            mask = np.empty((0, 0), np.bool_)
        if not fits:
            raise ValueError("GRUSequence: the sizes of the operands do not fit.")
        hidden = np.empty((steps, rows, units), dtype)
        gates = np.empty((steps, rows, 4 * units), dtype)
        if hidden.size:
            x, h = unit_stride(projected, size), np.ascontiguousarray(hid_init)
            packed = pack(weight)
            room = np.empty((rows, packed.shape[0] * columns), dtype)
            table = new_table(steps, rows, units, backwards)
            table[PROJECTED] = address(x)
            table[TO_STEP], table[TO_ROW] = x.strides[0], x.strides[1]
            table[PACKED], table[ROOM] = address(packed), address(room)
            table[HID_INIT], table[MASK] = address(h), address_or_0(mask)
            table[HIDDEN], table[GATES] = address(hidden), address(gates)
            forward(address(table))
            _keep_alive(x, packed)
            _keep_alive(h, mask)
            _keep_alive(room, table)
        return hidden, gates

    return gru, CACHE_VERSION


@register_funcify_default_op_cache_key(GRUSequenceGradient)
def numba_funcify_gru_gradient(op, node, **kwargs):
    """Return a function of what the sequence took and returned, and of gradients."""
    ensure_blas()
    dtype = node.outputs[0].type.numpy_dtype.type
    backward = kernel_of_rows("gru_backward", _make_backward, 3, dtype, CACHE_VERSION)
    pack, weight_gradient = make_pack(dtype), make_weight_gradient(dtype)
    size, columns = np.dtype(dtype).itemsize, panel_width(dtype)
    masked, backwards, clip = op.masked, int(op.backwards), op.clip

    @numba_njit
    def gru_gradient(weight, hid_init, hidden, gates, to_hidden, *rest):
        steps, rows, units = hidden.shape
        fits = weight.shape == (units, 3 * units) and hid_init.shape == (rows, units)
        fits = fits and gates.shape == (steps, rows, 4 * units)
        fits = fits and to_hidden.shape == hidden.shape
        if masked:
            mask = np.ascontiguousarray(rest[0])
            fits = fits and mask.shape == (steps, rows)
        else:
            mask = np.empty((0, 0), np.bool_)
        if not fits:
            raise ValueError("GRUSequenceGradient: the sizes do not fit.")
        d = np.empty((steps, rows, 3 * units), dtype)
        d_weight = np.zeros((units, 3 * units), dtype)
        packed = pack(weight.T)
        room = np.zeros((rows, packed.shape[0] * columns), dtype)
        if hidden.size:
            given, h = unit_stride(to_hidden, size), np.ascontiguousarray(hid_init)
            hidden, gates = np.ascontiguousarray(hidden), np.ascontiguousarray(gates)
            products, bound = np.empty_like(d), np.full(1, clip, dtype)
            table = new_table(steps, rows, units, backwards)
            table[TO_HIDDEN] = address(given)
            table[HIDDEN_STEP], table[HIDDEN_ROW] = given.strides[0], given.strides[1]
            table[PACKED], table[ROOM] = address(packed), address(room)
            table[HID_INIT], table[HIDDEN] = address(h), address(hidden)
            table[GATES], table[MASK] = address(gates), address_or_0(mask)
            table[D_GATES], table[D_PRODUCTS] = address(d), address(products)
            table[CLIP] = address(bound)
            backward(address(table))
            _keep_alive(given, packed)
            _keep_alive(mask, gates)
            _keep_alive(table, bound)
            d_weight = weight_gradient(h, hidden, products, backwards)
        return d, d_weight, room[:, :units].copy()

    return gru_gradient, CACHE_VERSION
