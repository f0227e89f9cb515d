"""Targets that name one of several classes."""

from __future__ import annotations

import numbers

import numpy as np
import pytensor.tensor as pt

from lasagne_next.utils import as_theano_expression, match_dtype

__all__ = [
    "as_class_targets",
    "as_class_weights",
    "check_label",
    "class_mask",
    "class_numbers",
    "label_weights",
]


def as_class_targets(function, predictions, targets, axis):
    """Return targets as labels (integers) or as one value per class, else raise.

    Parameters
    ----------
    function : str
        Name for the error messages.
    predictions : TensorVariable
        With classes along `axis`.
    targets : expression
        Integers of the shape of `predictions` without `axis`, or values of the whole
        shape.
    axis : int
        Not negative.

    Returns
    -------
    targets : TensorVariable
        Labels of a signed integer type, or values of the type of `predictions`.
    """
    targets = as_theano_expression(targets)
    labels = targets.ndim == predictions.ndim - 1
    if not labels and targets.ndim != predictions.ndim:
        raise TypeError(
            f"{function}: rank mismatch between targets and predictions, got targets "
            f"of shape {targets.type.shape} and predictions of shape "
            f"{predictions.type.shape}. Give labels of shape "
            f"{_without(predictions.type.shape, axis)} or one value per class."
        )
    if labels and targets.dtype.startswith(("float", "complex")):
        raise TypeError(
            f"{function}: targets must be integers where they have one axis fewer than "
            f"predictions, got type {targets.dtype} and shape {targets.type.shape}. "
            "Cast labels with astype('int32')."
        )
    wanted = predictions.type.shape
    if labels:
        wanted = _without(wanted, axis)
    for size, other in zip(targets.type.shape, wanted, strict=True):
        if None not in (size, other) and size != other:
            raise ValueError(
                f"{function}: targets must have shape {wanted}, got shape "
                f"{targets.type.shape} (predictions of shape {predictions.type.shape}, "
                f"classes along axis {axis}). Check which arrays or layers you pass."
            )
    return as_labels(targets) if labels else match_dtype(targets, predictions.dtype)


def as_labels(targets):
    """Return class labels in a type that holds them and can be negative.

    Not in int64 if it can be helped: JAX in single precision has none and warns.
    """
    is_wide = targets.dtype in ("int64", "uint32", "uint64")
    return match_dtype(targets, "int64" if is_wide else "int32")


def _without(shape, axis):
    return shape[:axis] + shape[axis + 1 :]


def class_numbers(predictions, axis):
    """Return the number of each class along an axis, broadcast to `predictions`."""
    size = predictions.type.shape[axis]
    if size is None:
        # A range of unknown length does not compile on JAX (PyTensor 3.0.7).
        return pt.cumsum(pt.ones_like(predictions, dtype="int32"), axis=axis) - 1
    after = predictions.ndim - axis - 1
    numbers_of_classes = np.arange(size, dtype="int32")
    return pt.constant(numbers_of_classes.reshape((size,) + (1,) * after))


def class_mask(labels, predictions, axis):
    """Return a tensor of the shape of `predictions`, true at the class of the label."""
    return pt.eq(pt.expand_dims(labels, axis), class_numbers(predictions, axis))


def as_class_weights(function, class_weights, size=None):
    """Return class weights as a vector, else raise."""
    class_weights = as_theano_expression(class_weights)
    if class_weights.ndim != 1:
        raise ValueError(
            f"{function}: class_weights must be a vector, got shape "
            f"{class_weights.type.shape}. Give one number per class."
        )
    given = class_weights.type.shape[0]
    if None not in (size, given) and size != given:
        raise ValueError(
            f"{function}: class_weights must have {size} elements, one per class, got "
            f"{given}. Give one number per class."
        )
    return class_weights


def check_label(function, ignore_label):
    """Raise if `ignore_label` is neither None nor an integer."""
    if ignore_label is not None and not isinstance(ignore_label, numbers.Integral):
        raise TypeError(
            f"{function}: ignore_label must be an integer or None, got "
            f"{ignore_label!r}. Give the label that marks what should not count."
        )


def label_weights(targets, class_weights=None, ignore_label=None):
    """Weigh examples by their labels, for a mean over those that count.

    ``aggregate(loss, label_weights(...), mode='normalized_sum')`` is the mean of the
    loss over the labels that are not ignored, each counted as often as its class
    weighs.

    Parameters
    ----------
    targets : expression of integers
        Labels, of any shape.
    class_weights : vector, shape (num_classes,), optional
        A number for each class; all count the same by default.
    ignore_label : int, optional
        Label of examples that should not count.

    Returns
    -------
    TensorVariable
        Of type ``config.floatX`` and the shape of `targets`: the weight of each label,
        0 where the label is ignored.

    Raises
    ------
    TypeError
        If `targets` are not integers, or `ignore_label` is no integer.
    ValueError
        If `class_weights` is not a vector.

    Notes
    -----
    This mean, with the class weights here and not in the loss, is what PyTorch
    computes by default. It is 0 / 0 where no label counts.

    Examples
    --------
    >>> from lasagne_next.objectives import label_weights
    >>> weights = label_weights([0, 1, -1], class_weights=[1, 3], ignore_label=-1)
    >>> weights.eval(mode="FAST_COMPILE").tolist()
    [1.0, 3.0, 0.0]
    """
    check_label("label_weights", ignore_label)
    targets = as_theano_expression(targets)
    if targets.dtype.startswith(("float", "complex")):
        raise TypeError(
            f"label_weights: targets must be integers, got type {targets.dtype} and "
            f"shape {targets.type.shape}. Cast labels with astype('int32')."
        )
    labels = as_labels(targets)
    counted = pt.ones_like(labels, dtype="bool")
    if ignore_label is not None:
        counted = pt.neq(labels, ignore_label)
    weights = match_dtype(counted)
    if class_weights is not None:
        class_weights = match_dtype(as_class_weights("label_weights", class_weights))
        weights = weights * class_weights[labels * counted]
    return weights
