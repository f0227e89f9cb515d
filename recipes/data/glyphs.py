"""Digits drawn by rule: as large as those of MNIST, and without the network."""

from __future__ import annotations

import numpy as np

from recipes.data.images import Images

__all__ = ["draw_glyphs", "glyphs"]


def _arc(x, y, width, height, start, end, number=9):
    # Part of an ellipse, angles in turns from the right, clockwise as y points down.
    angles = 2 * np.pi * np.linspace(start, end, number)
    return [(x + width * np.cos(a), y + height * np.sin(a)) for a in angles]


# Each digit is one stroke or two, in a square from -1 to 1.
_STROKES = (
    [_arc(0, 0, 0.55, 0.9, -0.25, 0.75, 15)],
    [[(-0.35, -0.55), (0.1, -0.9), (0.1, 0.9)]],
    [[*_arc(0, -0.45, 0.5, 0.45, -0.5, 0.1), (-0.55, 0.9), (0.6, 0.9)]],
    [[*_arc(-0.05, -0.45, 0.5, 0.42, -0.45, 0.25),
      *_arc(-0.05, 0.43, 0.55, 0.46, -0.25, 0.45)]],
    [[(0.15, -0.9), (-0.6, 0.3), (0.6, 0.3)], [(0.25, -0.3), (0.25, 0.9)]],
    [[(0.5, -0.9), (-0.4, -0.9), (-0.45, -0.1),
      *_arc(-0.05, 0.35, 0.58, 0.53, -0.3, 0.4)]],
    [[(0.35, -0.9), (-0.3, -0.3), *_arc(0, 0.4, 0.5, 0.48, -0.5, 0.5, 13)]],
    [[(-0.55, -0.9), (0.55, -0.9), (-0.1, 0.9)]],
    [[*_arc(0, -0.45, 0.42, 0.43, 0.25, -0.75, 11),
      *_arc(0, 0.44, 0.52, 0.46, -0.25, 0.75, 11)]],
    [[*_arc(0, -0.4, 0.48, 0.48, 0, -1, 13), (0.4, 0.9)]],
)  # fmt: skip


def _segments(label, number, rng):
    # Corners are moved a little, and the whole is turned, slanted, scaled and shifted;
    # SHAPE (number, segments, 2) each.
    turn, slant = rng.normal(0, 0.17, number), rng.normal(0, 0.2, number)
    wide, high = rng.uniform(0.5, 0.8, (2, number))
    cos, sin = np.cos(turn), np.sin(turn)
    map_ = np.array([[wide * cos, high * (slant * cos - sin)],
                     [wide * sin, high * (slant * sin + cos)]])  # fmt: skip
    shift = rng.uniform(-0.18, 0.18, (number, 1, 2))
    starts, ends = [], []
    for stroke in _STROKES[label]:
        points = np.array(stroke) + rng.normal(0, 0.035, (number, len(stroke), 2))
        points = np.einsum("ijn,npj->npi", map_, points) + shift
        starts.append(points[:, :-1])
        ends.append(points[:, 1:])
    return np.concatenate(starts, axis=1), np.concatenate(ends, axis=1)


def draw_glyphs(labels, rng, side=28):
    """Draw digits in random hands.

    Parameters
    ----------
    labels : array_like of int, SHAPE (n,)
        Which digits, 0 to 9.
    rng : numpy.random.Generator
        Turns, slants, scales, shifts and bends them, and chooses the pen.
    side : int, default 28
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray, SHAPE (n, side * side)
        float32 from 0 (paper) to 1 (ink).

    Examples
    --------
    >>> image = draw_glyphs([1], np.random.default_rng(1), side=9)[0].reshape(9, 9)
    >>> for row in image[1:-1]:
    ...     print("".join("-+#"[int(2.9 * pixel)] for pixel in row))
    ---------
    ----+----
    ---#+----
    ----+----
    ----+----
    ----#----
    ----#----
    """
    labels = np.asarray(labels)
    images = np.empty((len(labels), side * side), "float32")
    middles = (np.arange(side) + 0.5) * 2 / side - 1
    y, x = (
        each.ravel()[:, None] for each in np.meshgrid(middles, middles, indexing="ij")
    )
    for label in range(10):
        places = np.flatnonzero(labels == label)
        pens = rng.uniform(0.06, 0.12, len(places))
        pairs = zip(places, pens, *_segments(label, len(places), rng), strict=True)
        for place, pen, start, end in pairs:
            along = end - start  # (segments, 2)
            dx, dy = x - start[:, 0], y - start[:, 1]  # (pixels, segments)
            part = (dx * along[:, 0] + dy * along[:, 1]) / (along**2).sum(axis=1)
            part = np.clip(part, 0, 1)
            squares = (dx - part * along[:, 0]) ** 2 + (dy - part * along[:, 1]) ** 2
            distance = np.sqrt(squares.min(axis=1))
            # A pixel on the edge of the stroke is grey.
            images[place] = np.clip((pen - distance) * side / 2 + 0.5, 0, 1)
    return images


def glyphs(train=5000, test=1000, side=28, seed=0):
    """Draw a data set of digits in random hands.

    Parameters
    ----------
    train, test : int
        How many to learn from, and how many are held out.
    side : int, default 28
        Height and width in pixels.
    seed : int, default 0
        The same seed draws the same images.

    Returns
    -------
    Images
        All ten digits about equally often. Nobody wrote them: they are good to compare
        models, and no measure of how well handwriting is read.

    Examples
    --------
    >>> images = glyphs(train=20, test=10)
    >>> images.train.shape, images.test.shape, images.shape
    ((20, 784), (10, 784), (28, 28))
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(train + test) % 10)
    pixels = draw_glyphs(labels, rng, side)
    return Images(
        pixels[:train], labels[:train], pixels[train:], labels[train:], (side, side)
    )
