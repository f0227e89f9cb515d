"""From a loss per example to one number."""

from __future__ import annotations

from lasagne_next.objectives.pairs import check_sizes
from lasagne_next.utils import as_theano_expression, match_dtype, nearest

__all__ = ["aggregate"]

_MODES = ("mean", "sum", "normalized_sum")


def aggregate(loss, weights=None, mode="mean"):
    """Average or sum a loss, possibly weighted.

    Parameters
    ----------
    loss : expression
        Of any shape: one loss per example, or per element.
    weights : expression, optional
        Of the shape of `loss`, or one that is broadcast to it: factors of the losses,
        such as the mask of the steps of sequences that exist.
    mode : {'mean', 'sum', 'normalized_sum'}, default 'mean'
        'mean' divides the sum of the weighted losses by the number of elements, also
        of those of weight 0; 'sum' does not divide; 'normalized_sum' divides by the
        sum of the weights.

    Returns
    -------
    TensorVariable, shape ()
        The value to minimise.

    Raises
    ------
    TypeError
        If `weights` have more axes than `loss`.
    ValueError
        If the mode is unknown, 'normalized_sum' is used without weights, or the shapes
        do not fit.

    Notes
    -----
    With 'normalized_sum', weights that are broadcast are summed as they are given:
    give them the shape of the loss.

    Examples
    --------
    >>> from lasagne_next.objectives import aggregate
    >>> total = aggregate([1.0, 2.0, 6.0], weights=[1, 1, 0], mode="normalized_sum")
    >>> total.eval(mode="FAST_COMPILE").tolist()
    1.5
    """
    if mode not in _MODES:
        raise ValueError(
            f"aggregate: mode must be 'mean', 'sum' or 'normalized_sum', got {mode!r}."
            f"{nearest(mode, _MODES)}"
        )
    loss = as_theano_expression(loss)
    if weights is not None:
        weights = _matched(weights, loss)
        loss = loss * weights
    if mode == "mean":
        return loss.mean()
    if mode == "sum":
        return loss.sum()
    if weights is None:
        raise ValueError(
            "aggregate: mode 'normalized_sum' must be given weights, got None: "
            "normalized sums require weights. Pass weights or choose mode 'mean'."
        )
    return loss.sum() / weights.sum()


def _matched(weights, loss):
    weights = as_theano_expression(weights)
    if weights.ndim > loss.ndim:
        raise TypeError(
            f"aggregate: weights must not have more axes than loss, got weights of "
            f"shape {weights.type.shape} and a loss of shape {loss.type.shape}. "
            "Reshape the weights; without that, the loss would be broadcast to them."
        )
    check_sizes("aggregate", "weights", weights, loss, "loss")
    return match_dtype(weights, loss.dtype) if "float" in loss.dtype else weights
