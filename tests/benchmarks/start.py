"""From import to the first training step, with an empty and with a warm cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

PEERS = {
    "lasagne_next, Numba": "ours_on_numba",
    "lasagne_next, JAX": "ours_on_jax",
    "PyTorch, eager": "pytorch",
    "jax.jit by hand": "jax_by_hand",
}
SNIPPET = "from tests.benchmarks import classifier; classifier.{}()()"


def seconds(snippet, cache):
    """Run a snippet in a fresh interpreter whose compilation caches lie in `cache`."""
    flags = f"base_compiledir={cache}/pytensor"
    environment = {
        **os.environ,
        "PYTENSOR_FLAGS": ",".join(filter(None, [os.getenv("PYTENSOR_FLAGS"), flags])),
        "NUMBA_CACHE_DIR": f"{cache}/numba",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", snippet],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - start
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    return took


def report(warm_runs=3):
    """Return a table of seconds, the warm ones as the median of several runs."""
    lines = [f"{'seconds from start to first step':34}{'cold':>8}{'warm':>8}"]
    for name, function in PEERS.items():
        snippet = SNIPPET.format(function)
        with tempfile.TemporaryDirectory() as cache:
            cold = seconds(snippet, cache)
            if cold is None:
                lines.append(f"{name:34}{'not installed':>16}")
                continue
            warm = sorted(seconds(snippet, cache) for _ in range(warm_runs))
        lines.append(f"{name:34}{cold:8.1f}{warm[warm_runs // 2]:8.1f}")
    return "\n".join(lines)
