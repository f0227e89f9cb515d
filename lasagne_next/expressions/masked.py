"""Parameters of which a fixed pattern of entries is zero."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.utils import default_norm_axes

__all__ = ["Masked"]


class Masked(ParameterExpression):
    r"""A parameter with fixed zeros, :math:`W = M \odot V`.

    Parameters
    ----------
    mask : array_like, SHAPE of the parameter
        Zeros where W is zero. A constant of the graph: neither trained nor saved.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        A draw is enlarged, so that every unit of W (a column of a matrix) has the
        variance of the draw, zeros included. An array is the start of W, up to what the
        mask takes away. A variable is taken as V itself.

    Raises
    ------
    TypeError
        If `mask` is no array of numbers.
    ValueError
        If the parameter has another shape than the mask.

    Notes
    -----
    The leaf ``v`` has the shape of W; its masked entries have no gradient. For a mask
    that changes during training, write ``mask * V`` with a shared variable and tag it
    ``trainable=False`` (:func:`lasagne_next.params.set_tags`).

    References
    ----------
    Mathieu Germain, Karol Gregor, Iain Murray and Hugo Larochelle (2015): MADE: masked
    autoencoder for distribution estimation, equation 4. https://arxiv.org/abs/1502.03509

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.Masked(np.tril(np.ones((3, 3)))).sample((3, 3))
    >>> np.triu(W, 1).any()
    np.False_
    """

    inner = "v"

    def __init__(self, mask, init=initialisers.GlorotUniform()):  # noqa: B008
        self.mask, self.init = np.asarray(mask), init
        if self.mask.dtype.kind not in "biuf":
            raise TypeError(
                f"Masked: mask must be an array of numbers, got {mask!r} of type "
                f"{type(mask).__name__}. For a symbolic mask write mask * V."
            )

    def check_shape(self, shape):
        """Raise ValueError unless the shape is that of the mask."""
        if tuple(shape) != self.mask.shape:
            raise ValueError(
                f"{self!r}: the mask must have the shape of the parameter, "
                f"{tuple(shape)}, got {self.mask.shape}."
            )

    def start(self, value):
        """Enlarge the draw to make up for the entries that are taken away."""
        if not 2 <= value.ndim <= 5:
            return {"v": value}
        axes = default_norm_axes(value.ndim)
        density = np.mean(self.mask.astype(float) ** 2, axis=axes, keepdims=True)
        return {"v": value / np.sqrt(np.where(density > 0, density, 1))}

    def express(self, v):
        """Return the masked values."""
        return pt.constant(self.mask.astype(v.dtype)) * v

    def invert(self, value):
        """Divide by the mask; what it takes away is lost."""
        kept = self.mask != 0
        return {"v": np.where(kept, value / np.where(kept, self.mask, 1), 0)}

    def count_free(self, shape):
        """Count the entries that the mask lets through, or an inner expression's."""
        return min(super().count_free(shape), int(np.count_nonzero(self.mask)))
