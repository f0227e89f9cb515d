"""A recurrence from both ends."""

from __future__ import annotations

from lasagne_next.layers.merge import ConcatLayer, ElemwiseSumLayer
from lasagne_next.utils import nearest

__all__ = ["bidirectional"]

_MERGES = ("concat", "sum")


def bidirectional(layer, incoming, *args, merge="concat", name=None, **kwargs):
    """Build a recurrent layer twice, forwards and backwards, and merge both outputs.

    Parameters
    ----------
    layer : class or callable
        A recurrent layer, such as :class:`LSTMLayer`, or a function that builds one
        from `incoming`, and keywords `backwards` and `name`.
    incoming : Layer or tuple
        Of shape (batch, time, features...).
    *args, **kwargs
        For `layer`. What is a shared variable or an expression is shared by both
        directions; arrays, numbers and initialisers start two parameters.
    merge : {'concat', 'sum'}, default 'concat'
        Whether the features are put behind each other, forwards first, or added.
    name : str, optional
        The layers are called name.forwards, name.backwards and name.

    Returns
    -------
    ConcatLayer or ElemwiseSumLayer
        Its `input_layers` are the two recurrent layers.

    Raises
    ------
    ValueError
        If `merge` is unknown.

    References
    ----------
    Mike Schuster and Kuldip Paliwal (1997): Bidirectional recurrent neural networks.
    IEEE Transactions on Signal Processing 45(11). https://doi.org/10.1109/78.650093

    Examples
    --------
    >>> from lasagne_next.layers import GRULayer, bidirectional
    >>> bidirectional(GRULayer, (None, 7, 3), num_units=5, name="b").output_shape
    (None, 7, 10)
    """
    if merge not in _MERGES:
        raise ValueError(
            f"bidirectional: merge must be one of {', '.join(_MERGES)}, got {merge!r}."
            + nearest(merge, _MERGES)
        )
    both = [
        layer(
            incoming,
            *args,
            backwards=backwards,
            name=None if name is None else f"{name}.{direction}",
            **kwargs,
        )
        for direction, backwards in (("forwards", False), ("backwards", True))
    ]
    if merge == "sum":
        return ElemwiseSumLayer(both, name=name)
    axis = 1 if both[0].only_return_final else 2
    return ConcatLayer(both, axis=axis, name=name)
