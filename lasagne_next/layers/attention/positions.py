"""Telling the places of a sequence apart."""

from __future__ import annotations

from lasagne_next import expressions, init
from lasagne_next.layers.base import Layer, describe

__all__ = ["PositionEmbeddingLayer", "PositionEncodingLayer"]


class PositionEncodingLayer(Layer):
    r"""Add sines and cosines of the position.

    Feature 2i of step p gets :math:`\sin(p\, \omega_i)`, and feature 2i + 1 gets
    :math:`\cos(p\, \omega_i)`. For n features :math:`\omega_i = longest^{-2i / n}`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features); the number of features must be known.
    longest : number, default 10000
        The wavelengths go from :math:`2 \pi` steps to almost this times as many. The
        default is that of [1]_.
    **kwargs
        `name`.

    Attributes
    ----------
    longest
        As given.

    Raises
    ------
    ValueError
        If the input has other than 3 axes, or an unknown number of features.

    Notes
    -----
    It has no parameters, and serves sequences of any length.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, section 3.5.
       https://arxiv.org/abs/1706.03762

    Examples
    --------
    >>> from lasagne_next.layers import PositionEncodingLayer
    >>> PositionEncodingLayer((None, None, 64)).output_shape
    (None, None, 64)
    """

    def __init__(self, incoming, longest=10000, **kwargs):
        super().__init__(incoming, **kwargs)
        self.longest = longest
        check_sequence(self, self.input_shape)

    def get_output_for(self, input, **kwargs):
        """Return the input plus the waves, SHAPE of the input."""
        steps = expressions.positions(input).astype(input.dtype)
        waves = expressions.sinusoids(steps, self.input_shape[2], self.longest)
        return input + waves  # (batch, time, features)


class PositionEmbeddingLayer(Layer):
    """Add a learnt vector for each position.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features); the number of features must be known.
    num_positions : int
        The length of the longest sequence.
    W : parameter, default Normal(), SHAPE (num_positions, features)
        The vectors.
    **kwargs
        `name`.

    Attributes
    ----------
    num_positions, W
        As given or made.

    Raises
    ------
    ValueError
        If the input has other than 3 axes, an unknown number of features, or more steps
        than there are positions.

    References
    ----------
    Jonas Gehring and others (2017): Convolutional sequence to sequence learning,
    section 3.1. https://arxiv.org/abs/1705.03122

    Examples
    --------
    >>> from lasagne_next.layers import PositionEmbeddingLayer
    >>> PositionEmbeddingLayer((None, 20, 64), num_positions=50).W.type.shape
    (50, 64)
    """

    def __init__(
        self,
        incoming,
        num_positions,
        W=init.Normal(),  # noqa: B008 (initialisers are stateless)
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        shape = self.input_shape
        check_sequence(self, shape)
        if shape[1] is not None and shape[1] > num_positions:
            raise ValueError(
                f"{describe(self)}: num_positions must be at least the number of "
                f"steps, {shape[1]}, got {num_positions!r} (input shape {shape})."
            )
        self.num_positions = num_positions
        self.W = self.add_param(W, (num_positions, shape[2]), name="W")

    def get_output_for(self, input, **kwargs):
        """Return the input plus the vectors, SHAPE of the input."""
        length = input.type.shape[1]
        if length is not None:
            return input + self.W[:length]  # (batch, time, features)
        # A slice of unknown length does not compile on JAX.
        return input + self.W[expressions.positions(input)]


def check_sequence(layer, shape, what="the input"):
    """Raise ValueError unless a shape is (batch, time, known number of features)."""
    if len(shape) != 3 or shape[2] is None:
        raise ValueError(
            f"{describe(layer)}: {what} must have 3 axes (batch, time, features) and a "
            f"known number of features, got shape {shape}."
        )
