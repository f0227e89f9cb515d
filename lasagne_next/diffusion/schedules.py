"""How much signal and how much noise there is at each time.

A noisy point is ``signal * clean + noise * normal``. Time runs from 0, where there is
almost no noise, to 1, where there is almost nothing else. Arrays give arrays, and
expressions, which a training step draws times by, give expressions.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.diffusion.predictions import as_float
from lasagne_next.utils import match_dtype

__all__ = [
    "cosine_schedule",
    "noise_levels",
    "variance_exploding_schedule",
    "variance_preserving_schedule",
]


def noise_levels(highest, lowest, number, rho=None):
    """Return levels of noise for a sampler, from high to low.

    Parameters
    ----------
    highest, lowest : float
        The first and the last, both positive.
    number : int
        How many, at least two.
    rho : float, optional
        Levels to the power 1 / rho are equally far apart. By default their ratios are
        equal. 7 puts more levels near the low end than equal distances, and fewer than
        equal ratios.

    Returns
    -------
    numpy.ndarray, shape (number,)
        The levels. Reversed, they encode data as noise.

    Raises
    ------
    ValueError
        If a level, `number` or `rho` is out of range.

    References
    ----------
    Tero Karras and others (2022): Elucidating the design space of diffusion-based
    generative models, equation 5. https://arxiv.org/abs/2206.00364

    Examples
    --------
    >>> from lasagne_next.diffusion import noise_levels
    >>> noise_levels(8, 1, 4)
    array([8., 4., 2., 1.])
    >>> noise_levels(8, 1, 3, rho=1)
    array([8. , 4.5, 1. ])
    """
    for argument, value in {"highest": highest, "lowest": lowest, "rho": rho}.items():
        if not (value is None and argument == "rho") and not value > 0:
            raise ValueError(
                f"noise_levels: {argument} must be positive, got {value!r}."
            )
    if number < 2:
        raise ValueError(f"noise_levels: number must be at least 2, got {number!r}.")
    if rho is None:
        return np.geomspace(highest, lowest, number)
    return np.linspace(highest ** (1 / rho), lowest ** (1 / rho), number) ** rho


def variance_exploding_schedule(time, lowest=0.01, highest=50.0):
    """Keep the signal, and raise the noise in equal ratios.

    The noise is ``lowest * (highest / lowest)**time``.

    Parameters
    ----------
    time : number, array or expression, any shape
        From 0 to 1.
    lowest, highest : float
        Noise at time 0 and at time 1. The highest should be as large as the largest
        distance between points; the defaults are for images with pixels from 0 to 1.

    Returns
    -------
    tuple of array or of TensorVariable, shape of `time`
        Signal, which is one, and noise.

    Raises
    ------
    ValueError
        Unless lowest and highest are positive and in this order.

    References
    ----------
    Yang Song and others (2021): Score-based generative modeling through stochastic
    differential equations, equation 30. https://arxiv.org/abs/2011.13456

    Examples
    --------
    >>> from lasagne_next.diffusion import variance_exploding_schedule
    >>> signal, noise = variance_exploding_schedule([0.0, 0.5, 1.0], 0.1, 10.0)
    >>> signal.tolist(), noise.round(9).tolist()
    ([1.0, 1.0, 1.0], [0.1, 1.0, 10.0])
    """
    if not 0 < lowest <= highest:
        raise ValueError(
            "variance_exploding_schedule: lowest and highest must be positive and in "
            f"this order, got {lowest!r} and {highest!r}."
        )
    time, module, constant = _as_time(time)
    growth = constant(np.log(highest / lowest))
    noise = constant(lowest) * module.exp(growth * time)
    return module.ones_like(noise), noise


def variance_preserving_schedule(time, beta_min=0.1, beta_max=20.0):
    """Fade the signal out by a rate that grows linearly [1]_.

    The signal is ``exp(-time**2 * (beta_max - beta_min) / 4 - time * beta_min / 2)``,
    and the squares of signal and noise add up to one: data of unit variance keep it.
    Its steps are those of the linear schedule of [2]_.

    Parameters
    ----------
    time : number, array or expression, any shape
        From 0 to 1.
    beta_min, beta_max : float
        Rates at which the variance of the signal falls, at time 0 and at time 1; the
        defaults are those of both papers.

    Returns
    -------
    tuple of array or of TensorVariable, shape of `time`
        Signal and noise.

    Raises
    ------
    ValueError
        Unless the rates are positive and in this order.

    References
    ----------
    .. [1] Yang Song and others (2021): Score-based generative modeling through
       stochastic differential equations, equation 33. https://arxiv.org/abs/2011.13456
    .. [2] Jonathan Ho, Ajay Jain and Pieter Abbeel (2020): Denoising diffusion
       probabilistic models, section 4. https://arxiv.org/abs/2006.11239

    Examples
    --------
    >>> from lasagne_next.diffusion import variance_preserving_schedule
    >>> signal, noise = variance_preserving_schedule([0.0, 0.5, 1.0])
    >>> signal.round(3).tolist(), (signal**2 + noise**2).round(9).tolist()
    ([1.0, 0.281, 0.007], [1.0, 1.0, 1.0])
    """
    if not 0 < beta_min <= beta_max:
        raise ValueError(
            "variance_preserving_schedule: beta_min and beta_max must be positive and "
            f"in this order, got {beta_min!r} and {beta_max!r}."
        )
    time, module, constant = _as_time(time)
    rate = constant((beta_max - beta_min) / 4) * time + constant(beta_min / 2)
    log_signal = -time * rate
    # 1 - signal^2 without cancellation where there is little noise.
    return module.exp(log_signal), module.sqrt(-module.expm1(constant(2) * log_signal))


def cosine_schedule(time, offset=0.008):
    """Fade the signal out along a quarter of a cosine.

    Signal and noise are the cosine and the sine of an angle, so that their squares add
    up to one. It destroys data more evenly than
    :func:`variance_preserving_schedule`, which spends a third of its time on almost
    pure noise.

    Parameters
    ----------
    time : number, array or expression, any shape
        From 0 to 1.
    offset : float, default 0.008
        Keeps the first steps from being too small. The default is that of the paper;
        with 0 the signal is ``cos(pi / 2 * time)``.

    Returns
    -------
    tuple of array or of TensorVariable, shape of `time`
        Signal and noise.

    Raises
    ------
    ValueError
        If the offset is negative.

    References
    ----------
    Alexander Nichol and Prafulla Dhariwal (2021): Improved denoising diffusion
    probabilistic models, equation 17. https://arxiv.org/abs/2102.09672

    Examples
    --------
    >>> from lasagne_next.diffusion import cosine_schedule
    >>> signal, noise = cosine_schedule([0.0, 0.5, 1.0], offset=0)
    >>> signal.round(3).tolist(), noise.round(3).tolist()
    ([1.0, 0.707, 0.0], [0.0, 0.707, 1.0])
    """
    if not offset >= 0:
        raise ValueError(
            f"cosine_schedule: offset must be zero or more, got {offset!r}."
        )
    time, module, constant = _as_time(time)
    start = offset / (1 + offset) * np.pi / 2
    angle = constant(start) + constant(np.pi / 2 - start) * time
    # At the end, rounding of pi / 2 must not turn the sign of the signal.
    signal = module.maximum(module.cos(angle), constant(0)) / constant(np.cos(start))
    # sin(a + b) sin(a - b) = cos(b)^2 - cos(a)^2: again without cancellation.
    product = module.sin(angle + constant(start)) * module.sin(angle - constant(start))
    return signal, module.sqrt(product) / constant(np.cos(start))


def _as_time(time):
    """Return the time as it is used, what computes with it, and what makes numbers."""
    time = as_float(time)
    if isinstance(time, Variable):
        return time, pt, lambda value: match_dtype(value, time.dtype)
    return time, np, float
