"""On JAX, reshape to sizes that need no computing."""

import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Constant
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.shape import Reshape, Shape, Shape_i
from pytensor.tensor.subtensor import Subtensor

__all__ = ["local_infer_last_unknown_size"]


@node_rewriter([Reshape])
def local_infer_last_unknown_size(fgraph, node):
    """Write -1 for the one size of a new shape that is computed.

    JAX needs shapes that are known when it traces. A product of the batch size and a
    constant is not, for PyTensor's dispatch (3.0.7 to 3.3.7), while a size that is read
    from a shape is. The one size that is computed follows from the others. Such shapes
    appear where axes are joined, as in the gradients of products over several axes. Not
    for shapes with two computed sizes.
    """
    x, shape = node.inputs
    made = shape.owner
    if made is None or not isinstance(made.op, MakeVector):
        return None
    sizes = [
        int(size.data)
        if isinstance(size, Constant)
        else size
        if known is None
        else known
        for size, known in zip(made.inputs, node.outputs[0].type.shape, strict=True)
    ]
    computed = [
        axis
        for axis, size in enumerate(sizes)
        if not isinstance(size, int) and not _is_read(size)
    ]
    # 0 times anything cannot be inferred.
    if len(computed) != 1 or -1 in sizes or 0 in sizes:
        return None
    sizes[computed[0]] = -1
    # All of one type, so that no cast hides the -1 from the next look at this shape.
    sizes = [
        pt.constant(each, dtype="int64") if isinstance(each, int) else each
        for each in sizes
    ]
    return [pt.reshape(x, [each.astype("int64") for each in sizes])]


def _is_read(size):
    """Tell whether a size is that of an axis of some variable."""
    node = size.owner
    if node is None:
        return False
    if isinstance(node.op, Subtensor):
        node = node.inputs[0].owner
        return node is not None and isinstance(node.op, Shape)
    return isinstance(node.op, Shape_i)


optdb.register(
    "lasagne_next_infer_last_unknown_size",
    dfs_rewriter(local_infer_last_unknown_size),
    "jax",
    position=1.9,
)
# Once more when sizes are in their last form: some are read from a shape only then.
optdb.register(
    "lasagne_next_infer_last_unknown_size_again",
    dfs_rewriter(local_infer_last_unknown_size),
    "jax",
    position=48.7,
)
