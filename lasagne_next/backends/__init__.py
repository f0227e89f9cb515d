"""Modes of compilation that get more out of a backend, and a look at the machine."""

from lasagne_next.backends.machine import MachineReport, report
from lasagne_next.backends.modes import jax_mode

__all__ = ["MachineReport", "jax_mode", "report"]
