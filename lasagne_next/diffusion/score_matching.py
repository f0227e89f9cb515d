"""Losses that teach the gradient of a log density from points alone."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.diffusion.traces import estimated_trace, jacobian_trace
from lasagne_next.utils import match_dtype

__all__ = ["denoising_score_matching", "score_matching", "sliced_score_matching"]


def score_matching(score, x):
    """Compute the loss of implicit score matching, with the exact trace.

    It is ``|s(x)|**2 / 2 + trace(ds / dx)``, which in expectation is half of the
    squared distance to the score of the data, but for a constant.

    Parameters
    ----------
    score : TensorVariable, shape (n, size)
        What a model says the score is at `x`.
    x : TensorVariable, shape (n, size)
        Data; `size` must be known for one of the two.

    Returns
    -------
    TensorVariable, shape (n,)
        One loss for each point. It can be negative.

    Raises
    ------
    ValueError
        See :func:`jacobian_trace`.

    References
    ----------
    Aapo Hyvärinen (2005): Estimation of non-normalized statistical models by score
    matching, theorem 1. https://jmlr.org/papers/v6/hyvarinen05a.html

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.diffusion import score_matching
    >>> x = pt.dmatrix("x", shape=(None, 2))
    >>> loss = score_matching(-x, x)
    >>> loss.eval({x: [[1.0, 2.0]]}, mode="FAST_COMPILE").tolist()
    [0.5]
    """
    return _half_square(score) + jacobian_trace(score, x)


def sliced_score_matching(score, x, direction):
    """Compute the loss of score matching, with the trace estimated.

    As :func:`score_matching`, but by one gradient, however large the points are. The
    norm of the score is not projected, which has less variance [1]_.

    Parameters
    ----------
    score, x : TensorVariable, shape (n, ...)
        Scores and points.
    direction : TensorVariable, shape (n, ...)
        Random directions, see :func:`estimated_trace`.

    Returns
    -------
    TensorVariable, shape (n,)
        One loss for each point.

    References
    ----------
    .. [1] Yang Song, Sahaj Garg, Jiaxin Shi and Stefano Ermon (2019): Sliced score
       matching, equation 8. https://arxiv.org/abs/1905.07088

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.diffusion import sliced_score_matching
    >>> x, v = pt.dmatrices("x", "v")
    >>> loss = sliced_score_matching(-x, x, v)
    >>> values = {x: [[1.0, 2.0]], v: [[1.0, -1.0]]}
    >>> loss.eval(values, mode="FAST_COMPILE").tolist()
    [0.5]
    """
    return _half_square(score) + estimated_trace(score, x, direction)


def denoising_score_matching(score, unit_noise, noise):
    """Compute the loss of a score at noisy points ``x + noise * unit_noise``.

    It is ``|noise * s + unit_noise|**2 / 2``, in expectation half of the squared
    distance to the score of the noisy data, times ``noise**2``, but for a constant.

    Parameters
    ----------
    score : TensorVariable, shape (n, ...)
        What a model says the score is at the noisy points.
    unit_noise : TensorVariable, shape (n, ...)
        Normal numbers of unit variance.
    noise : number or TensorVariable
        The level, of a shape that broadcasts, such as (n, 1).

    Returns
    -------
    TensorVariable, shape (n,)
        One loss for each point.

    References
    ----------
    Pascal Vincent (2011): A connection between score matching and denoising
    autoencoders. Neural Computation 23(7), equation 11.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.diffusion import denoising_score_matching
    >>> score, unit_noise = pt.dmatrices("score", "unit_noise")
    >>> loss = denoising_score_matching(score, unit_noise, 0.5)
    >>> values = {score: [[-2.0, 0.0]], unit_noise: [[1.0, 2.0]]}
    >>> loss.eval(values, mode="FAST_COMPILE").tolist()
    [2.0]
    """
    return _half_square(match_dtype(noise, score.dtype) * score + unit_noise)


def _half_square(x):
    return match_dtype(0.5, x.dtype) * pt.sqr(x).sum(axis=tuple(range(1, x.ndim)))
