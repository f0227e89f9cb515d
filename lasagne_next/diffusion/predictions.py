"""What a network can predict, which is all the same thing at one level of noise."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.utils import match_dtype, nearest

__all__ = ["convert_prediction", "preconditioning"]

_KINDS = ("clean", "noise", "score", "velocity")


def convert_prediction(value, source, target, noisy, noise, signal=1):
    """Turn a prediction of one quantity into the prediction of another.

    With the noisy point z = signal * x + noise * e, where e is normal, the kinds are

    * ``'clean'``: x;
    * ``'noise'``: e, of unit variance;
    * ``'score'``: ``-e / noise``, the gradient of the log density of z [2]_;
    * ``'velocity'``: ``signal * e - noise * x`` [1]_.

    Losses of two kinds differ by a weight that depends on the level of noise alone.

    Parameters
    ----------
    value : array or expression
        The prediction.
    source, target : str
        Its kind, and the kind wanted.
    noisy : array or expression
        The noisy point, of the same shape.
    noise, signal : number, array or expression
        See :mod:`schedules <lasagne_next.diffusion>`; of shapes that broadcast, such as
        (batch, 1).

    Returns
    -------
    array or TensorVariable
        Of the shape of `value`.

    Raises
    ------
    ValueError
        If `source` or `target` is not a kind.

    References
    ----------
    .. [1] Tim Salimans and Jonathan Ho (2022): Progressive distillation for fast
       sampling of diffusion models, appendix D. https://arxiv.org/abs/2202.00512
    .. [2] Pascal Vincent (2011): A connection between score matching and denoising
       autoencoders. Neural Computation 23(7), equation 11.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.diffusion import convert_prediction
    >>> clean, noisy = np.array([1.0, 2.0]), np.array([1.5, 1.0])
    >>> convert_prediction(clean, "clean", "noise", noisy, noise=0.5)
    array([ 1., -2.])
    >>> convert_prediction(clean, "clean", "score", noisy, noise=0.5)
    array([-2.,  4.])
    """
    for argument, kind in (("source", source), ("target", target)):
        if kind not in _KINDS:
            raise ValueError(
                f"convert_prediction: {argument} must be one of {', '.join(_KINDS)}, "
                f"got {kind!r}.{nearest(kind, _KINDS)}"
            )
    if source == target:
        return value
    value = as_float(value)
    noise, signal = _like(noise, value), _like(signal, value)
    given = (value, source, noisy, noise, signal)
    if target == "clean":
        return _as_clean(*given)
    unit = _as_noise(*given)
    if target == "velocity":
        return signal * unit - noise * _as_clean(*given)
    return unit if target == "noise" else -unit / noise


def preconditioning(noise, deviation=1.0):
    """Scale input, output and loss of a network so that all have unit variance.

    The denoiser is ``skip * noisy + out * network(into * noisy)``. For data with the
    standard deviation d and noise s, skip is ``d**2 / (d**2 + s**2)``, out is
    ``s * d / sqrt(d**2 + s**2)`` and into is ``1 / sqrt(d**2 + s**2)``. With the weight
    ``1 / out**2``, the squared error of the denoiser is that of the network, so that
    all levels count the same at first.

    Parameters
    ----------
    noise : number, array or expression, any shape
        Standard deviation of the noise, such as (batch, 1).
    deviation : float, default 1
        Standard deviation of a number of the data.

    Returns
    -------
    tuple of array or of TensorVariable, shape of `noise`
        skip, out and into.

    Raises
    ------
    ValueError
        If `deviation` is not positive.

    References
    ----------
    Tero Karras and others (2022): Elucidating the design space of diffusion-based
    generative models, table 1. https://arxiv.org/abs/2206.00364

    Examples
    --------
    >>> from lasagne_next.diffusion import preconditioning
    >>> skip, out, into = preconditioning(1.5, deviation=2.0)
    >>> [float(each) for each in (skip, out, into)]
    [0.64, 1.2, 0.4]
    """
    if not deviation > 0:
        raise ValueError(
            f"preconditioning: deviation must be positive, got {deviation!r}."
        )
    module, constant = np, float
    noise = as_float(noise)
    if isinstance(noise, Variable):
        module, constant = pt, lambda value: match_dtype(value, noise.dtype)
    d = constant(deviation)
    total = noise * noise + d * d
    return (
        d * d / total,
        noise * d / module.sqrt(total),
        constant(1) / module.sqrt(total),
    )


def _as_clean(value, source, noisy, noise, signal):
    if source == "clean":
        return value
    if source == "velocity":
        return (signal * noisy - noise * value) / (signal * signal + noise * noise)
    return (noisy - noise * _as_noise(value, source, noisy, noise, signal)) / signal


def _as_noise(value, source, noisy, noise, signal):
    """Return noise of unit variance, not by way of the clean point.

    The difference of a noisy and a nearly equal clean point has few digits left.
    """
    if source == "noise":
        return value
    if source == "score":
        return -noise * value
    if source == "velocity":
        return (noise * noisy + signal * value) / (signal * signal + noise * noise)
    return (noisy - signal * value) / noise


def as_float(value):
    """Return an array or expression, of whole numbers as one of floats."""
    if isinstance(value, Variable):
        # The type of what divides whole numbers.
        return value if value.dtype.startswith("float") else pt.true_div(value, 1)
    value = np.asarray(value)
    return value if value.dtype.kind == "f" else value.astype("float64")


def _like(number, value):
    """Give a number the type of what it meets, so that single stays single."""
    if isinstance(value, Variable) or isinstance(number, Variable):
        return match_dtype(number, str(value.dtype))
    return np.asarray(number, dtype=value.dtype)
