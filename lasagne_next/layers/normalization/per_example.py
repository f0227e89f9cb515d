"""Normalising each example by itself, with learnt scales and offsets."""

from __future__ import annotations

from lasagne_next import expressions, init
from lasagne_next.layers.axes import resolve_axes, spread, unshared_sizes
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.utils import int_types

__all__ = ["GroupNormLayer", "InstanceNormLayer", "LayerNormLayer", "RMSNormLayer"]


class _ScaledAndShifted(Layer):
    """Base: a normalised input, times a factor, plus an offset, both shared along axes.

    Where a parameter is None its attribute is None, and nothing is computed.
    """

    def _add_params(self, shared_axes, gamma, beta):
        self._shared_axes = shared_axes
        self.gamma, self.beta = gamma, beta
        if gamma is None and beta is None:
            return
        sizes = unshared_sizes(self, shared_axes)
        if gamma is not None:
            self.gamma = self.add_param(gamma, sizes, "gamma", regularizable=False)
        if beta is not None:
            self.beta = self.add_param(beta, sizes, "beta", regularizable=False)

    def _scaled_and_shifted(self, normalised):
        if self.gamma is not None:
            normalised = normalised * self._spread(self.gamma)
        if self.beta is not None:
            normalised = normalised + self._spread(self.beta)
        return normalised

    def _spread(self, parameter):
        sizes = unshared_sizes(self, self._shared_axes)
        return spread(parameter, sizes, self._shared_axes)

    def _check_positions(self):
        if len(self.input_shape) < 3:
            raise ValueError(
                f"{describe(self)}: the input must have at least 3 axes (batch, "
                f"channels, positions...), got input shape {self.input_shape}. For "
                "vectors use LayerNormLayer."
            )


class LayerNormLayer(_ScaledAndShifted):
    r"""Normalise the last axis, or other axes, of each example.

    Computes :math:`\gamma\, (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`, with mean
    and variance (divided by N) along `axes`, the same for training and for evaluation.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    axes : int or tuple of int, default -1
        Along which mean and variance are taken, usually the last ones. Their sizes must
        be known.
    epsilon : number or symbolic scalar, default 1e-5
        Keeps the root away from zero.
    gamma, beta : parameter or None, default Constant(1), Constant(0), SHAPE of `axes`
        Factor and offset of each element, not regularizable; None to do without.
    **kwargs
        `name`.

    Attributes
    ----------
    axes : tuple of int
        Counted from the front.
    epsilon, gamma, beta
        As given or made.

    Raises
    ------
    ValueError
        If `axes` are not different axes of the input, or have unknown sizes.
    TypeError
        If `epsilon` is neither a number nor a symbolic scalar.

    Notes
    -----
    In transformers it stands before attention and dense layers. For a convolution whose
    bias it replaces, with one factor for each channel, see :func:`layer_norm`.

    References
    ----------
    Jimmy Lei Ba, Jamie Ryan Kiros and Geoffrey Hinton (2016): Layer normalization,
    section 3. https://arxiv.org/abs/1607.06450

    Examples
    --------
    >>> from lasagne_next.layers import LayerNormLayer
    >>> layer = LayerNormLayer((None, 20, 64))
    >>> layer.axes, layer.gamma.type.shape
    ((2,), (64,))
    """

    def __init__(
        self,
        incoming,
        axes=-1,
        epsilon=1e-5,
        gamma=init.Constant(1),  # noqa: B008 (initialisers are stateless)
        beta=init.Constant(0),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.axes = resolve_axes(self, "axes", axes, self.input_shape)
        self.epsilon = epsilon
        is_symbolic(self, "epsilon", epsilon)
        self._add_params(_others(self, self.axes), gamma, beta)

    def get_output_for(self, input, **kwargs):
        """Return the normalised input, SHAPE of the input."""
        normalised = expressions.standardise(input, self.axes, self.epsilon)
        return self._scaled_and_shifted(normalised)


class RMSNormLayer(_ScaledAndShifted):
    r"""Scale the last axis, or other axes, of each example to a mean square of 1.

    Computes :math:`\gamma\, x / \sqrt{\overline{x^2} + \epsilon}`, with the mean along
    `axes`. It does as well as :class:`LayerNormLayer` in most networks, for less.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    axes : int or tuple of int, default -1
        Along which the mean is taken. Their sizes must be known.
    epsilon : number or symbolic scalar, default 1e-6
        Keeps the root away from zero.
    gamma : parameter or None, default Constant(1), SHAPE sizes of `axes`
        Factor of each element, not regularizable; None to do without.
    **kwargs
        `name`.

    Attributes
    ----------
    axes : tuple of int
        Counted from the front.
    epsilon, gamma
        As given or made.

    Raises
    ------
    ValueError, TypeError
        As :class:`LayerNormLayer`.

    References
    ----------
    Biao Zhang and Rico Sennrich (2019): Root mean square layer normalization, equation
    4. https://arxiv.org/abs/1910.07467

    Examples
    --------
    >>> from lasagne_next.layers import RMSNormLayer
    >>> RMSNormLayer((None, 20, 64), name="norm").get_params()
    [norm.gamma]
    """

    def __init__(
        self,
        incoming,
        axes=-1,
        epsilon=1e-6,
        gamma=init.Constant(1),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.axes = resolve_axes(self, "axes", axes, self.input_shape)
        self.epsilon = epsilon
        is_symbolic(self, "epsilon", epsilon)
        self._add_params(_others(self, self.axes), gamma, None)

    def get_output_for(self, input, **kwargs):
        """Return the scaled input, SHAPE of the input."""
        normalised = expressions.rms_normalise(input, self.axes, self.epsilon)
        return self._scaled_and_shifted(normalised)


class InstanceNormLayer(_ScaledAndShifted):
    r"""Normalise each channel of each example over its positions.

    Computes :math:`\gamma\, (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`, with mean
    and variance over all axes from axis 2 on.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...).
    epsilon : number or symbolic scalar, default 1e-5
        Keeps the root away from zero.
    gamma, beta : parameter or None, default Constant(1), Constant(0), SHAPE (channels,)
        Factor and offset of each channel, not regularizable; None to do without.
    **kwargs
        `name`.

    Attributes
    ----------
    epsilon, gamma, beta
        As given or made.

    Raises
    ------
    ValueError
        If the input has no positions, or an unknown number of channels.
    TypeError
        If `epsilon` is neither a number nor a symbolic scalar.

    Notes
    -----
    :func:`instance_norm` puts the same below the nonlinearity of a given layer.

    References
    ----------
    Dmitry Ulyanov, Andrea Vedaldi and Victor Lempitsky (2016): Instance normalization,
    equation 3. https://arxiv.org/abs/1607.08022

    Examples
    --------
    >>> from lasagne_next.layers import InstanceNormLayer
    >>> InstanceNormLayer((None, 3, 28, 28)).gamma.type.shape
    (3,)
    """

    def __init__(
        self,
        incoming,
        epsilon=1e-5,
        gamma=init.Constant(1),  # noqa: B008
        beta=init.Constant(0),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self._check_positions()
        self.epsilon = epsilon
        is_symbolic(self, "epsilon", epsilon)
        self._add_params(_others(self, (1,)), gamma, beta)

    def get_output_for(self, input, **kwargs):
        """Return the normalised input, SHAPE of the input."""
        axes = tuple(range(2, input.ndim))
        normalised = expressions.standardise(input, axes, self.epsilon)
        return self._scaled_and_shifted(normalised)


class GroupNormLayer(_ScaledAndShifted):
    r"""Normalise groups of channels of each example.

    Neighbouring channels form `num_groups` groups of equal size. Computes
    :math:`\gamma\, (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`, with mean and
    variance over the channels of a group and all positions.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, positions...), also without positions.
    num_groups : int, default 32
        Must divide the number of channels. The default is that of [1]_. With 1 all
        channels are normalised together, with one group for each channel see
        :class:`InstanceNormLayer`.
    epsilon : number or symbolic scalar, default 1e-5
        Keeps the root away from zero.
    gamma, beta : parameter or None, default Constant(1), Constant(0), SHAPE (channels,)
        Factor and offset of each channel, not regularizable; None to do without.
    **kwargs
        `name`.

    Attributes
    ----------
    num_groups, epsilon, gamma, beta
        As given or made.

    Raises
    ------
    ValueError
        If the number of channels is unknown or not a multiple of `num_groups`.
    TypeError
        If `epsilon` is neither a number nor a symbolic scalar.

    Notes
    -----
    For batches too small for :class:`BatchNormLayer`: an example does not depend on the
    others.

    References
    ----------
    .. [1] Yuxin Wu and Kaiming He (2018): Group normalization, section 3.
       https://arxiv.org/abs/1803.08494

    Examples
    --------
    >>> from lasagne_next.layers import GroupNormLayer
    >>> GroupNormLayer((None, 6, 28, 28), num_groups=2).gamma.type.shape
    (6,)
    """

    def __init__(
        self,
        incoming,
        num_groups=32,
        epsilon=1e-5,
        gamma=init.Constant(1),  # noqa: B008
        beta=init.Constant(0),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_groups, self.epsilon = num_groups, epsilon
        is_symbolic(self, "epsilon", epsilon)
        self._check_groups()
        self._add_params(_others(self, (1,)), gamma, beta)

    def _check_groups(self):
        shape = self.input_shape
        if len(shape) < 2 or shape[1] is None:
            raise ValueError(
                f"{describe(self)}: the input must have a known number of channels on "
                f"axis 1, got input shape {shape}. Declare it in the InputLayer."
            )
        groups = self.num_groups
        if not isinstance(groups, int_types) or groups < 1 or shape[1] % groups:
            raise ValueError(
                f"{describe(self)}: num_groups must be a divisor of the number of "
                f"channels, {shape[1]}, got {groups!r} (input shape {shape})."
            )

    def get_output_for(self, input, **kwargs):
        """Return the normalised input, SHAPE of the input."""
        channels = self.input_shape[1]
        sizes = [input.shape[axis] for axis in range(input.ndim)]
        grouped = input.reshape(
            (sizes[0], self.num_groups, channels // self.num_groups, *sizes[2:])
        )  # (batch, groups, channels of a group, positions...)
        axes = tuple(range(2, grouped.ndim))
        normalised = expressions.standardise(grouped, axes, self.epsilon)
        normalised = normalised.reshape((sizes[0], channels, *sizes[2:]))
        return self._scaled_and_shifted(normalised)


def _others(layer, axes):
    """Return the axes of a layer's input that are not among `axes`."""
    return tuple(set(range(len(layer.input_shape))) - set(axes))
