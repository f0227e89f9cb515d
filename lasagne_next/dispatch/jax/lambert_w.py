"""Lambert's W function on JAX."""

import math

import jax.numpy as jnp
from jax import lax
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.lambert_w import BRANCH_POINT, LambertW

__all__ = ["jax_funcify_lambert_w"]

STEPS = 8


def _solve_low(x):
    """Solve w exp(w) = x by Halley's method, for x below 3."""
    p = jnp.sqrt(jnp.maximum(2 * (math.e * x + 1), 0))
    series = -1 + p - p**2 / 3 + 11 * p**3 / 72  # around -1/e
    start = jnp.where(x < 1, x / (1 + x), 0.6 * jnp.log1p(x))
    start = jnp.where(x < -0.25, series, start)

    def step(_, w):
        e = jnp.exp(w)
        error = w * e - x
        return w - error / (e * (w + 1) - (w + 2) * error / (2 * w + 2))

    near = p < (1e-4 if x.dtype == "float64" else 0.03)  # where w + 1 cancels
    start = jnp.where(near, 0, start)
    return jnp.where(near, series, lax.fori_loop(0, STEPS, step, start))


def _solve_high(x):
    """Solve w + log w = log x by Newton's method, for x from 3."""
    log = jnp.log(x)
    start = log - jnp.log(log)
    step = lambda _, w: w - (w + jnp.log(w) - log) * w / (1 + w)  # noqa: E731
    return lax.fori_loop(0, STEPS, step, start)


@jax_funcify.register(LambertW)
def jax_funcify_lambert_w(op, node, **kwargs):
    """Return a function that takes a fixed number of steps."""
    kind = node.outputs[0].type.dtype

    def lambert_w(x):
        x = jnp.asarray(x, kind)
        low = _solve_low(jnp.clip(x, BRANCH_POINT, 3))
        high = _solve_high(jnp.maximum(x, 3))
        w = jnp.where(x < 3, low, jnp.where(x == jnp.inf, x, high))
        # Rounding to single precision puts -1/e a little below itself.
        return jnp.where(x < jnp.asarray(BRANCH_POINT, kind), jnp.nan, w)

    return lambert_w
