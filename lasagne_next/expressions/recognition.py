"""Seeing the structure of a matrix in the way its expression was made."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.scalar import basic as scalar
from pytensor.tensor.basic import AllocDiag, Eye
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import AdvancedSubtensor

from lasagne_next.expressions.determinant import is_log_det_mark
from lasagne_next.expressions.linear_maps import (
    BlockDiagonal,
    Dense,
    Diagonal,
    Kronecker,
    Monarch,
    Product,
    Scaled,
    Sum,
)
from lasagne_next.params import static_shape

__all__ = ["recognise"]

MOST_PARTS = 128  # operations that are looked at; what is below them stays whole


def recognise(W):
    """Return the linear map of a matrix expression.

    Whoever made the expression: a bare ``dot(u, v)`` counts as much as a ready-made
    one. What is not recognised is :class:`Dense`.

    Parameters
    ----------
    W : TensorVariable, SHAPE (n, m)
        A matrix.

    Returns
    -------
    LinearMap
        Of the shape (n, m).
    """
    return _Look().at(W)


class _Look:
    """One look at a matrix, at so many operations and no more.

    An expression that uses a part twice unfolds into a tree of twice its size: ten
    squarings would be a product of a thousand factors.
    """

    def __init__(self):
        self.left = MOST_PARTS

    def at(self, matrix):
        """Return the linear map of a part of the expression."""
        if matrix.owner is not None and self.left > 0:
            self.left -= 1
            for matches, make in _PATTERNS:
                if matches(matrix.owner):
                    found = make(matrix, matrix.owner, self.at)
                    if found is not None and None not in found.shape:
                        return found
        return Dense(matrix, _shape_of(matrix))


def _shape_of(matrix):
    known = matrix.type.shape
    return static_shape(matrix) if None in known else known


def _is_elementwise(*scalar_ops):
    return lambda node: (
        isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, scalar_ops)
    )


def _is_product(node):
    core = node.op.core_op if isinstance(node.op, Blockwise) else node.op
    return isinstance(core, Dot) and all(each.ndim == 2 for each in node.inputs)


def _product(W, node, look):
    factors = []
    for each in map(look, node.inputs):
        factors.extend(each.factors if isinstance(each, Product) else [each])
    if any(None in each.shape for each in factors):
        return None
    return Product(factors, W)


def _is_transpose(node):
    return isinstance(node.op, DimShuffle) and node.op.new_order == (1, 0)


def _transpose(W, node, look):
    inner = look(node.inputs[0])
    if isinstance(inner, Dense):
        return None
    found = inner.transpose()
    found.expression = W
    return found


def _sum(W, node, look):
    if any(True in each.type.broadcastable for each in node.inputs):
        return None
    terms = [look(each) for each in node.inputs]
    if any(None in term.shape for term in terms):
        return None
    if isinstance(node.op.scalar_op, scalar.Sub):
        terms[1] = _times(terms[1], _minus_one(), pt.mul)
    return Sum(terms, W)


def _scaled(W, node, look):
    """Split a product into one matrix and factors that broadcast along an axis."""
    full = [each for each in node.inputs if True not in each.type.broadcastable]
    factors = [each for each in node.inputs if True in each.type.broadcastable]
    is_division = isinstance(node.op.scalar_op, scalar.TrueDiv)
    if len(full) != 1 or (is_division and full[0] is not node.inputs[0]):
        return None
    found = look(full[0])
    if None in found.shape or 1 in found.shape:
        return None
    for factor in factors:
        found = _times(found, factor, pt.true_div if is_division else pt.mul)
    found.expression = W
    return found


def _times(found, factor, operation):
    """Scale a map; a scalar goes to the smallest factor of a product."""
    if not isinstance(found, Product) or not all(factor.type.broadcastable):
        return Scaled(found, factor, operation)
    sizes = [n * m for n, m in (each.shape for each in found.factors)]
    smallest = sizes.index(min(sizes))
    factors = list(found.factors)
    factors[smallest] = Scaled(factors[smallest], factor, operation)
    return Product(factors)


def _minus_one():
    return pt.constant(-1, ndim=2, dtype="int8")


def _negated(W, node, look):
    found = _times(look(node.inputs[0]), _minus_one(), pt.mul)
    found.expression = W
    return found


def _is_diagonal(node):
    op = node.op
    return isinstance(op, AllocDiag) and node.inputs[0].ndim == 1 and op.offset == 0


def _diagonal(W, node, look):
    return Diagonal(node.inputs[0], static_shape(node.inputs[0])[0], W)


def _identity(W, node, look):
    n, m = static_shape(W)
    offset = node.inputs[2]
    if n != m or not isinstance(offset, Constant) or offset.data != 0:
        return None
    return Diagonal(None, n, W)


def _is_kronecker(node):
    return type(node.op).__name__ == "KroneckerProduct" and all(
        each.ndim == 2 for each in node.inputs
    )


def _kronecker(W, node, look):
    left, right = map(look, node.inputs)
    return None if None in (*left.shape, *right.shape) else Kronecker(left, right, W)


def _is_block_diagonal(node):
    return isinstance(node.op, Blockwise) and type(node.op.core_op).__name__ == (
        "BlockDiagonal"
    )


def _block_diagonal(W, node, look):
    blocks = [look(each) for each in node.inputs]
    if any(None in block.shape for block in blocks):
        return None
    return BlockDiagonal(blocks, W)


def _is_choice_of_rows(node):
    return (
        isinstance(node.op, AdvancedSubtensor)
        and tuple(node.op.idx_list) == (0,)
        and node.inputs[1].ndim == 1
    )


def _chosen_rows(W, node, look):
    """Choose the rows of the first factor instead of those of the product."""
    inner = look(node.inputs[0])
    if not isinstance(inner, Product):
        return None
    rows = inner.factors[0].write_out()[node.inputs[1]]
    first = Dense(rows, (static_shape(W)[0], inner.factors[0].shape[1]))
    if None in first.shape:
        return None
    return Product([first, *inner.factors[1:]], W)


def _is_monarch(node):
    if not isinstance(node.op, Reshape) or node.inputs[0].owner is None:
        return False
    product = node.inputs[0].owner
    return _is_elementwise(scalar.Mul)(product) and [
        getattr(each.owner and each.owner.op, "new_order", None)
        for each in product.inputs
    ] == [(0, 1, "x", 2), (1, "x", 2, 0)]


def _monarch(W, node, look):
    r, l = (each.owner.inputs[0] for each in node.inputs[0].owner.inputs)  # noqa: E741
    (b, p, q), (q_too, b_too, k) = static_shape(r), static_shape(l)
    if None in (b, p, q, k) or (b, q) != (b_too, q_too):
        return None
    if tuple(static_shape(W)) != (b * p, k * q):
        return None
    return Monarch(r, l, (b, p, q, k), W)


def _declared(W, node, look):
    found = look(node.inputs[0])
    return None if isinstance(found, Dense) else found


_PATTERNS = (
    (_is_product, _product),
    (_is_transpose, _transpose),
    (_is_elementwise(scalar.Add, scalar.Sub), _sum),
    (_is_elementwise(scalar.Mul, scalar.TrueDiv), _scaled),
    (_is_elementwise(scalar.Neg), _negated),
    (_is_diagonal, _diagonal),
    (lambda node: isinstance(node.op, Eye), _identity),
    (_is_kronecker, _kronecker),
    (_is_block_diagonal, _block_diagonal),
    (_is_choice_of_rows, _chosen_rows),
    (_is_monarch, _monarch),
    (lambda node: isinstance(node.op, SpecifyShape), _declared),
    (is_log_det_mark, _declared),
)
