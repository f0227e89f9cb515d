"""A long short-term memory and its gradient written as loops over single steps.

Slower than the operation that runs over the whole sequence, but made of operations
that can be differentiated again.
"""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad_clip

from lasagne_next.ops.matrix_product import matrix_product
from lasagne_next.ops.sequence_steps import (
    choose,
    product_of_all,
    split,
    split_mask,
    step_before,
)

__all__ = ["backward", "forward"]


def forward(projected, weight, cell_init, hid_init, peepholes, mask, backwards, clip):
    """Return hidden states, cells and activated gates, (time, batch, ...) each."""

    def step(projected, *rest):
        mask, (hid, cell, weight, *peepholes) = split_mask(rest, masked)
        z = projected + matrix_product(hid, weight)
        i, f, g, o = split(grad_clip(z, -clip, clip) if clip else z, 4)
        if peepholes:
            i, f = i + peepholes[0][0] * cell, f + peepholes[0][1] * cell
        i, f, g = pt.sigmoid(i), pt.sigmoid(f), pt.tanh(g)
        new_cell = f * cell + i * g
        o = pt.sigmoid(o + peepholes[0][2] * new_cell if peepholes else o)
        new_hid = o * pt.tanh(new_cell)
        gates = pt.concatenate([i, f, g, o], axis=1)
        return *choose(mask, (new_hid, new_cell), (hid, cell)), gates

    masked = mask is not None
    outputs = pytensor.scan(
        step,
        sequences=[projected, mask] if masked else [projected],
        outputs_info=[hid_init, cell_init, None],
        non_sequences=[weight] if peepholes is None else [weight, peepholes],
        go_backwards=backwards,
        strict=True,
        return_updates=False,
    )
    return [each[::-1] for each in outputs] if backwards else outputs


def backward(
    weight,
    cell_init,
    hid_init,
    peepholes,
    mask,
    hidden,
    cell,
    gates,
    to_hidden,
    to_cell,
    backwards,
    clip,
):
    """Return the gradients of the projection, the weight, the states, the peepholes."""

    def bounded(x):
        bound = np.asarray(clip, x.dtype)  # a number might be of double precision
        return pt.clip(x, -bound, bound) if clip else x

    def step(gates, cell, cell_before, to_hidden, to_cell, *rest):
        mask, (d_hid, d_cell, weight, *peepholes) = split_mask(rest, masked)
        i, f, g, o = split(gates, 4)
        kept = d_hid, d_cell = d_hid + to_hidden, d_cell + to_cell
        tanh = pt.tanh(cell)
        d_o = d_hid * tanh * o * (1 - o)
        d_cell = d_cell + d_hid * o * (1 - tanh * tanh)
        if peepholes:
            d_cell = d_cell + d_o * peepholes[0][2]
        d_i = d_cell * g * i * (1 - i)
        d_f = d_cell * cell_before * f * (1 - f)
        d_g = d_cell * i * (1 - g * g)
        d_cell = d_cell * f
        if peepholes:
            d_cell = d_cell + d_i * peepholes[0][0] + d_f * peepholes[0][1]
        d_z = pt.concatenate([d_i, d_f, d_g, d_o], axis=1)
        (d_z,) = choose(mask, (d_z,), (pt.zeros_like(d_z),))
        d_hid = matrix_product(bounded(d_z), weight.T)
        return *choose(mask, (d_hid, d_cell), kept), d_z

    masked = mask is not None
    hid_before = step_before(hidden, hid_init, backwards)
    cell_before = step_before(cell, cell_init, backwards)
    sequences = [gates, cell, cell_before, to_hidden, to_cell]
    d_hids, d_cells, d_z = pytensor.scan(
        step,
        sequences=[*sequences, mask] if masked else sequences,
        outputs_info=[pt.zeros_like(hid_init), pt.zeros_like(cell_init), None],
        non_sequences=[weight] if peepholes is None else [weight, peepholes],
        go_backwards=not backwards,
        strict=True,
        return_updates=False,
    )
    d_z = d_z if backwards else d_z[::-1]
    d_projected = bounded(d_z)
    d_weight = product_of_all(hid_before, d_projected)
    gradients = [d_projected, d_weight, d_cells[-1], d_hids[-1]]
    if peepholes is None:
        return gradients
    d_i, d_f, _, d_o = split(d_z, 4)
    products = [d_i * cell_before, d_f * cell_before, d_o * cell]
    return [*gradients, pt.stack([each.sum((0, 1)) for each in products])]
