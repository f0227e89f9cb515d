"""Pooling over grids of few cells, whatever the size of the image."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next import ops
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.positions import check_axes
from lasagne_next.ops.pooling import check_mode
from lasagne_next.utils import int_types, nearest

__all__ = ["SpatialPyramidPoolingLayer", "pool_2d_nxn_regions"]

_IMPLEMENTATIONS = ("fast", "kaiming")


def pool_2d_nxn_regions(inputs, output_size, mode="max"):
    """Pool an image over the cells of a grid.

    Cell (r, k) of n times n covers the rows from ``floor(r / n * rows)`` up to before
    ``ceil((r + 1) / n * rows)``, and columns likewise. Cells overlap where n does not
    divide the size.

    Parameters
    ----------
    inputs : TensorVariable, SHAPE (batch, channels, rows, columns)
        An image of any size.
    output_size : int
        The n of the grid.
    mode : {'max', 'average_inc_pad', 'average_exc_pad'}, default 'max'
        The largest element, or the mean, which is the same for both averages.

    Returns
    -------
    list of TensorVariable, SHAPE (batch, channels, 1) each
        One for each cell, row by row.

    Raises
    ------
    ValueError
        If the mode is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers.pool import pool_2d_nxn_regions
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> cells = pool_2d_nxn_regions(pt.constant(x), 2)
    >>> pt.concatenate(cells, axis=2).eval(mode="FAST_COMPILE").tolist()
    [[[4.0, 5.0, 7.0, 8.0]]]
    """
    check_mode("pool_2d_nxn_regions", mode)
    reduction = pt.max if mode == "max" else pt.mean
    rows, columns = (_edges(inputs, axis, output_size) for axis in (2, 3))
    return [
        reduction(inputs[:, :, row, column], axis=(2, 3)).dimshuffle(0, 1, "x")
        for row in rows
        for column in columns
    ]


def _edges(inputs, axis, number):
    """Return the slices of an axis that the cells cover."""
    size = inputs.type.shape[axis]
    size = inputs.shape[axis] if size is None else size
    return [
        slice(each * size // number, -(-(each + 1) * size // number))
        for each in range(number)
    ]


class SpatialPyramidPoolingLayer(Layer):
    """Pool images of any size over grids of few cells, to a fixed number of features.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    pool_dims : list of int, default (4, 2, 1)
        For each level of the pyramid, the number of cells along rows and columns.
    mode : {'max', 'average_inc_pad', 'average_exc_pad'}, default 'max'
        The largest element of each cell, or the mean.
    implementation : {'fast', 'kaiming'}, default 'fast'
        'kaiming' pools over the cells of :func:`pool_2d_nxn_regions
        <lasagne_next.layers.pool.pool_2d_nxn_regions>`. 'fast' pools over windows of
        equal size ``ceil(size / n)`` with stride ``floor(size / n)`` wherever these are
        n, and over the cells elsewhere.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the input is no image, the mode or implementation is unknown, or a level has
        no cells.
    TypeError
        If a level is no integer.

    Notes
    -----
    The output has shape (batch, channels, cells), the levels in the order of
    `pool_dims`, the cells of each row by row. Lasagne's 'fast' gives more cells than
    that for some sizes, such as 6 by 6 instead of 4 by 4 for size 7. With unknown sizes
    'fast' is 'kaiming'; JAX needs known ones.

    References
    ----------
    Kaiming He et al. (2014): Spatial pyramid pooling in deep convolutional networks for
    visual recognition, section 2.2. https://arxiv.org/abs/1406.4729

    Examples
    --------
    >>> from lasagne_next.layers import SpatialPyramidPoolingLayer
    >>> SpatialPyramidPoolingLayer((None, 3, None, 7)).output_shape
    (None, 3, 21)
    """

    def __init__(
        self, incoming, pool_dims=(4, 2, 1), mode="max", implementation="fast", **kwargs
    ):
        super().__init__(incoming, **kwargs)
        check_axes(self, self.input_shape, 2)
        check_mode(describe(self), mode)
        if implementation not in _IMPLEMENTATIONS:
            raise ValueError(
                f"{describe(self)}: implementation must be one of {_IMPLEMENTATIONS}, "
                f"got {implementation!r}." + nearest(implementation, _IMPLEMENTATIONS)
            )
        self.pool_dims = [pool_dims] if isinstance(pool_dims, int_types) else pool_dims
        self.pool_dims = list(self.pool_dims)
        self.mode = mode
        self.implementation = implementation
        self._check_levels()

    def _check_levels(self):
        if not all(isinstance(each, int_types) for each in self.pool_dims):
            raise TypeError(
                f"{describe(self)}: pool_dims must be integers, got {self.pool_dims!r}."
            )
        if not self.pool_dims or min(self.pool_dims) < 1:
            raise ValueError(
                f"{describe(self)}: pool_dims must be integers of at least 1, got "
                f"{self.pool_dims!r}."
            )

    def get_output_shape_for(self, input_shape):
        """Count the cells of all levels."""
        check_axes(self, input_shape, 2)
        return (*input_shape[:2], sum(each * each for each in self.pool_dims))

    def get_output_for(self, input, **kwargs):
        """Return one number a cell, SHAPE (batch, channels, cells)."""
        levels = [level for each in self.pool_dims for level in self._pool(input, each)]
        return pt.concatenate(levels, axis=2)  # (batch, channels, cells)

    def _pool(self, input, cells):
        sizes = input.type.shape[2:]
        if self.implementation == "kaiming" or None in sizes or min(sizes) < cells:
            return pool_2d_nxn_regions(input, cells, self.mode)
        stride = tuple(size // cells for size in sizes)
        window = tuple(-(-size // cells) for size in sizes)
        pooled = ops.pool(input, window, stride, mode=self.mode)
        if pooled.type.shape[2:] != (cells, cells):
            return pool_2d_nxn_regions(input, cells, self.mode)
        return [pooled.reshape((input.shape[0], input.shape[1], cells * cells))]
