"""Start values that are drawn one by one, and constant ones."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from lasagne_next.init.base import Initializer, check_number, check_shape
from lasagne_next.random import get_rng
from lasagne_next.utils import floatX

__all__ = ["Constant", "Normal", "TruncatedNormal", "Uniform"]


class Normal(Initializer):
    """Normally distributed values.

    Parameters
    ----------
    std : float, default 0.01
        Standard deviation.
    mean : float, default 0.0
        Mean.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If `std` is negative.

    Examples
    --------
    >>> from lasagne_next.init import Normal
    >>> Normal(std=0.1), Normal(std=0.1)((2, 3)).shape
    (Normal(std=0.1, mean=0.0), (2, 3))
    """

    def __init__(self, std=0.01, mean=0.0):
        self.std = check_number(self, "std", std, lowest=0)
        self.mean = check_number(self, "mean", mean)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape)
        return floatX(get_rng().normal(self.mean, self.std, size=shape))


class Uniform(Initializer):
    """Uniformly distributed values.

    Parameters
    ----------
    range : float or pair of floats, default 0.01
        The interval; a number r stands for (-r, r).
    std : float, optional
        Standard deviation. When given, `range` is ignored and the interval is
        ``mean - sqrt(3) * std`` to ``mean + sqrt(3) * std``.
    mean : float, default 0.0
        Centre of the interval; only used together with `std`.

    Attributes
    ----------
    range : pair of floats
        The interval drawn from.

    Raises
    ------
    TypeError
        If a value is not a number, or `range` neither a number nor a pair.
    ValueError
        If `std` is negative, or `range` is a sequence of another length than two.

    Examples
    --------
    >>> from lasagne_next.init import Uniform
    >>> Uniform(0.5), Uniform((0.0, 1.0))((2, 3)).shape
    (Uniform(range=(-0.5, 0.5)), (2, 3))
    """

    def __init__(self, range=0.01, std=None, mean=0.0):
        if std is not None:
            half = math.sqrt(3) * check_number(self, "std", std, lowest=0)
            mean = check_number(self, "mean", mean)
            self.range = (mean - half, mean + half)
        elif isinstance(range, tuple | list | np.ndarray) and np.ndim(range) > 0:
            if len(range) != 2:
                raise ValueError(
                    f"Uniform: range must be a number or a pair, got {range!r}. "
                    "Give its lowest and its highest value."
                )
            self.range = tuple(check_number(self, "range", end) for end in range)
        else:
            range = check_number(self, "range", range)
            self.range = (-range, range)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape)
        return floatX(get_rng().uniform(*self.range, size=shape))


class TruncatedNormal(Initializer):
    """Normally distributed values without the tails.

    A normal variable is cut at `bound` of its own standard deviations on both sides
    of the mean and scaled so that what is left has standard deviation `std`.

    Parameters
    ----------
    std : float, default 0.01
        Standard deviation of the values.
    mean : float, default 0.0
        Mean.
    bound : float, default 2.0
        Where to cut, in standard deviations of the uncut variable.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If `std` is negative or `bound` is not positive.

    Notes
    -----
    `std` is that of the values returned, so that ``Glorot(TruncatedNormal)`` has
    Glorot's variance. PyTorch, JAX and Keras mean the uncut variable, which for a
    bound of 2 has a standard deviation 1.137 times as large.

    Examples
    --------
    >>> from lasagne_next.init import TruncatedNormal
    >>> values = TruncatedNormal(std=1.0)((50, 20))
    >>> bool(abs(values).max() < 2.28)
    True
    """

    def __init__(self, std=0.01, mean=0.0, bound=2.0):
        self.std = check_number(self, "std", std, lowest=0)
        self.mean = check_number(self, "mean", mean)
        self.bound = check_number(self, "bound", bound, above=0)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape)
        tail = 0.5 * math.erfc(self.bound / math.sqrt(2))
        density = math.exp(-0.5 * self.bound**2) / math.sqrt(2 * math.pi)
        cut_std = math.sqrt(1 - 2 * self.bound * density / (1 - 2 * tail))
        draw = ndtri(get_rng().uniform(tail, 1 - tail, size=shape))
        return floatX(self.mean + self.std / cut_std * draw)


class Constant(Initializer):
    """The same value everywhere.

    Parameters
    ----------
    val : float, default 0.0
        The value; an array is broadcast to the shape of the parameter.

    Raises
    ------
    TypeError
        If `val` is neither a number nor an array of numbers.

    Examples
    --------
    >>> from lasagne_next.init import Constant
    >>> Constant(0.5)((2, 2)).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(self, val=0.0):
        if np.asarray(val).dtype.kind not in "biuf":
            raise TypeError(
                f"Constant: val must be a number or an array, got {val!r}. Give the "
                "parameter itself an expression instead."
            )
        self.val = val

    def sample(self, shape):
        """Return an array of the given shape."""
        return np.full(check_shape(self, shape), self.val, dtype=floatX(0).dtype)
