"""On JAX, reshape to sizes that need no computing."""

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Constant
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.shape import Reshape

__all__ = ["local_infer_last_unknown_size"]


@node_rewriter([Reshape])
def local_infer_last_unknown_size(fgraph, node):
    """Write -1 for the one size of a new shape that is computed.

    JAX needs shapes that are known when it traces. A product of the batch size and a
    constant is not, for PyTensor's dispatch (3.0.7 to 3.3.7); but if it is the only
    size that is not constant, it follows from the others. Such shapes appear in the
    gradients of products over several axes. Not for shapes with two computed sizes.
    """
    x, shape = node.inputs
    made = shape.owner
    if made is None or not isinstance(made.op, MakeVector):
        return None
    sizes = [
        int(size.data) if isinstance(size, Constant) else known
        for size, known in zip(made.inputs, node.outputs[0].type.shape, strict=True)
    ]
    computed = [axis for axis, size in enumerate(sizes) if size is None]
    # A size read from a shape is known to JAX, and 0 times anything cannot be inferred.
    if len(computed) != 1 or -1 in sizes or 0 in sizes:
        return None
    sizes[computed[0]] = -1
    return [pt.reshape(x, np.array(sizes, dtype="int64"))]


optdb.register(
    "lasagne_next_infer_last_unknown_size",
    dfs_rewriter(local_infer_last_unknown_size),
    "jax",
    position=1.9,
)
