"""Memory that a training step of a small convolution network needs, beside PyTorch."""

from __future__ import annotations

import ctypes
import multiprocessing
import re
from pathlib import Path

import numpy as np

BATCHES = (64, 128, 256)
PEERS = {"PyTorch, eager": "pytorch", "lasagne_next, Numba": "ours_on_numba"}


def _kilobytes(field):
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{field}:\s+(\d+)", status)[1])


def growth(target, batch):
    """Return by how many megabytes steps of this batch let the process grow at most.

    Everything is compiled and loaded by steps with two images before.
    """
    from tests.benchmarks import images

    step = getattr(images, target)()
    x, y, _ = images.data()
    times = -(-batch // len(x))
    x, y = np.tile(x, (times, 1, 1, 1))[:batch], np.tile(y, times)[:batch]
    if target == "pytorch":
        import torch

        x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    for _ in range(3):
        step(x[:2], y[:2])
    ctypes.CDLL(None).malloc_trim(0)
    # From here on the largest size is counted anew.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _kilobytes("VmRSS")
    for _ in range(5):
        step(x, y)
    return (_kilobytes("VmHWM") - before) / 1024


def report():
    """Write a table of megabytes, each from a process of its own; Linux only."""
    context = multiprocessing.get_context("spawn")
    lines = [f"{'MB, batch of':24}" + "".join(f"{batch:8}" for batch in BATCHES)]
    for name, target in PEERS.items():
        with context.Pool(1, maxtasksperchild=1) as pool:
            found = [pool.apply(growth, (target, batch)) for batch in BATCHES]
        lines.append(f"{name:24}" + "".join(f"{each:8.1f}" for each in found))
    return "\n".join(lines)
