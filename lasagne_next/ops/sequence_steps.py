"""What loops over the single steps of a sequence share: expressions only."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.ops.matrix_product import matrix_product

__all__ = ["choose", "product_of_all", "split", "split_mask", "step_before"]


def product_of_all(x, y):
    """Multiply two sequences, summed over time and batch."""
    x, y = (each.reshape((-1, each.shape[2])) for each in (x, y))
    return matrix_product(x.T, y)


def split(gates, count):
    """Cut gates that are side by side apart."""
    units = gates.shape[-1] // count
    return [gates[..., k * units : (k + 1) * units] for k in range(count)]


def split_mask(rest, masked):
    """Return the mask of a step, None if there is none, and what follows it."""
    return (rest[0], rest[1:]) if masked else (None, rest)


def choose(mask, new, old):
    """Take the old values where the mask is 0."""
    if mask is None:
        return new
    return tuple(
        pt.switch(mask[:, None], one, other)
        for one, other in zip(new, old, strict=True)
    )


def step_before(sequence, init, backwards):
    """Return for each step what the sequence was at the step read before it."""
    if backwards:
        return pt.concatenate([sequence[1:], init[None]])
    return pt.concatenate([init[None], sequence[:-1]])
