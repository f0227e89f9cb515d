"""Convolutions on JAX as sums over the positions of the filters, for processors.

XLA has no kernel for one filter a channel on a processor, and loops over groups. A sum
of slices, each times one number of a filter, is one fused loop there. Its gradient for
the filters convolves with filters as large as an image, and is slow for small images;
one product of matrices for each position of the filters is not.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = [
    "convolution_by_positions",
    "filter_gradient_by_positions",
    "is_depthwise",
    "is_filter_gradient_slow",
    "is_short",
    "transposed_convolution_by_positions",
]

MOST_TERMS = 64  # of a filter; each becomes a part of the program
SMALL_IMAGE = 144  # positions up to which products were faster: 12 x 12, not 15 x 15


def is_depthwise(op, W_shape):
    """Whether every filter sees one channel, and the sum has not too many terms."""
    return W_shape[1] == 1 < op.num_groups and np.prod(W_shape[2:]) <= MOST_TERMS


def is_short(op, W_shape):
    """Whether the filters have one or two positions, and see all channels."""
    return op.num_groups == 1 and np.prod(W_shape[2:]) <= 2


def is_filter_gradient_slow(op, W_shape, y_shape):
    """Whether products of matrices lead to the gradient for the filters faster."""
    if is_depthwise(op, W_shape) or is_short(op, W_shape):
        return True
    small = np.prod(y_shape[2:]) <= SMALL_IMAGE and np.prod(W_shape[2:]) <= MOST_TERMS
    return op.num_groups == 1 and small


def _column(op, W, tap):
    """Take one number of each filter, SHAPE (filters, 1, ...)."""
    return W[(slice(None), 0, *tap)].reshape(-1, *[1] * op.num_axes)


def _repeated(x, W_shape):
    """Give each filter its channel, which several may share."""
    return jnp.repeat(x, W_shape[0] // x.shape[1], axis=1)


def _padded(op, x):
    pairs = [(0, 0, 0), (0, 0, 0), *((*pair, 0) for pair in op.pad)]
    return lax.pad(x, np.asarray(0, x.dtype), pairs)


def _flat(x):
    return x.reshape(*x.shape[:2], int(np.prod(x.shape[2:])))


def convolution_by_positions(op, x, W):
    """Return the convolution of x with filters of one channel."""
    sizes = op.convolved(x.shape[2:], W.shape[2:])
    padded = _padded(op, _repeated(x, W.shape))
    patches = op.patches(padded, sizes, W.shape[2:])
    return sum(patch * _column(op, W, tap) for tap, patch in patches)


def transposed_convolution_by_positions(op, y, W, shape):
    """Return the sum of y times the filters, each where it came from."""
    sizes = [size + sum(pair) for size, pair in zip(shape[2:], op.pad, strict=True)]
    zero, result = np.asarray(0, y.dtype), 0
    for tap, index in op.places(y.shape[2:], W.shape[2:]):
        if is_depthwise(op, W.shape):
            part = y * _column(op, W, tap)
        else:
            each = W[(slice(None), slice(None), *tap)]
            part = (each.T @ _flat(y)).reshape(*shape[:2], *y.shape[2:])
        config = [(0, 0, 0), (0, 0, 0)]
        for place, size in zip(index, sizes, strict=True):
            config.append((place.start, size - place.stop, place.step - 1))
        result = result + lax.pad(part, zero, config)
    inside = tuple(
        slice(before, before + size)
        for (before, _), size in zip(op.pad, shape[2:], strict=True)
    )
    result = result[(slice(None), slice(None), *inside)]
    sharing = result.shape[1] // shape[1]  # filters of a channel
    return result.reshape(*shape[:2], sharing, *shape[2:]).sum(axis=2)


def filter_gradient_by_positions(op, x, y, shape):
    """Return the products of x and y, summed over images and places."""
    depthwise, short = is_depthwise(op, shape), is_short(op, shape)
    padded = _padded(op, _repeated(x, shape) if depthwise else x)
    found = {}
    for tap, patch in op.patches(padded, y.shape[2:], shape[2:]):
        if depthwise:
            found[tap] = (patch * y).sum(axis=tuple(range(2, y.ndim))).sum(axis=0)
        elif short:
            found[tap] = (_flat(y) @ _flat(patch).swapaxes(1, 2)).sum(axis=0)
        else:
            found[tap] = jnp.einsum("nfp,ncp->fc", _flat(y), _flat(patch))
    columns = [found[tap] for tap in np.ndindex(*shape[2:])]
    return jnp.stack(columns, axis=-1).reshape(shape)
