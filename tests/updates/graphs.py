"""Types of everything that a compiled function computes."""


def tensor_types(function):
    """Return the types of all variables, those inside fused loops included."""
    return _types(function.maker.fgraph)


def _types(fgraph):
    found = []
    for node in fgraph.apply_nodes:
        found.extend(variable.type for variable in [*node.inputs, *node.outputs])
        for op in (node.op, getattr(node.op, "scalar_op", None)):
            inner = getattr(op, "fgraph", None)
            if inner is not None:
                found.extend(_types(inner))
    return found
