"""Cross-entropies of logits: of what a sigmoid or a softmax would be applied to."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.nonlinearities import rectify
from lasagne_next.nonlinearities.operands import as_float, check_axis
from lasagne_next.objectives.classes import (
    as_class_targets,
    as_class_weights,
    check_label,
    class_mask,
)
from lasagne_next.objectives.pairs import as_pair, check_number
from lasagne_next.utils import match_dtype

__all__ = [
    "binary_crossentropy_from_logits",
    "categorical_crossentropy_from_logits",
    "crossentropy_of_logs",
    "expected_log",
]


def binary_crossentropy_from_logits(
    logits, targets, class_weights=None, ignore_label=None, label_smoothing=0.0
):
    """Compute the cross-entropy of the probability ``p = sigmoid(logits)``.

    The loss is ``-(w1 * t * log(p) + w0 * (1 - t) * log(1 - p))``, with finite values
    and derivatives for all finite logits.

    Parameters
    ----------
    logits : expression
        Of any shape.
    targets : expression
        Values t between 0 and 1, of the same shape. A vector is aligned with a column
        of logits.
    class_weights : pair of numbers or expressions, optional
        Factors w0 of negative and w1 of positive examples, 1 by default; an expression
        is broadcast to the shape of `logits`.
    ignore_label : int, optional
        Where `targets` equal it, the loss is 0.
    label_smoothing : number or expression, default 0.0
        Share s, below 1, of the targets that is spread evenly:
        t becomes ``(1 - s) * t + s / 2``.

    Returns
    -------
    TensorVariable
        Of the same shape, in nats.

    Raises
    ------
    TypeError
        If the numbers of axes differ, or an option is of the wrong kind.
    ValueError
        If known sizes differ, or an option is out of range.

    Notes
    -----
    For the mean over targets that are not ignored, pass this loss and
    ``weights=pytensor.tensor.neq(targets, ignore_label)`` to ``aggregate`` with
    ``mode='normalized_sum'``.

    Examples
    --------
    >>> from lasagne_next.objectives import binary_crossentropy_from_logits
    >>> loss = binary_crossentropy_from_logits([0.0, 1000.0], [1, 0])
    >>> loss.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693, 1000.0]
    """
    function = "binary_crossentropy_from_logits"
    check_label(function, ignore_label)
    check_number(function, "label_smoothing", label_smoothing, lowest=0, below=1)
    logits, targets = as_pair(function, as_float(logits), targets)
    one = match_dtype(1, logits.dtype)
    positive = _smoothed(targets, label_smoothing, one, 2)
    negative = one - positive
    if class_weights is not None:
        weights = _pair_of_weights(function, class_weights)
        negative, positive = (
            match_dtype(weight, logits.dtype) * part
            for weight, part in zip(weights, (negative, positive), strict=True)
        )
    if ignore_label is not None:
        label = match_dtype(ignore_label, targets.dtype)
        counted = match_dtype(pt.neq(targets, label), logits.dtype)
        negative, positive = counted * negative, counted * positive
    # -log(p) is max(-x, 0) + log(1 + exp(-|x|)), and -log(1 - p) has max(x, 0) there.
    tail = pt.softplus(-abs(logits))
    return negative * (rectify(logits) + tail) + positive * (rectify(-logits) + tail)


def _pair_of_weights(function, class_weights):
    if isinstance(class_weights, tuple | list | np.ndarray) and len(class_weights) == 2:
        return tuple(class_weights)
    raise ValueError(
        f"{function}: class_weights must be a pair, got {class_weights!r}. Give the "
        "factors of negative and of positive examples."
    )


def _smoothed(targets, share, total, num_classes):
    """Spread a share of targets, which sum to `total`, evenly over the classes."""
    if not isinstance(share, Variable) and share == 0:
        return targets
    share = match_dtype(share, targets.dtype)
    one = match_dtype(1, targets.dtype)
    return (one - share) * targets + share / match_dtype(
        num_classes, targets.dtype
    ) * total


def categorical_crossentropy_from_logits(
    logits,
    targets,
    axis=-1,
    class_weights=None,
    ignore_label=None,
    label_smoothing=0.0,
):
    """Compute the cross-entropy of the probabilities ``p = softmax(logits)``.

    The loss is ``-sum(w * t * log(p))`` over the classes, with finite values and
    derivatives for all finite logits.

    Parameters
    ----------
    logits : expression, shape (n, num_classes) or any other
        With classes along `axis`. Minus infinity excludes a class.
    targets : expression
        Labels: integers from 0 to num_classes - 1, of the shape of `logits` without
        the axis of the classes; they stand for a probability of 1. Or probabilities t
        of the shape of `logits`.
    axis : int, default -1
        Axis of the classes: the last for sequences (batch, time, classes), 1 for images
        (batch, classes, rows, columns).
    class_weights : vector, shape (num_classes,), optional
        Factors w of the classes, 1 by default.
    ignore_label : int, optional
        Where a label equals it, the loss is 0.
    label_smoothing : number or expression, default 0.0
        Share s, below 1, of the targets that is spread evenly:
        t becomes ``(1 - s) * t + s / num_classes``.

    Returns
    -------
    TensorVariable, shape (n,)
        The shape of `logits` without the axis of the classes; in nats. The loss of a
        label that names no class is infinite.

    Raises
    ------
    TypeError
        If the number of axes of the targets is another ("rank mismatch"), labels are
        not integers, or an option is of the wrong kind.
    ValueError
        If known sizes differ, an option is out of range, or `ignore_label` is given
        though the targets are probabilities.

    Notes
    -----
    The plain mean of this loss divides by the number of all labels. For the mean over
    those that are not ignored, pass it with
    ``weights=label_weights(targets, ignore_label=...)`` to ``aggregate`` with
    ``mode='normalized_sum'``. PyTorch's default for class weights, a weighted mean, is
    had by giving the class weights to :func:`label_weights` instead of here.

    References
    ----------
    Christian Szegedy, Vincent Vanhoucke, Sergey Ioffe, Jonathon Shlens and Zbigniew
    Wojna (2016): Rethinking the Inception architecture, section 7 (label smoothing).
    https://arxiv.org/abs/1512.00567

    Examples
    --------
    >>> from lasagne_next.objectives import categorical_crossentropy_from_logits
    >>> logits = [[0.0, 0.0], [1000.0, 0.0], [0.0, 3.0]]
    >>> loss = categorical_crossentropy_from_logits(logits, [0, 1, -1], ignore_label=-1)
    >>> loss.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.693, 1000.0, 0.0]
    """
    function = "categorical_crossentropy_from_logits"
    check_label(function, ignore_label)
    check_number(function, "label_smoothing", label_smoothing, lowest=0, below=1)
    logits = as_float(logits)
    axis = check_axis(function, logits, axis)
    targets = as_class_targets(function, logits, targets, axis)
    if ignore_label is not None and targets.ndim == logits.ndim:
        raise ValueError(
            f"{function}: ignore_label must be None where targets are probabilities, "
            f"got {ignore_label!r}. Give labels, or weights to aggregate."
        )
    factors = None
    if class_weights is not None:
        size = logits.type.shape[axis]
        factors = match_dtype(
            as_class_weights(function, class_weights, size), logits.dtype
        ).dimshuffle(0, *"x" * (logits.ndim - axis - 1))  # (classes, 1, ...)
    logs = pt.special.log_softmax(logits, axis=axis)
    return crossentropy_of_logs(
        logs, targets, axis, factors, ignore_label, label_smoothing
    )


def crossentropy_of_logs(
    logs, targets, axis, factors=None, ignore_label=None, label_smoothing=0.0
):
    """Return the cross-entropy of logarithms of probabilities; arguments checked."""
    if targets.ndim == logs.ndim:
        expected, total, excess = targets, match_dtype(1, logs.dtype), None
    else:
        expected, total, excess = _from_labels(logs, targets, axis, ignore_label)
    num_classes = logs.type.shape[axis] or logs.shape[axis]
    expected = _smoothed(expected, label_smoothing, total, num_classes)
    if factors is not None:
        expected = factors * expected
    loss = -expected_log(logs, expected, axis)
    return loss if excess is None else loss + excess


def _from_labels(logs, labels, axis, ignore_label):
    """Return what labels expect of each class, its sum, and the loss of wrong labels.

    An ignored label expects nothing of any class, so that its loss is 0. One that names
    no class would do so too without notice, which is why its loss is made infinite.
    """
    mask = class_mask(labels, logs, axis)
    right = pt.ge(labels, 0) & pt.lt(labels, logs.shape[axis])
    counted = pt.ones_like(labels, dtype="bool")
    if ignore_label is not None:
        counted = pt.neq(labels, ignore_label)
        mask, right = mask & pt.expand_dims(counted, axis), right | ~counted
    zero, infinity = match_dtype(0, logs.dtype), match_dtype(np.inf, logs.dtype)
    total = pt.expand_dims(match_dtype(counted, logs.dtype), axis)
    return match_dtype(mask, logs.dtype), total, pt.switch(right, zero, infinity)


def expected_log(logs, expected, axis):
    """Return ``sum(expected * logs)`` with ``0 * -inf = 0``."""
    lowest = match_dtype(np.finfo(logs.dtype).min, logs.dtype)
    return (expected * pt.maximum(logs, lowest)).sum(axis=axis)
