"""The long short-term memory on JAX: `lax.scan` over steps, forth and back.

The gradient is a scan of its own, from the gates that were kept, so that nothing is
computed twice and the gradient of the weight is one product for all steps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.dispatch.jax.sequences import bounded, choose, step_before
from lasagne_next.ops.lstm import LSTMSequence, LSTMSequenceGradient
from lasagne_next.ops.sequences import check_mask

__all__ = ["jax_funcify_lstm", "jax_funcify_lstm_gradient"]


@jax_funcify.register(LSTMSequence)
def jax_funcify_lstm(op, **kwargs):
    """Return a function of the projection, the weight, the states and the rest."""

    def lstm(projected, weight, cell_init, hid_init, *rest):
        peepholes, mask, _ = op.optional(rest)
        check_mask("LSTMSequence", mask, *projected.shape[:2])

        def step(state, inputs):
            hid, cell = state
            added, keep = inputs
            i, f, g, o = jnp.split(added + hid @ weight, 4, axis=1)
            if peepholes is not None:
                i, f = i + peepholes[0] * cell, f + peepholes[1] * cell
            i, f, g = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g)
            new_cell = f * cell + i * g
            o = jax.nn.sigmoid(o if peepholes is None else o + peepholes[2] * new_cell)
            new_hid = o * jnp.tanh(new_cell)
            new = choose(keep, (new_hid, new_cell), (hid, cell))
            return new, (*new, jnp.concatenate([i, f, g, o], axis=1))

        sequences = projected, mask
        _, outputs = jax.lax.scan(
            step, (hid_init, cell_init), sequences, reverse=op.backwards
        )
        return outputs

    return lstm


@jax_funcify.register(LSTMSequenceGradient)
def jax_funcify_lstm_gradient(op, **kwargs):
    """Return a function of what the sequence took and returned, and of gradients."""

    def lstm_gradient(weight, cell_init, hid_init, hidden, cells, gates, to_h, *rest):
        peepholes, mask, to_cell = op.optional(rest)
        cells_before = step_before(cells, cell_init, op.backwards)

        def step(state, inputs):
            gates, cell, cell_before, to_hid, to_cell, keep = inputs
            i, f, g, o = jnp.split(gates, 4, axis=1)
            d_hid, d_cell = state[0] + to_hid, state[1]
            d_cell = d_cell if to_cell is None else d_cell + to_cell
            kept = d_hid, d_cell
            tanh = jnp.tanh(cell)
            d_o = d_hid * tanh * o * (1 - o)
            d_cell = d_cell + d_hid * o * (1 - tanh * tanh)
            if peepholes is not None:
                d_cell = d_cell + d_o * peepholes[2]
            d_i = d_cell * g * i * (1 - i)
            d_f = d_cell * cell_before * f * (1 - f)
            d = jnp.concatenate([d_i, d_f, d_cell * i * (1 - g * g), d_o], axis=1)
            d_cell = d_cell * f
            if peepholes is not None:
                d_cell = d_cell + d_i * peepholes[0] + d_f * peepholes[1]
            (d,) = choose(keep, (d,), (jnp.zeros_like(d),))
            d_hid = bounded(d, op.clip) @ weight.T
            return choose(keep, (d_hid, d_cell), kept), d

        sequences = gates, cells, cells_before, to_h, to_cell, mask
        start = jnp.zeros_like(hid_init), jnp.zeros_like(cell_init)
        (d_hid, d_cell), d = jax.lax.scan(
            step, start, sequences, reverse=not op.backwards
        )
        d_gates = bounded(d, op.clip)
        hid_before = step_before(hidden, hid_init, op.backwards)
        d_weight = jnp.einsum("tbu,tbg->ug", hid_before, d_gates)
        if peepholes is None:
            return d_gates, d_weight, d_cell, d_hid
        d_i, d_f, _, d_o = jnp.split(d, 4, axis=2)
        pairs = (d_i, cells_before), (d_f, cells_before), (d_o, cells)
        to_peepholes = [jnp.einsum("tbu,tbu->u", *pair) for pair in pairs]
        return d_gates, d_weight, d_cell, d_hid, jnp.stack(to_peepholes)

    return lstm_gradient
