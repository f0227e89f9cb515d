"""Offsets and scales that are shared along axes."""

from __future__ import annotations

from lasagne_next import init
from lasagne_next.layers.axes import resolve_shared_axes, spread, unshared_sizes
from lasagne_next.layers.base import Layer, describe

__all__ = ["BiasLayer", "ScaleLayer", "standardize"]


class BiasLayer(Layer):
    """Add a learnt offset.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    b : parameter or None, default Constant(0), SHAPE sizes of the axes not shared
        The offset, not regularizable; None to pass the input on.
    shared_axes : 'auto', 'all', int or tuple of int, default 'auto'
        Axes along which one offset serves all elements: all but axis 1 by default, one
        per feature or channel. Negative ones count from the end.
    **kwargs
        `name`.

    Attributes
    ----------
    b
        As given or made.
    shared_axes : tuple of int
        Counted from the front.

    Raises
    ------
    ValueError
        If an axis that is not shared has an unknown size, or `shared_axes` are not
        different axes of the input.

    Examples
    --------
    >>> from lasagne_next.layers import BiasLayer
    >>> BiasLayer((20, 30, 40, 50), shared_axes=(0, 2)).b.type.shape
    (30, 50)
    """

    def __init__(
        self,
        incoming,
        b=init.Constant(0),  # noqa: B008 (initialisers are stateless)
        shared_axes="auto",
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.shared_axes = resolve_shared_axes(self, shared_axes)
        self.b = b
        if b is not None:
            sizes = unshared_sizes(self, self.shared_axes)
            self.b = self.add_param(b, sizes, name="b", regularizable=False)

    def get_output_for(self, input, **kwargs):
        """Return the input plus the offset, SHAPE of the input."""
        if self.b is None:
            return input
        sizes = unshared_sizes(self, self.shared_axes)
        return input + spread(self.b, sizes, self.shared_axes)


class ScaleLayer(Layer):
    """Multiply by a learnt factor.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    scales : parameter, default Constant(1), SHAPE sizes of the axes not shared
        The factors, not regularizable.
    shared_axes : 'auto', 'all', int or tuple of int, default 'auto'
        As in :class:`BiasLayer`.
    **kwargs
        `name`.

    Attributes
    ----------
    scales
        As given or made.
    shared_axes : tuple of int
        Counted from the front.

    Raises
    ------
    ValueError
        As :class:`BiasLayer`.
    TypeError
        If `scales` is None.

    Examples
    --------
    >>> from lasagne_next.layers import ScaleLayer
    >>> ScaleLayer((None, 30, 40)).scales.type.shape
    (30,)
    """

    def __init__(
        self,
        incoming,
        scales=init.Constant(1),  # noqa: B008
        shared_axes="auto",
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        if scales is None:
            raise TypeError(
                f"{describe(self)}: scales must be a parameter, got None. Leave the "
                "layer out instead."
            )
        self.shared_axes = resolve_shared_axes(self, shared_axes)
        sizes = unshared_sizes(self, self.shared_axes)
        self.scales = self.add_param(scales, sizes, name="scales", regularizable=False)

    def get_output_for(self, input, **kwargs):
        """Return the input times the factor, SHAPE of the input."""
        sizes = unshared_sizes(self, self.shared_axes)
        return input * spread(self.scales, sizes, self.shared_axes)


def standardize(layer, offset, scale, shared_axes="auto"):
    """Subtract a fixed offset, and divide by a fixed scale.

    Parameters
    ----------
    layer : Layer or tuple
        Of any shape.
    offset, scale : array, number, shared variable or expression
        Of the sizes of the axes not shared, usually mean and standard deviation of the
        training data.
    shared_axes : 'auto', 'all', int or tuple of int, default 'auto'
        As in :class:`BiasLayer`.

    Returns
    -------
    ScaleLayer
        On top of a :class:`BiasLayer`. Their parameters are saved with the network, but
        are neither trainable nor regularizable.

    Raises
    ------
    ValueError
        As :class:`BiasLayer`.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import InputLayer, get_all_params, standardize
    >>> data = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> l_in = InputLayer((None, 2))
    >>> network = standardize(l_in, data.mean(axis=0), data.std(axis=0))
    >>> len(get_all_params(network)), len(get_all_params(network, trainable=True))
    (2, 0)
    """
    network = BiasLayer(layer, b=-offset, shared_axes=shared_axes)
    network.params[network.b].remove("trainable")
    network = ScaleLayer(network, scales=1 / scale, shared_axes=shared_axes)
    network.params[network.scales].remove("trainable")
    return network
