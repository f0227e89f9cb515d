"""Predictions and targets of elementwise losses, brought together and checked."""

from __future__ import annotations

import numbers

import numpy as np
from pytensor.graph.basic import Variable

from lasagne_next.utils import as_theano_expression, match_dtype

__all__ = ["align_targets", "as_pair", "check_number", "check_sizes"]


def align_targets(predictions, targets):
    """Turn a vector of targets into a column where the predictions are a column.

    Parameters
    ----------
    predictions : expression
        A column is a matrix whose size is known to be 1 along axis 1, and not along
        axis 0: the output of a ``DenseLayer`` of one unit is one.
    targets : expression
        Of any shape.

    Returns
    -------
    predictions : TensorVariable
        As given.
    targets : TensorVariable
        Of shape (n, 1) if `predictions` are a column and `targets` a vector of n
        elements, else as given.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.objectives import align_targets
    >>> _, targets = align_targets(pt.tensor(shape=(None, 1)), pt.vector())
    >>> targets.type.shape
    (None, 1)
    """
    predictions = as_theano_expression(predictions)
    targets = as_theano_expression(targets)
    if (
        predictions.ndim == 2
        and predictions.broadcastable == (False, True)
        and targets.ndim == 1
    ):
        targets = targets.dimshuffle(0, "x")  # (n, 1)
    return predictions, targets


def as_pair(function, predictions, targets, scalars=True):
    """Return predictions and targets that can meet elementwise, else raise.

    Targets are aligned, and cast to the type of the predictions where those are of a
    floating type.

    Parameters
    ----------
    function : str
        Name for the error messages.
    predictions, targets : expression
        Of one shape, or one of them a scalar.
    scalars : bool
        Whether a scalar may meet a tensor.

    Returns
    -------
    predictions, targets : TensorVariable
        Of one shape and type.
    """
    predictions, targets = align_targets(predictions, targets)
    ranks = predictions.ndim, targets.ndim
    if ranks[0] != ranks[1] and not (scalars and 0 in ranks):
        raise TypeError(
            f"{function}: rank mismatch between targets and predictions, got targets "
            f"of shape {targets.type.shape} and predictions of shape "
            f"{predictions.type.shape}. Reshape one of them; without that, they would "
            "be broadcast against each other."
        )
    check_sizes(function, "targets", targets, predictions)
    if predictions.dtype.startswith("float"):
        targets = match_dtype(targets, predictions.dtype)
    return predictions, targets


def check_sizes(function, name, value, other, other_name="predictions"):
    """Raise if `value` cannot be broadcast against another, by known sizes."""
    shapes = value.type.shape, other.type.shape
    sizes = zip(*(shape[::-1] for shape in shapes), strict=False)
    for i, (size, wanted) in enumerate(sizes):
        if None not in (size, wanted) and size != wanted and 1 not in (size, wanted):
            raise ValueError(
                f"{function}: {name} must have the shape of {other_name}, got {name} "
                f"of shape {shapes[0]} and {other_name} of shape {shapes[1]}, which "
                f"differ at axis {-1 - i}. Check which arrays or layers you pass."
            )


def check_number(function, name, value, lowest=None, below=None, above=None):
    """Raise if `value` is a number outside its range, or neither number nor variable.

    Expressions and arrays pass.
    """
    if isinstance(value, Variable | np.ndarray):
        return
    if not isinstance(value, numbers.Real):
        raise TypeError(
            f"{function}: {name} must be a number or an expression, got {value!r}."
        )
    limits = {
        f"at least {lowest}": lowest is None or value >= lowest,
        f"below {below}": below is None or value < below,
        f"greater than {above}": above is None or value > above,
    }
    for wanted, met in limits.items():
        if not met:
            raise ValueError(f"{function}: {name} must be {wanted}, got {value!r}.")
