"""The product x W that uses the structure of W."""

from __future__ import annotations

import math

import pytensor.tensor as pt
from pytensor.scalar import upcast
from pytensor.tensor.type import TensorType

from lasagne_next.expressions.linear_maps import Dense, Scatter, Written, multiplied
from lasagne_next.expressions.linear_maps.base import MANY
from lasagne_next.expressions.one_hot import chosen_places
from lasagne_next.expressions.recognition import recognise
from lasagne_next.params import static_shape

__all__ = ["dot", "take"]


def dot(x, W, structured=True, uses=1):
    r"""Multiply by a matrix in the cheapest way that its making allows.

    A weight written as ``dot(u, v)`` need not be computed: ``dot(dot(x, u), v)`` is the
    same for a fraction of the cost, forward and backward. The cheap form is chosen
    here, before the gradient is taken, because no rewrite finds it afterwards.

    Parameters
    ----------
    x : TensorVariable, SHAPE (..., n)
        One example in each row. Rows that :func:`lasagne_next.utils.one_hot` made
        choose rows of W, as in :func:`take`.
    W : TensorVariable, SHAPE (n, m)
        A matrix, and best an expression: products of any length, transposes, scalings
        of the whole, of rows or of columns, sums, diagonal and identity matrices,
        Kronecker products, block-diagonal and monarch matrices, solutions of linear
        systems, chosen and reordered rows and columns, and constant masks of blocks are
        recognised, also within each other.
    structured : bool, default True
        Whether to use the structure. False multiplies by W itself, so that W stays in
        the graph and a gradient with respect to W can be taken.
    uses : int or None, default 1
        How often the same W is applied to that many rows, as in the steps of a
        recurrence; None if unknown.

    Returns
    -------
    TensorVariable, SHAPE (..., m)
        Equal to ``pytensor.tensor.dot(x, W)`` up to rounding, with the same gradients
        with respect to the leaves of W.

    Notes
    -----
    The form is chosen by counting operations of product and gradients, with the sizes
    of W and the number of rows. If that is unknown, the structure is used only where
    it pays for every number of rows. Rounding differs, since sums are taken in another
    order.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions
    >>> x = pt.matrix("x")
    >>> u, v = pytensor.shared(np.ones((50, 2))), pytensor.shared(np.ones((2, 40)))
    >>> y = expressions.dot(x, pt.dot(u, v))
    >>> y.owner.inputs[1] is v, y.owner.inputs[0].owner.inputs[1] is u
    (True, True)
    """
    if structured:
        chosen = _chosen_rows(x, W)
        if chosen is not None:
            return chosen
    if not structured or not _has_structure_worth_a_look(x, W):
        return pt.dot(x, W)
    batch = _count_rows(x)
    found = recognise(W)
    if None in found.shape:
        return pt.dot(x, W)
    rows = None if None in (batch, uses) else batch * uses
    chosen = found.best_for(rows, least=uses or 1)
    if uses != 1 and not _pays_each_time(chosen, found, batch, uses):
        chosen = Written(found)
    if isinstance(chosen, Dense):
        return pt.dot(x, chosen.expression)
    if x.ndim == 2:
        return _apply(chosen, x, W.dtype)
    leading = [x.shape[axis] for axis in range(x.ndim - 1)]
    rows = _apply(chosen, x.reshape((-1, chosen.shape[0])), W.dtype)  # (rows, m)
    return rows.reshape((*leading, chosen.shape[1]))  # (..., m)


def take(W, indices):
    r"""Choose rows of a matrix in the cheapest way that its making allows.

    Row i of ``dot(u, v)`` is ``dot(u[i], v)``, which is cheaper than the whole product
    where fewer rows are chosen than there are.

    Parameters
    ----------
    W : TensorVariable, SHAPE (n, m)
        A matrix, and best an expression.
    indices : TensorVariable of integers, SHAPE (k,)
        The rows. If their number is unknown, W is computed as a whole, so that this is
        never slower.

    Returns
    -------
    TensorVariable, SHAPE (k, m)
        Equal to ``W[indices]`` up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions
    >>> u, v = pytensor.shared(np.ones((50, 2))), pytensor.shared(np.ones((2, 40)))
    >>> rows = expressions.take(pt.dot(u, v), pt.constant([3, 1, 3]))
    >>> rows.owner.inputs[1] is v
    True
    """
    count = indices.type.shape[0]
    if count is not None and W.owner is not None:
        found = recognise(W)
        if None not in found.shape and not isinstance(found, Dense):
            rows = Scatter(indices, found.shape[0], count, W.dtype)
            chosen = multiplied([rows, found])
            plain_cost = found.write_cost() + rows.apply_left_cost(found.shape[1])
            if chosen.write_cost() < plain_cost:
                return chosen.write_out().astype(W.dtype)
    return W[indices]


def _chosen_rows(x, W):
    """Return rows of W where x is made of rows of the identity, else None."""
    if not _are_matrices(x, W) or x.owner is None:
        return None
    size = x.type.shape[-1] or W.type.shape[0]
    found = None if size is None else chosen_places(x, size)
    if found is None or static_shape(W)[0] != size:
        return None
    places, is_there = found
    if None in places.type.shape and not isinstance(recognise(W), Dense):
        return None  # applying its structure to x needs no more than choosing
    rows = take(W, places.flatten())  # (rows, m)
    leading = [x.shape[axis] for axis in range(x.ndim - 1)]
    rows = rows.reshape((*leading, static_shape(W)[1])) if x.ndim != 2 else rows
    if is_there is not None:
        rows = pt.switch(is_there[..., None], rows, pt.zeros((), rows.dtype))
    return rows.astype(upcast(x.dtype, W.dtype))  # (..., m)


def _apply(chosen, x, dtype):
    """Apply a map; parts of lower precision do not lower that of the product."""
    return chosen.apply(x).astype(upcast(x.dtype, dtype))


def _are_matrices(x, W):
    return (
        isinstance(x.type, TensorType)
        and isinstance(W.type, TensorType)
        and W.ndim == 2
        and x.ndim > 0
    )


def _has_structure_worth_a_look(x, W):
    return _are_matrices(x, W) and W.owner is not None


def _pays_each_time(chosen, found, batch, uses):
    """Tell whether a form is cheap although all of it is computed at every use.

    In a loop, what a form needs before it is applied, such as a factorisation, counts
    again in every step, where a written matrix is made once.
    """
    uses, written = uses or MANY, Written(found)
    return all(
        uses * chosen.apply_cost(rows) <= written.apply_cost(uses * rows)
        for rows in ([1, MANY] if batch is None else [batch])
    )


def _count_rows(x):
    leading = x.type.shape[:-1]
    return None if None in leading else math.prod(leading)
