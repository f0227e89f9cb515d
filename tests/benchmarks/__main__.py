"""Run the benchmarks: ``python -m tests.benchmarks [steps] [start] ...``."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform

from tests.benchmarks import chains, classifier, expressions, pooling, start
from tests.benchmarks.workers import table, time_side_by_side

PACKAGES = ("pytensor", "numpy", "numba", "jax", "torch")


def machine():
    """Describe what the figures were measured on."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"Python {platform.python_version()}, {', '.join(versions)}\n"
        f"{os.cpu_count()} cores, {platform.machine()}, load {load:.1f} at the start"
    )


def steps():
    """Compare step times; ratios are to PyTorch and to JAX by hand."""
    timings = time_side_by_side(classifier.PEERS)
    references = ("PyTorch, eager, Adam()", "jax.jit by hand, buffers donated")
    return "\n\n".join(
        f"Ratio to {reference}\n{table(timings, reference)}"
        for reference in references
        if not next(each for each in timings if each.name == reference).problem
    ) or table(timings, timings[0].name)


BENCHMARKS = {
    "steps": steps,
    "start": start.report,
    "chains": chains.report,
    "expressions": expressions.report,
    "pooling": pooling.report,
}


def main():
    """Print the tables asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[])
    names = parser.parse_args().names or list(BENCHMARKS)
    print(machine())
    for name in names:
        print(f"\n{BENCHMARKS[name]()}")


if __name__ == "__main__":
    main()
