"""Samples of a normal distribution that two other layers describe."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.layers.axes import draw_size
from lasagne_next.layers.base import MergeLayer, describe
from lasagne_next.layers.outputs import SeveralOutputs
from lasagne_next.objectives import gaussian_kullback_leibler
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import match_dtype, nearest

__all__ = ["GaussianSampleLayer"]

_SPREADS = ("log_variance", "std")


class GaussianSampleLayer(SeveralOutputs, MergeLayer):
    r"""Draw from the normal distributions whose means and variances come in.

    Returns :math:`z = \mu + \sigma \odot \epsilon` with :math:`\epsilon \sim N(0, I)`,
    through which gradients reach :math:`\mu` and :math:`\sigma` (the reparameterisation
    trick). With ``deterministic=True`` it returns :math:`\mu`.

    Parameters
    ----------
    incomings : list of two layers or tuples
        The means :math:`\mu`, and what `spread` says; of one shape.
    spread : str, default "log_variance"
        What the second input holds: "log_variance" is :math:`\log \sigma^2`, any
        number; "std" is :math:`\sigma`, positive numbers only.
    **kwargs
        `name`.

    Attributes
    ----------
    spread
        As given.

    Raises
    ------
    ValueError
        If there are other than two inputs, their known sizes differ, or `spread` is
        another word.

    Notes
    -----
    It has four outputs, of the shape of the means: the main one "sample", "mean",
    "log_variance" and "kl". The last is the divergence from the standard normal
    distribution, one term for each dimension, also where `deterministic` is set; an
    :class:`OutputLayer` reads it. Sum it over the dimensions of an example. For another
    prior see :func:`lasagne_next.objectives.gaussian_kullback_leibler`, and for a least
    amount of each dimension :func:`lasagne_next.objectives.free_bits`.

    The draw is new in each call of the compiled function, and the same for all outputs
    of one call of :func:`get_output`.

    References
    ----------
    Diederik Kingma and Max Welling (2014): Auto-encoding variational Bayes, section 2.4
    and appendix B. https://arxiv.org/abs/1312.6114

    Examples
    --------
    >>> from lasagne_next.layers import (
    ...     DenseLayer, GaussianSampleLayer, OutputLayer, get_output)
    >>> mean = DenseLayer((7, 5), num_units=2, nonlinearity=None)
    >>> log_variance = DenseLayer((7, 5), num_units=2, nonlinearity=None)
    >>> code = GaussianSampleLayer([mean, log_variance])
    >>> code.output_shape, OutputLayer(code, "kl").output_shape
    ((7, 2), (7, 2))
    """

    def __init__(self, incomings, spread="log_variance", **kwargs):
        super().__init__(incomings, **kwargs)
        self._srng = RandomStream(draw_seed())
        self.spread = spread
        if spread not in _SPREADS:
            raise ValueError(
                f"{describe(self)}: spread must be one of {', '.join(_SPREADS)}, got "
                f"{spread!r}.{nearest(spread, _SPREADS)}"
            )
        if len(self.input_shapes) != 2:
            raise ValueError(
                f"{describe(self)}: incomings must be two, means and {spread}, got "
                f"{len(self.input_shapes)} (input shapes {self.input_shapes})."
            )
        self._merged(self.input_shapes)

    def _merged(self, input_shapes):
        mean, other = input_shapes
        pairs = list(zip(mean, other, strict=False))
        if len(mean) != len(other) or not all(
            None in pair or pair[0] == pair[1] for pair in pairs
        ):
            raise ValueError(
                f"{describe(self)}: the shapes of means and {self.spread} must agree, "
                f"got input shapes {input_shapes}."
            )
        return tuple(second if first is None else first for first, second in pairs)

    def get_output_shapes_for(self, input_shapes):
        """Return the shape of the means four times."""
        shape = self._merged(input_shapes)
        return dict.fromkeys(("sample", "mean", "log_variance", "kl"), shape)

    def get_outputs_for(self, inputs, deterministic=False, **kwargs):
        """Return a sample, what it was drawn from, and the divergence of that."""
        mean, other = inputs
        other, half = match_dtype(other, mean.dtype), match_dtype(0.5, mean.dtype)
        by_std = self.spread == "std"
        log_variance = 2 * pt.log(other) if by_std else other
        sample = mean
        if not deterministic:
            std = other if by_std else pt.exp(half * other)
            noise = self._srng.normal(draw_size(mean), dtype=mean.dtype)
            sample = mean + std * noise
        kl = gaussian_kullback_leibler(mean, log_variance)
        return {
            "sample": sample,
            "mean": mean,
            "log_variance": log_variance,
            "kl": kl,
        }
