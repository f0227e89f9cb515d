"""Convolutions on JAX as sums over the positions of the filters, for processors.

XLA has no kernel for one filter a channel on a processor, and loops over groups. A sum
of slices, each times one number of a filter, is one fused loop there.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = [
    "depthwise_convolution",
    "depthwise_filter_gradient",
    "depthwise_transposed_convolution",
    "is_depthwise",
]

MOST_POSITIONS = 64  # of a filter; each becomes a part of the program


def is_depthwise(op, W_shape):
    """Whether every filter sees one channel, and the sum has not too many terms."""
    return W_shape[1] == 1 < op.num_groups and np.prod(W_shape[2:]) <= MOST_POSITIONS


def _filter_column(op, W, tap):
    """Take one number of each filter, SHAPE (filters, 1, ...)."""
    return W[(slice(None), 0, *tap)].reshape(-1, *[1] * op.num_axes)


def _repeated(x, W_shape):
    """Give each filter its channel, which several may share."""
    return jnp.repeat(x, W_shape[0] // x.shape[1], axis=1)


def _padded(op, x):
    pairs = [(0, 0, 0), (0, 0, 0), *((*pair, 0) for pair in op.pad)]
    return lax.pad(x, np.asarray(0, x.dtype), pairs)


def depthwise_convolution(op, x, W):
    """Return the convolution of x with filters of one channel."""
    sizes = op.convolved(x.shape[2:], W.shape[2:])
    padded = _padded(op, _repeated(x, W.shape))
    patches = op.patches(padded, sizes, W.shape[2:])
    return sum(patch * _filter_column(op, W, tap) for tap, patch in patches)


def depthwise_transposed_convolution(op, y, W, shape):
    """Return the sum of y times the filters, each where it came from."""
    sizes = [size + sum(pair) for size, pair in zip(shape[2:], op.pad, strict=True)]
    result = 0
    for tap, index in op.places(y.shape[2:], W.shape[2:]):
        config = [(0, 0, 0), (0, 0, 0)]
        for part, size in zip(index, sizes, strict=True):
            config.append((part.start, size - part.stop, part.step - 1))
        part = lax.pad(y * _filter_column(op, W, tap), np.asarray(0, y.dtype), config)
        result = result + part
    inside = tuple(
        slice(before, before + size)
        for (before, _), size in zip(op.pad, shape[2:], strict=True)
    )
    result = result[(slice(None), slice(None), *inside)]
    # Filters that share a channel.
    grouped = result.reshape(shape[0], shape[1], -1, *shape[2:])
    return grouped.sum(axis=2)


def depthwise_filter_gradient(op, x, y, shape):
    """Return the products of x and y summed over images and places."""
    padded = _padded(op, _repeated(x, shape))
    found = {}
    for tap, patch in op.patches(padded, y.shape[2:], shape[2:]):
        places = tuple(range(2, y.ndim))
        found[tap] = (patch * y).sum(axis=places).sum(axis=0)
    columns = [found[tap] for tap in np.ndindex(*shape[2:])]
    return jnp.stack(columns, axis=-1).reshape(shape)
