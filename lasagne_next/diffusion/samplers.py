"""Draw samples by a denoiser, level of noise by level of noise.

All functions take ``denoise(x, noise)``, which returns the expected clean points for
noisy ones, x = clean + noise * normal, as a compiled network does. The score of noisy
data follows from it: ``(denoise(x, s) - x) / s**2``. A network that sees
``signal * x``, as those of a variance-preserving schedule do, is asked at
``noise / signal``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = [
    "annealed_langevin",
    "ddim",
    "ddpm",
    "langevin",
    "predictor_corrector",
    "probability_flow",
    "reverse_sde",
]


def langevin(score, x, step, number, rng):
    """Move points by the score and by noise, so that they follow the density.

    A move is ``x + step * score(x) + sqrt(2 * step) * normal``. Between modes that are
    far apart nearly no point crosses; see :func:`annealed_langevin`.

    Parameters
    ----------
    score : callable
        Takes points; returns the gradient of the log density, of their shape.
    x : numpy.ndarray, shape (n, ...)
        Where the points start.
    step : float
        Half of the variance of the noise in each move. It widens the distribution, the
        less the smaller it is against the variance of a mode.
    number : int
        Of moves.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Where they end, of the type of `x`.

    Raises
    ------
    ValueError
        If `step` is not positive, or `number` negative.

    References
    ----------
    Yang Song and Stefano Ermon (2019): Generative modeling by estimating gradients of
    the data distribution, equation 4. https://arxiv.org/abs/1907.05600

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.diffusion import langevin
    >>> rng = np.random.default_rng(1)
    >>> x = langevin(lambda x: -x, np.zeros((5000, 1)), 0.1, 100, rng)
    >>> bool(abs(x.std() - 1) < 0.06)
    True
    """
    if not step > 0:
        raise ValueError(f"langevin: step must be positive, got {step!r}.")
    if number < 0:
        raise ValueError(f"langevin: number must be zero or more, got {number!r}.")
    x = _as_points(x)
    dtype = x.dtype
    for _ in range(number):
        x = x + float(step) * score(x) + float(np.sqrt(2 * step)) * _normal(x, rng)
    return x.astype(dtype, copy=False)


def annealed_langevin(denoise, x, noises, moves, rng, speed=0.1):
    """Follow the scores of ever less noisy data by Langevin dynamics.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, noise)`` returns clean points, of the shape of `x`.
    x : numpy.ndarray, shape (n, ...)
        Where the points start, such as noise of the first level.
    noises : iterable of float
        Levels, from high to low; :func:`noise_levels` makes them. Wrap them to show
        progress.
    moves : int
        At each level.
    rng : numpy.random.Generator
        Draws the noise.
    speed : float, default 0.1
        The step of each level is this times its variance.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Samples, of which noise of the last level is part.

    Raises
    ------
    ValueError
        If a level or `speed` is not positive, or `moves` negative.

    References
    ----------
    Yang Song and Stefano Ermon (2019): Generative modeling by estimating gradients of
    the data distribution, algorithm 1. https://arxiv.org/abs/1907.05600

    Examples
    --------
    Normal data of mean 3 and variance 4 have the best denoiser
    ``3 + 4 / (4 + s**2) * (x - 3)``:

    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> rng = np.random.default_rng(1)
    >>> start = 9 * rng.normal(size=(5000, 1))
    >>> noises = diffusion.noise_levels(9, 0.3, 9)
    >>> x = diffusion.annealed_langevin(best, start, noises, 30, rng)
    >>> bool(abs(x.mean() - 3) < 0.3)
    True
    """
    _check_moves("annealed_langevin", moves, speed)
    x = _as_points(x)
    for noise in _positive("annealed_langevin", noises):
        x = langevin(_score(denoise, noise), x, speed * noise**2, moves, rng)
    return x


def ddpm(denoise, x, noises, rng):
    """Go from each level to the next by the reverse of adding noise.

    Each step draws from the distribution that a less noisy point has, given the noisier
    one and its denoised version. It is exact for infinitely many levels.

    Parameters
    ----------
    denoise, x, noises, rng
        As for :func:`annealed_langevin`.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Samples: what the denoiser makes of the last level.

    Raises
    ------
    ValueError
        If a level is not positive, or above the one before.

    References
    ----------
    Jonathan Ho, Ajay Jain and Pieter Abbeel (2020): Denoising diffusion probabilistic
    models, equations 6 and 7, here for data that are not scaled down.
    https://arxiv.org/abs/2006.11239

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> rng = np.random.default_rng(1)
    >>> start = 9 * rng.normal(size=(5000, 1))
    >>> noises = diffusion.noise_levels(9, 0.1, 50)
    >>> x = diffusion.ddpm(best, start, noises, rng)
    >>> bool(abs(x.mean() - 3) < 0.3), bool(abs(x.std() - 2) < 0.1)
    (True, True)
    """
    return _ddim("ddpm", denoise, x, noises, 1.0, rng)


def ddim(denoise, x, noises, eta=0.0, rng=None):
    """Go from each level to the next, with as much fresh noise as one likes.

    A step from noise s to r keeps a part of the noise and replaces the rest, of
    variance ``v = eta**2 * r**2 * (1 - r**2 / s**2)``:
    ``clean + sqrt(r**2 - v) / s * (x - clean) + sqrt(v) * normal``.

    Parameters
    ----------
    denoise, x, noises
        As for :func:`annealed_langevin`.
    eta : float, default 0
        None is replaced at 0, which is deterministic and needs the fewest levels; 1 is
        :func:`ddpm`.
    rng : numpy.random.Generator, optional
        Draws the noise; needed unless `eta` is 0.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Samples: what the denoiser makes of the last level.

    Raises
    ------
    ValueError
        If a level is not positive, `eta` not between 0 and 1, or `rng` missing. If
        `eta` is above 0, levels must not rise.

    References
    ----------
    Jiaming Song, Chenlin Meng and Stefano Ermon (2021): Denoising diffusion implicit
    models, equations 12 and 16. https://arxiv.org/abs/2010.02502

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> start, noises = np.array([[-20.0], [26.0]]), diffusion.noise_levels(20, 0.1, 20)
    >>> diffusion.ddim(best, start, noises).round().tolist()
    [[1.0], [5.0]]
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"ddim: eta must be between 0 and 1, got {eta!r}.")
    if eta and rng is None:
        raise ValueError(
            f"ddim: rng must be a numpy Generator where eta is above zero, got {rng!r} "
            f"(eta {eta!r}). Pass numpy.random.default_rng(seed)."
        )
    return _ddim("ddim", denoise, x, noises, eta, rng)


def _ddim(function, denoise, x, noises, eta, rng):
    x, last = _as_points(x), None
    for now, then in pairwise(_positive(function, noises)):
        if eta:
            _check_fall(function, now, then)
        fresh = eta**2 * then**2 * (1 - then**2 / now**2)
        clean, last = denoise(x, now), then
        x = clean + float(np.sqrt(then**2 - fresh)) / now * (x - clean)
        if fresh:
            x = x + float(np.sqrt(fresh)) * _normal(x, rng)
    _check_levels(function, last)
    return denoise(x, last)


def probability_flow(denoise, x, noises):
    """Solve the ordinary differential equation that has the same densities.

    Heun's method [2]_ for ``dx / ds = (x - denoise(x, s)) / s`` [1]_. It turns
    noise into samples and, with rising levels, samples into noise.

    Parameters
    ----------
    denoise, x, noises
        As for :func:`annealed_langevin`; the denoiser is called twice a step.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Points at the last level.

    Raises
    ------
    ValueError
        If a level is not positive.

    References
    ----------
    .. [1] Yang Song and others (2021): Score-based generative modeling through
       stochastic differential equations, equation 13. https://arxiv.org/abs/2011.13456
    .. [2] Tero Karras and others (2022): Elucidating the design space of
       diffusion-based generative models, algorithm 1. https://arxiv.org/abs/2206.00364

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> x, noises = np.array([[2.0], [7.0]]), diffusion.noise_levels(0.1, 10, 50)
    >>> encoded = diffusion.probability_flow(best, x, noises)
    >>> diffusion.probability_flow(best, encoded, noises[::-1]).round(3).tolist()
    [[2.0], [7.0]]
    """
    x = _as_points(x)
    for now, then in pairwise(_positive("probability_flow", noises)):
        slope = (x - denoise(x, now)) / now
        ahead = x + (then - now) * slope
        x = x + (then - now) / 2 * (slope + (ahead - denoise(ahead, then)) / then)
    return x


def reverse_sde(denoise, x, noises, rng):
    """Solve the stochastic differential equation that takes the noise away.

    The Euler-Maruyama method: a step from noise s to r is
    ``x + (s**2 - r**2) * score + sqrt(s**2 - r**2) * normal``.

    Parameters
    ----------
    denoise, x, noises, rng
        As for :func:`annealed_langevin`.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Samples, of which noise of the last level is part.

    Raises
    ------
    ValueError
        If a level is not positive, or above the one before.

    References
    ----------
    Yang Song and others (2021): Score-based generative modeling through stochastic
    differential equations, equation 6 and appendix E. https://arxiv.org/abs/2011.13456

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> rng = np.random.default_rng(1)
    >>> start = 9 * rng.normal(size=(5000, 1))
    >>> noises = diffusion.noise_levels(9, 0.1, 99)
    >>> x = diffusion.reverse_sde(best, start, noises, rng)
    >>> bool(abs(x.mean() - 3) < 0.3), bool(abs(x.std() - 2) < 0.1)
    (True, True)
    """
    return _reverse("reverse_sde", denoise, x, noises, 0, rng, 1.0)


def predictor_corrector(denoise, x, noises, moves, rng, speed=0.1):
    """Alternate steps of the reverse equation with Langevin dynamics at each level.

    A step of :func:`reverse_sde` leaves points that do not quite follow the density of
    the next level; moves of :func:`langevin` correct them.

    Parameters
    ----------
    denoise, x, noises, moves, rng, speed
        As for :func:`annealed_langevin`.

    Returns
    -------
    numpy.ndarray, shape (n, ...)
        Samples, of which noise of the last level is part.

    Raises
    ------
    ValueError
        If a level or `speed` is not positive, a level above the one before, or `moves`
        negative.

    References
    ----------
    Yang Song and others (2021): Score-based generative modeling through stochastic
    differential equations, algorithms 2 and 4. https://arxiv.org/abs/2011.13456

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import diffusion
    >>> best = lambda x, s: 3 + 4 / (4 + s**2) * (x - 3)
    >>> rng = np.random.default_rng(1)
    >>> start = 9 * rng.normal(size=(5000, 1))
    >>> noises = diffusion.noise_levels(9, 0.1, 30)
    >>> x = diffusion.predictor_corrector(best, start, noises, 5, rng)
    >>> bool(abs(x.mean() - 3) < 0.3), bool(abs(x.std() - 2) < 0.15)
    (True, True)
    """
    _check_moves("predictor_corrector", moves, speed)
    return _reverse("predictor_corrector", denoise, x, noises, moves, rng, speed)


def _reverse(function, denoise, x, noises, moves, rng, speed):
    x = _as_points(x)
    for now, then in pairwise(_positive(function, noises)):
        _check_fall(function, now, then)
        step = now**2 - then**2
        x = x + step * _score(denoise, now)(x) + float(np.sqrt(step)) * _normal(x, rng)
        if moves:
            x = langevin(_score(denoise, then), x, speed * then**2, moves, rng)
    return x


def _score(denoise, noise):
    return lambda x: (denoise(x, noise) - x) / noise**2


def _as_points(x):
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype("float64")


def _normal(x, rng):
    return rng.normal(size=x.shape).astype(x.dtype)


def _positive(function, noises):
    """Give each level as a Python number, which leaves single precision alone."""
    for noise in noises:
        if not 0 < noise < np.inf:
            raise ValueError(
                f"{function}: noises must be positive and finite, got {noise!r}. Let "
                "the last level be as small as the data allow."
            )
        yield float(noise)


def _check_fall(function, now, then):
    if then > now:
        raise ValueError(
            f"{function}: noises must fall, got {then!r} after {now!r}. Only ddim "
            "without fresh noise and probability_flow go from samples to noise."
        )


def _check_moves(function, moves, speed):
    if not speed > 0:
        raise ValueError(f"{function}: speed must be positive, got {speed!r}.")
    if moves < 0:
        raise ValueError(f"{function}: moves must be zero or more, got {moves!r}.")


def _check_levels(function, last):
    if last is None:
        raise ValueError(
            f"{function}: noises must be at least two levels, got fewer. Make them "
            "with noise_levels."
        )
