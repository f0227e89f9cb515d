"""How far two sets of samples are apart, as numbers.

All take arrays of points, one a row, and return a number that is zero, or near it,
where both sets are drawn from the same distribution.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist, pdist

__all__ = [
    "energy_distance",
    "frechet_distance",
    "kernel_discrepancy",
    "sliced_wasserstein",
]


def energy_distance(x, y):
    """Estimate the energy distance, which is zero for equal distributions only.

    Twice the mean distance between points of both sets, less the mean distances within
    each. It has no parameter, and sees differences of all kinds.

    Parameters
    ----------
    x, y : array_like, shapes (n, size) and (m, size)
        Two sets of at least two points each.

    Returns
    -------
    float
        The estimate. It is unbiased, and so may fall a little below zero.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Gábor Székely and Maria Rizzo (2013): Energy statistics, equation 2.2. Journal of
    Statistical Planning and Inference 143(8).

    Examples
    --------
    >>> from lasagne_next.metrics import energy_distance
    >>> energy_distance([[0.0], [1.0]], [[4.0], [6.0]])
    6.0
    """
    x, y = _points("energy_distance", x, y)
    return float(2 * cdist(x, y).mean() - pdist(x).mean() - pdist(y).mean())


def kernel_discrepancy(x, y, width=None):
    """Estimate the squared maximum mean discrepancy with a normal kernel.

    The mean of ``exp(-|a - b|**2 / (2 * width**2))`` within each set, less twice that
    between the sets. It sees differences of about the size of `width`.

    Parameters
    ----------
    x, y : array_like, shapes (n, size) and (m, size)
        Two sets of at least two points each.
    width : float, optional
        Of the kernel; by default the median distance from points of one set to those of
        the other.

    Returns
    -------
    float
        The estimate. It is unbiased for a `width` that does not depend on the points,
        and so may fall a little below zero. With the median, it is on average a little
        low for few points.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the width is not positive, or is to be the median
        and that is zero.

    References
    ----------
    Arthur Gretton and others (2012): A kernel two-sample test, equation 3. JMLR 13.
    https://jmlr.org/papers/v13/gretton12a.html

    Examples
    --------
    >>> from lasagne_next.metrics import kernel_discrepancy
    >>> round(kernel_discrepancy([[0.0], [0.0]], [[9.0], [9.0]], width=1.0), 6)
    2.0
    """
    x, y = _points("kernel_discrepancy", x, y)
    distances = [pdist(x), pdist(y), cdist(x, y).ravel()]
    if width is None and not (width := float(np.median(distances[2]))) > 0:
        raise ValueError(
            "kernel_discrepancy: width must be given where half of the distances "
            f"between x and y are zero, got None (median {width!r})."
        )
    if not width > 0:
        raise ValueError(f"kernel_discrepancy: width must be positive, got {width!r}.")
    means = [np.exp(-np.square(each / width) / 2).mean() for each in distances]
    return float(means[0] + means[1] - 2 * means[2])


def sliced_wasserstein(x, y, rng, num_slices=100):
    """Estimate how far points must move, on average over random lines.

    The root of the mean squared distance of sorted projections, which is cheap for any
    number of dimensions.

    Parameters
    ----------
    x, y : array_like, shape (n, size)
        Two sets of the same number of points.
    rng : numpy.random.Generator
        Draws the directions.
    num_slices : int, default 100
        Number of directions.

    Returns
    -------
    float
        The distance. For finite sets from the same distribution it is above zero, and
        falls as the sets grow.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `num_slices` is below one.

    References
    ----------
    Nicolas Bonneel and others (2015): Sliced and Radon Wasserstein barycenters of
    measures, definition 2. https://doi.org/10.1007/s10851-014-0506-3

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.metrics import sliced_wasserstein
    >>> x, rng = np.array([[0.0], [5.0]]), np.random.default_rng(1)
    >>> sliced_wasserstein(x, x[::-1] + 2, rng)
    2.0
    """
    x, y = _points("sliced_wasserstein", x, y)
    if len(x) != len(y):
        raise ValueError(
            "sliced_wasserstein: x and y must have as many points, got "
            f"{len(x)} and {len(y)}. Leave some out."
        )
    if num_slices < 1:
        raise ValueError(
            f"sliced_wasserstein: num_slices must be at least 1, got {num_slices!r}."
        )
    directions = rng.normal(size=(x.shape[1], num_slices))
    directions /= np.linalg.norm(directions, axis=0)
    apart = np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)
    return float(np.sqrt(np.square(apart).mean()))


def frechet_distance(x, y):
    """Compute the distance of the normal distributions of the same mean and covariance.

    ``|m - k|**2 + trace(A + B - 2 (A B)**0.5)``, the squared Wasserstein distance of
    the two [1]_. It sees nothing beyond means and covariances, and so is used for
    features of a network [2]_, not for points.

    Parameters
    ----------
    x, y : array_like, shapes (n, size) and (m, size)
        Two sets of at least two points each, better many more than `size`.

    Returns
    -------
    float
        The distance.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    .. [1] D. C. Dowson and B. V. Landau (1982): The Fréchet distance between
       multivariate normal distributions. Journal of Multivariate Analysis 12(3).
    .. [2] Martin Heusel and others (2017): GANs trained by a two time-scale update rule
       converge to a local Nash equilibrium, equation 6.
       https://arxiv.org/abs/1706.08500

    Examples
    --------
    >>> from lasagne_next.metrics import frechet_distance
    >>> round(frechet_distance([[0.0], [2.0]], [[3.0], [5.0]]), 6)
    9.0
    """
    x, y = _points("frechet_distance", x, y)
    shift = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    a, b = (_covariance_root(each) for each in (x, y))
    # The trace of the root of a.T a b.T b. Roots of eigenvalues of the product would
    # lose half of the digits where these are zero, as with fewer points than columns.
    roots = linalg.svdvals(a @ b.T).sum()
    total = shift + np.square(a).sum() + np.square(b).sum() - 2 * roots
    return max(float(total), 0.0)


def _covariance_root(x):
    """Return a matrix r such that r.T r is the covariance of the columns."""
    return np.linalg.qr(x - x.mean(axis=0), mode="r") / np.sqrt(len(x) - 1)


def _points(function, *sets):
    sets = [np.asarray(each, dtype="float64") for each in sets]
    shapes = [each.shape for each in sets]
    if any(len(s) != 2 or s[0] < 2 or s[1] != shapes[0][1] for s in shapes):
        raise ValueError(
            f"{function}: x and y must have two rows or more, and as many columns, got "
            f"shapes {shapes[0]} and {shapes[1]}."
        )
    return sets
