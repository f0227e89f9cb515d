"""Shares of right predictions; not differentiable."""

from __future__ import annotations

import numbers

import numpy as np
import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float
from lasagne_next.objectives.classes import as_class_targets, class_mask, class_numbers
from lasagne_next.objectives.pairs import as_pair, check_number
from lasagne_next.utils import match_dtype

__all__ = ["binary_accuracy", "categorical_accuracy"]


def binary_accuracy(predictions, targets, threshold=0.5):
    """Tell where ``predictions >= threshold`` agrees with targets of 0 or 1.

    Parameters
    ----------
    predictions : expression
        Of any shape.
    targets : expression
        0 or 1, of the same shape. A vector is aligned with a column of predictions.
    threshold : number or expression, default 0.5
        The least prediction that counts as 1; 0 for logits.

    Returns
    -------
    TensorVariable
        Of type bool and of the same shape; its mean is the accuracy.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `threshold` is no number.
    ValueError
        If known sizes differ.

    Examples
    --------
    >>> from lasagne_next.objectives import binary_accuracy
    >>> binary_accuracy([0.7, 0.2], [1, 1]).eval(mode="FAST_COMPILE").tolist()
    [True, False]
    """
    check_number("binary_accuracy", "threshold", threshold)
    predictions, targets = as_pair("binary_accuracy", as_float(predictions), targets)
    decisions = pt.ge(predictions, match_dtype(threshold, predictions.dtype))
    return pt.eq(match_dtype(decisions, predictions.dtype), targets)


def categorical_accuracy(predictions, targets, top_k=1):
    """Tell where the right class has one of the largest values.

    Parameters
    ----------
    predictions : expression, shape (n, num_classes) or any other
        Probabilities or logits of the classes along the last axis.
    targets : expression
        Labels: integers of the shape of `predictions` without the last axis. Or one
        value per class, of the shape of `predictions`, of which the largest is right.
    top_k : int, default 1
        How many of the largest values count.

    Returns
    -------
    TensorVariable, shape (n,)
        Of type bool, the shape of `predictions` without the last axis; its mean is the
        accuracy. Of equal values the first count as the largest.

    Raises
    ------
    TypeError
        If the number of axes of the targets is another ("rank mismatch"), labels are
        not integers, or `top_k` is no integer.
    ValueError
        If known sizes differ, or `top_k` is below 1 or above the number of classes.

    Examples
    --------
    >>> from lasagne_next.objectives import categorical_accuracy
    >>> right = categorical_accuracy([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]], [0, 2])
    >>> right.eval(mode="FAST_COMPILE").tolist()
    [True, False]
    """
    function = "categorical_accuracy"
    predictions = as_float(predictions)
    axis = predictions.ndim - 1
    targets = as_class_targets(function, predictions, targets, axis)
    _check_top_k(function, top_k, predictions)
    if targets.ndim == predictions.ndim:
        targets = targets.argmax(axis=axis)
    if top_k == 1:
        return pt.eq(predictions.argmax(axis=axis), targets)
    mask = class_mask(targets, predictions, axis)
    lowest = match_dtype(-np.inf, predictions.dtype)
    chosen = pt.switch(mask, predictions, lowest).max(axis=axis, keepdims=True)
    later = pt.ge(class_numbers(predictions, axis), pt.expand_dims(targets, axis))
    # Counting those that are beaten, not those that win: comparisons with NaN are
    # false, and a prediction of NaN must not count as right.
    beaten = pt.lt(predictions, chosen) | (pt.eq(predictions, chosen) & later)
    return pt.gt(beaten.sum(axis=axis), predictions.shape[axis] - top_k)


def _check_top_k(function, top_k, predictions):
    if not isinstance(top_k, numbers.Integral):
        raise TypeError(f"{function}: top_k must be an integer, got {top_k!r}.")
    size = predictions.type.shape[-1]
    if top_k < 1 or (size is not None and top_k > size):
        raise ValueError(
            f"{function}: top_k must be between 1 and the number of classes, got "
            f"{top_k!r} (predictions of shape {predictions.type.shape})."
        )
