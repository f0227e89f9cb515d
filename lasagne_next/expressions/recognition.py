"""Seeing the structure of a matrix in the way its expression was made."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.scalar import basic as scalar
from pytensor.tensor.basic import AllocDiag, Eye
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import (
    AdvancedSubtensor,
    Subtensor,
    indices_from_subtensor,
)

from lasagne_next.expressions import costs
from lasagne_next.expressions.constants import constant_value
from lasagne_next.expressions.determinant import is_log_det_mark
from lasagne_next.expressions.linear_maps import (
    BlockDiagonal,
    Blocks,
    Circulant,
    Dense,
    Diagonal,
    Evaluated,
    Inverse,
    Kronecker,
    Masked,
    Monarch,
    Product,
    Scatter,
    Selection,
    Toeplitz,
    added,
    multiplied,
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


def _core(node):
    """Return the operation on matrices, also where it is called on stacks of them."""
    return node.op.core_op if isinstance(node.op, Blockwise) else node.op


def _is_elementwise(*scalar_ops):
    return lambda node: (
        isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, scalar_ops)
    )


def _is_product(node):
    return isinstance(_core(node), Dot) and all(each.ndim == 2 for each in node.inputs)


def _product(W, node, look):
    left, right = map(look, node.inputs)
    if None in (*left.shape, *right.shape):
        return None
    learns = left.trainable or right.trainable
    own_cost = costs.product(*left.shape, right.shape[1], learns)
    own_cost += left.write_cost() + right.write_cost()
    return multiplied([left, right], W, own_cost)


def _is_transpose(node):
    return isinstance(node.op, DimShuffle) and node.op.new_order == (1, 0)


def _transpose(W, node, look):
    inner = look(node.inputs[0])
    if isinstance(inner, Dense):
        return None
    found = inner.transpose()
    found.expression = W
    if isinstance(found, Product):
        found.own_cost = inner.write_cost()
    return found


def _sum(W, node, look):
    if any(True in each.type.broadcastable for each in node.inputs):
        return None
    terms = [look(each) for each in node.inputs]
    if any(None in term.shape for term in terms):
        return None
    if isinstance(node.op.scalar_op, scalar.Sub):
        terms[1] = _times(terms[1], _minus_one(W))
    return added(terms, W)


def _scaled(W, node, look):
    """Split a product into one matrix and factors that broadcast along an axis."""
    full = [each for each in node.inputs if True not in each.type.broadcastable]
    factors = [each for each in node.inputs if True in each.type.broadcastable]
    is_division = isinstance(node.op.scalar_op, scalar.TrueDiv)
    if len(full) != 1 or (is_division and full[0] is not node.inputs[0]):
        return None if is_division else _masked(W, node, look)
    found = look(full[0])
    if None in found.shape or 1 in found.shape:
        return None
    if not isinstance(found, Dense) and full[0] in set(ancestors(factors)):
        found = Evaluated(found)
    own_cost = found.write_cost() + costs.elementwise(_size(found))
    for factor in factors:
        factor = factor.astype(W.dtype)
        found = _times(found, pt.reciprocal(factor) if is_division else factor)
    found = Product(found.factors) if isinstance(found, Product) else Product([found])
    found.expression, found.own_cost = W, own_cost
    return found


def _size(found):
    return found.shape[0] * found.shape[1]


def _times(found, factor):
    """Scale a map by a number, by a column (its inputs) or by a row (its outputs)."""
    n, m = found.shape
    if not factor.type.broadcastable[0]:
        return multiplied([Diagonal(factor.T, n, factor.dtype), found])
    return multiplied([found, Diagonal(factor, m, factor.dtype)])


def _minus_one(W):
    return pt.constant(-1, ndim=2, dtype=W.dtype)


def _negated(W, node, look):
    inner = look(node.inputs[0])
    if None in inner.shape:
        return None
    own_cost = inner.write_cost() + costs.elementwise(_size(inner))
    found = _times(inner, _minus_one(W))
    factors = found.factors if isinstance(found, Product) else [found]
    return Product(factors, W, own_cost)


def _masked(W, node, look):
    """See constants of the full shape, of which some entries are zero."""
    if len(node.inputs) != 2:
        return None
    masks = [constant_value(each) for each in node.inputs]
    if sum(mask is not None for mask in masks) != 1:
        return None
    place = 0 if masks[0] is not None else 1
    if masks[place].all():
        return None
    found = look(node.inputs[1 - place])
    if found.shape != masks[place].shape:
        return None
    return Masked(masks[place], found, W)


def _is_diagonal(node):
    op = node.op
    return isinstance(op, AllocDiag) and node.inputs[0].ndim == 1 and op.offset == 0


def _diagonal(W, node, look):
    vector = node.inputs[0]
    size = static_shape(vector)[0]
    return Diagonal(vector.dimshuffle("x", 0), size, W.dtype, W)


def _identity(W, node, look):
    n, m = static_shape(W)
    offset = node.inputs[2]
    if n != m or not isinstance(offset, Constant) or offset.data != 0:
        return None
    return Diagonal(None, n, W.dtype, W)


def _is_kronecker(node):
    return type(node.op).__name__ == "KroneckerProduct" and all(
        each.ndim == 2 for each in node.inputs
    )


def _kronecker(W, node, look):
    left, right = map(look, node.inputs)
    return None if None in (*left.shape, *right.shape) else Kronecker(left, right, W)


def _is_block_diagonal(node):
    return (
        isinstance(node.op, Blockwise)
        and type(node.op.core_op).__name__ == "BlockDiagonal"
        and all(each.ndim == 2 for each in node.inputs)
    )


def _block_diagonal(W, node, look):
    stack = _stack_of(node.inputs)
    if stack is not None:
        return Blocks(stack, static_shape(stack), W)
    blocks = [look(each) for each in node.inputs]
    if any(None in block.shape for block in blocks):
        return None
    return BlockDiagonal(blocks, W)


def _stack_of(matrices):
    """Return the tensor of three axes of which all matrices are taken in order."""
    sources, places = [], []
    for each in matrices:
        node = each.owner
        if node is None or not isinstance(node.op, Subtensor) or each.ndim != 2:
            return None
        index = indices_from_subtensor(node.inputs[1:], node.op.idx_list)
        if len(index) != 1 or not isinstance(index[0], Constant):
            return None
        sources.append(node.inputs[0])
        places.append(int(index[0].data))
    stack, sizes = sources[0], static_shape(sources[0])
    if any(each is not stack for each in sources) or None in sizes:
        return None
    is_whole = stack.ndim == 3 and places == list(range(sizes[0]))
    return stack if is_whole else None


def _is_choice(node):
    return isinstance(node.op, Subtensor | AdvancedSubtensor) and (
        node.inputs[0].ndim == node.outputs[0].ndim == 2
    )


def _chosen(W, node, look):
    """Choose rows, columns or both, by slices or vectors of places."""
    index = indices_from_subtensor(node.inputs[1:], node.op.idx_list)
    index = [_fixed(each) for each in index]
    is_vector = [not isinstance(each, slice) for each in index]
    if None in index or sum(is_vector) > 1:
        return None
    inner = look(node.inputs[0])
    factors = [inner]
    for axis, each in enumerate(index):
        if isinstance(each, slice) and each == slice(None):
            continue
        size, count = inner.shape[axis], static_shape(W)[axis]
        if None in (size, count):
            return None
        if isinstance(each, slice):
            start, stop, step = each.indices(size)
            each = slice(start, None if stop < 0 else stop, step)
        if axis == 0:
            factors.insert(0, Scatter(each, size, count, W.dtype))
        else:
            factors.append(Selection(each, size, count, W.dtype))
    own_cost = inner.write_cost() + factors[0].apply_left_cost(inner.shape[1])
    return multiplied(factors, W, own_cost)


def _fixed(index):
    """Return a slice of numbers, a vector of places, or None for anything else."""
    if not isinstance(index, slice):
        return index if index.ndim == 1 and index.dtype != "bool" else None
    ends = [
        int(each.data) if isinstance(each, Constant) else each
        for each in (index.start, index.stop, index.step)
    ]
    if any(each is not None and not isinstance(each, int) for each in ends):
        return None
    return slice(*ends)


def _is_table(node):
    """Tell whether a matrix takes its entries from a vector by a constant table."""
    if not isinstance(node.op, AdvancedSubtensor):
        return False
    entries, *index = node.inputs
    return entries.ndim == 1 and len(index) == 1 and _is_constant_matrix(index[0])


def _is_constant_matrix(variable):
    return isinstance(variable, Constant) and variable.ndim == 2


def _table(W, node, look):
    """See constant diagonals, and those that go round."""
    entries, places = node.inputs[0], node.inputs[1].data
    n, m = places.shape
    if places.dtype == bool or 0 in places.shape:
        return None
    if not np.array_equal(places[1:, 1:], places[:-1, :-1]):
        return None
    first_row, first_column = places[0], places[:, 0]
    if n == m and np.array_equal(first_column[1:], first_row[:0:-1]):
        return Circulant(_entries(entries, first_row), (n, n), W)
    diagonals = np.concatenate([first_column[:0:-1], first_row])  # (n + m - 1,)
    return Toeplitz(_entries(entries, diagonals), (n, m), W)


def _entries(vector, places):
    size = static_shape(vector)[0]
    return vector if np.array_equal(places, np.arange(size or 0)) else vector[places]


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


def _is_solution(node):
    core = _core(node)
    return (
        type(core).__name__ in ("Solve", "SolveTriangular")
        and core.b_ndim == 2
        and all(each.ndim == 2 for each in node.inputs)
    )


def _solution(W, node, look):
    """See the solution of A X = C as the product of an inverse and C."""
    core, matrix = _core(node), node.inputs[0]
    inner, (size, _) = look(node.inputs[1]), _shape_of(matrix)
    if None in (size, *inner.shape):
        return None
    if type(core).__name__ == "Solve":
        if core.assume_a not in ("gen", "general"):
            return None
        inverse = Inverse(matrix, size)
    else:
        side = "lower" if core.lower else "upper"
        inverse = Inverse(matrix, size, f"unit {side}" if core.unit_diagonal else side)
    own_cost = inverse.apply_left_cost(inner.shape[1]) + inner.write_cost()
    return multiplied([inverse, inner], W, own_cost)


def _is_cast(node):
    if not _is_elementwise(scalar.Cast)(node):
        return False
    return all(
        np.dtype(each.dtype).kind == "f" for each in (*node.inputs, *node.outputs)
    )


def _cast(W, node, look):
    inner = look(node.inputs[0])
    if isinstance(inner, Dense):
        return None
    found = inner.with_parts(lambda part: part.astype(W.dtype))
    found.expression = W
    if isinstance(found, Product):
        found.own_cost = inner.write_cost()
    return found


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
    (_is_choice, _chosen),
    (_is_table, _table),
    (_is_monarch, _monarch),
    (_is_solution, _solution),
    (_is_cast, _cast),
    (lambda node: isinstance(node.op, SpecifyShape), _declared),
    (is_log_det_mark, _declared),
)
