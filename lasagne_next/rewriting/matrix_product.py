"""On Numba, multiply matrices by a kernel that is compiled once."""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import (
    copy_stack_trace,
    dfs_rewriter,
    node_rewriter,
)
from pytensor.tensor.math import Dot

from lasagne_next.ops.matrix_product import MatrixProduct

__all__ = ["local_use_matrix_product"]


@node_rewriter([Dot])
def local_use_matrix_product(fgraph, node):
    """Replace `Dot` of two matrices of one floating type by :class:`MatrixProduct`.

    Not for vectors, and not for mixed or discrete types.
    """
    x, y = node.inputs
    if (x.ndim, y.ndim) != (2, 2) or x.dtype != y.dtype:
        return None
    if x.dtype not in ("float32", "float64"):
        return None
    product = MatrixProduct()(x, y)
    copy_stack_trace(node.outputs, product)
    return [product]


# After all rewrites that look for `Dot`, before those that work in place.
optdb.register(
    "lasagne_next_matrix_product",
    dfs_rewriter(local_use_matrix_product),
    "numba",
    position=49.5,
)
