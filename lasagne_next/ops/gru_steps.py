"""Gated recurrent units and their gradient written as loops over single steps.

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


def forward(projected, weight, hid_init, mask, backwards, clip):
    """Return hidden states and what the gradient needs, (time, batch, ...) each."""

    def bounded(x):
        return grad_clip(x, -clip, clip) if clip else x

    def step(projected, *rest):
        mask, (hid, weight) = split_mask(rest, masked)
        u, r, c = split(bounded(projected), 3)
        u_hid, r_hid, c_hid = split(bounded(matrix_product(hid, weight)), 3)
        u, r = pt.sigmoid(u + u_hid), pt.sigmoid(r + r_hid)
        c = pt.tanh(bounded(c + r * c_hid))
        (new,) = choose(mask, (hid + u * (c - hid),), (hid,))
        return new, pt.concatenate([u, r, c, c_hid], axis=1)

    masked = mask is not None
    outputs = pytensor.scan(
        step,
        sequences=[projected, mask] if masked else [projected],
        outputs_info=[hid_init, None],
        non_sequences=[weight],
        go_backwards=backwards,
        strict=True,
        return_updates=False,
    )
    return [each[::-1] for each in outputs] if backwards else outputs


def backward(weight, hid_init, hidden, gates, to_hidden, mask, backwards, clip):
    """Return the gradients of the projection, the weight and the state."""

    def bounded(x):
        bound = np.asarray(clip, x.dtype)  # a number might be of double precision
        return pt.clip(x, -bound, bound) if clip else x

    def step(gates, hid, to_hidden, *rest):
        mask, (d_hid, weight) = split_mask(rest, masked)
        u, r, c, c_hid = split(gates, 4)
        d_hid = d_hid + to_hidden
        d_u = bounded(d_hid * (c - hid) * u * (1 - u))
        d_c = bounded(d_hid * u * (1 - c * c))
        d_r = bounded(d_c * c_hid * r * (1 - r))
        d_x = pt.concatenate([d_u, d_r, d_c], axis=1)
        d_z = pt.concatenate([d_u, d_r, bounded(d_c * r)], axis=1)
        d_x, d_z = choose(mask, (d_x, d_z), (pt.zeros_like(d_x), pt.zeros_like(d_z)))
        new = d_hid * (1 - u) + matrix_product(d_z, weight.T)
        (new,) = choose(mask, (new,), (d_hid,))
        return new, d_x, d_z

    masked = mask is not None
    hid_before = step_before(hidden, hid_init, backwards)
    sequences = [gates, hid_before, to_hidden]
    d_hids, d_x, d_z = pytensor.scan(
        step,
        sequences=[*sequences, mask] if masked else sequences,
        outputs_info=[pt.zeros_like(hid_init), None, None],
        non_sequences=[weight],
        go_backwards=not backwards,
        strict=True,
        return_updates=False,
    )
    d_x, d_z = (d_x, d_z) if backwards else (d_x[::-1], d_z[::-1])
    return [d_x, product_of_all(hid_before, d_z), d_hids[-1]]
