"""What is measured: a workload, and everybody who can do it.

A module of this package takes part in the table if it has a dictionary ``WORKLOADS``.
For example::

    WORKLOADS = {
        "classifier": Workload(
            "784-800-800-10 classifier, batch 256, Adam",
            {"lasagne_next, Numba": f"{__name__}:ours_on_numba", ...},
        ),
    }

A peer is "module:function:argument:..."; the function gets the arguments as strings,
builds the workload and returns its step, which runs once and returns a number. Peers of
one workload must compute the same numbers.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

import tests.benchmarks


@dataclass(frozen=True)
class Workload:
    """A training step, and the peers that compute it; ratios are to the first."""

    title: str
    peers: dict[str, str]
    rtol: float = 1e-3


def modules():
    """Import all modules of this package but the command itself."""
    found = pkgutil.iter_modules(tests.benchmarks.__path__, "tests.benchmarks.")
    names = [each.name for each in found if not each.name.endswith("__main__")]
    return {name.split(".")[-1]: importlib.import_module(name) for name in names}


def workloads():
    """Return all workloads by name."""
    found = {}
    for module in modules().values():
        found |= getattr(module, "WORKLOADS", {})
    return found


def reports():
    """Return the measurements that are no part of the table: functions ``report``."""
    return {
        name: module.report
        for name, module in modules().items()
        if hasattr(module, "report")
    }
