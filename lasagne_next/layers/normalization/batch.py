"""Normalisation by the statistics of a batch."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable

from lasagne_next import init
from lasagne_next.expressions import carry_state
from lasagne_next.expressions.standardise import moments
from lasagne_next.layers.axes import drop_axes, resolve_axes, spread, unshared_sizes
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.normalization.takeover import (
    suffixed,
    take_bias,
    take_nonlinearity,
)
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.layers.special import NonlinearityLayer
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import match_dtype, nearest

__all__ = ["BatchNormLayer", "batch_norm"]


class BatchNormLayer(Layer):
    r"""Normalise each channel over the batch, and keep averages for evaluation.

    Computes :math:`\gamma\, s\, (x - m) + \beta`. While training, m is the mean of the
    batch and s is :math:`1 / \sqrt{v + \epsilon}` with its variance v (divided by N).
    With ``deterministic=True``, m and s are the averages `mean` and `inv_std`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape, usually (batch, channels, positions...).
    axes : 'auto', int or tuple of int, default 'auto'
        Along which the statistics are taken: all but axis 1. Negative ones count from
        the end.
    epsilon : number or symbolic scalar, default 1e-4
        Added to the variance. Others use 1e-5 or 1e-3.
    alpha : number or symbolic scalar, default 0.1
        How much a batch moves the averages: ``(1 - alpha) * old + alpha * batch``.
        Others call ``1 - alpha`` momentum.
    beta : parameter or None, default Constant(0), SHAPE sizes of the other axes
        The offset, not regularizable; None for a layer without.
    gamma : parameter or None, default Constant(1), SHAPE sizes of the other axes
        The factor; None for a layer without, which suits a rectifier behind a layer
        whose scale does not matter.
    mean, inv_std : parameter, default Constant(0), Constant(1), SHAPE as gamma
        The averages, neither trainable nor regularizable, with the tag
        ``batch_norm_stat``. An expression is read, and not updated.
    **kwargs
        `name`.

    Attributes
    ----------
    axes : tuple of int
        Counted from the front.
    epsilon, alpha, beta, gamma, mean, inv_std
        As given or made.

    Raises
    ------
    ValueError
        If an axis with a parameter has an unknown size, `axes` is another word, or not
        different axes of the input.
    TypeError
        If `epsilon` or `alpha` is neither a number nor a symbolic scalar.

    Notes
    -----
    Usually placed between a layer without bias and its nonlinearity
    (:func:`batch_norm`).

    There are two more keywords of :func:`get_output`. ``batch_norm_use_averages``
    chooses between the averages (True) and the batch (False). Without it
    `deterministic` decides. ``batch_norm_update_averages`` says what happens to the
    averages. Without it they are updated unless `deterministic` is set.

    * True: every function compiled from the output updates them by itself.
    * 'explicit': it does not, and :func:`lasagne_next.expressions.state_updates` of the
      output collects the updates, to be given to the function.
    * False: nothing.

    With True the updates can be collected too; giving them to the function changes
    nothing.

    The inverse standard deviation is averaged, not the variance. For averages over a
    whole data set see :func:`reestimate_averages`.

    References
    ----------
    Sergey Ioffe and Christian Szegedy (2015): Batch normalization, algorithms 1 and 2.
    https://arxiv.org/abs/1502.03167

    Examples
    --------
    >>> from lasagne_next.layers import BatchNormLayer
    >>> layer = BatchNormLayer((None, 3, 28, 28), name="bn")
    >>> layer.axes, layer.get_params(trainable=True)
    ((0, 2, 3), [bn.beta, bn.gamma])
    >>> layer.get_params(batch_norm_stat=True)
    [bn.mean, bn.inv_std]
    """

    def __init__(
        self,
        incoming,
        axes="auto",
        epsilon=1e-4,
        alpha=0.1,
        beta=init.Constant(0),  # noqa: B008 (initialisers are stateless)
        gamma=init.Constant(1),  # noqa: B008
        mean=init.Constant(0),  # noqa: B008
        inv_std=init.Constant(1),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.axes = self._resolved(axes)
        self.epsilon, self.alpha = epsilon, alpha
        is_symbolic(self, "epsilon", epsilon)
        is_symbolic(self, "alpha", alpha)
        shape = unshared_sizes(self, self.axes)
        self.beta, self.gamma = beta, gamma
        if beta is not None:
            self.beta = self.add_param(beta, shape, "beta", regularizable=False)
        if gamma is not None:
            self.gamma = self.add_param(gamma, shape, "gamma")
        tags = {"trainable": False, "regularizable": False, "batch_norm_stat": True}
        self.mean = self.add_param(mean, shape, "mean", **tags)
        self.inv_std = self.add_param(inv_std, shape, "inv_std", **tags)

    def _resolved(self, axes):
        shape = self.input_shape
        if axes == "auto":
            return tuple(axis for axis in range(len(shape)) if axis != 1)
        if isinstance(axes, str):
            raise ValueError(
                f"{describe(self)}: axes must be 'auto', an integer or a tuple of "
                f"integers, got {axes!r} (input shape {shape})."
                + nearest(axes, ["auto"])
            )
        return resolve_axes(self, "axes", axes, shape)

    def get_output_for(
        self,
        input,
        deterministic=False,
        batch_norm_use_averages=None,
        batch_norm_update_averages=None,
        **kwargs,
    ):
        """Return the normalised input, SHAPE of the input."""
        use_averages = _default(batch_norm_use_averages, deterministic)
        update = _default(batch_norm_update_averages, not deterministic)
        if update or not use_averages:
            mean, centred, inv_std = self._batch_statistics(input)
            seen = self._dropped(mean), self._dropped(inv_std)
        if use_averages:
            centred = input - self._spread(self.mean)
            inv_std = self._spread(self.inv_std)
        factor = inv_std if self.gamma is None else self._spread(self.gamma) * inv_std
        output = centred * factor
        if self.beta is not None:
            output = output + self._spread(self.beta)
        if update:
            output = self._carrying(output, seen, implicit=update != "explicit")
        return output

    def _batch_statistics(self, input):
        """Return mean, input without it, and inverse deviation; axes are kept."""
        mean, centred, variance = moments(input, self.axes)
        epsilon = match_dtype(self.epsilon, input.dtype)
        return mean, centred, pt.reciprocal(pt.sqrt(variance + epsilon))

    def _carrying(self, output, seen, implicit):
        """Note beside the output how the averages move to what the batch has."""
        # Found from the outside in: the mean, registered first, comes last.
        pairs = list(zip((self.mean, self.inv_std), seen, strict=True))
        for average, value in reversed(pairs):
            if isinstance(average, SharedVariable):
                alpha = match_dtype(self.alpha, average.dtype)
                keep = match_dtype(1, average.dtype) - alpha
                new = keep * average + alpha * match_dtype(value, average.dtype)
                output = carry_state(output, average, new, implicit)
        return output

    def _spread(self, parameter):
        return spread(parameter, unshared_sizes(self, self.axes), self.axes)

    def _dropped(self, statistic):
        """Return a statistic without the axes along which it was taken."""
        sizes = unshared_sizes(self, self.axes)
        return declare_unit_axes(drop_axes(statistic, self.axes), sizes)


def _default(flag, otherwise):
    return otherwise if flag is None else flag


def batch_norm(layer, **kwargs):
    """Put batch normalisation between a layer and its nonlinearity.

    Parameters
    ----------
    layer : Layer
        Its bias is removed and its nonlinearity becomes the identity, in place.
    **kwargs
        Of :class:`BatchNormLayer`.

    Returns
    -------
    Layer
        A :class:`BatchNormLayer`, with a :class:`NonlinearityLayer` on top if `layer`
        had a nonlinearity.

    Notes
    -----
    The layers are called "<layer>_bn" and "<layer>_bn_nonlin", if `layer` has a name.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, batch_norm, get_all_params
    >>> network = batch_norm(DenseLayer((None, 7), 5, name="h"))
    >>> network.name, get_all_params(network, trainable=True)
    ('h_bn_nonlin', [h.W, h_bn.beta, h_bn.gamma])
    """
    nonlinearity = take_nonlinearity(layer)
    take_bias(layer)
    name = kwargs.pop("name", suffixed(getattr(layer, "name", None), "bn"))
    network = BatchNormLayer(layer, name=name, **kwargs)
    if nonlinearity is not None:
        network = NonlinearityLayer(
            network, nonlinearity, name=suffixed(name, "nonlin")
        )
    return network
