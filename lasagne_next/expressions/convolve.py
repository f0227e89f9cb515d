"""The convolution of x with W that uses the structure of W."""

from __future__ import annotations

from lasagne_next import ops

__all__ = ["convolve"]


def convolve(
    x,
    W,
    stride=1,
    pad=0,
    dilation=1,
    num_groups=1,
    flip_filters=True,
    structured=True,
):
    """Convolve with filters in the cheapest way that their making allows.

    Parameters
    ----------
    x : TensorVariable, SHAPE (batch, channels, positions...)
        The input, of one, two or three axes of positions.
    W : TensorVariable, SHAPE (filters, channels // num_groups, positions...)
        The filters.
    stride, pad, dilation, num_groups, flip_filters
        See :func:`lasagne_next.ops.convolve`.
    structured : bool, default True
        Whether to use the structure. False convolves with W itself, so that W stays in
        the graph and a gradient with respect to W can be taken.

    Returns
    -------
    TensorVariable, SHAPE (batch, filters, positions...)
        Equal to :func:`lasagne_next.ops.convolve` up to rounding.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions
    >>> x = pt.tensor("x", shape=(None, 3, 28, 28))
    >>> W = pt.tensor("W", shape=(8, 3, 5, 5))
    >>> expressions.convolve(x, W).type.shape
    (None, 8, 24, 24)
    """
    return ops.convolve(x, W, stride, pad, dilation, num_groups, flip_filters)
