"""Layers that read an image at points which a network chooses."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt

from lasagne_next import expressions
from lasagne_next.expressions.sampling import BORDER_MODES, grid_of
from lasagne_next.layers.base import MergeLayer, describe
from lasagne_next.utils import as_tuple, match_dtype, nearest

__all__ = ["TPSTransformerLayer", "TransformerLayer"]


class _BaseTransformerLayer(MergeLayer):
    """Base: reads the first input where the second one says."""

    def __init__(
        self, incoming, localization_network, downsample_factor, border_mode, **kwargs
    ):
        super().__init__([incoming, localization_network], **kwargs)
        self.downsample_factor = as_tuple(downsample_factor, 2)
        self.border_mode = border_mode
        if len(self.input_shapes[0]) != 4:
            raise ValueError(
                f"{describe(self)}: the input must have 4 axes (batch, channels, rows, "
                f"columns), got input shape {self.input_shapes[0]}."
            )
        if border_mode not in BORDER_MODES:
            raise ValueError(
                f"{describe(self)}: border_mode must be one of {sorted(BORDER_MODES)}, "
                f"got {border_mode!r}.{nearest(border_mode, list(BORDER_MODES))}"
            )

    def _check_localization(self, columns):
        shape = self.input_shapes[1]
        if len(shape) != 2 or shape[1] != columns:
            raise ValueError(
                f"{describe(self)}: localization_network must have output shape "
                f"(batch, {columns}), got {shape}."
            )

    def get_output_shape_for(self, input_shapes):
        """Divide rows and columns by the factors."""
        shape = input_shapes[0]
        return (*shape[:2], *self._divided(shape[2:]))

    def _divided(self, sizes):
        return tuple(
            None if size is None else int(size // factor)
            for size, factor in zip(sizes, self.downsample_factor, strict=True)
        )

    def _output_sizes(self, input):
        """Return rows and columns of the output: integers, or numbers 0, 1, 2, ..."""
        known = self._divided(input.type.shape[2:])
        return [
            size if size is not None else self._count(input, axis)
            for axis, size in zip((2, 3), known, strict=True)
        ]

    def _count(self, input, axis):
        factor = self.downsample_factor[axis - 2]
        if factor == 1:
            return expressions.positions(input, axis)
        return pt.arange(pt.floor(input.shape[axis] / factor).astype("int64"))

    def _read(self, input, x, y, sizes):
        """Read the input at points of the frame [-1, 1]."""
        half = match_dtype(0.5, x.dtype)
        rows, columns = (match_dtype(input.shape[axis] - 1, x.dtype) for axis in (2, 3))
        x, y = (x + 1) * half * columns, (y + 1) * half * rows
        points = expressions.bilinear_sample(input, x, y, self.border_mode)
        height, width = (
            size if isinstance(size, int) else size.shape[0] for size in sizes
        )
        shape = input.shape[0], height, width, input.shape[1]
        return points.reshape(shape).dimshuffle(0, 3, 1, 2)


class TransformerLayer(_BaseTransformerLayer):
    r"""Move, turn, scale and shear an image as a network says.

    The output at point (x, y) is the input at
    :math:`(\theta_1 x + \theta_2 y + \theta_3,\ \theta_4 x + \theta_5 y + \theta_6)`,
    with x and y from -1 to 1 across the image, read by bilinear interpolation.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    localization_network : Layer or tuple
        Of shape (batch, 6): the numbers :math:`\theta`. (1, 0, 0, 0, 1, 0) is the
        identity.
    downsample_factor : number or pair of numbers, default 1
        By which the numbers of rows and columns of the output are smaller; below 1 they
        are larger.
    border_mode : {'nearest', 'mirror', 'wrap'}, default 'nearest'
        What is read beyond the border: the nearest pixel; the image mirrored, without
        repeating its edge; the image again.
    **kwargs
        `name`.

    Attributes
    ----------
    downsample_factor : pair
        For rows and columns.
    border_mode
        As given.

    Raises
    ------
    ValueError
        If a shape does not fit, or `border_mode` is another word.

    Notes
    -----
    Let the last layer of the localisation network start at the identity: weights of
    zero, and the identity as biases. Rows and columns whose numbers are unknown work on
    JAX with a factor of 1 only.

    References
    ----------
    Max Jaderberg, Karen Simonyan, Andrew Zisserman and Koray Kavukcuoglu (2015):
    Spatial transformer networks, equations 1 and 5. https://arxiv.org/abs/1506.02025

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import DenseLayer, InputLayer, TransformerLayer
    >>> l_in = InputLayer((None, 1, 28, 28))
    >>> identity = np.array([1.0, 0, 0, 0, 1, 0])
    >>> where = DenseLayer(l_in, 6, W=np.zeros((784, 6)), b=identity, nonlinearity=None)
    >>> TransformerLayer(l_in, where, downsample_factor=2).output_shape
    (None, 1, 14, 14)
    """

    def __init__(
        self,
        incoming,
        localization_network,
        downsample_factor=1,
        border_mode="nearest",
        **kwargs,
    ):
        super().__init__(
            incoming, localization_network, downsample_factor, border_mode, **kwargs
        )
        self._check_localization(6)

    def get_output_for(self, inputs, **kwargs):
        """Return the transformed images, SHAPE (batch, channels, rows, columns)."""
        input, theta = inputs
        sizes = self._output_sizes(input)
        x, y = (each[None, :] for each in grid_of(*sizes, theta.dtype))  # (1, points)
        a, b, c, d, e, f = (theta[:, i : i + 1] for i in range(6))  # (batch, 1) each
        return self._read(input, a * x + b * y + c, d * x + e * y + f, sizes)


class TPSTransformerLayer(_BaseTransformerLayer):
    r"""Bend an image by a thin-plate spline as a network says.

    A square grid of control points covers the image. The network says how far from
    each of them the input is read there. Between them the offsets are interpolated by
    a function of least bending, a sum of kernels :math:`r^2 \log r^2` and an affine
    map.

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, channels, rows, columns).
    localization_network : Layer or tuple
        Of shape (batch, 2 * control_points): the offsets in x of all points, row by
        row, then those in y, where the image goes from -1 to 1. Zeros are the identity.
    downsample_factor : number or pair of numbers, default 1
        As in :class:`TransformerLayer`.
    control_points : int, default 16
        Number of points, a square number.
    precompute_grid : bool or 'auto', default 'auto'
        Whether the kernels of all pixels are computed when the layer is built, which
        needs known numbers of rows and columns. 'auto': if they are known. The output
        is the same.
    border_mode : {'nearest', 'mirror', 'wrap'}, default 'nearest'
        As in :class:`TransformerLayer`.
    **kwargs
        `name`.

    Attributes
    ----------
    downsample_factor, control_points, precompute_grid, border_mode
        As given; `precompute_grid` is a bool.
    right_mat : numpy.ndarray or None, SHAPE (control_points + 3, pixels)
        Ones, coordinates and kernels of each pixel.
    L_inv : numpy.ndarray, SHAPE (control_points + 3, control_points + 3)
        The inverse of the system that the coefficients solve.
    source_points : numpy.ndarray, SHAPE (2, control_points)
        The grid.
    out_height, out_width : int or None
        Of the output, where precomputed.

    Raises
    ------
    ValueError
        If a shape does not fit, `control_points` is no square number, `border_mode` is
        another word, or `precompute_grid` is asked for without known sizes.

    References
    ----------
    Fred Bookstein (1989): Principal warps: thin-plate splines and the decomposition of
    deformations, section II. https://doi.org/10.1109/34.24792

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, TPSTransformerLayer
    >>> l_in, offsets = InputLayer((None, 1, 28, 28)), InputLayer((None, 32))
    >>> TPSTransformerLayer(l_in, offsets).output_shape
    (None, 1, 28, 28)
    """

    def __init__(
        self,
        incoming,
        localization_network,
        downsample_factor=1,
        control_points=16,
        precompute_grid="auto",
        border_mode="nearest",
        **kwargs,
    ):
        super().__init__(
            incoming, localization_network, downsample_factor, border_mode, **kwargs
        )
        self.control_points = control_points
        side = math.isqrt(max(control_points, 0))
        if side < 2 or side**2 != control_points:
            raise ValueError(
                f"{describe(self)}: control_points must be a square number from 4 on, "
                f"got {control_points!r}."
            )
        self._check_localization(2 * control_points)
        self.precompute_grid = self._decided(precompute_grid)
        places = np.linspace(-1, 1, side)
        self.source_points = np.array(
            [np.tile(places, side), np.repeat(places, side)]
        )  # (2, control points), x fastest
        self.L_inv = np.linalg.inv(_system(self.source_points))
        self.right_mat = self.out_height = self.out_width = None
        if self.precompute_grid:
            sizes = self._divided(self.input_shapes[0][2:])
            self.out_height, self.out_width = sizes
            across, down = (np.linspace(-1, 1, size) for size in sizes[::-1])
            x, y = (each.ravel() for each in np.meshgrid(across, down))
            kernels = _numpy_kernel(_squares(self.source_points, x, y))
            self.right_mat = np.vstack([np.ones_like(x), x, y, kernels])

    def _decided(self, precompute_grid):
        known = None not in self.input_shapes[0][2:]
        if precompute_grid == "auto":
            return known
        if precompute_grid and not known:
            raise ValueError(
                f"{describe(self)}: precompute_grid must be False or 'auto' where rows "
                f"or columns are unknown, got {precompute_grid!r} (input shape "
                f"{self.input_shapes[0]})."
            )
        return bool(precompute_grid)

    def get_output_for(self, inputs, **kwargs):
        """Return the bent images, SHAPE (batch, channels, rows, columns)."""
        input, offsets = inputs
        dtype = offsets.dtype
        count = self.control_points
        if self.precompute_grid:
            sizes = [self.out_height, self.out_width]
            basis = match_dtype(self.L_inv[3:] @ self.right_mat, dtype)
        else:
            sizes = self._output_sizes(input)
            basis = pt.dot(
                match_dtype(self.L_inv[3:], dtype), self._basis(sizes, dtype)
            )
        source = match_dtype(self.source_points, dtype)
        x = pt.dot(offsets[:, :count] + source[0], basis)  # (batch, pixels)
        y = pt.dot(offsets[:, count:] + source[1], basis)
        return self._read(input, x, y, sizes)

    def _basis(self, sizes, dtype):
        """Return what `right_mat` holds, as an expression."""
        x, y = grid_of(*sizes, dtype)
        points = match_dtype(self.source_points, dtype)
        squares = _squares(points, x, y)
        is_zero = pt.eq(squares, 0).astype(dtype)
        kernels = squares * pt.log(squares + is_zero)
        first = pt.stack([pt.ones_like(x), x, y])
        return pt.concatenate([first, kernels])


def _squares(points, x, y):
    """Return the squared distances of points from pixels, SHAPE (points, pixels)."""
    across, down = x[None, :] - points[0][:, None], y[None, :] - points[1][:, None]
    return across**2 + down**2


def _numpy_kernel(squares):
    """Return r^2 log r^2, 0 at 0."""
    return squares * np.log(np.where(squares > 0, squares, 1))


def _system(points):
    """Return the matrix L of the conditions that a spline through the points meets."""
    count = points.shape[1]
    system = np.zeros((count + 3, count + 3))
    system[0, 3:], system[1:3, 3:] = 1, points
    system[3:, 0], system[3:, 1:3] = 1, points.T
    system[3:, 3:] = _numpy_kernel(_squares(points, *points))
    return system
