"""A function of every element as a layer of its own."""

from __future__ import annotations

from lasagne_next import nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import Layer

__all__ = ["NonlinearityLayer"]


class NonlinearityLayer(Layer):
    """Apply a function to the input.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    nonlinearity : callable or None, default rectify
        Called with the input alone; keeps its shape. None means the identity.
    **kwargs
        `name`.

    Attributes
    ----------
    nonlinearity : callable
        Never None.

    Raises
    ------
    TypeError
        If `nonlinearity` cannot be called.

    Examples
    --------
    >>> from lasagne_next import nonlinearities
    >>> from lasagne_next.layers import NonlinearityLayer
    >>> NonlinearityLayer((None, 5), nonlinearities.tanh).output_shape
    (None, 5)
    """

    def __init__(self, incoming, nonlinearity=nonlinearities.rectify, **kwargs):
        super().__init__(incoming, **kwargs)
        self.nonlinearity = as_nonlinearity(self, nonlinearity)

    def get_output_for(self, input, **kwargs):
        """Return the function of the input, SHAPE of the input."""
        return self.nonlinearity(input)
