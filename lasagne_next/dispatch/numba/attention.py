"""Attention on Numba: some queries of one head at a time.

A task takes one head of one example. Keys and values are packed once, scores of some
queries are kept near the processor, and the gradient computes them again.
"""

from __future__ import annotations

import numpy as np
from pytensor.configdefaults import config
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from lasagne_next.dispatch.numba import elementary
from lasagne_next.dispatch.numba.matrix_product import _keep_alive
from lasagne_next.dispatch.numba.packed_product import (
    address,
    make_row,
    packed_product,
    panel_width,
)
from lasagne_next.dispatch.numba.symbols import by_name
from lasagne_next.dispatch.numba.tasks import num_threads, run_tasks
from lasagne_next.dispatch.numba.tiles import get, make_clear, vector_length
from lasagne_next.dispatch.numba.windows import compiled
from lasagne_next.ops.attention import Attention, AttentionGradient

__all__ = ["numba_funcify_attention", "numba_funcify_attention_gradient"]

CACHE_VERSION = 2  # raise when anything below changes

BLOCK = 64  # queries that are looked at together
LANES = 32  # largest numbers of a row that are kept side by side
FEW_PRODUCTS = 1_000_000  # not worth a thread

# What the kernels are told: places in a table of integers. What is an array has its
# address, and three or four distances in bytes, from its place on.
HEADS, QUERIES, KEYS, SIZE, FEATURES, THREADS, PAIRS, ROOM, SHARE = range(9)
QUERY, KEY, VALUE, COTANGENT, OUT = range(9, 29, 4)
TO_QUERY, TO_KEY, TO_VALUE = range(29, 41, 4)
MASK = 41
LENGTH = 48


def _make_parts(dtype):
    """Make what both kernels do: packing, the weights of some queries, copies."""
    size, lanes, wide = np.dtype(dtype).itemsize, LANES, panel_width(dtype)
    exp = elementary.elementary(np.dtype(dtype).name).exp
    row, flags = make_row(dtype), make_row(np.bool_)
    clear, product = make_clear(np.dtype(dtype)), packed_product(dtype)
    lowest, nothing = dtype(-np.inf), dtype(0)

    @numba_njit
    def panels(columns):
        return (columns + wide - 1) // wide

    @numba_njit
    def pack(target, source, row_step, column_step, rows, columns):
        for panel in range(panels(columns)):
            start = panel * wide
            count = min(wide, columns - start)
            for r in range(rows):
                to = row(target + (panel * rows + r) * wide * size, wide)
                first = source + r * row_step + start * column_step
                if column_step == size:
                    given = row(first, count)
                    for c in range(count):
                        to[c] = given[c]
                else:
                    for c in range(count):
                        to[c] = row(first + c * column_step, 1)[0]
                for c in range(count, wide):
                    to[c] = nothing

    @numba_njit
    def multiply(rows, inner, columns, x, x_step, x_inner, packed, out):
        """Write a product whose rows are whole panels apart."""
        line = panels(columns) * wide
        clear((out, rows * line))
        if inner:
            product(
                rows,
                inner,
                panels(columns),
                x,
                x_step,
                x_inner,
                packed,
                out,
                line * size,
            )

    @numba_njit
    def exponentials(scores, keys, best):
        """Turn scores to exponentials, at most 1, and return their sum."""
        for lane in range(lanes):
            best[lane] = lowest
        whole = keys // lanes * lanes
        for start in range(0, whole, lanes):
            part = scores[start : start + lanes]
            for lane in range(lanes):
                best[lane] = part[lane] if part[lane] > best[lane] else best[lane]
        largest = lowest
        for lane in range(lanes):
            largest = max(largest, best[lane])
        for key in range(whole, keys):
            largest = max(largest, scores[key])
        total = nothing
        if largest == lowest:  # nothing counts, but what is no number stays
            for key in range(keys):
                scores[key] = nothing if scores[key] == lowest else scores[key]
                total += scores[key]
            return total
        for key in range(keys):
            scores[key] = exp(scores[key] - largest)
        for key in range(keys):
            total += scores[key]
        return total

    @numba_njit
    def hide(scores, keys, mask, step):
        for key in range(keys):
            if not flags(mask + key * step, 1)[0]:
                scores[key] = lowest

    @numba_njit
    def copy_rows(count, columns, source, target, target_step):
        line = panels(columns) * wide
        for r in range(count):
            given = row(source + r * line * size, columns)
            to = row(target + r * target_step, columns)
            for c in range(columns):
                to[c] = given[c]

    return panels, pack, multiply, exponentials, hide, copy_rows


def _make_forward(dtype):
    """Make the task that computes one head of one example."""
    size, wide = np.dtype(dtype).itemsize, panel_width(dtype)
    panels, pack, multiply, exponentials, hide, copy_rows = _make_parts(dtype)
    row = make_row(dtype)
    nothing, one = dtype(0), dtype(1)

    @compiled
    def one_head(number, thread, table):
        example, head = number // get(table, HEADS), number % get(table, HEADS)
        queries, keys = get(table, QUERIES), get(table, KEYS)
        inner, features = get(table, SIZE), get(table, FEATURES)

        query = get(table, QUERY) + example * get(table, QUERY + 1)
        query += head * get(table, QUERY + 2)
        key = get(table, KEY) + example * get(table, KEY + 1)
        key += head * get(table, KEY + 2)
        value = get(table, VALUE) + example * get(table, VALUE + 1)
        value += head * get(table, VALUE + 2)
        out = get(table, OUT) + example * get(table, OUT + 1)
        out += head * get(table, OUT + 2)
        mask = get(table, MASK)
        if mask:
            mask += example * get(table, MASK + 1) + head * get(table, MASK + 2)

        line = panels(keys) * wide
        packed_key = get(table, ROOM) + thread * get(table, SHARE)
        packed_value = packed_key + inner * line * size
        scores = packed_value + keys * panels(features) * wide * size
        found = scores + BLOCK * line * size
        best = row(found + BLOCK * panels(features) * wide * size, LANES)

        pack(packed_key, key, size, get(table, KEY + 3), inner, keys)
        pack(packed_value, value, get(table, VALUE + 3), size, keys, features)
        for start in range(0, queries, BLOCK):
            count = min(BLOCK, queries - start)
            step = get(table, QUERY + 3)
            first = query + start * step
            multiply(count, inner, keys, first, step, size, packed_key, scores)
            for r in range(count):
                weights = row(scores + r * line * size, keys)
                if mask:
                    place = mask + (start + r) * get(table, MASK + 3)
                    hide(weights, keys, place, get(table, MASK + 4))
                total = exponentials(weights, keys, best)
                factor = nothing if total == nothing else one / total
                for k in range(keys):
                    weights[k] *= factor
            multiply(
                count, keys, features, scores, line * size, size, packed_value, found
            )
            step = get(table, OUT + 3)
            copy_rows(count, features, found, out + start * step, step)

    return one_head


def _make_backward(dtype):
    """Make the task that computes the gradients of one head of one example."""
    size, wide = np.dtype(dtype).itemsize, panel_width(dtype)
    panels, pack, multiply, exponentials, hide, copy_rows = _make_parts(dtype)
    row, clear = make_row(dtype), make_clear(np.dtype(dtype))
    product = packed_product(dtype)
    nothing, one = dtype(0), dtype(1)

    @numba_njit
    def to_scores(keys, weights, d_weights, factor):
        """Turn gradients of weights to those of scores, and normalise the weights."""
        for k in range(keys):
            weights[k] *= factor
        inner = nothing
        for k in range(keys):
            inner += weights[k] * d_weights[k]
        for k in range(keys):
            d_weights[k] = weights[k] * (d_weights[k] - inner)

    @compiled
    def one_head(number, thread, table):
        example, head = number // get(table, HEADS), number % get(table, HEADS)
        queries, keys = get(table, QUERIES), get(table, KEYS)
        inner, features = get(table, SIZE), get(table, FEATURES)

        query = get(table, QUERY) + example * get(table, QUERY + 1)
        query += head * get(table, QUERY + 2)
        key = get(table, KEY) + example * get(table, KEY + 1)
        key += head * get(table, KEY + 2)
        value = get(table, VALUE) + example * get(table, VALUE + 1)
        value += head * get(table, VALUE + 2)
        cotangent = get(table, COTANGENT) + example * get(table, COTANGENT + 1)
        cotangent += head * get(table, COTANGENT + 2)
        to_query = get(table, TO_QUERY) + example * get(table, TO_QUERY + 1)
        to_query += head * get(table, TO_QUERY + 2)
        to_key = get(table, TO_KEY) + example * get(table, TO_KEY + 1)
        to_key += head * get(table, TO_KEY + 2)
        to_value = get(table, TO_VALUE) + example * get(table, TO_VALUE + 1)
        to_value += head * get(table, TO_VALUE + 2)
        mask = get(table, MASK)
        if mask:
            mask += example * get(table, MASK + 1) + head * get(table, MASK + 2)

        line = panels(keys) * wide
        inner_line, feature_line = panels(inner) * wide, panels(features) * wide
        key_across = get(table, ROOM) + thread * get(table, SHARE)
        value_across = key_across + inner * line * size
        key_down = value_across + features * line * size
        scores = key_down + keys * inner_line * size
        d_scores = scores + BLOCK * line * size
        d_key = d_scores + BLOCK * line * size
        d_value = d_key + keys * inner_line * size
        some_queries = d_value + keys * feature_line * size
        some_cotangents = some_queries + BLOCK * inner_line * size
        found = some_cotangents + BLOCK * feature_line * size
        best = row(found + BLOCK * inner_line * size, LANES)

        pack(key_across, key, size, get(table, KEY + 3), inner, keys)
        pack(value_across, value, size, get(table, VALUE + 3), features, keys)
        pack(key_down, key, get(table, KEY + 3), size, keys, inner)
        clear((d_key, keys * inner_line))
        clear((d_value, keys * feature_line))
        for start in range(0, queries, BLOCK):
            count = min(BLOCK, queries - start)
            step = get(table, QUERY + 3)
            first = query + start * step
            multiply(count, inner, keys, first, step, size, key_across, scores)
            pack(some_queries, first, step, size, count, inner)
            step = get(table, COTANGENT + 3)
            first = cotangent + start * step
            multiply(count, features, keys, first, step, size, value_across, d_scores)
            pack(some_cotangents, first, step, size, count, features)
            for r in range(count):
                weights = row(scores + r * line * size, keys)
                if mask:
                    place = mask + (start + r) * get(table, MASK + 3)
                    hide(weights, keys, place, get(table, MASK + 4))
                total = exponentials(weights, keys, best)
                factor = nothing if total == nothing else one / total
                to_scores(keys, weights, row(d_scores + r * line * size, keys), factor)
            product(
                keys,
                count,
                panels(features),
                scores,
                size,
                line * size,
                some_cotangents,
                d_value,
                feature_line * size,
            )
            product(
                keys,
                count,
                panels(inner),
                d_scores,
                size,
                line * size,
                some_queries,
                d_key,
                inner_line * size,
            )
            multiply(count, keys, inner, d_scores, line * size, size, key_down, found)
            step = get(table, TO_QUERY + 3)
            copy_rows(count, inner, found, to_query + start * step, step)
        copy_rows(keys, inner, d_key, to_key, get(table, TO_KEY + 3))
        copy_rows(keys, features, d_value, to_value, get(table, TO_VALUE + 3))

    return one_head


def _kernel(name, make, dtype):
    """Return a function of the address of a table, which runs tasks on all heads."""
    dtype = np.dtype(dtype)

    def shared_out():
        task = make(dtype.type)

        @compiled
        def kernel(table):
            run_tasks(task, get(table, PAIRS), get(table, THREADS), table)

        return kernel

    versions = f"{CACHE_VERSION}-{elementary.CACHE_VERSION}"
    machine = f"{vector_length(dtype)}-{config.numba__fastmath}"
    return by_name(
        f"lasagne_next_attention_{name}_{dtype}",
        1,
        shared_out,
        f"{versions}-{machine}",
    )


@numba_njit
def _dense(x, size):
    """Return the array, or a copy whose last axis has no gaps."""
    if x.strides[3] != size:
        x = x.copy()
    return x


@numba_njit
def _enter(table, place, x):
    """Write down where an array is, and its distances."""
    table[place] = address(x)
    for axis in range(3):
        table[place + 1 + axis] = x.strides[axis]


@numba_njit
def _new_table(query, key, value):
    """Return a table of arguments with the sizes filled in, once they fit."""
    batch, heads, queries, inner = query.shape
    keys, features = key.shape[2], value.shape[3]
    if key.shape != (batch, heads, keys, inner) or value.shape[:3] != key.shape[:3]:
        raise ValueError("Attention: the sizes of the operands do not fit.")
    table = np.zeros(LENGTH, np.intp)
    table[HEADS], table[PAIRS] = heads, batch * heads
    table[QUERIES], table[KEYS] = queries, keys
    table[SIZE], table[FEATURES] = inner, features
    work = batch * heads * queries * keys * (inner + features) // FEW_PRODUCTS
    table[THREADS] = max(1, min(num_threads(), work, batch * heads))
    _enter(table, QUERY, query)
    _enter(table, KEY, key)
    _enter(table, VALUE, value)
    return table


@numba_njit
def _enter_mask(table, mask, shape):
    """Write down where the mask is; axes of size 1 are repeated."""
    table[MASK] = address(mask)
    for axis in range(4):
        if mask.shape[axis] != shape[axis] and mask.shape[axis] != 1:
            raise ValueError("Attention: the sizes of the operands do not fit.")
        table[MASK + 1 + axis] = 0 if mask.shape[axis] == 1 else mask.strides[axis]


@register_funcify_default_op_cache_key(Attention)
def numba_funcify_attention(op, node, **kwargs):
    """Return a function of queries, keys, values and the mask."""
    dtype = node.outputs[0].type.numpy_dtype.type
    forward = _kernel("forward", _make_forward, dtype)
    size, wide = np.dtype(dtype).itemsize, panel_width(dtype)
    masked = op.masked

    @numba_njit
    def attention(query, key, value, *rest):
        query, key = _dense(query, size), _dense(key, size)
        value = _dense(value, size)
        table = _new_table(query, key, value)
        batch, heads, queries, inner = query.shape
        keys, features = key.shape[2], value.shape[3]
        # Heads inside, because they are joined next.
        out = np.zeros((batch, queries, heads, features), dtype)
        if masked:
            mask = rest[0]
            _enter_mask(table, mask, (batch, heads, queries, keys))
        else:
            mask = np.empty((0, 0, 0, 0), np.bool_)
        if out.size and keys:
            line = (keys + wide - 1) // wide * wide
            found_line = (features + wide - 1) // wide * wide
            share = (inner + BLOCK) * line + (keys + BLOCK) * found_line + LANES
            room = np.empty((table[THREADS], share), dtype)
            table[ROOM], table[SHARE] = address(room), share * size
            _enter(table, OUT, out.transpose(0, 2, 1, 3))
            forward(address(table))
            _keep_alive(query, key)
            _keep_alive(value, mask)
            _keep_alive(room, table)
        return out.transpose(0, 2, 1, 3)

    return attention, CACHE_VERSION


@register_funcify_default_op_cache_key(AttentionGradient)
def numba_funcify_attention_gradient(op, node, **kwargs):
    """Return a function of queries, keys, values, the cotangent and the mask."""
    dtype = node.outputs[0].type.numpy_dtype.type
    backward = _kernel("backward", _make_backward, dtype)
    size, wide = np.dtype(dtype).itemsize, panel_width(dtype)
    masked = op.masked

    @numba_njit
    def attention_gradient(query, key, value, cotangent, *rest):
        query, key = _dense(query, size), _dense(key, size)
        value, cotangent = _dense(value, size), _dense(cotangent, size)
        table = _new_table(query, key, value)
        batch, heads, queries, inner = query.shape
        keys, features = key.shape[2], value.shape[3]
        if cotangent.shape != (batch, heads, queries, features):
            raise ValueError("AttentionGradient: the sizes of the operands do not fit.")
        to_query = np.zeros((batch, queries, heads, inner), dtype)
        to_key = np.zeros((batch, keys, heads, inner), dtype)
        to_value = np.zeros((batch, keys, heads, features), dtype)
        if masked:
            mask = rest[0]
            _enter_mask(table, mask, (batch, heads, queries, keys))
        else:
            mask = np.empty((0, 0, 0, 0), np.bool_)
        if cotangent.size and keys:
            line = (keys + wide - 1) // wide * wide
            inner_line = (inner + wide - 1) // wide * wide
            found_line = (features + wide - 1) // wide * wide
            share = (inner + features + 2 * BLOCK) * line + LANES
            share += 2 * (keys + BLOCK) * inner_line + (keys + BLOCK) * found_line
            room = np.empty((table[THREADS], share), dtype)
            table[ROOM], table[SHARE] = address(room), share * size
            _enter(table, COTANGENT, cotangent)
            _enter(table, TO_QUERY, to_query.transpose(0, 2, 1, 3))
            _enter(table, TO_KEY, to_key.transpose(0, 2, 1, 3))
            _enter(table, TO_VALUE, to_value.transpose(0, 2, 1, 3))
            backward(address(table))
            _keep_alive(query, key)
            _keep_alive(value, mask)
            _keep_alive(cotangent, to_query)
            _keep_alive(to_key, to_value)
            _keep_alive(room, table)
        return (
            to_query.transpose(0, 2, 1, 3),
            to_key.transpose(0, 2, 1, 3),
            to_value.transpose(0, 2, 1, 3),
        )

    return attention_gradient, CACHE_VERSION
