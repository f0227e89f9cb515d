"""Pictures, drawn without a screen."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lasagne_next import io

__all__ = [
    "label_row",
    "mosaic",
    "new_figure",
    "save_figure",
    "set_title",
    "show_images",
]

_FAINT = "#5f6b76"


def new_figure(width, height):
    """Make an empty figure that arranges its parts by itself.

    No window is opened and nothing global is changed, as :mod:`matplotlib.pyplot`
    would.

    Parameters
    ----------
    width, height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        White, with a canvas of the Agg renderer.

    Examples
    --------
    >>> new_figure(4, 3).subplots(1, 2).shape
    (2,)
    """
    layout = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(width, height), facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path, dpi=150):
    """Write a figure to a file, all or nothing.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        Its ending selects the format.
    dpi : int, default 150
        Pixels per inch.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with io.replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def mosaic(images, image_shape, columns, gap=1):
    """Lay images out in a grid, as one image.

    Parameters
    ----------
    images : array_like, SHAPE (n, pixels)
        The images, rows of pixels.
    image_shape : tuple of int, (height, width)
        Of each image.
    columns : int
        How many stand side by side.
    gap : int, default 1
        Pixels between images.

    Returns
    -------
    numpy.ndarray, SHAPE (rows, columns) of pixels
        Not a number in the gaps, which is drawn as nothing.

    Examples
    --------
    >>> mosaic(np.ones((5, 6)), (2, 3), columns=4).shape
    (5, 15)
    """
    images = np.asarray(images)
    height, width = image_shape
    rows = math.ceil(len(images) / columns)
    cells = np.full((rows * columns, height + gap, width + gap), np.nan)
    cells[: len(images), :height, :width] = images.reshape(-1, height, width)
    grid = cells.reshape(rows, columns, height + gap, width + gap)
    grid = grid.swapaxes(1, 2)  # (rows, height + gap, columns, width + gap)
    whole = grid.reshape(rows * (height + gap), columns * (width + gap))
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def show_images(axes, images, image_shape, columns, signed=False):
    """Draw a grid of images into axes, each pixel a square.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where. Ticks and frame are removed; titles and labels stay free to use.
    images : array_like, SHAPE (n, pixels)
        The images, rows of pixels from 0 to 1, or weights if `signed`.
    image_shape : tuple of int, (height, width)
        Of each image.
    columns : int
        How many stand side by side.
    signed : bool, default False
        Draw ink on paper if False. If True, draw negative pixels in blue, positive ones
        in red and zero in white, each image scaled by its own largest pixel.

    Examples
    --------
    >>> axes = new_figure(4, 3).subplots()
    >>> show_images(axes, np.eye(4), (2, 2), columns=2)
    >>> axes.images[0].get_array().shape
    (5, 5)
    """
    images = np.asarray(images)
    palette, lowest = "Greys", 0
    if signed:
        palette, lowest = "RdBu_r", -1
        largest = np.abs(images).max(axis=1, keepdims=True)
        images = images / np.where(largest > 0, largest, 1)
    axes.imshow(
        mosaic(images, image_shape, columns),
        cmap=palette,
        vmin=lowest,
        vmax=1,
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def set_title(figure, title):
    """Write a title at the left of a figure or of a part of one.

    Parameters
    ----------
    figure : matplotlib.figure.FigureBase
        The figure or subfigure.
    title : str
        The title.
    """
    figure.suptitle(title, x=0.01, ha="left", weight="bold")


def label_row(axes, name, details=()):
    """Write a name, and smaller lines below it, at the left of axes.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The axes.
    name : str
        The name.
    details : iterable of str
        The lines.
    """
    text = {"xycoords": "axes fraction", "ha": "right", "annotation_clip": False}
    lines = [name, *details]
    for index, line in enumerate(lines):
        offset = 12 * ((len(lines) - 1) / 2 - index)
        axes.annotate(
            line,
            (0, 0.5),
            xytext=(-10, offset),
            textcoords="offset points",
            va="center",
            fontsize=8 if index else 10,
            color=_FAINT if index else "black",
            **text,
        )
