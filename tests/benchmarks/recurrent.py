"""The training step of a recurrent network, beside PyTorch and JAX by hand.

One layer, gradient descent on the mean square of all hidden states, single precision.
Sizes are (batch, time, inputs, units).
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workers import table, time_side_by_side

SIZES = ((64, 100, 64, 128), (32, 50, 256, 512), (1, 1000, 32, 64))
LEARNING_RATE = 0.1
GATES = {"LSTM": 4, "GRU": 3}


def data(kind, size):
    """Return the same batch, lengths and start values for everybody."""
    batch, time, inputs, units = (int(each) for each in size.split("x"))
    rng = np.random.default_rng(7)
    x = rng.normal(size=(batch, time, inputs)).astype("float32")
    lengths = np.sort(rng.integers(time // 2, time + 1, size=batch))[::-1].copy()
    lengths[0] = time
    width = GATES[kind] * units
    W = (rng.normal(size=(inputs, width)) / np.sqrt(inputs)).astype("float32")
    V = (rng.normal(size=(units, width)) / np.sqrt(units)).astype("float32")
    return x, lengths, W, V, np.zeros(width, "float32")


def mask_of(x, lengths, masked):
    """Return 1 for the steps that count, in (batch, time)."""
    steps = np.arange(x.shape[1])
    full = np.ones(x.shape[:2], "float32")
    return (steps < lengths[:, None]).astype("float32") if masked else full


def ours(mode, kind, size, masked):
    """Build the step with the layers of the library, batch and time unknown."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import ops

    pytensor.config.floatX = "float32"
    masked = masked == "mask"
    x, lengths, W, V, b = data(kind, size)
    params = [pytensor.shared(each, shape=each.shape) for each in (W, V, b)]
    mask = mask_of(x, lengths, masked)
    v, m = pt.tensor3("x", shape=(None, None, x.shape[2])), pt.matrix("mask")
    z = v.dimshuffle(1, 0, 2).reshape((-1, x.shape[2])) @ params[0] + params[2]
    z = z.reshape((v.shape[1], v.shape[0], W.shape[1]))
    zeros = pt.zeros((v.shape[0], V.shape[0]))
    mask_of_steps = m.T if masked else None
    if kind == "LSTM":
        hidden, _ = ops.lstm_sequence(z, params[1], zeros, zeros, mask=mask_of_steps)
    else:
        hidden = ops.gru_sequence(z, params[1], zeros, mask=mask_of_steps)
    squares = pt.sqr(hidden) * m.T[:, :, None] if masked else pt.sqr(hidden)
    loss = squares.mean()
    updates = [
        (p, p - LEARNING_RATE * g)
        for p, g in zip(params, pytensor.grad(loss, params), strict=True)
    ]
    inputs = [v, m] if masked else [v]
    step = pytensor.function(inputs, loss, updates=updates, mode=mode)
    arrays = [x, mask] if masked else [x]
    return lambda: np.asarray(step(*arrays))


def ours_on_numba(kind, size, masked):
    """Train on the default backend."""
    return ours("NUMBA", kind, size, masked)


def ours_on_jax(kind, size, masked):
    """Train through JAX."""
    import jax  # noqa: F401 (a missing JAX should be reported as such)

    from lasagne_next import backends

    return ours(backends.jax_mode(), kind, size, masked)


def pytorch(kind, size, masked):
    """Train with PyTorch's own layer; masks are packed sequences."""
    import torch

    x, lengths, W, V, b = data(kind, size)
    masked = masked == "mask"
    units = V.shape[0]
    if kind == "GRU":  # the reset gate first, then the complement of our update gate
        W, V = (np.split(each, 3, axis=1) for each in (W, V))
        W, V = (np.concatenate([r, -u, c], axis=1) for u, r, c in (W, V))
    layer = getattr(torch.nn, kind)(x.shape[2], units, batch_first=True)
    layer.bias_hh_l0.requires_grad_(False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(W.T.copy()))
        layer.weight_hh_l0.copy_(torch.from_numpy(V.T.copy()))
        layer.bias_ih_l0.copy_(torch.from_numpy(b))
        layer.bias_hh_l0.zero_()
    params = [each for each in layer.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(params, lr=LEARNING_RATE)
    x = torch.from_numpy(x)
    count = x.shape[0] * x.shape[1] * units

    def step():
        optimizer.zero_grad()
        if masked:
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                x, lengths, batch_first=True
            )
            hidden = layer(packed)[0].data
        else:
            hidden = layer(x)[0]
        loss = hidden.square().sum() / count
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_by_hand(kind, size, masked):
    """Train as an expert would write it: one jitted step around `lax.scan`."""
    import jax
    import jax.numpy as jnp

    x, lengths, W, V, b = data(kind, size)
    masked = masked == "mask"
    mask = jnp.asarray(mask_of(x, lengths, masked))
    x = jnp.asarray(x)

    def lstm(state, inputs):
        z, m = inputs
        hid, cell = state
        i, f, g, o = jnp.split(z + hid @ state_weight[0], 4, axis=1)
        new = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        out = jax.nn.sigmoid(o) * jnp.tanh(new)
        if masked:
            out, new = jnp.where(m[:, None], out, hid), jnp.where(m[:, None], new, cell)
        return (out, new), out

    def gru(state, inputs):
        z, m = inputs
        (hid,) = state
        u, r, c = jnp.split(z, 3, axis=1)
        u_h, r_h, c_h = jnp.split(hid @ state_weight[0], 3, axis=1)
        r, u = jax.nn.sigmoid(r + r_h), jax.nn.sigmoid(u + u_h)
        out = (1 - u) * hid + u * jnp.tanh(c + r * c_h)
        if masked:
            out = jnp.where(m[:, None], out, hid)
        return (out,), out

    cell, states = {"LSTM": (lstm, 2), "GRU": (gru, 1)}[kind]
    state_weight = [None]

    def loss_of(params, x, mask):
        W, V, b = params
        state_weight[0] = V
        z = jnp.swapaxes(x, 0, 1) @ W + b
        zeros = jnp.zeros((x.shape[0], V.shape[0]), x.dtype)
        _, hidden = jax.lax.scan(cell, (zeros,) * states, (z, mask.T))
        squares = jnp.square(hidden)
        return (squares * mask.T[:, :, None] if masked else squares).mean()

    def train(params, x, mask):
        loss, gradients = jax.value_and_grad(loss_of)(params, x, mask)
        return [
            p - LEARNING_RATE * g for p, g in zip(params, gradients, strict=True)
        ], loss

    train = jax.jit(train, donate_argnums=(0,))
    params = [[jnp.asarray(each) for each in (W, V, b)]]

    def step():
        params[0], loss = train(params[0], x, mask)
        return loss.block_until_ready()

    return step


PEERS = {
    "PyTorch": "pytorch",
    "lasagne_next, Numba": "ours_on_numba",
    "jax.jit by hand, lax.scan": "jax_by_hand",
    "lasagne_next, JAX": "ours_on_jax",
}


def report(kinds=("LSTM", "GRU"), sizes=SIZES, rounds=9):
    """Compare step times for all sizes, without and with masks."""
    tables = []
    for kind in kinds:
        for size in sizes:
            for masked in ("", "mask"):
                words = "x".join(map(str, size))
                peers = {
                    name: f"tests.benchmarks.recurrent:{peer}:{kind}:{words}:{masked}"
                    for name, peer in PEERS.items()
                }
                timings = time_side_by_side(peers, rounds=rounds)
                title = f"{kind} {size}{', masked' if masked else ''}"
                tables.append(f"{title}\n{table(timings, 'PyTorch')}")
    return "\n\n".join(tables)
