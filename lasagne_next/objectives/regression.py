"""Losses of predicted numbers."""

from __future__ import annotations

import math

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float, check_axis
from lasagne_next.objectives.pairs import as_pair, check_number
from lasagne_next.utils import match_dtype

__all__ = [
    "absolute_error",
    "cosine_distance",
    "cosine_similarity",
    "gaussian_nll",
    "huber_loss",
    "log_cosh_loss",
    "poisson_nll",
    "squared_error",
]


def squared_error(a, b):
    """Compute ``(a - b)**2``.

    Parameters
    ----------
    a : expression
        Predictions of any shape.
    b : expression
        Targets of the same shape, cast to the type of `a` where that is floating. A
        vector is aligned with a column of predictions.

    Returns
    -------
    TensorVariable
        Of the shape of `a`.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    Examples
    --------
    >>> from lasagne_next.objectives import squared_error
    >>> squared_error([1.0, 2.0], [1, 4]).eval(mode="FAST_COMPILE").tolist()
    [0.0, 4.0]
    """
    a, b = as_pair("squared_error", a, b)
    return pt.sqr(a - b)


def absolute_error(predictions, targets):
    """Compute ``|predictions - targets|``.

    Parameters
    ----------
    predictions : expression
        Of any shape.
    targets : expression
        Of the same shape.

    Returns
    -------
    TensorVariable
        Of the same shape; its derivative is 0 where both are equal.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    Examples
    --------
    >>> from lasagne_next.objectives import absolute_error
    >>> absolute_error([1.0, 2.0], [1, 4]).eval(mode="FAST_COMPILE").tolist()
    [0.0, 2.0]
    """
    predictions, targets = as_pair("absolute_error", predictions, targets)
    return abs(predictions - targets)


def huber_loss(predictions, targets, delta=1):
    """Compute a loss that is quadratic for small and linear for large errors.

    With the error d = predictions - targets it is ``0.5 * d**2`` where
    ``|d| <= delta``, else ``delta * (|d| - delta / 2)``.

    Parameters
    ----------
    predictions : expression
        Of any shape.
    targets : expression
        Of the same shape.
    delta : number or expression, default 1
        Where the quadratic part ends; positive.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `delta` is no number.
    ValueError
        If known sizes differ, or `delta` is not positive.

    References
    ----------
    Peter Huber (1964): Robust estimation of a location parameter.
    https://doi.org/10.1214/aoms/1177703732

    Examples
    --------
    >>> from lasagne_next.objectives import huber_loss
    >>> huber_loss([0.5, 3.0], [0, 0]).eval(mode="FAST_COMPILE").tolist()
    [0.125, 2.5]
    """
    check_number("huber_loss", "delta", delta, above=0)
    predictions, targets = as_pair("huber_loss", as_float(predictions), targets)
    return quadratic_to(abs(predictions - targets), delta)


def quadratic_to(size, delta):
    """Return ``size**2 / 2`` up to delta, and from there on its tangent."""
    # One formula for both branches: the gradient of `switch` is double precision
    # under floatX=float64 (PyTensor 3.3.7).
    inner = pt.minimum(size, match_dtype(delta, size.dtype))
    return inner * (size - match_dtype(0.5, size.dtype) * inner)


def log_cosh_loss(predictions, targets):
    """Compute ``log(cosh(predictions - targets))``, a smooth absolute error.

    Parameters
    ----------
    predictions : expression
        Of any shape.
    targets : expression
        Of the same shape.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    Notes
    -----
    Close to ``0.5 * d**2`` for small errors d and to ``|d| - log(2)`` for large ones.

    Examples
    --------
    >>> from lasagne_next.objectives import log_cosh_loss
    >>> log_cosh_loss([0.0, 100.0], [0, 0]).eval(mode="FAST_COMPILE").round(3).tolist()
    [0.0, 99.307]
    """
    predictions, targets = as_pair("log_cosh_loss", as_float(predictions), targets)
    size = abs(predictions - targets)
    tail = pt.softplus(match_dtype(-2, size.dtype) * size)
    return size + tail - match_dtype(math.log(2), size.dtype)


def gaussian_nll(predictions, targets, log_variance=0.0):
    """Compute the negative log-likelihood of targets under normal distributions.

    With the mean m and the log-variance v of a target t it is
    ``0.5 * (log(2 * pi) + v + (t - m)**2 * exp(-v))``.

    Parameters
    ----------
    predictions : expression
        Means, of any shape.
    targets : expression
        Of the same shape.
    log_variance : number or expression, default 0.0
        Logarithm of the variance, of the same shape or a scalar.

    Returns
    -------
    TensorVariable
        Of the same shape, in nats.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    Notes
    -----
    PyTorch takes the variance itself, clips it and leaves out the constant.

    Examples
    --------
    >>> from lasagne_next.objectives import gaussian_nll
    >>> gaussian_nll([0.0], [2.0]).eval(mode="FAST_COMPILE").round(4).tolist()
    [2.9189]
    """
    function = "gaussian_nll"
    predictions, targets = as_pair(function, as_float(predictions), targets)
    predictions, log_variance = as_pair(function, predictions, log_variance)
    constant = match_dtype(math.log(2 * math.pi), predictions.dtype)
    scaled = pt.sqr(predictions - targets) * pt.exp(-log_variance)
    return match_dtype(0.5, predictions.dtype) * (constant + log_variance + scaled)


def poisson_nll(predictions, targets):
    """Compute the negative log-likelihood of counts under Poisson distributions.

    With the predicted logarithm x of the rate of a count t it is ``exp(x) - t * x``;
    the term ``log(t!)``, which no prediction changes, is left out.

    Parameters
    ----------
    predictions : expression
        Logarithms of the rates, of any shape.
    targets : expression
        Counts, of the same shape.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ.
    ValueError
        If known sizes differ.

    Examples
    --------
    >>> from lasagne_next.objectives import poisson_nll
    >>> poisson_nll([0.0, 1.0], [3, 2]).eval(mode="FAST_COMPILE").round(3).tolist()
    [1.0, 0.718]
    """
    predictions, targets = as_pair("poisson_nll", as_float(predictions), targets)
    return pt.exp(predictions) - targets * predictions


def cosine_similarity(predictions, targets, axis=-1):
    """Compute the cosine of the angle between vectors.

    Parameters
    ----------
    predictions : expression
        Vectors along `axis`, of any shape but ().
    targets : expression
        Of the same shape.
    axis : int, default -1
        The axis of the vectors.

    Returns
    -------
    TensorVariable
        Of the shape of `predictions` without `axis`, between -1 and 1. It is 0 where
        one of the vectors is zero, with a finite gradient.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `axis` is no integer.
    ValueError
        If known sizes differ, or there is no such axis.

    Examples
    --------
    >>> from lasagne_next.objectives import cosine_similarity
    >>> a, b = [[1.0, 0.0], [0.0, 0.0]], [[3.0, 4.0], [3.0, 4.0]]
    >>> cosine_similarity(a, b).eval(mode="FAST_COMPILE").round(3).tolist()
    [0.6, 0.0]
    """
    function = "cosine_similarity"
    predictions, targets = as_pair(
        function, as_float(predictions), targets, scalars=False
    )
    axis = check_axis(function, predictions, axis)
    product = (predictions * targets).sum(axis=axis)
    return product / (_norm_or_one(predictions, axis) * _norm_or_one(targets, axis))


def _norm_or_one(vectors, axis):
    """Return norms, and 1 for zero vectors, of which the norm has no derivative."""
    squares = pt.sqr(vectors).sum(axis=axis)
    is_zero = pt.eq(squares, match_dtype(0, squares.dtype))
    return pt.sqrt(squares + match_dtype(is_zero, squares.dtype))


def cosine_distance(predictions, targets, axis=-1):
    """Compute one minus the cosine of the angle between vectors.

    Parameters
    ----------
    predictions, targets, axis
        See :func:`cosine_similarity`.

    Returns
    -------
    TensorVariable
        Of the shape of `predictions` without `axis`, between 0 and 2.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `axis` is no integer.
    ValueError
        If known sizes differ, or there is no such axis.

    Examples
    --------
    >>> from lasagne_next.objectives import cosine_distance
    >>> cosine_distance([1.0, 0.0], [-2.0, 0.0]).eval(mode="FAST_COMPILE").tolist()
    2.0
    """
    similarity = cosine_similarity(predictions, targets, axis)
    return match_dtype(1, similarity.dtype) - similarity
