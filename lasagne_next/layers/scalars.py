"""How layers read arguments that are one number or a symbolic scalar."""

from __future__ import annotations

import numbers

import numpy as np
from pytensor.graph.basic import Variable

from lasagne_next.layers.base import describe

__all__ = ["is_symbolic"]


def is_symbolic(layer, argument, value):
    """Tell a symbolic scalar from a number, and raise for anything else."""
    if isinstance(value, Variable):
        ndim = getattr(value.type, "ndim", None)
        if ndim != 0:
            raise ValueError(
                f"{describe(layer)}: {argument} must be a number or a symbolic scalar, "
                f"got {value!r} of type {value.type}. Reduce it to a scalar."
            )
        return True
    if np.ndim(value) != 0 or not isinstance(value, numbers.Real | np.ndarray):
        raise TypeError(
            f"{describe(layer)}: {argument} must be a number or a symbolic scalar, got "
            f"{value!r} of type {type(value).__name__}."
        )
    return False
