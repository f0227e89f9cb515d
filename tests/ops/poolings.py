"""Graphs of pooling with gradients of both orders, for comparing backends."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.ops import pool

# Per axis: lengths, size, stride, pad, dilation, ignore_border.
_IMAGES = ((6, 9), (3, 2), (2, 1), ((2, 1), (0, 1)), (2, 3), False)
_TOUCHING = ((7, 9), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), True)
_VOLUMES = ((3, 5, 7), (2, 3, 2), (1, 2, 3), ((1, 0), (0, 0), (0, 1)), (1, 1, 2), True)
_SEQUENCES = ((11,), (3,), (1,), ((1, 2),), (2,), True)

GRAPHS = {
    "images, max": (_IMAGES, "max"),
    "images, average_inc_pad": (_IMAGES, "average_inc_pad"),
    "touching, max": (_TOUCHING, "max"),
    "volumes, average_exc_pad": (_VOLUMES, "average_exc_pad"),
    "sequences, max": (_SEQUENCES, "max"),
}


def outputs(case, mode, dtype):
    """Return an input of unknown sizes, and what is computed from it."""
    lengths, *geometry = case
    x = pt.tensor("x", shape=(None,) * (len(lengths) + 2), dtype=dtype)
    y = pool(x, *geometry, mode)
    # No other operation takes part, so that little has to be compiled.
    slope = pytensor.grad(None, x, known_grads={y: y})
    return x, [y, slope, pytensor.grad(None, y, known_grads={slope: x})]


def arrays(case, dtype):
    """Draw inputs: with ties, in another layout of memory, and of no examples."""
    generator = np.random.default_rng(0)
    lengths = case[0]
    whole = generator.integers(-2, 3, (2, 3, *lengths)).astype(dtype)
    larger = generator.normal(size=(4, 3, *lengths)).astype(dtype)
    turned = np.ascontiguousarray(larger.T).T
    return [whole, turned[::-2], larger[:0]]
