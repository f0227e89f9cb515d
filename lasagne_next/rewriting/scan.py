"""In the mode for trying things out, run loops without compiling C."""

import copy

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.scan.op import Scan

__all__ = ["local_interpret_scan"]


@node_rewriter([Scan])
def local_interpret_scan(fgraph, node):
    """Run the steps of a loop in Python where the rest of the graph is.

    ``mode="FAST_COMPILE"`` compiles no C, but PyTensor (3.0.7 to 3.3.7) compiles the
    steps of a loop to C all the same, for seconds. Not for loops that were given a mode
    of their own.
    """
    if node.op.mode is not None:
        return None
    interpreted = copy.copy(node.op.clone())
    interpreted.mode = "FAST_COMPILE"
    return interpreted.make_node(*node.inputs).outputs


optdb["py_only"].register(
    "lasagne_next_interpret_scan", local_interpret_scan, "py_only"
)
