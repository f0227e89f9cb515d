"""Recurrence by its definition, one example and one step at a time."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, states, params):
    """One step of an LSTM for one example; returns all new states."""
    hid, cell = states["hid"], states["cell"]

    def gate(name):
        total = x @ params[f"W_in_to_{name}"] + hid @ params[f"W_hid_to_{name}"]
        return total + params[f"b_{name}"]

    peep = {
        name: params.get(f"W_cell_to_{name}", np.zeros_like(cell))
        for name in ("ingate", "forgetgate", "outgate")
    }
    ingate = sigmoid(gate("ingate") + peep["ingate"] * cell)
    forgetgate = sigmoid(gate("forgetgate") + peep["forgetgate"] * cell)
    cell = forgetgate * cell + ingate * np.tanh(gate("cell"))
    outgate = sigmoid(gate("outgate") + peep["outgate"] * cell)
    return {"hid": outgate * np.tanh(cell), "cell": cell}


def gru_step(x, states, params):
    """One step of gated recurrent units for one example."""
    hid = states["hid"]

    def parts(name):
        from_input = x @ params[f"W_in_to_{name}"] + params[f"b_{name}"]
        return from_input, hid @ params[f"W_hid_to_{name}"]

    update = sigmoid(sum(parts("updategate")))
    reset = sigmoid(sum(parts("resetgate")))
    from_input, from_hidden = parts("hidden_update")
    candidate = np.tanh(from_input + reset * from_hidden)
    return {"hid": (1 - update) * hid + update * candidate}


def plain_step(x, states, params):
    """One step of a plain recurrence for one example."""
    total = x @ params["W_in_to_hid"] + states["hid"] @ params["W_hid_to_hid"]
    return {"hid": np.tanh(total + params["b"])}


def run(step, x, initials, params, mask=None, backwards=False):
    """Run a step over sequences of SHAPE (batch, time, features).

    Returns all states by name, each of SHAPE (batch, time, units), and the last ones.
    """
    batch, steps = x.shape[:2]
    values = {
        name: np.zeros((batch, steps, start.shape[-1]))
        for name, start in initials.items()
    }
    last = {name: np.zeros(start.shape) for name, start in initials.items()}
    for n in range(batch):
        states = {name: start[n] for name, start in initials.items()}
        order = range(steps)
        for t in reversed(order) if backwards else order:
            if mask is None or mask[n, t]:
                states = step(x[n, t].ravel(), states, params)
            for name, state in states.items():
                values[name][n, t] = state
        for name, state in states.items():
            last[name][n] = state
    return values, last
