"""On JAX, take out the checks of shapes that PyTensor adds by itself."""

from pytensor.compile.mode import optdb
from pytensor.graph.basic import Constant
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.raise_op import Assert

__all__ = ["local_remove_shape_assertion"]

# How the messages of these checks begin (PyTensor 3.0.7 to 3.3.7).
_MESSAGES = (
    "Could not broadcast dimensions.",
    "Input array shape along reduced axes of tensordot are not equal",
    "You have a shape error in your graph.",
    "`x[i]` and `y` do not have the same shape.",
)


@node_rewriter([Assert])
def local_remove_shape_assertion(fgraph, node):
    """Replace a check of shapes that PyTensor made by what it passes on.

    JAX skips every assertion, and PyTensor warns of each. A user can act on the warning
    where the assertion is the user's own; those stay, and so does one that is known to
    fail. Two tensors of unknown batch size that meet suffice for one of PyTensor's. To
    be removed when PyTensor tells the two kinds apart.
    """
    value, *conditions = node.inputs
    if not node.op.msg.startswith(_MESSAGES):
        return None
    if any(isinstance(each, Constant) and not each.data for each in conditions):
        return None
    return [value]


optdb.register(
    "lasagne_next_remove_shape_assertions",
    dfs_rewriter(local_remove_shape_assertion),
    "jax",
    position=48.5,
)
