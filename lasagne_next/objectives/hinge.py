"""Losses that are zero once an example is on the right side by a margin."""

from __future__ import annotations

import warnings

import pytensor.tensor as pt

from lasagne_next.nonlinearities import rectify
from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.objectives.classes import as_class_targets, class_mask
from lasagne_next.objectives.logits import find_logits
from lasagne_next.objectives.pairs import as_pair, check_number
from lasagne_next.objectives.regression import quadratic_to
from lasagne_next.utils import match_dtype

__all__ = [
    "binary_hinge_loss",
    "multiclass_hinge_loss",
    "smooth_hinge_loss",
    "squared_hinge_loss",
]


def binary_hinge_loss(predictions, targets, delta=1, log_odds=None, binary=True):
    """Compute ``max(0, delta - x * t)`` for targets t of -1 or 1.

    Parameters
    ----------
    predictions : expression
        Values x, positive for the class 1, of any shape; or probabilities with
        ``log_odds=False``.
    targets : expression
        Of the same shape: 0 or 1, or -1 or 1 with ``binary=False``. A vector is aligned
        with a column of predictions.
    delta : number or expression, default 1
        The margin.
    log_odds : bool, optional
        Whether `predictions` are on the scale of logarithms of odds. If False, they are
        probabilities p and x is ``log(p / (1 - p))``. The default is True, with a
        warning.
    binary : bool, default True
        Whether `targets` are 0 or 1.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `delta` is no number.
    ValueError
        If known sizes differ, or `delta` is negative.

    Warns
    -----
    FutureWarning
        If `log_odds` is not given, as it was once False by default.

    Examples
    --------
    >>> from lasagne_next.objectives import binary_hinge_loss
    >>> loss = binary_hinge_loss([0.25, -3.0], [1, 0], log_odds=True)
    >>> loss.eval(mode="FAST_COMPILE").tolist()
    [0.75, 0.0]
    """
    if log_odds is None:
        warnings.warn(
            "binary_hinge_loss: log_odds was not given and is taken as True. Pass "
            "log_odds=True for values on the scale of log-odds, or log_odds=False for "
            "probabilities.",
            FutureWarning,
            stacklevel=2,
        )
        log_odds = True
    predictions = as_float(predictions)
    if not log_odds:
        predictions = _log_odds(predictions)
    return rectify(_missing("binary_hinge_loss", predictions, targets, delta, binary))


def _log_odds(probabilities):
    logits = find_logits(probabilities)
    return (
        pt.log(probabilities) - pt.log1p(-probabilities) if logits is None else logits
    )


def _missing(function, predictions, targets, delta, binary):
    """Return how much a prediction misses the margin by; negative where it does not."""
    check_number(function, "delta", delta, lowest=0)
    predictions, targets = as_pair(function, as_float(predictions), targets)
    dtype = predictions.dtype
    if binary:
        targets = match_dtype(2, dtype) * targets - match_dtype(1, dtype)
    return match_dtype(delta, dtype) - predictions * targets


def squared_hinge_loss(predictions, targets, delta=1, binary=True):
    """Compute ``max(0, delta - x * t)**2`` for targets t of -1 or 1.

    Parameters
    ----------
    predictions : expression
        Values x, positive for the class 1, of any shape.
    targets : expression
        Of the same shape: 0 or 1, or -1 or 1 with ``binary=False``.
    delta : number or expression, default 1
        The margin.
    binary : bool, default True
        Whether `targets` are 0 or 1.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `delta` is no number.
    ValueError
        If known sizes differ, or `delta` is negative.

    Examples
    --------
    >>> from lasagne_next.objectives import squared_hinge_loss
    >>> squared_hinge_loss([0.5, -3.0], [1, 0]).eval(mode="FAST_COMPILE").tolist()
    [0.25, 0.0]
    """
    function = "squared_hinge_loss"
    return pt.sqr(rectify(_missing(function, predictions, targets, delta, binary)))


def smooth_hinge_loss(predictions, targets, delta=1, binary=True):
    """Compute a hinge loss without a kink.

    With the miss ``m = max(0, delta - x * t)`` for targets t of -1 or 1, it is
    ``0.5 * m**2`` where m is below `delta` and ``delta * (m - delta / 2)`` from there.

    Parameters
    ----------
    predictions : expression
        Values x, positive for the class 1, of any shape.
    targets : expression
        Of the same shape: 0 or 1, or -1 or 1 with ``binary=False``.
    delta : number or expression, default 1
        The margin, and where the quadratic part ends.
    binary : bool, default True
        Whether `targets` are 0 or 1.

    Returns
    -------
    TensorVariable
        Of the same shape.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `delta` is no number.
    ValueError
        If known sizes differ, or `delta` is negative.

    References
    ----------
    Jason Rennie and Nathan Srebro (2005): Loss functions for preference levels:
    regression with discrete ordered labels, section 3.1.
    https://people.csail.mit.edu/jrennie/papers/ijcai05-preference.pdf

    Examples
    --------
    >>> from lasagne_next.objectives import smooth_hinge_loss
    >>> smooth_hinge_loss([0.5, -1.0], [1, 1]).eval(mode="FAST_COMPILE").tolist()
    [0.125, 1.5]
    """
    function = "smooth_hinge_loss"
    miss = rectify(_missing(function, predictions, targets, delta, binary))
    return quadratic_to(miss, delta)


def multiclass_hinge_loss(predictions, targets, delta=1):
    """Compute ``max(0, delta + largest wrong - right)`` over the values of classes.

    Parameters
    ----------
    predictions : expression, shape (n, num_classes) or any other
        Values of the classes along the last axis.
    targets : expression
        Labels: integers of the shape of `predictions` without the last axis. Or 1 for
        the right class and 0 for the others, of the shape of `predictions`.
    delta : number or expression, default 1
        The margin.

    Returns
    -------
    TensorVariable, shape (n,)
        The shape of `predictions` without the last axis.

    Raises
    ------
    TypeError
        If the number of axes of the targets is another ("rank mismatch"), labels are
        not integers, or `delta` is no number.
    ValueError
        If known sizes differ, `delta` is negative, or there is one class only.

    References
    ----------
    Koby Crammer and Yoram Singer (2001): On the algorithmic implementation of
    multiclass kernel-based vector machines, section 3.
    https://www.jmlr.org/papers/v2/crammer01a.html

    Examples
    --------
    >>> from lasagne_next.objectives import multiclass_hinge_loss
    >>> loss = multiclass_hinge_loss([[0.5, 0.25, 0.0], [0.0, 2.0, 0.5]], [0, 1])
    >>> loss.eval(mode="FAST_COMPILE").tolist()
    [0.75, 0.0]
    """
    function = "multiclass_hinge_loss"
    check_number(function, "delta", delta, lowest=0)
    predictions = as_float(predictions)
    axis = predictions.ndim - 1
    targets = as_class_targets(function, predictions, targets, axis)
    if predictions.type.shape[axis] == 1:
        raise ValueError(
            f"{function}: predictions must have two classes or more, got shape "
            f"{predictions.type.shape}. For a single output use binary_hinge_loss."
        )
    if targets.ndim == predictions.ndim:
        mask = pt.neq(targets, match_dtype(0, targets.dtype))
    else:
        mask = class_mask(targets, predictions, axis)
    dtype = predictions.dtype
    zero, infinity = match_dtype(0, dtype), match_dtype(float("inf"), dtype)
    # The penalties do not depend on the predictions: no gradient passes the switch.
    wrong = (predictions - pt.switch(mask, infinity, zero)).max(axis=axis)
    right = (predictions * match_dtype(mask, dtype)).sum(axis=axis)
    return rectify(match_dtype(delta, dtype) + wrong - right)
