"""Positions along an axis, and what networks make of them."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt

from lasagne_next.expressions.dot import take
from lasagne_next.utils import match_dtype

__all__ = [
    "causal_mask",
    "fourier_features",
    "positions",
    "relative_bias",
    "relative_scores",
    "sinusoids",
]


def positions(x, axis=1):
    """Count the elements along an axis: 0, 1, 2 and so on.

    Parameters
    ----------
    x : TensorVariable
        Of any shape, at least a vector.
    axis : int, default 1
        The axis.

    Returns
    -------
    TensorVariable of int64, SHAPE (size of the axis,)
        A constant where the size is known.

    Notes
    -----
    ``arange`` of a size that is known only at run time does not compile on JAX. This
    does.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import positions
    >>> positions(pt.zeros((2, 3))).eval(mode="FAST_COMPILE").tolist()
    [0, 1, 2]
    """
    size = x.type.shape[axis]
    if size is not None:
        return pt.constant(np.arange(size))
    others = tuple(each for each in range(x.ndim) if each != axis % x.ndim)
    one_each = pt.any(pt.neq(x, 0), axis=others)  # (size,), also for an empty batch
    return pt.cumsum(pt.ones_like(one_each, dtype="int64"), axis=0) - 1


def sinusoids(positions, size, longest=10000):
    r"""Write numbers as sines and cosines of many wavelengths.

    Element 2i is :math:`\sin(p\, \omega_i)`, element 2i + 1 is
    :math:`\cos(p\, \omega_i)`, with :math:`\omega_i = longest^{-2i / size}`.

    Parameters
    ----------
    positions : TensorVariable
        Numbers p of any shape, integers or not: places in a sequence, times, levels of
        noise.
    size : int
        How many elements each number becomes.
    longest : number, default 10000
        The wavelengths go from :math:`2 \pi` to almost this times :math:`2 \pi`. The
        default is that of [1]_.

    Returns
    -------
    TensorVariable, SHAPE (..., size)
        Of the type of `positions`, ``config.floatX`` for integers.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, section 3.5.
       https://arxiv.org/abs/1706.03762

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import sinusoids
    >>> times = pt.constant([0.0, 1.0])
    >>> sinusoids(times, 2).eval(mode="FAST_COMPILE").round(2).tolist()
    [[0.0, 1.0], [0.84, 0.54]]
    """
    is_float = positions.dtype.startswith("float")
    positions = match_dtype(positions, positions.dtype if is_float else None)
    number = (size + 1) // 2
    frequencies = float(longest) ** (-2 * np.arange(number) / size)
    return fourier_features(positions, frequencies)[..., :size]


def fourier_features(x, frequencies):
    r"""Write numbers as sines and cosines of given frequencies.

    Element 2i is :math:`\sin(x\, \omega_i)`, element 2i + 1 is
    :math:`\cos(x\, \omega_i)`.

    Parameters
    ----------
    x : TensorVariable
        Numbers of a floating type, of any shape.
    frequencies : array or TensorVariable, SHAPE (n,)
        The frequencies :math:`\omega`, in radians for each unit of x.

    Returns
    -------
    TensorVariable, SHAPE (..., 2 n)
        Of the type of `x`.

    References
    ----------
    Matthew Tancik and others (2020): Fourier features let networks learn high frequency
    functions in low dimensional domains, equation 5, with ordered features.
    https://arxiv.org/abs/2006.10739

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import fourier_features
    >>> waves = fourier_features(pt.constant([0.5]), np.array([np.pi, 2 * np.pi]))
    >>> (waves.eval(mode="FAST_COMPILE").round(2) + 0).tolist()
    [[1.0, 0.0, 0.0, -1.0]]
    """
    frequencies = match_dtype(frequencies, x.dtype)
    angles = x[..., None] * frequencies  # (..., n)
    waves = pt.stack([pt.sin(angles), pt.cos(angles)], axis=-1)  # (..., n, 2)
    leading = [x.shape[axis] for axis in range(x.ndim)]
    known = frequencies.type.shape[0]
    number = frequencies.shape[0] if known is None else known
    return waves.reshape((*leading, 2 * number))


def causal_mask(query_positions, key_positions):
    """Tell for each query which keys are not later than itself.

    Parameters
    ----------
    query_positions, key_positions : TensorVariable, SHAPE (queries,) and (keys,)
        Numbers, usually :func:`positions`.

    Returns
    -------
    TensorVariable of bool, SHAPE (queries, keys)

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import causal_mask
    >>> steps = pt.constant([0, 1])
    >>> causal_mask(steps, steps).eval(mode="FAST_COMPILE").tolist()
    [[True, False], [True, True]]
    """
    return pt.ge(query_positions[:, None], key_positions[None, :])


def relative_bias(table, query_positions, key_positions):
    r"""Look up a number for the distance of each query and key.

    Parameters
    ----------
    table : TensorVariable, SHAPE (2 * max_distance + 1, heads)
        A row for each distance, from `max_distance` back to as much ahead; larger ones
        count as that.
    query_positions, key_positions : TensorVariable, SHAPE (queries,) and (keys,)
        Integers, usually :func:`positions`.

    Returns
    -------
    TensorVariable, SHAPE (heads, queries, keys)
        To be added to the scores of attention.

    References
    ----------
    Colin Raffel and others (2020): Exploring the limits of transfer learning, section
    2.1, with a row for each distance in place of buckets.
    https://arxiv.org/abs/1910.10683

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import relative_bias
    >>> steps, table = pt.constant([0, 1]), pt.constant([[1.0], [2.0], [3.0]])
    >>> relative_bias(table, steps, steps).eval(mode="FAST_COMPILE").tolist()
    [[[2.0, 3.0], [1.0, 2.0]]]
    """
    rows = _distance_rows(table, query_positions, key_positions)
    bias = take(table, rows.flatten())  # (queries * keys, heads)
    sizes = query_positions.shape[0], key_positions.shape[0], table.shape[1]
    return bias.reshape(sizes).transpose(2, 0, 1)  # (heads, queries, keys)


def relative_scores(query, table, query_positions, key_positions):
    r"""Score each query against a vector for its distance from each key.

    Computes :math:`q_i \cdot t_{j - i}` for query i and key j.

    Parameters
    ----------
    query : TensorVariable, SHAPE (..., queries, size)
        The queries.
    table : TensorVariable, SHAPE (2 * max_distance + 1, size)
        A row for each distance, as in :func:`relative_bias`.
    query_positions, key_positions : TensorVariable, SHAPE (queries,) and (keys,)
        Integers, usually :func:`positions`.

    Returns
    -------
    TensorVariable, SHAPE (..., queries, keys)
        To be added to the scores of attention.

    Notes
    -----
    Queries meet all rows of the table in one product, of which the right ones are taken
    then: no array of queries by keys by size is made.

    References
    ----------
    Peter Shaw, Jakob Uszkoreit and Ashish Vaswani (2018): Self-attention with relative
    position representations, equation 5. https://arxiv.org/abs/1803.02155

    Cheng-Zhi Anna Huang and others (2018): Music transformer, section 3.4.
    https://arxiv.org/abs/1809.04281

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import relative_scores
    >>> steps, table = pt.constant([0, 1]), pt.constant([[1.0], [2.0], [3.0]])
    >>> query = pt.constant([[1.0], [10.0]])
    >>> relative_scores(query, table, steps, steps).eval(mode="FAST_COMPILE").tolist()
    [[2.0, 3.0], [10.0, 20.0]]
    """
    by_distance = pt.dot(query, table.T)  # (..., queries, distances)
    rows = _distance_rows(table, query_positions, key_positions)
    places = pt.cumsum(pt.ones_like(query_positions)) - 1
    return by_distance[..., places[:, None], rows]  # (..., queries, keys)


def _distance_rows(table, query_positions, key_positions):
    """Return the row of the table for each query and key, SHAPE (queries, keys)."""
    most = (table.shape[0] - 1) // 2
    distances = key_positions[None, :] - query_positions[:, None]
    return pt.clip(distances, -most, most) + most
