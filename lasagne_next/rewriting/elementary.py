"""On Numba, compute elementary functions for whole vectors.

Numba calls the C library for them, one number at a time: 16 nanoseconds for a tanh in
single precision, against 0.4 for one that runs on vectors. ``exp``, ``expm1``, ``log``,
``log1p``, ``tanh``, ``sigmoid``, ``softplus``, ``erf`` and ``erfc`` of ``float32`` and
``float64`` tensors are replaced, in fused operations too. They err by at most 4 units
in the last place. The name is ``lasagne_next_elementary``.
"""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import (
    copy_stack_trace,
    dfs_rewriter,
    node_rewriter,
)
from pytensor.scalar import basic, math
from pytensor.tensor.elemwise import Elemwise

from lasagne_next.ops.elementary import Vectorisable

__all__ = ["local_use_vectorisable_functions"]

_FUNCTIONS = (
    basic.Exp,
    basic.Expm1,
    basic.Log,
    basic.Log1p,
    basic.Tanh,
    math.Sigmoid,
    math.Softplus,
    math.Erf,
    math.Erfc,
)


@node_rewriter([Elemwise])
def local_use_vectorisable_functions(fgraph, node):
    """Replace an elementary function of floating numbers by one for vectors.

    The results are at most 4 units in the last place from the exact ones. Single
    numbers, other types than float32 and float64, and functions inside of a scalar
    graph that was fused before are left alone.
    """
    if type(node.op.scalar_op) not in _FUNCTIONS or node.op.inplace_pattern:
        return None
    (x,), (y,) = node.inputs, node.outputs
    if x.ndim == 0 or x.dtype != y.dtype or x.dtype not in ("float32", "float64"):
        return None
    replacement = Elemwise(Vectorisable(node.op.scalar_op))(x)
    copy_stack_trace(y, replacement)
    return [replacement]


# Just before elementwise operations are fused, when all that look for functions have.
optdb.register(
    "lasagne_next_elementary",
    dfs_rewriter(local_use_vectorisable_functions),
    "numba",
    position=48.9,
)
