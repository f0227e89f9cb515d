"""How layers over maps of positions check their input."""

from __future__ import annotations

from lasagne_next.layers.base import describe

__all__ = ["check_axes"]


def check_axes(layer, shape, positions):
    """Raise unless an input has a batch, channels and so many axes of positions."""
    if len(shape) != positions + 2:
        raise ValueError(
            f"{describe(layer)}: Expected {positions + 2} input dimensions, (batch, "
            f"channels) and {positions} of positions, got {len(shape)} (input shape "
            f"{shape}). Reshape the input."
        )
