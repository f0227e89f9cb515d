"""Gated recurrent units in numpy, unit by unit, from the formulas of cuDNN's manual."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(projected, weight, hid, mask=None, backwards=False):
    """Reset after the product, and multiply what is new by the update gate."""
    steps, batch, _ = projected.shape
    units = weight.shape[0]
    hidden = np.zeros((steps, batch, units))
    for row in range(batch):
        h = hid[row].copy()
        for t in reversed(range(steps)) if backwards else range(steps):
            new = np.zeros(units)
            for u in range(units):
                of_update, of_reset, of_candidate = (
                    sum(h[k] * weight[k, gate * units + u] for k in range(units))
                    for gate in range(3)
                )
                update = sigmoid(projected[t, row, u] + of_update)
                reset = sigmoid(projected[t, row, units + u] + of_reset)
                x = projected[t, row, 2 * units + u]
                candidate = np.tanh(x + reset * of_candidate)
                new[u] = (1 - update) * h[u] + update * candidate
            if mask is None or mask[t, row] != 0:
                h = new
            hidden[t, row] = h
    return hidden
