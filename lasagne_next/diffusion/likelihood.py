"""The likelihood of data, by the flow that carries them to noise."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from lasagne_next.diffusion.samplers import _as_points, _check_levels, _positive

__all__ = ["log_likelihood"]


def log_likelihood(denoise_and_trace, x, noises):
    """Compute log densities by following the probability flow to pure noise.

    Along :func:`probability_flow`, the log density changes by the integral of the
    divergence of the field, ``(size - trace) / s``, with the size of a point.

    Parameters
    ----------
    denoise_and_trace : callable
        ``denoise_and_trace(x, noise)`` returns clean points and the trace of the
        Jacobian of the denoiser at each, of shape (n,): :func:`jacobian_trace`, or
        :func:`estimated_trace` with a direction that stays the same along the way.
    x : numpy.ndarray, shape (n, ...)
        Points, of which noise of the first level is part.
    noises : iterable of float
        Levels from low to high; the last one drowns the data.

    Returns
    -------
    numpy.ndarray, shape (n,)
        log p(x) in nats, of points with the noise of the first level.

    Raises
    ------
    ValueError
        If a level is not positive, or not above the one before.

    References
    ----------
    Yang Song and others (2021): Score-based generative modeling through stochastic
    differential equations, equation 39. https://arxiv.org/abs/2011.13456

    Examples
    --------
    Standard normal data have the best denoiser ``x / (1 + s**2)``:

    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: (x / (1 + s**2), np.full(len(x), 1 / (1 + s**2)))
    >>> noises = diffusion.noise_levels(0.01, 100, 500)
    >>> x = np.array([[0.0], [2.0]])
    >>> found = diffusion.log_likelihood(best, x, noises)
    >>> bool(np.allclose(found, -x[:, 0]**2 / 2 - np.log(2 * np.pi) / 2, atol=0.01))
    True
    """
    x, top = _as_points(x), None
    size, axes, change = math.prod(x.shape[1:]), tuple(range(1, x.ndim)), 0.0

    def slopes(at, noise):
        clean, trace = denoise_and_trace(at, noise)
        return (at - clean) / noise, (size - trace) / noise

    for now, top in pairwise(_positive("log_likelihood", noises)):
        if not now < top:
            raise ValueError(
                f"log_likelihood: noises must rise, got {top!r} after {now!r}. Reverse "
                "what noise_levels returns, or swap its ends."
            )
        slope, growth = slopes(x, now)
        slope_ahead, growth_ahead = slopes(x + (top - now) * slope, top)
        x = x + (top - now) / 2 * (slope + slope_ahead)
        change = change + (top - now) / 2 * (growth + growth_ahead)
    _check_levels("log_likelihood", top)
    log_p = -np.square(x).sum(axis=axes) / (2 * top**2)
    return log_p - float(size / 2 * np.log(2 * np.pi * top**2)) + change
