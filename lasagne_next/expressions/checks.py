"""Checks of arguments that several expressions share."""

from __future__ import annotations

from lasagne_next.utils import int_types

__all__ = [
    "check_count",
    "check_divides",
    "check_matrix",
    "check_rank",
    "check_rank_fits",
    "check_square",
]


def check_count(owner, argument, value):
    """Return a value that is a positive integer, else raise."""
    name = type(owner).__name__
    if not isinstance(value, int_types) or isinstance(value, bool):
        raise TypeError(f"{name}: {argument} must be an integer, got {value!r}.")
    if value < 1:
        raise ValueError(f"{name}: {argument} must be at least 1, got {value!r}.")
    return value


def check_rank(owner, rank):
    """Return a rank that is a positive integer, else raise."""
    return check_count(owner, "rank", rank)


def check_rank_fits(owner, rank, shape):
    """Raise ValueError if a matrix of this shape cannot have the rank."""
    if rank > min(shape):
        raise ValueError(
            f"{owner!r}: rank must be at most {min(shape)} for the shape "
            f"{tuple(shape)}, got {rank}."
        )


def check_divides(owner, argument, value, size):
    """Raise ValueError unless a number of parts divides a size."""
    if size % value:
        raise ValueError(
            f"{owner!r}: {argument} must divide the size {size}, got {value}."
        )


def check_matrix(owner, shape):
    """Raise ValueError unless a shape has two axes."""
    if len(shape) != 2:
        raise ValueError(
            f"{owner!r} makes matrices, got the shape {tuple(shape)}. For other ranks, "
            "give an expression that reshapes one."
        )


def check_square(owner, shape):
    """Raise ValueError unless a shape is that of a square matrix."""
    check_matrix(owner, shape)
    if shape[0] != shape[1]:
        raise ValueError(f"{owner!r} makes square matrices, got the shape {shape}.")
