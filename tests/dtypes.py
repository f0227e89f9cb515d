"""A search for double precision where all should be single."""

from pytensor.graph.traversal import ancestors


def double_variables(function):
    """Return the float64 variables of a compiled function, inner graphs included."""
    return _doubles(function.maker.fgraph.variables)


def _doubles(variables):
    found = []
    for variable in variables:
        if getattr(variable.type, "dtype", None) == "float64":
            found.append(variable)
        inner = getattr(variable.owner and variable.owner.op, "fgraph", None)
        if inner is not None:
            found += _doubles(ancestors(inner.outputs))
    return found
