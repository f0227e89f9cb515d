"""Normalising each example by itself, without parameters."""

from __future__ import annotations

from lasagne_next import expressions
from lasagne_next.layers.axes import resolve_axes
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.normalization.takeover import (
    suffixed,
    take_bias,
    take_nonlinearity,
)
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.layers.special import BiasLayer, NonlinearityLayer, ScaleLayer
from lasagne_next.utils import nearest

__all__ = ["StandardizationLayer", "instance_norm", "layer_norm"]


class StandardizationLayer(Layer):
    r"""Shift and scale the input to mean 0 and variance 1 along axes.

    Computes :math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon}`, where :math:`\mu` is the
    mean and :math:`\sigma^2` the variance (divided by N) of the input along `axes`, the
    same for training and for evaluation.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...).
    axes : 'auto', 'spatial', 'features', int or tuple of int, default 'auto'
        Along which mean and variance are taken. 'spatial': all positions of a channel;
        'features': all but the batch axis; 'auto': 'spatial', for a matrix 'features'.
        Negative axes count from the end. 'spatial' on a matrix means no axes: each
        element is its own mean, and the output is zero.
    epsilon : number or symbolic scalar, default 1e-4
        Keeps the root away from zero.
    **kwargs
        `name`.

    Attributes
    ----------
    axes : tuple of int
        Counted from the front.
    epsilon
        As given.

    Raises
    ------
    ValueError
        If `axes` is another word, or not different axes of the input.
    TypeError
        If `epsilon` is neither a number nor a symbolic scalar.

    Notes
    -----
    For learnt scales and offsets see :func:`instance_norm`, :func:`layer_norm` and
    :class:`LayerNormLayer`.

    Examples
    --------
    >>> from lasagne_next.layers import StandardizationLayer
    >>> StandardizationLayer((None, 3, 28, 28)).axes
    (2, 3)
    """

    def __init__(self, incoming, axes="auto", epsilon=1e-4, **kwargs):
        super().__init__(incoming, **kwargs)
        self.axes = self._resolved(axes)
        self.epsilon = epsilon
        is_symbolic(self, "epsilon", epsilon)

    def _resolved(self, axes):
        shape = self.input_shape
        if not isinstance(axes, str):
            return resolve_axes(self, "axes", axes, shape)
        if axes == "auto":
            axes = "features" if len(shape) == 2 else "spatial"
        firsts = {"spatial": 2, "features": 1}
        if axes not in firsts:
            raise ValueError(
                f"{describe(self)}: axes must be 'auto', 'spatial', 'features', an "
                f"integer or a tuple of integers, got {axes!r} (input shape {shape})."
                + nearest(axes, ["auto", "spatial", "features"])
            )
        return tuple(range(firsts[axes], len(shape)))

    def get_output_for(self, input, **kwargs):
        """Return the standardised input, SHAPE of the input."""
        return expressions.standardise(input, self.axes, self.epsilon)


def instance_norm(layer, learn_scale=True, learn_bias=True, **kwargs):
    """Put instance normalisation between a layer and its nonlinearity.

    Parameters
    ----------
    layer : Layer
        Its bias is removed and its nonlinearity becomes the identity, in place.
    learn_scale, learn_bias : bool, default True
        Whether to scale, and to shift, each channel by a learnt number.
    **kwargs
        Of :class:`StandardizationLayer`.

    Returns
    -------
    Layer
        The last of a :class:`StandardizationLayer` over the positions of each channel,
        a :class:`ScaleLayer`, a :class:`BiasLayer` and a :class:`NonlinearityLayer`, as
        far as they are needed.

    Notes
    -----
    The layers are called "<layer>_in", "<layer>_in_scale" and so on, if `layer` has a
    name. To keep bias and nonlinearity in place, see :class:`InstanceNormLayer`.

    References
    ----------
    Dmitry Ulyanov, Andrea Vedaldi and Victor Lempitsky (2016): Instance normalization,
    equation 3. https://arxiv.org/abs/1607.08022

    Examples
    --------
    >>> from lasagne_next.layers import NINLayer, get_all_layers, instance_norm
    >>> network = instance_norm(NINLayer((None, 3, 8, 8), num_units=5))
    >>> [type(each).__name__ for each in get_all_layers(network)[1:]]
    ['StandardizationLayer', 'ScaleLayer', 'BiasLayer', 'NonlinearityLayer']
    """
    return _normalised(layer, "in", "spatial", learn_scale, learn_bias, kwargs)


def layer_norm(layer, **kwargs):
    """Put layer normalisation between a layer and its nonlinearity.

    Parameters
    ----------
    layer : Layer
        Its bias is removed and its nonlinearity becomes the identity, in place.
    **kwargs
        Of :class:`StandardizationLayer`.

    Returns
    -------
    Layer
        The last of a :class:`StandardizationLayer` over all but the batch axis, a
        :class:`ScaleLayer`, a :class:`BiasLayer` and a :class:`NonlinearityLayer`.

    Notes
    -----
    The layers are called "<layer>_ln", "<layer>_ln_scale" and so on, if `layer` has a
    name. Scale and bias have one number for each feature or channel. For sequences and
    transformers, which normalise the last axis, see :class:`LayerNormLayer`.

    References
    ----------
    Jimmy Lei Ba, Jamie Ryan Kiros and Geoffrey Hinton (2016): Layer normalization,
    section 3. https://arxiv.org/abs/1607.06450

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, get_all_params, layer_norm
    >>> get_all_params(layer_norm(DenseLayer((None, 7), 5, name="h")))
    [h.W, h_ln_scale.scales, h_ln_bias.b]
    """
    return _normalised(layer, "ln", "features", True, True, kwargs)


def _normalised(layer, suffix, axes, learn_scale, learn_bias, kwargs):
    nonlinearity = take_nonlinearity(layer)
    take_bias(layer)
    name = kwargs.pop("name", suffixed(getattr(layer, "name", None), suffix))
    kwargs.setdefault("axes", axes)
    network = StandardizationLayer(layer, name=name, **kwargs)
    if learn_scale:
        network = ScaleLayer(network, name=suffixed(name, "scale"))
    if learn_bias:
        network = BiasLayer(network, name=suffixed(name, "bias"))
    if nonlinearity is not None:
        network = NonlinearityLayer(
            network, nonlinearity, name=suffixed(name, "nonlin")
        )
    return network
