"""Pooling on JAX, by XLA's own windowed reductions.

XLA's gradient of a maximum picks one of equal elements. Ours serves all of them: it is
written with slices, one for each position of a window.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.pooling import (
    AveragePool,
    AveragePoolGradient,
    MaxPool,
    MaxPoolGradient,
    MaxPoolSelection,
)

__all__ = [
    "jax_funcify_average_pool",
    "jax_funcify_average_pool_gradient",
    "jax_funcify_max_pool",
    "jax_funcify_max_pool_gradient",
    "jax_funcify_max_pool_selection",
]


def _reduce(windows, x, start, reduction):
    counts = windows.count(x.shape[2:])
    if 0 in (*x.shape, *counts):
        return jnp.full((*x.shape[:2], *counts), start, x.dtype)
    return lax.reduce_window(
        x,
        np.asarray(start, x.dtype),
        reduction,
        (1, 1, *windows.size),
        (1, 1, *windows.stride),
        [(0, 0), (0, 0), *windows.paddings(x.shape[2:], counts)],
        window_dilation=(1, 1, *windows.dilation),
    )


def _padded(windows, x, value, counts):
    pairs = [(0, 0, 0)] * 2
    pairs += [(*pair, 0) for pair in windows.paddings(x.shape[2:], counts)]
    return lax.pad(x, np.asarray(value, x.dtype), pairs)


def _taps(windows, counts):
    return [(slice(None), slice(None), *each) for each in windows.taps(counts)]


def _put_back(windows, lengths, tap, values):
    """Put values where a position of the windows lies in an input of zeros."""
    config = [(0, 0, 0)] * 2
    for axis, (part, length) in enumerate(zip(tap[2:], lengths, strict=True)):
        before = part.start - windows.pad[axis][0]
        after = length - (part.stop - windows.pad[axis][0])
        config.append((before, after, part.step - 1))
    return lax.pad(values, np.asarray(0, values.dtype), config)


@jax_funcify.register(MaxPool)
def jax_funcify_max_pool(op, **kwargs):
    """Return the windowed maximum."""

    def max_pool(x):
        return _reduce(op.windows, x, -np.inf, lax.max)

    return max_pool


@jax_funcify.register(MaxPoolGradient)
def jax_funcify_max_pool_gradient(op, **kwargs):
    """Return a function of input, pooled values, and their gradient."""

    def max_pool_gradient(x, pooled, values):
        counts = pooled.shape[2:]
        if 0 in values.shape:
            return jnp.zeros_like(x)
        padded = _padded(op.windows, x, -np.inf, counts)
        return sum(
            _put_back(
                op.windows,
                x.shape[2:],
                tap,
                jnp.where(padded[tap] == pooled, values, 0),
            )
            for tap in _taps(op.windows, counts)
        )

    return max_pool_gradient


@jax_funcify.register(MaxPoolSelection)
def jax_funcify_max_pool_selection(op, **kwargs):
    """Return a function of input, pooled values, and values in the input's shape."""

    def max_pool_selection(x, pooled, values):
        counts = pooled.shape[2:]
        if 0 in pooled.shape:
            return jnp.zeros_like(pooled)
        padded = _padded(op.windows, x, -np.inf, counts)
        values = _padded(op.windows, values, 0, counts)
        return sum(
            jnp.where(padded[tap] == pooled, values[tap], 0)
            for tap in _taps(op.windows, counts)
        )

    return max_pool_selection


@jax_funcify.register(AveragePool)
def jax_funcify_average_pool(op, **kwargs):
    """Return the windowed sum, divided."""

    def average_pool(x):
        sums = _reduce(op.windows, x, 0, lax.add)
        return sums / op.divisors(x.shape[2:], sums.shape[2:], x.dtype)

    return average_pool


@jax_funcify.register(AveragePoolGradient)
def jax_funcify_average_pool_gradient(op, **kwargs):
    """Return a function of the input, for its shape, and of values to share."""

    def average_pool_gradient(x, values):
        lengths, counts = x.shape[2:], values.shape[2:]
        if 0 in values.shape:
            return jnp.zeros(x.shape, values.dtype)
        shares = values / op.divisors(lengths, counts, values.dtype)
        return sum(
            _put_back(op.windows, lengths, tap, shares)
            for tap in _taps(op.windows, counts)
        )

    return average_pool_gradient
