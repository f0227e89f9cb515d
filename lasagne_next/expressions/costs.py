"""What an operation costs, in floating point operations or their equivalent in time.

The figures are rough on purpose: they only choose between forms that differ a lot.
Gradients count, since a form is chosen before the gradient is taken.
"""

from __future__ import annotations

__all__ = ["elementwise", "product"]

LAUNCH = 2e4  # starting one kernel, for tiny problems
ELEMENT = 16.0  # reading and writing one element, which memory bounds


def product(rows, inner, columns, trainable=True, count=1):
    """Multiply (rows, inner) by (inner, columns), and pull gradients back.

    There are two passes, the product and the gradient of the left factor, and a third
    if the right factor learns. `count` equal products start together.
    """
    passes = 3 if trainable else 2
    return passes * (LAUNCH + 2.0 * count * rows * inner * columns)


def elementwise(elements, trainable=True):
    """Scale or add a number of elements, and pull gradients back."""
    passes = 3 if trainable else 2
    return passes * (LAUNCH + ELEMENT * elements)
