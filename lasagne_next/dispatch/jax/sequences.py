"""What the loops of whole sequences share on JAX."""

from __future__ import annotations

import jax.numpy as jnp

__all__ = ["bounded", "choose", "step_before"]


def step_before(sequence, init, backwards):
    """Return for each step what the sequence was at the step read before it."""
    if backwards:
        shifted = jnp.concatenate([sequence[1:], init[None]])
    else:
        shifted = jnp.concatenate([init[None], sequence[:-1]])
    return shifted[: len(sequence)]  # not even the first if there is no step


def bounded(x, bound):
    """Clip to plus and minus a bound, unless that is 0."""
    return jnp.clip(x, -bound, bound) if bound else x


def choose(keep, new, old):
    """Take the old values where the mask is 0."""
    if keep is None:
        return new
    return tuple(
        jnp.where(keep[:, None], one, other)
        for one, other in zip(new, old, strict=True)
    )
