"""Recurrent networks in numpy, unit by unit, from the formulas of the papers."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(projected, weight, cell, hid, peepholes=None, mask=None, backwards=False):
    """Gers, Schraudolph and Schmidhuber (2002), section 3: hidden states and cells."""
    steps, batch, _ = projected.shape
    units = weight.shape[0]
    hidden, cells = (np.zeros((steps, batch, units)) for _ in range(2))
    for row in range(batch):
        h, c = hid[row].copy(), cell[row].copy()
        for t in reversed(range(steps)) if backwards else range(steps):
            new_h, new_c = np.zeros(units), np.zeros(units)
            for u in range(units):
                z = [
                    projected[t, row, gate * units + u]
                    + sum(h[k] * weight[k, gate * units + u] for k in range(units))
                    for gate in range(4)
                ]
                w_i, w_f, w_o = (0, 0, 0) if peepholes is None else peepholes[:, u]
                ingate, forgetgate = (
                    sigmoid(z[0] + w_i * c[u]),
                    sigmoid(z[1] + w_f * c[u]),
                )
                new_c[u] = forgetgate * c[u] + ingate * np.tanh(z[2])
                new_h[u] = sigmoid(z[3] + w_o * new_c[u]) * np.tanh(new_c[u])
            if mask is None or mask[t, row] != 0:
                h, c = new_h, new_c
            hidden[t, row], cells[t, row] = h, c
    return hidden, cells
