"""Halves of which one opens and closes the other."""

from __future__ import annotations

from lasagne_next import nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.axes import resolve_axis
from lasagne_next.layers.base import Layer, describe

__all__ = ["GatedActivationLayer"]


class GatedActivationLayer(Layer):
    r"""Multiply one half of the features by a gate made of the other half.

    Computes :math:`f(a) \odot g(b)`, where a and b are the first and the second half of
    the input along an axis.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape, with a known even size along `axis`.
    axis : int, default 1
        Where the features are; negative axes count from the end.
    nonlinearity : callable or None, default tanh
        f; None leaves a as it is.
    gate : callable or None, default sigmoid
        g; None leaves b as it is.
    **kwargs
        `name`.

    Attributes
    ----------
    axis, nonlinearity, gate
        As given; the functions are never None.

    Raises
    ------
    ValueError
        If there is no such axis, or its size is unknown or odd.
    TypeError
        If `axis` is no integer, or a function cannot be called.

    Notes
    -----
    Usually placed after a linear layer of twice as many units. With the defaults it is
    the gated activation unit of [1]_, and with ``nonlinearity=None`` the gated linear
    unit of [2]_. ``nonlinearity=None, gate=silu`` and ``gelu`` are SwiGLU and GEGLU.

    References
    ----------
    .. [1] Aaron van den Oord and others (2016): WaveNet: a generative model for raw
       audio, equation 2. https://arxiv.org/abs/1609.03499
    .. [2] Yann Dauphin and others (2017): Language modeling with gated convolutional
       networks, equation 1. https://arxiv.org/abs/1612.08083

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, GatedActivationLayer
    >>> both = DenseLayer((None, 7), num_units=10, nonlinearity=None)
    >>> GatedActivationLayer(both).output_shape
    (None, 5)
    """

    def __init__(
        self,
        incoming,
        axis=1,
        nonlinearity=nonlinearities.tanh,
        gate=nonlinearities.sigmoid,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.axis = axis
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self.gate = as_nonlinearity(self, gate, "gate")
        self._halve(self.input_shape)

    def _halve(self, shape):
        """Return the axis, counted from the front, and half of its size."""
        axis = resolve_axis(self, "axis", self.axis, shape)
        size = shape[axis]
        if size is None or size % 2:
            raise ValueError(
                f"{describe(self)}: the size of axis {axis} must be known and even, "
                f"got {size} (input shape {shape}). Half of it is the gate."
            )
        return axis, size // 2

    def get_output_shape_for(self, input_shape):
        """Halve the number of features."""
        axis, half = self._halve(input_shape)
        return (*input_shape[:axis], half, *input_shape[axis + 1 :])

    def get_output_for(self, input, **kwargs):
        """Return the gated half, SHAPE of the input with half the features."""
        axis, half = self._halve(self.input_shape)
        before = (slice(None),) * axis
        features, gate = (
            input[(*before, slice(half))],
            input[(*before, slice(half, None))],
        )
        return self.nonlinearity(features) * self.gate(gate)
