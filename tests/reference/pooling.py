"""Pooling from its definition, one window after the other."""

import itertools

import numpy as np


def count(length, size, stride, pad, dilation, ignore_border):
    """Count windows by sliding one along the padded axis until it leaves it."""
    before, after = pad
    extent = (size - 1) * dilation + 1
    found, start = 0, -before
    if ignore_border:
        while start + extent <= length + after:
            found, start = found + 1, start + stride
        return found
    # A further window is needed as long as the padding behind is not all covered, and
    # allowed as long as it begins before the end of the input.
    while start < length and (found == 0 or start - stride + extent < length + after):
        found, start = found + 1, start + stride
    return found


def covered(window, lengths, size, stride, pad, dilation):
    """List the positions of a window, and whether each is in the input."""
    axes = [
        [o * s - before + k * d for k in range(p)]
        for o, s, (before, _), d, p in zip(
            window, stride, pad, dilation, size, strict=True
        )
    ]
    for position in itertools.product(*axes):
        inside = all(0 <= i < n for i, n in zip(position, lengths, strict=True))
        yield position, inside


def pool(x, size, stride, pad, dilation, ignore_border, mode):
    """Reduce each window of the trailing axes."""
    lengths = x.shape[2:]
    counts = [
        count(*each, ignore_border)
        for each in zip(lengths, size, stride, pad, dilation, strict=True)
    ]
    out = np.zeros((*x.shape[:2], *counts))
    for n, c, *window in np.ndindex(out.shape):
        elements, zeros = [], 0
        for position, inside in covered(window, lengths, size, stride, pad, dilation):
            if inside:
                elements.append(x[n, c][position])
            elif all(
                -before <= i < length + after
                for i, (before, after), length in zip(
                    position, pad, lengths, strict=True
                )
            ):
                zeros += 1
        if mode == "max":
            out[n, c][tuple(window)] = max(elements)
        else:
            number = len(elements) + (zeros if mode == "average_inc_pad" else 0)
            out[n, c][tuple(window)] = sum(elements) / number
    return out


def max_gradient(x, gradient, size, stride, pad, dilation):
    """Give the gradient of each maximum to all elements that are as large."""
    out = np.zeros(x.shape)
    lengths = x.shape[2:]
    for n, c, *window in np.ndindex(gradient.shape):
        inside = [
            position
            for position, is_inside in covered(
                window, lengths, size, stride, pad, dilation
            )
            if is_inside
        ]
        largest = max(x[n, c][position] for position in inside)
        for position in inside:
            if x[n, c][position] == largest:
                out[n, c][position] += gradient[n, c][tuple(window)]
    return out
