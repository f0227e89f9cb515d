"""Dense layers by their definition, one number at a time."""

import itertools

import numpy as np


def dense(x, W, b, num_leading_axes):
    """Sum the weighted trailing inputs of each unit at each leading position."""
    if num_leading_axes < 0:
        num_leading_axes += x.ndim
    leading, trailing = x.shape[:num_leading_axes], x.shape[num_leading_axes:]
    output = np.zeros((*leading, W.shape[1]))
    for position in itertools.product(*map(range, leading)):
        for unit in range(W.shape[1]):
            total = b[unit]
            entries = itertools.product(*map(range, trailing))
            for number, entry in enumerate(entries):
                total += x[position + entry] * W[number, unit]
            output[(*position, unit)] = total
    return output


def network_in_network(x, W, b):
    """Weigh the channels at each position; b has shape (units,) or (units, ...)."""
    positions = x.shape[2:]
    output = np.zeros((x.shape[0], W.shape[1], *positions))
    for n, unit in itertools.product(range(x.shape[0]), range(W.shape[1])):
        for position in itertools.product(*map(range, positions)):
            total = b[unit] if b.ndim == 1 else b[(unit, *position)]
            for channel in range(x.shape[1]):
                total += x[(n, channel, *position)] * W[channel, unit]
            output[(n, unit, *position)] = total
    return output
