"""Normalisation by the neighbouring channels."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.utils import int_types, match_dtype

__all__ = ["LocalResponseNormalization2DLayer"]


class LocalResponseNormalization2DLayer(Layer):
    r"""Divide by a power of the squares of neighbouring channels.

    The output of channel c is
    :math:`x_c / (k + \alpha \sum_{|j - c| \le n / 2} x_j^2)^\beta`; the sum stops at
    the first and the last channel.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    alpha, k, beta : number or symbolic scalar, default 1e-4, 2 and 0.75
        As in the formula. The defaults are those of [1]_.
    n : int, default 5
        How many channels are summed, an odd number.
    **kwargs
        `name`.

    Attributes
    ----------
    alpha, k, beta, n
        As given.

    Raises
    ------
    NotImplementedError
        If `n` is even.
    ValueError
        If `n` is not positive, or the input has other than 4 axes.
    TypeError
        If a number is neither that nor a symbolic scalar.

    Notes
    -----
    Usually placed behind the rectifier of a convolution. It has no parameters. Others
    divide `alpha` by `n`.

    References
    ----------
    .. [1] Alex Krizhevsky, Ilya Sutskever and Geoffrey Hinton (2012): ImageNet
       classification with deep convolutional neural networks, section 3.3.
       https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks

    Examples
    --------
    >>> from lasagne_next.layers import LocalResponseNormalization2DLayer
    >>> LocalResponseNormalization2DLayer((None, 16, 28, 28), n=3).output_shape
    (None, 16, 28, 28)
    """

    def __init__(self, incoming, alpha=1e-4, k=2, beta=0.75, n=5, **kwargs):
        super().__init__(incoming, **kwargs)
        self.alpha, self.k, self.beta, self.n = alpha, k, beta, n
        self._check()

    def _check(self):
        where = f"(input shape {self.input_shape})"
        for argument in ("alpha", "k", "beta"):
            is_symbolic(self, argument, getattr(self, argument))
        if len(self.input_shape) != 4:
            raise ValueError(
                f"{describe(self)}: the input must have 4 axes (batch, channels, rows, "
                f"columns), got {len(self.input_shape)} {where}."
            )
        if not isinstance(self.n, int_types) or self.n < 1:
            raise ValueError(
                f"{describe(self)}: n must be a positive odd integer, got {self.n!r} "
                f"{where}."
            )
        if self.n % 2 == 0:
            raise NotImplementedError(
                f"{describe(self)}: n must be odd, so that a channel has as many "
                f"neighbours on both sides, got {self.n} {where}."
            )

    def get_output_for(self, input, **kwargs):
        """Return the normalised input, SHAPE of the input."""
        squares = pt.sqr(input)
        total = squares
        channels = self.input_shape[1]
        reach = self.n // 2 if channels is None else min(self.n // 2, channels - 1)
        for distance in range(1, reach + 1):
            total = pt.inc_subtensor(total[:, distance:], squares[:, :-distance])
            total = pt.inc_subtensor(total[:, :-distance], squares[:, distance:])
        alpha, k, beta = (
            match_dtype(each, input.dtype) for each in (self.alpha, self.k, self.beta)
        )
        return input * (k + alpha * total) ** -beta
