"""Draw samples by a denoiser, and compute likelihoods by it.

All functions take ``denoise(x, noise)``, which returns the expected clean points for
noisy ones, SHAPE (n, size), where the noise has the standard deviation ``noise``. The
score of noisy data follows from it, (denoise(x, s) - x) / s^2.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from recipes.progress import track

__all__ = [
    "ancestral",
    "annealed_langevin",
    "langevin",
    "levels",
    "log_likelihood",
    "probability_flow",
]


def levels(highest, lowest, number):
    """Return noise levels from high to low, in equal ratios.

    Parameters
    ----------
    highest, lowest : float
        The first and the last.
    number : int
        How many.

    Returns
    -------
    numpy.ndarray, SHAPE (number,)
        The levels.

    Examples
    --------
    >>> levels(8, 1, 4)
    array([8., 4., 2., 1.])
    """
    return np.geomspace(highest, lowest, number)


def langevin(score, x, step, number, rng):
    """Move points by the score and by noise, so that they follow the density.

    Parameters
    ----------
    score : callable
        Takes points; returns the gradient of log p.
    x : numpy.ndarray, SHAPE (n, size)
        Where the points start.
    step : float
        Half of the variance of the noise in each move.
    number : int
        Of moves.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    numpy.ndarray, SHAPE (n, size)
        Where they end.

    References
    ----------
    .. [1] Yang Song and Stefano Ermon (2019): Generative modeling by estimating
       gradients of the data distribution, equation 4. https://arxiv.org/abs/1907.05600

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = langevin(lambda x: -x, np.zeros((5000, 1)), 0.1, 100, rng)
    >>> bool(abs(x.std() - 1) < 0.06)
    True
    """
    for _ in range(number):
        x = x + step * score(x) + np.sqrt(2 * step) * rng.normal(size=x.shape)
    return x


def annealed_langevin(denoise, x, noises, moves, rng, speed=0.1):
    """Follow the scores of ever less noisy data.

    Parameters
    ----------
    denoise : callable
        See above.
    x : numpy.ndarray, SHAPE (n, size)
        Where the points start, such as noise of the first level.
    noises : numpy.ndarray
        Levels, from high to low.
    moves : int
        At each level.
    rng : numpy.random.Generator
        Draws the noise.
    speed : float, default 0.1
        The step of each level is this times its variance.

    Returns
    -------
    numpy.ndarray, SHAPE (n, size)
        Samples, of which noise of the last level is part.
    """
    for noise in track(noises, "annealed Langevin", "level"):
        x = langevin(
            lambda at, s=noise: (denoise(at, s) - at) / s**2,
            x,
            speed * noise**2,
            moves,
            rng,
        )
    return x


def ancestral(denoise, x, noises, rng):
    """Go from each level of noise to the next by the reverse of adding noise.

    Parameters
    ----------
    denoise, x, noises, rng
        As for :func:`annealed_langevin`.

    Returns
    -------
    numpy.ndarray, SHAPE (n, size)
        Samples: what the denoiser makes of the last level.

    References
    ----------
    .. [1] Jonathan Ho, Ajay Jain and Pieter Abbeel (2020): Denoising diffusion
       probabilistic models, equation 6, here for data that are not scaled down.
       https://arxiv.org/abs/2006.11239
    """
    for now, then in pairwise(noises):
        ratio = then**2 / now**2
        mean = ratio * x + (1 - ratio) * denoise(x, now)
        x = mean + np.sqrt(then**2 * (1 - ratio)) * rng.normal(size=x.shape)
    return denoise(x, noises[-1])


def probability_flow(denoise, x, noises):
    """Solve the ordinary differential equation that has the same densities.

    Heun's method, dx / ds = (x - denoise(x, s)) / s.

    Parameters
    ----------
    denoise, x, noises
        As for :func:`annealed_langevin`; levels may rise as well, to encode.

    Returns
    -------
    numpy.ndarray, SHAPE (n, size)
        Points at the last level.

    References
    ----------
    .. [1] Yang Song et al. (2021): Score-based generative modeling through stochastic
       differential equations, equation 13. https://arxiv.org/abs/2011.13456
    .. [2] Tero Karras et al. (2022): Elucidating the design space of diffusion-based
       generative models, algorithm 1. https://arxiv.org/abs/2206.00364
    """
    for now, then in pairwise(noises):
        slope = (x - denoise(x, now)) / now
        ahead = x + (then - now) * slope
        x = x + (then - now) * (slope + (ahead - denoise(ahead, then)) / then) / 2
    return x


def log_likelihood(denoise_and_trace, x, noises):
    """Return log p of points by the flow that carries them to a normal distribution.

    Parameters
    ----------
    denoise_and_trace : callable
        Takes points and a level; returns denoised points and the trace of the
        Jacobian of the denoiser at each, SHAPE (n,).
    x : numpy.ndarray, SHAPE (n, size)
        Points, of which noise of the first level is part.
    noises : numpy.ndarray
        Levels from low to high; the last one drowns the data.

    Returns
    -------
    numpy.ndarray, SHAPE (n,)
        log p in nats.

    References
    ----------
    .. [1] Yang Song et al. (2021): Score-based generative modeling through stochastic
       differential equations, equation 39. https://arxiv.org/abs/2011.13456
    """
    size, change = x.shape[1], np.zeros(len(x))

    def slopes(at, noise):
        clean, trace = denoise_and_trace(at, noise)
        return (at - clean) / noise, (size - trace) / noise

    for now, then in track(list(pairwise(noises)), "flow", "step"):
        slope, growth = slopes(x, now)
        slope_ahead, growth_ahead = slopes(x + (then - now) * slope, then)
        x = x + (then - now) * (slope + slope_ahead) / 2
        change += (then - now) * (growth + growth_ahead) / 2
    top = noises[-1]
    log_p = -np.square(x).sum(axis=1) / (2 * top**2)
    return log_p - size / 2 * np.log(2 * np.pi * top**2) + change
