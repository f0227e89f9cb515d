"""Taking bias and nonlinearity from a layer, to put something between them."""

from __future__ import annotations

from lasagne_next import nonlinearities

__all__ = ["suffixed", "take_bias", "take_nonlinearity"]


def take_nonlinearity(layer):
    """Make a layer linear, and return the nonlinearity that it had, or None."""
    nonlinearity = getattr(layer, "nonlinearity", None)
    if nonlinearity is not None:
        layer.nonlinearity = nonlinearities.identity
    return nonlinearity


def take_bias(layer):
    """Remove the bias of a layer, if it has one: what follows adds its own."""
    if getattr(layer, "b", None) is not None:
        del layer.params[layer.b]
        layer.b = None


def suffixed(name, suffix):
    """Return a name with a suffix, None for no name."""
    return f"{name}_{suffix}" if name else None
