"""What an operation costs, in floating point operations or their equivalent in time.

The figures are rough on purpose: they only choose between forms that differ a lot.
Gradients count, since a form is chosen before the gradient is taken.
"""

from __future__ import annotations

import math

__all__ = ["choice", "elementwise", "fourier", "product", "solution"]

LAUNCH = 2e4  # starting one kernel, for tiny problems
ELEMENT = 16.0  # reading and writing one element, which memory bounds
CHOSEN = 4.0  # an element at a place looked up in a table, relative to its neighbour
BUTTERFLY = 12.0  # one level of a fast Fourier transform, for one element
FACTORISING = 3.0  # an operation of a solver, relative to one of a product


def product(rows, inner, columns, trainable=True, count=1):
    """Multiply (rows, inner) by (inner, columns), and pull gradients back.

    There are two passes, the product and the gradient of the left factor, and a third
    if the right factor learns. `count` equal products start together.
    """
    passes = 3 if trainable else 2
    return passes * (LAUNCH + 2.0 * count * rows * inner * columns)


def elementwise(elements, trainable=True):
    """Scale, add or copy a number of elements, and pull gradients back."""
    passes = 3 if trainable else 2
    return passes * (LAUNCH + ELEMENT * elements)


def choice(elements):
    """Take elements by a table of indices, and add gradients where they came from."""
    return 2 * (LAUNCH + CHOSEN * ELEMENT * elements)


def solution(size, columns, is_triangular, trainable=True):
    """Solve a system for a number of columns, and pull gradients back."""
    substitution = 2.0 * size**2 * columns / (2 if is_triangular else 1)
    factorisation = 0.0 if is_triangular else 2.0 / 3.0 * size**3
    solving = 2 * (LAUNCH + FACTORISING * (factorisation + substitution))
    outer_product = LAUNCH + 2.0 * size**2 * columns if trainable else 0.0
    return solving + outer_product


def fourier(rows, size):
    """Convolve rows with one vector, and pull gradients back: six transforms."""
    one = BUTTERFLY * rows * size * math.log2(size) + ELEMENT * rows * size
    return 6 * (LAUNCH + one)
