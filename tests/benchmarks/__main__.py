"""Run the benchmarks: ``python -m tests.benchmarks [NAME ...]``.

Without names, one table of all workloads. A name is a workload or one of the other
measurements.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path

from tests.benchmarks.tables import measure, picture, save, text
from tests.benchmarks.workloads import reports, workloads

PACKAGES = ("pytensor", "numpy", "numba", "jax", "torch")


def machine():
    """Describe what the figures are measured on."""
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


def arguments(names):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *names], default=[])
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the peers")
    parser.add_argument("--no-starts", action="store_true", help="time steps only")
    parser.add_argument("--output", type=Path, help="folder for the table as files")
    return parser.parse_args()


def main():
    """Print what was asked for."""
    others, table = reports(), workloads()
    given = arguments([*table, *others])
    about = machine()
    print(about, flush=True)
    for name in given.names:
        if name in others:
            print(f"\n{others[name]()}", flush=True)
    chosen = [name for name in given.names if name in table]
    if not given.names:
        chosen = list(table)
    if not chosen:
        return
    measured = {}
    for name in chosen:
        rows = measure(table[name], given.rounds, starts=not given.no_starts)
        measured[f"{name}: {table[name].title}"] = rows
    written = text(measured)
    print(f"\n{written}")
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        path = given.output / "benchmarks.txt"
        path.write_text(f"{about}\n\n{written}\n", encoding="utf-8")
        save(about, measured, given.output / "benchmarks.json")
        picture(measured, given.output / "benchmarks.svg")


if __name__ == "__main__":
    main()
