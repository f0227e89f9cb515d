"""Building and querying long chains of layers: linear, and no recursion limit."""

from __future__ import annotations

import time

import numpy as np

import lasagne_next as nn

LENGTHS = (100, 1000, 5000)


def chain(length):
    """Stack dense layers of three units."""
    network = nn.layers.InputLayer((None, 3))
    W = np.eye(3)
    for _ in range(length):
        network = nn.layers.DenseLayer(network, num_units=3, W=W)
    return network


def measure(length):
    """Return seconds for each operation on a chain of the given length."""
    start = time.perf_counter()
    network = chain(length)
    seconds = {"build": time.perf_counter() - start}
    layers = nn.layers
    for name, operation in {
        "get_all_layers": lambda: layers.get_all_layers(network),
        "get_all_params": lambda: layers.get_all_params(network),
        "get_output_shape": lambda: layers.get_output_shape(network, (5, 3)),
        "get_output": lambda: layers.get_output(network),
    }.items():
        start = time.perf_counter()
        operation()
        seconds[name] = time.perf_counter() - start
    return seconds


def report():
    """Return a table of microseconds per layer."""
    measure(10)  # imports and caches are not what is measured
    measured = {length: measure(length) for length in LENGTHS}
    lines = [f"{'microseconds per layer':26}" + "".join(f"{n:>8}" for n in LENGTHS)]
    for name in measured[LENGTHS[0]]:
        cells = (f"{1e6 * measured[n][name] / n:8.1f}" for n in LENGTHS)
        lines.append(f"{name:26}" + "".join(cells))
    return "\n".join(lines)
