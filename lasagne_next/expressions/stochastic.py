"""Random parameters."""

from __future__ import annotations

import functools

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.markers import drawn, mark_draw
from lasagne_next.expressions.squares import sum_of_squares
from lasagne_next.init.base import check_number
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import match_dtype

__all__ = ["Gaussian", "kl_to_normal_prior"]


class Gaussian(ParameterExpression):
    r"""A normal distribution for each entry, :math:`W = \mu + \sigma \epsilon`.

    With :math:`\sigma = \log(1 + e^{\rho})` and a new standard normal
    :math:`\epsilon` in every call of the compiled function.

    Parameters
    ----------
    std : number, default 0.05
        Standard deviation that W starts with, relative to that of the means, so that
        the draw adds little to the variance of the plain parameter.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of the means. A variable or another expression is taken as the mean.

    Raises
    ------
    TypeError, ValueError
        If `std` is not a positive number.

    Notes
    -----
    The leaves are ``mean`` and ``rho``, of the shape of W; neither is regularizable,
    because :func:`kl_to_normal_prior` is the penalty that belongs to them.
    :func:`settle` replaces W by the mean in an output, for evaluation. All examples of
    a batch see the same draw.

    References
    ----------
    Charles Blundell, Julien Cornebise, Koray Kavukcuoglu and Daan Wierstra (2015):
    Weight uncertainty in neural networks, section 3.2. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 5), 3, W=expressions.Gaussian(), name="h")
    >>> layer.get_params()
    [h.W.mean, h.W.rho, h.b]
    """

    inner = "mean"
    leaf_tags = {  # noqa: RUF012
        "mean": {"regularizable": False},
        "rho": {"regularizable": False},
    }

    def __init__(self, std=0.05, init=initialisers.GlorotUniform()):  # noqa: B008
        check_number(self, "std", std, above=0)
        self.std, self.init = std, init

    def express(self, mean, rho):
        """Return a draw, noted as one."""
        std = pt.softplus(rho)
        noise = RandomStream(draw_seed()).normal(rho.shape, dtype=rho.dtype)
        return mark_draw(mean + std * noise, mean, std)

    def invert(self, value):
        """Take the value as means, and a small common standard deviation."""
        std = self.std * (value.std() or 1.0)
        rho = std + np.log(-np.expm1(-std))  # softplus(rho) = std
        return {"mean": value, "rho": np.full(value.shape, rho)}

    def contains(self, value, tolerance=1e-5):
        """Return True: every value may be drawn."""
        return True


def kl_to_normal_prior(parameters, std=1.0):
    r"""Sum the divergences of random parameters from a normal prior.

    Computes :math:`\sum \log(s / \sigma) + (\sigma^2 + \mu^2) / (2 s^2) - 1/2`, the
    Kullback-Leibler divergence from :math:`N(\mu, \sigma^2)` to :math:`N(0, s^2)`.

    Parameters
    ----------
    parameters : iterable of TensorVariable
        Parameters of a network, ``get_all_params(network, unwrap_shared=False)``; those
        that are not random count nothing.
    std : number or symbolic scalar, default 1
        Standard deviation s of the prior.

    Returns
    -------
    TensorVariable
        A scalar in nats, to be added to the summed loss of the whole data set, or
        divided by the number of examples where the loss is a mean.

    Raises
    ------
    ValueError
        If no parameter is random.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> layer = layers.DenseLayer((None, 5), 3, W=expressions.Gaussian())
    >>> params = layer.get_params(unwrap_shared=False)
    >>> expressions.kl_to_normal_prior(params).ndim
    0
    """
    draws = drawn(parameters)
    if not draws:
        raise ValueError(
            "kl_to_normal_prior: parameters must contain one made by Gaussian, got "
            "none. Pass get_all_params(network, unwrap_shared=False)."
        )
    return functools.reduce(pt.add, [_divergence(*draw, std) for draw in draws])


def _divergence(mean, std, prior_std):
    prior = match_dtype(prior_std, mean.dtype)
    half = match_dtype(0.5, mean.dtype)
    ratio = pt.sqr(std / prior)
    spread = pt.sum(ratio - 1 - pt.log(ratio))
    return half * (spread + sum_of_squares(mean) / pt.sqr(prior))
