"""Attention on JAX.

The gradient computes the weights again; where both are in one function, XLA sees that
they are the same and computes them once.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.attention import FORBIDDEN, Attention, AttentionGradient

__all__ = ["jax_funcify_attention", "jax_funcify_attention_gradient"]


def _weights(query, key, mask):
    scores = jnp.einsum("bhqd,bhkd->bhqk", query, key)
    if mask is None:
        return jax.nn.softmax(scores)
    weights = jax.nn.softmax(jnp.where(mask, scores, FORBIDDEN))
    return jnp.where(mask.any(axis=3, keepdims=True), weights, 0)


@jax_funcify.register(Attention)
def jax_funcify_attention(op, **kwargs):
    """Return a function of queries, keys, values and the mask."""

    def attention(*operands):
        op.check_sizes([each.shape for each in operands])
        query, key, value, *mask = operands
        mask = mask[0] if mask else None
        return jnp.einsum("bhqk,bhke->bhqe", _weights(query, key, mask), value)

    return attention


@jax_funcify.register(AttentionGradient)
def jax_funcify_attention_gradient(op, **kwargs):
    """Return a function of queries, keys, values, the cotangent and the mask."""

    def attention_gradient(*operands):
        op.check_sizes([each.shape for each in operands])
        query, key, value, cotangent, *mask = operands
        mask = mask[0] if mask else None
        weights = _weights(query, key, mask)
        d_weights = jnp.einsum("bhqe,bhke->bhqk", cotangent, value)
        inner = (weights * d_weights).sum(axis=3, keepdims=True)
        d_scores = weights * (d_weights - inner)
        return (
            jnp.einsum("bhqk,bhkd->bhqd", d_scores, key),
            jnp.einsum("bhqk,bhqd->bhkd", d_scores, query),
            jnp.einsum("bhqk,bhqe->bhke", weights, cotangent),
        )

    return attention_gradient
