"""The probability of labels without known places on JAX: two loops over the steps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.ctc import CTC, check_rows

__all__ = ["jax_funcify_ctc"]


@jax_funcify.register(CTC)
def jax_funcify_ctc(op, **kwargs):
    """Return a function of logarithms, labels, and how many there are."""

    def ctc(logs, labels, steps, counts):
        check_rows(logs, labels, steps, counts)
        time, rows, num_classes = logs.shape
        blank, number = op.blank % num_classes, 2 * labels.shape[1] + 1
        nothing = jnp.asarray(-jnp.inf, logs.dtype)
        wrong = (labels < 0) | (labels >= num_classes) | (labels == blank)

        def spread(x, fill):
            """Put x at the odd places."""
            return jnp.full((rows, number), fill, x.dtype).at[:, 1::2].set(x)

        classes = spread(jnp.where(wrong, blank, labels), blank)
        wrong = spread(wrong, False)
        skips = jnp.zeros((rows, number), bool)
        skips = skips.at[:, 3::2].set(labels[:, 1:] != labels[:, :-1])
        left = 2 * counts[:, None] - jnp.arange(number)
        last = (left == 0) | (left == 1)
        emitted = jnp.take_along_axis(logs, classes[None], axis=2)
        emitted = jnp.where(wrong, nothing, emitted)  # (time, batch, states)
        exists = jnp.arange(time)[:, None] < steps  # (time, batch)

        def moved(x, by):
            before, after = (by, 0) if by > 0 else (0, -by)
            x = jnp.pad(x, ((0, 0), (before, after)), constant_values=-jnp.inf)
            return x[:, :number] if by > 0 else x[:, -number:]

        def forward(state, inputs):
            now, scale = state
            emitted, keep = inputs
            skipped = jnp.where(skips, moved(now, 2), nothing)
            new = _sum_of_logs(now, moved(now, 1), skipped) + emitted
            new, largest = _without_largest(new)
            now = jnp.where(keep[:, None], new, now)
            return (now, scale + jnp.where(keep, largest, 0)), now

        start = jnp.full((rows, number), nothing).at[:, 0].set(0)
        scale = jnp.zeros(rows, logs.dtype)
        (now, scale), ahead = jax.lax.scan(forward, (start, scale), (emitted, exists))
        ends = jnp.where(last, now, nothing)
        total = scale + jax.nn.logsumexp(ends, axis=1)

        def back(behind, inputs):
            emitted, keep, ahead = inputs
            both = jnp.exp(_without_largest(ahead + behind)[0])
            both = both / jnp.maximum(both.sum(axis=1, keepdims=True), 1)
            coming = behind + emitted
            skipped = moved(jnp.where(skips, coming, nothing), -2)
            new = _sum_of_logs(coming, moved(coming, -1), skipped)
            new, _ = _without_largest(new)
            behind = jnp.where(keep[:, None], new, behind)
            return behind, jnp.where(keep[:, None], both, 0)

        start = jnp.where(last, jnp.zeros_like(nothing), nothing)
        sequences = emitted, exists, ahead
        _, given = jax.lax.scan(back, start, sequences, reverse=True)
        given = jnp.where(jnp.isinf(total)[:, None], 0, given)
        places = jnp.arange(time)[:, None, None], jnp.arange(rows)[:, None], classes
        return total, jnp.zeros_like(logs).at[places].add(given)

    return ctc


def _sum_of_logs(x, y, z):
    largest = jnp.maximum(jnp.maximum(x, y), z)
    largest = jnp.where(jnp.isinf(largest), 0, largest)
    return largest + jnp.log(
        jnp.exp(x - largest) + jnp.exp(y - largest) + jnp.exp(z - largest)
    )


def _without_largest(x):
    largest = x.max(axis=1)
    largest = jnp.where(jnp.isinf(largest), 0, largest)
    return x - largest[:, None], largest
