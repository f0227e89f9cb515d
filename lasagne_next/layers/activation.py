"""How layers read the function that they apply to their output."""

from __future__ import annotations

from lasagne_next import nonlinearities
from lasagne_next.layers.base import describe
from lasagne_next.utils import nearest

__all__ = ["as_nonlinearity"]


def as_nonlinearity(layer, function, argument="nonlinearity"):
    """Return the function to apply: the identity for None.

    Raises
    ------
    TypeError
        If `function` is neither callable nor None.
    """
    if function is None:
        return nonlinearities.identity
    if callable(function):
        return function
    raise TypeError(
        f"{describe(layer)}: {argument} must be a function of an expression, got "
        f"{function!r}. lasagne_next.nonlinearities has many."
        f"{nearest(function, nonlinearities.__all__)}"
    )
