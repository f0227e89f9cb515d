"""Checks and conversions of what the functions of this package are given."""

from __future__ import annotations

import numbers

import pytensor

from lasagne_next.utils import as_theano_expression

__all__ = ["as_float", "check_axis"]


def as_float(x):
    """Return an expression of a floating type: `x` itself, or a cast to floatX."""
    x = as_theano_expression(x)
    return x if x.dtype.startswith("float") else x.astype(pytensor.config.floatX)


def check_axis(function, x, axis):
    """Return an axis of `x` as an int between 0 and ``x.ndim - 1``, else raise."""
    if not isinstance(axis, numbers.Integral):
        raise TypeError(
            f"{function}: axis must be an integer, got {axis!r}. Count axes from 0, "
            "or from -1 for the last."
        )
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{function}: axis must be between {-x.ndim} and {x.ndim - 1}, got "
            f"{axis!r} (input shape {x.type.shape}). Choose an axis that exists."
        )
    return int(axis) % x.ndim
