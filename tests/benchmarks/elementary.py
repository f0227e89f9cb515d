"""Elementary functions of 100,000 numbers, alone and fused, on one thread."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workers import time_side_by_side

COUNT = 100_000
NAMES = ("exp", "tanh", "sigmoid", "softplus", "elu", "gelu", "cell")
PEERS = {
    "PyTorch": "pytorch",
    "lasagne_next, Numba": "ours",
    "PyTensor alone, Numba": "pytensor_alone",
}


def cell(backend, x):
    """Return what the gates of a recurrent layer compute, for torch and pytensor."""
    first = backend.sigmoid(x) * backend.tanh(1 - x)
    return first + backend.sigmoid(1 - x) * backend.tanh(x)


def draw(dtype):
    """Return the argument."""
    return np.random.default_rng(0).normal(size=COUNT).astype(dtype)


def compiled(name, dtype, mode):
    """Compile a function that sums nothing: its last value tells results apart."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import nonlinearities

    pytensor.config.floatX = dtype
    x = pt.vector("x", dtype=dtype)
    if name == "cell":
        y = cell(pt, x)
    else:
        y = (nonlinearities if name in ("elu", "gelu") else pt).__dict__[name](x)
    inputs = [pytensor.In(x, borrow=True)]
    outputs = pytensor.Out(y, borrow=True)
    function = pytensor.function(inputs, outputs, mode=mode, trust_input=True)
    value = draw(dtype)
    return lambda: function(value)[-1]


def ours(name, dtype):
    """Compute with the library."""
    return compiled(name, dtype, "NUMBA")


def pytensor_alone(name, dtype):
    """Compute with the C library's functions, as PyTensor does."""
    from pytensor.compile.mode import get_mode

    mode = get_mode("NUMBA").excluding("lasagne_next_elementary")
    return compiled(name, dtype, mode)


def pytorch(name, dtype):
    """Compute eagerly, on one thread."""
    import torch

    torch.set_num_threads(1)
    x = torch.from_numpy(draw(dtype))
    if name == "cell":
        return lambda: cell(torch, x)[-1].item()
    found = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    return lambda: found(x)[-1].item()


def report(rounds=9):
    """Return nanoseconds for an element, medians over the rounds."""
    lines = [f"{'ns for an element':24}" + "".join(f"{p:>24}" for p in PEERS)]
    for dtype in ("float32", "float64"):
        for name in NAMES:
            peers = {p: f"{__name__}:{f}:{name}:{dtype}" for p, f in PEERS.items()}
            timings = time_side_by_side(peers, rounds=rounds, seconds_per_round=0.02)
            cells = (
                each.problem or f"{1e9 * each.median / COUNT:.2f}" for each in timings
            )
            lines.append(
                f"{f'{name}, {dtype}':24}" + "".join(f"{c:>24}" for c in cells)
            )
    return "\n".join(lines)
