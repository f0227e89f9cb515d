"""Gated recurrent units on JAX: `lax.scan` over steps, forth and back.

The gradient is a scan of its own, from the gates that were kept, so that nothing is
computed twice and the gradient of the weight is one product for all steps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.dispatch.jax.sequences import bounded, choose, step_before
from lasagne_next.ops.gru import GRUSequence, GRUSequenceGradient
from lasagne_next.ops.sequences import check_mask

__all__ = ["jax_funcify_gru", "jax_funcify_gru_gradient"]


@jax_funcify.register(GRUSequence)
def jax_funcify_gru(op, **kwargs):
    """Return a function of the projection, the weight, the state and the mask."""

    def gru(projected, weight, hid_init, mask=None):
        check_mask("GRUSequence", mask, *projected.shape[:2])

        def step(hid, inputs):
            added, keep = inputs
            u, r, c = jnp.split(added, 3, axis=1)
            u_hid, r_hid, c_hid = jnp.split(hid @ weight, 3, axis=1)
            u, r = jax.nn.sigmoid(u + u_hid), jax.nn.sigmoid(r + r_hid)
            c = jnp.tanh(c + r * c_hid)
            (new,) = choose(keep, (hid + u * (c - hid),), (hid,))
            return new, (new, jnp.concatenate([u, r, c, c_hid], axis=1))

        sequences = projected, mask
        _, outputs = jax.lax.scan(step, hid_init, sequences, reverse=op.backwards)
        return outputs

    return gru


@jax_funcify.register(GRUSequenceGradient)
def jax_funcify_gru_gradient(op, **kwargs):
    """Return a function of what the sequence took and returned, and of gradients."""

    def gru_gradient(weight, hid_init, hidden, gates, to_hidden, mask=None):
        hid_before = step_before(hidden, hid_init, op.backwards)

        def step(d_hid, inputs):
            gates, hid, to_hidden, keep = inputs
            u, r, c, c_hid = jnp.split(gates, 4, axis=1)
            d_hid = d_hid + to_hidden
            d_u = bounded(d_hid * (c - hid) * u * (1 - u), op.clip)
            d_c = bounded(d_hid * u * (1 - c * c), op.clip)
            d_r = bounded(d_c * c_hid * r * (1 - r), op.clip)
            d = jnp.concatenate([d_u, d_r, bounded(d_c * r, op.clip), d_c], axis=1)
            (d,) = choose(keep, (d,), (jnp.zeros_like(d),))
            new = d_hid * (1 - u) + d[:, : weight.shape[1]] @ weight.T
            (new,) = choose(keep, (new,), (d_hid,))
            return new, d

        sequences = gates, hid_before, to_hidden, mask
        d_hid, d = jax.lax.scan(
            step, jnp.zeros_like(hid_init), sequences, reverse=not op.backwards
        )
        d_u, d_r, d_product, d_c = jnp.split(d, 4, axis=2)
        d_products = jnp.concatenate([d_u, d_r, d_product], axis=2)
        d_weight = jnp.einsum("tbu,tbg->ug", hid_before, d_products)
        return jnp.concatenate([d_u, d_r, d_c], axis=2), d_weight, d_hid

    return gru_gradient
