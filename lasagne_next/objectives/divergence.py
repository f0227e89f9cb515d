"""Divergences between distributions, in closed form."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.objectives.pairs import as_pair
from lasagne_next.utils import match_dtype

__all__ = ["free_bits", "gaussian_kullback_leibler"]


def gaussian_kullback_leibler(
    mean, log_variance, prior_mean=None, prior_log_variance=None
):
    r"""Compute the divergence between normal distributions.

    With the mean m and the log-variance v, and :math:`m_0` and :math:`v_0` of the
    prior, it is
    :math:`\frac12 ((m - m_0)^2 e^{-v_0} + e^{v - v_0} - 1 - (v - v_0))`.

    Parameters
    ----------
    mean : expression
        Of any shape.
    log_variance : expression
        Of the same shape, or a scalar.
    prior_mean, prior_log_variance : expression or None, default None
        Alike; None for 0. Without them the prior is the standard normal distribution.

    Returns
    -------
    TensorVariable
        Of the same shape, in nats: one term for each dimension. Sum it over the
        dimensions of the code of a variational autoencoder for one number each example.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    References
    ----------
    Diederik Kingma and Max Welling (2014): Auto-encoding variational Bayes, appendix B.
    https://arxiv.org/abs/1312.6114

    Examples
    --------
    >>> from lasagne_next.objectives import gaussian_kullback_leibler
    >>> loss = gaussian_kullback_leibler([0.0, 1.0], [0.0, 0.0])
    >>> loss.eval(mode="FAST_COMPILE").tolist()
    [0.0, 0.5]
    """
    function = "gaussian_kullback_leibler"
    mean, log_variance = as_pair(function, as_float(mean), log_variance)
    if prior_mean is not None:
        _, prior_mean = as_pair(function, mean, prior_mean)
        mean = mean - prior_mean
    distance = pt.sqr(mean)
    if prior_log_variance is not None:
        _, prior = as_pair(function, mean, prior_log_variance)
        distance, log_variance = distance * pt.exp(-prior), log_variance - prior
    spread = pt.expm1(log_variance) - log_variance
    return match_dtype(0.5, mean.dtype) * (distance + spread)


def free_bits(divergence, least, axis=0):
    r"""Leave each dimension a divergence that costs nothing.

    Computes :math:`\max(\lambda, \mathrm{mean}(d))` for each dimension: below
    :math:`\lambda` there is no gradient that would make it smaller.

    Parameters
    ----------
    divergence : expression
        What :func:`gaussian_kullback_leibler` returns, SHAPE (batch, dimensions...).
    least : number or symbolic scalar
        :math:`\lambda`, in nats.
    axis : int or tuple of int, default 0
        Along which the mean is taken: the batch.

    Returns
    -------
    TensorVariable, SHAPE (dimensions...)
        To be summed, and added to the mean of the other losses.

    References
    ----------
    Diederik Kingma and others (2016): Improved variational inference with inverse
    autoregressive flow, equation 15. https://arxiv.org/abs/1606.04934

    Examples
    --------
    >>> from lasagne_next.objectives import free_bits
    >>> loss = free_bits([[0.25, 1.0], [0.0, 2.0]], least=0.5)
    >>> loss.eval(mode="FAST_COMPILE").tolist()
    [0.5, 1.5]
    """
    divergence = as_float(divergence)
    mean = pt.mean(divergence, axis=axis)
    return pt.maximum(mean, match_dtype(least, mean.dtype))
