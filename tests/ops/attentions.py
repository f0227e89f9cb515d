"""What the tests of attention share on all backends."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.ops import attention

# Batch, heads, queries, keys, size of a key, of a value.
SIZES = [(2, 3, 5, 7, 3, 4), (1, 1, 1, 1, 1, 1), (2, 3, 70, 37, 33, 5)]
EMPTY = [(0, 2, 3, 4, 5, 6), (2, 0, 3, 4, 5, 6), (2, 2, 0, 4, 5, 6), (2, 2, 3, 0, 5, 6)]


def variables(masked, dtype="float64", shape=(None,) * 4):
    """Return queries, keys, values, and a mask if wanted."""
    inputs = [pt.tensor(each, dtype=dtype, shape=shape) for each in "qkv"]
    return [*inputs, pt.tensor("mask", dtype="bool", shape=shape)] if masked else inputs


def with_gradients(masked, dtype="float64"):
    """Return inputs, and the average with the gradients of its squares."""
    inputs = variables(masked, dtype)
    found = attention(*inputs, scale=0.7)
    gradients = pytensor.grad((found**2).sum(), inputs[:3])
    return inputs, [found, *gradients]


def values(size, masked, dtype="float64"):
    """Draw arrays; heads lie inside time, and one query may look at nothing."""
    batch, heads, queries, keys, inner, features = size
    rng = np.random.default_rng(3)
    shapes = [(batch, queries, heads, inner), (batch, keys, heads, inner)]
    shapes.append((batch, keys, heads, features))
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    arrays = [array.transpose(0, 2, 1, 3) for array in arrays]
    if not masked:
        return arrays
    mask = rng.random((batch, 1, queries, keys)) < 0.6
    mask[:, :, queries // 2] = False
    return [*arrays, mask]
