"""Reading images between their pixels."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next.expressions.positions import positions
from lasagne_next.utils import match_dtype, nearest

__all__ = ["BORDER_MODES", "bilinear_sample"]


def _clipped(index, size):
    return pt.clip(index, 0, size - 1)


def _mirrored(index, size):
    period = pt.maximum(2 * (size - 1), 1)  # an image of one pixel has no other
    index = pt.mod(index, period)
    return pt.clip(pt.minimum(index, period - index), 0, size - 1)


def _wrapped(index, size):
    return pt.mod(index, size)


BORDER_MODES = {"nearest": _clipped, "mirror": _mirrored, "wrap": _wrapped}


def bilinear_sample(images, x, y, border_mode="nearest"):
    r"""Read images at any points, by the average of the four pixels around each.

    Parameters
    ----------
    images : TensorVariable, SHAPE (batch, channels, rows, columns)
        Floats.
    x, y : TensorVariable, SHAPE (batch, points)
        Column and row of each point, not rounded.
    border_mode : {'nearest', 'mirror', 'wrap'}, default 'nearest'
        What is beyond the border: the nearest pixel; the image mirrored, without
        repeating its edge; the image again.

    Returns
    -------
    TensorVariable, SHAPE (batch, points, channels)
        With gradients for the images and for the points.

    Raises
    ------
    ValueError
        If `border_mode` is another word.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import bilinear_sample
    >>> image = pt.constant([[[[0.0, 10.0], [20.0, 30.0]]]])
    >>> read = bilinear_sample(image, pt.constant([[0.5]]), pt.constant([[0.0]]))
    >>> read.eval(mode="FAST_COMPILE").tolist()
    [[[5.0]]]
    """
    if border_mode not in BORDER_MODES:
        raise ValueError(
            f"bilinear_sample: border_mode must be one of {sorted(BORDER_MODES)}, got "
            f"{border_mode!r}.{nearest(border_mode, list(BORDER_MODES))}"
        )
    inside = BORDER_MODES[border_mode]
    rows, columns = images.shape[2], images.shape[3]
    pixels = images.dimshuffle(0, 2, 3, 1)  # (batch, rows, columns, channels)
    pixels = pixels.reshape((-1, images.shape[1]))  # (batch * rows * columns, channels)
    first = positions(images, 0)[:, None] * (rows * columns)  # (batch, 1)
    left, top = pt.floor(x), pt.floor(y)
    total = 0
    for column, across in ((left, 1 - (x - left)), (left + 1, x - left)):
        for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
            inner = inside(row.astype("int64"), rows) * columns
            place = first + inner + inside(column.astype("int64"), columns)
            read = pixels[place.flatten()]  # (batch * points, channels)
            weight = (across * down).flatten()[:, None]
            total = total + match_dtype(weight, images.dtype) * read
    return total.reshape((x.shape[0], x.shape[1], images.shape[1]))


def grid_of(height, width, dtype):
    """Return x and y of a grid of points over [-1, 1], row by row.

    Sizes are integers, or symbolic and then counted by what :func:`positions` returned.
    """
    x, y = (_spaced(size, dtype) for size in (width, height))
    x, y = x[None, :], y[:, None]
    return (x + 0 * y).flatten(), (y + 0 * x).flatten()


def _spaced(size, dtype):
    if isinstance(size, int):
        return pt.constant(np.linspace(-1, 1, size).astype(dtype))
    steps = match_dtype(size, dtype)  # 0, 1, 2, ...
    last = match_dtype(pt.maximum(size.shape[0] - 1, 1), dtype)
    two, one = match_dtype(2, dtype), match_dtype(1, dtype)
    return two * steps / last - one
