"""Cross-entropies of predicted probabilities."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.nonlinearities.operands import as_float, check_axis
from lasagne_next.objectives.classes import as_class_targets, class_mask
from lasagne_next.objectives.crossentropy_from_logits import (
    binary_crossentropy_from_logits,
    crossentropy_of_logs,
    expected_log,
)
from lasagne_next.objectives.logits import find_log_softmax, find_logits
from lasagne_next.objectives.pairs import as_pair
from lasagne_next.utils import match_dtype

__all__ = ["binary_crossentropy", "categorical_crossentropy", "kullback_leibler"]


def binary_crossentropy(predictions, targets):
    """Compute ``-(t * log(p) + (1 - t) * log(1 - p))``, with ``0 * log(0) = 0``.

    Parameters
    ----------
    predictions : expression
        Probabilities p between 0 and 1, of any shape.
    targets : expression
        Values t between 0 and 1, of the same shape. A vector is aligned with a column
        of predictions.

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
    Where `predictions` were made by a sigmoid, the loss is computed from its argument,
    so that it stays finite. It is then no function of the expression `predictions`
    itself: to differentiate by that, pass ``pytensor.tensor.tensor_copy(predictions)``.
    Other predictions are not clipped: the loss of a 0 where a 1 is wanted is infinite.

    Examples
    --------
    >>> from lasagne_next.objectives import binary_crossentropy
    >>> loss = binary_crossentropy([0.5, 0.25], [1, 1])
    >>> loss.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693, 1.386]
    """
    function = "binary_crossentropy"
    predictions, targets = as_pair(function, as_float(predictions), targets)
    logits = find_logits(predictions)
    if logits is not None:
        return binary_crossentropy_from_logits(logits, targets)
    one = match_dtype(1, predictions.dtype)
    others = one - targets
    positive = targets * _log_where(predictions, targets)
    return -(positive + others * _log_where(one - predictions, others))


def _log_where(values, factors):
    """Return log(values), and 0 where that is -inf and will be multiplied by 0."""
    zero = match_dtype(0, values.dtype)
    both = pt.eq(values, zero) & pt.eq(factors, zero)
    return pt.log(values + match_dtype(both, values.dtype))


def categorical_crossentropy(predictions, targets, axis=-1):
    """Compute ``-sum(t * log(p))`` over classes.

    Parameters
    ----------
    predictions : expression, shape (n, num_classes) or any other
        Probabilities p, which sum to 1 along the axis of the classes.
    targets : expression
        Labels: integers from 0 to num_classes - 1, of the shape of `predictions`
        without the axis of the classes. Or probabilities t of the shape of
        `predictions`.
    axis : int, default -1
        Axis of the classes: 1 for a prediction per pixel.

    Returns
    -------
    TensorVariable, shape (n,)
        The shape of `predictions` without the axis of the classes; in nats.

    Raises
    ------
    TypeError
        If the number of axes of the targets is another ("rank mismatch"), labels are
        not integers, or `axis` is no integer.
    ValueError
        If known sizes differ, or there is no such axis.

    Notes
    -----
    Where `predictions` were made by a softmax, the loss is computed from its argument,
    so that it stays finite. It is then no function of the expression `predictions`
    itself: to differentiate by that, pass ``pytensor.tensor.tensor_copy(predictions)``.
    Other predictions are not clipped: the loss is infinite where the right class has
    probability 0, or where a label names no class.

    Examples
    --------
    >>> from lasagne_next.objectives import categorical_crossentropy
    >>> loss = categorical_crossentropy([[0.5, 0.5], [0.1, 0.9]], [0, 1])
    >>> loss.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693, 0.105]
    """
    function = "categorical_crossentropy"
    predictions = as_float(predictions)
    axis = check_axis(function, predictions, axis)
    targets = as_class_targets(function, predictions, targets, axis)
    logs = find_log_softmax(predictions)
    if logs is not None:
        return crossentropy_of_logs(logs, targets, axis)
    if targets.ndim == predictions.ndim:
        return -_expected_log(predictions, targets, axis)
    mask = match_dtype(class_mask(targets, predictions, axis), predictions.dtype)
    return -pt.log((mask * predictions).sum(axis=axis))


def _expected_log(predictions, targets, axis):
    logs = find_log_softmax(predictions)
    if logs is not None:
        return expected_log(logs, targets, axis)
    return (targets * _log_where(predictions, targets)).sum(axis=axis)


def kullback_leibler(predictions, targets, axis=-1):
    """Compute the divergence ``sum(t * (log(t) - log(p)))`` of predictions.

    Parameters
    ----------
    predictions : expression
        Probabilities p, which sum to 1 along `axis`.
    targets : expression
        Probabilities t, of the shape of `predictions`.
    axis : int, default -1
        Axis of the classes.

    Returns
    -------
    TensorVariable
        The shape of `predictions` without `axis`; in nats, not negative.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or `axis` is no integer.
    ValueError
        If known sizes differ, or there is no such axis.

    Notes
    -----
    The divergence from `predictions` to `targets`, KL(t || p): the cross-entropy minus
    the entropy of the targets. Predictions and targets that were made by a softmax are
    treated as in :func:`categorical_crossentropy`.

    References
    ----------
    Solomon Kullback and Richard Leibler (1951): On information and sufficiency.
    https://doi.org/10.1214/aoms/1177729694

    Examples
    --------
    >>> from lasagne_next.objectives import kullback_leibler
    >>> divergence = kullback_leibler([[0.5, 0.5]], [[1.0, 0.0]])
    >>> divergence.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693]
    """
    function = "kullback_leibler"
    predictions, targets = as_pair(
        function, as_float(predictions), targets, scalars=False
    )
    axis = check_axis(function, predictions, axis)
    negative_entropy = _expected_log(targets, targets, axis)
    return negative_entropy - _expected_log(predictions, targets, axis)
