"""Looking into compiled graphs."""

from __future__ import annotations

from pytensor.graph.traversal import ancestors

__all__ = ["double_variables", "require", "require_single"]


def require(condition, message):
    """Raise AssertionError with a message unless a condition holds."""
    if not condition:
        raise AssertionError(message)


def double_variables(function):
    """List the float64 variables of a compiled function.

    A network of single precision must have none: ``x32 * 0.3`` is computed in double
    precision where ``config.floatX`` is float64.

    Parameters
    ----------
    function : compiled function
        What ``pytensor.function`` returned.

    Returns
    -------
    list of Variable
        Those of inner graphs (``scan``, ``OpFromGraph``, fused operations) included.

    Examples
    --------
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.testing import double_variables
    >>> x = pt.vector("x", dtype="float32")
    >>> f = pytensor.function([x], x * x, mode="FAST_COMPILE")
    >>> double_variables(f)
    []
    """
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


def require_single(what, function):
    """Raise AssertionError if a compiled function computes in double precision."""
    found = double_variables(function)
    require(
        not found,
        f"{what}: all must stay float32, but the compiled graph holds float64: "
        f"{found[:5]}. Give constants the type of what they meet "
        "(lasagne_next.utils.match_dtype).",
    )
