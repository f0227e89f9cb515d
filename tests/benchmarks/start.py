"""From the start of the interpreter to the end of the first step."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

SNIPPET = """
import importlib, sys
module, function, *arguments = sys.argv[1].split(":")
getattr(importlib.import_module(module), function)(*arguments)()
"""


def seconds(target, cache):
    """Run a peer in a fresh interpreter whose compilation caches lie in `cache`."""
    flags = f"base_compiledir={cache}/pytensor"
    environment = {
        **os.environ,
        "PYTENSOR_FLAGS": ",".join(filter(None, [os.getenv("PYTENSOR_FLAGS"), flags])),
        "NUMBA_CACHE_DIR": f"{cache}/numba",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SNIPPET, target],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


def start_seconds(target, warm_runs=3):
    """Return seconds with an empty cache, and the median of runs with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        cold = seconds(target, cache)
        warm = [seconds(target, cache) for _ in range(warm_runs)]
    return cold, statistics.median(warm)
