"""Checks of arguments that several expressions share."""

from __future__ import annotations

from lasagne_next.utils import int_types

__all__ = ["check_matrix", "check_rank", "check_square"]


def check_rank(owner, rank):
    """Return a rank that is a positive integer, else raise."""
    name = type(owner).__name__
    if not isinstance(rank, int_types) or isinstance(rank, bool):
        raise TypeError(f"{name}: rank must be an integer, got {rank!r}.")
    if rank < 1:
        raise ValueError(f"{name}: rank must be at least 1, got {rank!r}.")
    return rank


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
