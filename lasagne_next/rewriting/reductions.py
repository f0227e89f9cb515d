"""On JAX, give reductions the type that the graph says they have."""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.math import Prod, ProdWithoutZeros, Sum

__all__ = ["local_reduce_in_output_type"]


@node_rewriter([Sum, Prod, ProdWithoutZeros])
def local_reduce_in_output_type(fgraph, node):
    """Let a reduction to a floating type accumulate in that type.

    PyTensor (3.0.7 to 3.3.7) returns the accumulator from JAX as it is, in double
    precision where the graph says single: whatever follows is double then, too. The
    reduction itself runs in the type of its input all the same, so that no digit is
    lost. To be removed when PyTensor casts the result.
    """
    op, dtype = node.op, node.outputs[0].dtype
    if op.acc_dtype == dtype or not dtype.startswith("float"):
        return None
    if node.inputs[0].dtype != dtype:
        return None
    return [op.clone(acc_dtype=dtype)(node.inputs[0])]


optdb.register(
    "lasagne_next_reduce_in_output_type",
    dfs_rewriter(local_reduce_in_output_type),
    "jax",
    position=49.5,
)
