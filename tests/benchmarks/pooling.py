"""Maximum pooling, forward and with the gradient, beside PyTorch and JAX."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workers import table, time_side_by_side

# Batch, channels, size, window, stride, pad.
CASES = {
    "64x32x24x24, 2x2/2": (64, 32, 24, 2, 2, 0),
    "32x128x14x14, 3x3/2, padded": (32, 128, 14, 3, 2, 1),
    "32x64x32x32, 3x3/1": (32, 64, 32, 3, 1, 1),
}
THREADS = 2


def draw(case):
    """Return an input, and the gradient of its pooled values."""
    batch, channels, size, window, stride, pad = case
    count = (size + 2 * pad - window) // stride + 1
    generator = np.random.default_rng(0)
    x = generator.normal(size=(batch, channels, size, size)).astype("float32")
    gradient = generator.normal(size=(batch, channels, count, count))
    return x, gradient.astype("float32")


def read(y, slope):
    """Return a number that tells results apart and takes no time to compute."""
    return float(np.asarray(y[1, 2]).sum()) + float(np.asarray(slope[1, 2]).max())


def ours(linker, name, gradient):
    """Pool with this library."""
    import pytensor
    from pytensor.compile.mode import Mode

    from lasagne_next.ops import pool

    *_, window, stride, pad = CASES[name]
    x, given = (pytensor.shared(each, shape=each.shape) for each in draw(CASES[name]))
    y = pool(x, window, stride, pad)
    slope = pytensor.grad(None, x, known_grads={y: given}) if gradient == "yes" else x
    outputs = [y, slope] if gradient == "yes" else [y]
    function = pytensor.function([], outputs, mode=Mode(linker, "fast_run"))
    image = x.get_value()

    def step():
        results = function()
        return read(results[0], results[1] if gradient == "yes" else image)

    return step


def pytorch(name, gradient):
    """Pool with PyTorch."""
    import torch

    torch.set_num_threads(THREADS)
    *_, window, stride, pad = CASES[name]
    x, given = map(torch.tensor, draw(CASES[name]))

    def step():
        x.grad = None
        x.requires_grad = gradient == "yes"
        y = torch.nn.functional.max_pool2d(x, window, stride, pad)
        if gradient == "yes":
            y.backward(given)
        return read(y.detach(), x.grad if gradient == "yes" else x)

    return step


def jax_by_hand(name, gradient):
    """Pool with JAX."""
    import jax
    import jax.numpy as jnp

    *_, window, stride, pad = CASES[name]
    x, given = map(jnp.asarray, draw(CASES[name]))

    def pool(x):
        return jax.lax.reduce_window(
            x,
            -np.inf,
            jax.lax.max,
            (1, 1, window, window),
            (1, 1, stride, stride),
            [(0, 0), (0, 0), (pad, pad), (pad, pad)],
        )

    def both(x):
        y, pull = jax.vjp(pool, x)
        return y, pull(given)[0]

    run = jax.jit(both if gradient == "yes" else lambda x: (pool(x), x))

    def step():
        return read(*jax.block_until_ready(run(x)))

    return step


def report():
    """Write a table for each case, of ratios to PyTorch."""
    found = []
    for name in CASES:
        for gradient in ("no", "yes"):
            peers = {
                "lasagne_next, Numba": f"ours:numba:{name}:{gradient}",
                "lasagne_next, JAX": f"ours:jax:{name}:{gradient}",
                "PyTorch": f"pytorch:{name}:{gradient}",
                "jax.jit by hand": f"jax_by_hand:{name}:{gradient}",
            }
            peers = {key: f"{__name__}:{target}" for key, target in peers.items()}
            timings = time_side_by_side(peers, rounds=7, seconds_per_round=0.1)
            what = "forward and gradient" if gradient == "yes" else "forward"
            found.append(f"{name}, {what}\n{table(timings, 'PyTorch')}")
    return "\n\n".join(found)
