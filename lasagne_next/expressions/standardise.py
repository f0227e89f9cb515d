"""Normalising an expression by its own statistics."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.utils import match_dtype

__all__ = ["moments", "rms_normalise", "standardise"]


def standardise(x, axes=-1, epsilon=1e-5):
    r"""Shift and scale to mean 0 and variance 1 along axes.

    Computes :math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon}`, where :math:`\mu` is the
    mean and :math:`\sigma^2` the variance (divided by N) along `axes`.

    Parameters
    ----------
    x : TensorVariable
        Floats of any shape.
    axes : int or tuple of int, default -1
        Along which mean and variance are taken. With no axes at all each element is its
        own mean.
    epsilon : number or symbolic scalar, default 1e-5
        Keeps the root away from zero.

    Returns
    -------
    TensorVariable
        Of the shape and type of `x`.

    Notes
    -----
    Layer normalisation within a formula, such as the step of a recurrent cell:
    ``g * standardise(h) + b``.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import standardise
    >>> x = pt.constant([[1.0, 3.0], [5.0, 5.0]])
    >>> standardise(x, epsilon=0.25).eval(mode="FAST_COMPILE").round(3).tolist()
    [[-0.894, 0.894], [0.0, 0.0]]
    """
    centred, variance = moments(x, axes)[1:]
    return centred * pt.reciprocal(pt.sqrt(variance + match_dtype(epsilon, x.dtype)))


def rms_normalise(x, axes=-1, epsilon=1e-6):
    r"""Scale to a mean square of 1 along axes.

    Computes :math:`x / \sqrt{\overline{x^2} + \epsilon}`.

    Parameters
    ----------
    x : TensorVariable
        Floats of any shape.
    axes : int or tuple of int, default -1
        Along which the mean is taken.
    epsilon : number or symbolic scalar, default 1e-6
        Keeps the root away from zero.

    Returns
    -------
    TensorVariable
        Of the shape and type of `x`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import rms_normalise
    >>> x = pt.constant([[3.0, 3.0, 3.0]])
    >>> rms_normalise(x).eval(mode="FAST_COMPILE").round(3).tolist()
    [[1.0, 1.0, 1.0]]
    """
    square = pt.mean(pt.sqr(x), axis=axes, keepdims=True)
    return x * pt.reciprocal(pt.sqrt(square + match_dtype(epsilon, x.dtype)))


def moments(x, axes):
    """Return mean, x without its mean, and the variance along axes, which are kept.

    The variance is taken from the centred values: the difference of the mean square and
    the squared mean loses all digits where the mean is large.
    """
    if axes == ():
        return x, x - x, pt.zeros_like(x)
    mean = pt.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    return mean, centred, pt.mean(pt.sqr(centred), axis=axes, keepdims=True)
