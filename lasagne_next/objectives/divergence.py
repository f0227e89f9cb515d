"""Divergences between distributions, in closed form."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.objectives.pairs import as_pair
from lasagne_next.utils import match_dtype

__all__ = ["gaussian_kullback_leibler"]


def gaussian_kullback_leibler(mean, log_variance):
    """Compute the divergence of a normal from the standard normal distribution.

    With the mean m and the log-variance v it is ``0.5 * (m**2 + exp(v) - 1 - v)``.

    Parameters
    ----------
    mean : expression
        Of any shape.
    log_variance : expression
        Of the same shape, or a scalar.

    Returns
    -------
    TensorVariable
        Of the same shape, in nats: one term for each dimension. Sum it over the
        dimensions of the code of a variational autoencoder.

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
    spread = pt.expm1(log_variance) - log_variance
    return match_dtype(0.5, mean.dtype) * (pt.sqr(mean) + spread)
