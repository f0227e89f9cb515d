"""Real images for recipes: small ones that need no network, larger ones on demand."""

from __future__ import annotations

import gzip
from typing import NamedTuple

import numpy as np

from lasagne_next.utils import nearest
from recipes.download import cache_folder, fetch

__all__ = ["DATASETS", "Images", "digits", "load", "mnist"]

DATASETS = ("digits", "mnist")

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}


class Images(NamedTuple):
    """Images with labels, some to learn from and some held out.

    Parameters
    ----------
    train : numpy.ndarray, SHAPE (n, pixels)
        Images to learn from, float32 from 0 (paper) to 1 (ink).
    train_labels : numpy.ndarray, SHAPE (n,)
        What they show, int64 from 0.
    test : numpy.ndarray, SHAPE (m, pixels)
        Images held out.
    test_labels : numpy.ndarray, SHAPE (m,)
        What these show.
    shape : tuple of int, (height, width)
        Of one image.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    shape: tuple


def digits():
    """Load the 1,797 handwritten digits of 8x8 pixels that scikit-learn ships.

    Returns
    -------
    Images
        1,437 to learn from and 360 held out, always the same ones.

    Notes
    -----
    The file does not say who wrote which digit, so that writers occur in both parts;
    error on digits of new writers would be somewhat larger.

    References
    ----------
    .. [1] E. Alpaydin and C. Kaynak (1998): Optical recognition of handwritten digits.
       UCI Machine Learning Repository. https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> images = digits()
    >>> images.train.shape, images.test.shape, images.shape
    ((1437, 64), (360, 64), (8, 8))
    """
    # Imported here, because scikit-learn takes a second.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.float32(pixels / 16)
    order = np.random.default_rng(0).permutation(len(pixels))
    train, test = order[360:], order[:360]
    return Images(pixels[train], labels[train], pixels[test], labels[test], (8, 8))


def mnist(cache=None):
    """Load MNIST: 70,000 handwritten digits of 28x28 pixels, 11 MB from the network.

    Parameters
    ----------
    cache : path-like, optional
        Folder that keeps the files; :func:`recipes.download.cache_folder` by default.

    Returns
    -------
    Images
        60,000 to learn from and 10,000 of other writers held out.

    Raises
    ------
    RecipeError
        If the files are neither in the cache nor to be had.

    References
    ----------
    .. [1] Yann LeCun, Léon Bottou, Yoshua Bengio and Patrick Haffner (1998):
       Gradient-based learning applied to document recognition. Proceedings of the IEEE
       86(11), section III.A. https://doi.org/10.1109/5.726791
    """
    folder = cache_folder(cache) / "mnist"
    paths = [
        fetch(name, checksum, MNIST_MIRRORS, folder)
        for name, checksum in MNIST_FILES.items()
    ]
    train, train_labels, test, test_labels = map(read_idx, paths)
    return Images(
        np.float32(train.reshape(len(train), -1) / 255),
        train_labels.astype("int64"),
        np.float32(test.reshape(len(test), -1) / 255),
        test_labels.astype("int64"),
        train.shape[1:],
    )


def read_idx(path):
    """Read a compressed file of bytes in the IDX format.

    Parameters
    ----------
    path : path-like
        Two zero bytes, the type (8), the number of axes, their sizes as big-endian
        integers of four bytes, and then the bytes themselves.

    Returns
    -------
    numpy.ndarray of uint8
        Of the shape that the file says.

    Raises
    ------
    ValueError
        If the file is of another format or cut off.
    """
    with gzip.open(path, "rb") as file:
        content = file.read()
    start = 4 + 4 * content[3] if len(content) > 3 else 0
    shape = np.frombuffer(content[4:start], ">u4").astype(int) if start else ()
    if content[:3] != b"\0\0\x08" or len(content) != start + np.prod(shape, dtype=int):
        raise ValueError(f"read_idx: {str(path)!r} must be an IDX file of bytes.")
    return np.frombuffer(content, "uint8", offset=start).reshape(shape)


def load(name, cache=None):
    """Load a data set by its name, as ``--data`` gives it.

    Parameters
    ----------
    name : str
        One of `DATASETS`.
    cache : path-like, optional
        Folder that keeps downloads.

    Returns
    -------
    Images
        The data set.

    Raises
    ------
    ValueError
        If there is no data set of this name.

    Examples
    --------
    >>> load("digits").train_labels[:3].tolist()
    [4, 9, 5]
    """
    if name == "digits":
        return digits()
    if name == "mnist":
        return mnist(cache)
    raise ValueError(
        f"load: name must be one of {', '.join(DATASETS)}, got {name!r}."
        f"{nearest(name, DATASETS)}"
    )
