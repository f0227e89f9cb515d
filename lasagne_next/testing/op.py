"""The contract of an Op."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from lasagne_next.testing.graphs import require
from lasagne_next.testing.numerics import check_gradients, require_equal

__all__ = ["check_op"]

_PERFORM = Mode(linker="py", optimizer=None)


def check_op(op, inputs, gradient=True, modes=()):
    """Check that an Op does what graphs rely on.

    Its output must have the shape that its type and its ``infer_shape`` say, its
    gradients and the gradients of these must agree with finite differences, and every
    mode must compute what its ``perform`` does.

    Parameters
    ----------
    op : callable
        An Op, or a function that applies one, with one output.
    inputs : list of array_like
        Arrays to apply it to. Those of floating type are taken in double precision.
        Different sizes show more than equal ones.
    gradient : bool, default True
        Whether the output has gradients for all inputs of floating type.
    modes : iterable of str or Mode, default ()
        Backends that are compared with ``perform``, such as ``("NUMBA", "JAX")``.

    Raises
    ------
    AssertionError
        If something is not as it must be; the message says what.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import matrix_product
    >>> from lasagne_next.testing import check_op
    >>> check_op(matrix_product, [np.ones((2, 3)), np.ones((3, 5))])
    """
    what = getattr(op, "__name__", str(op))
    values = [_double(each) for each in inputs]
    for static in (True, False):
        variables = [_variable(each, static) for each in values]
        output = op(*variables)
        wanted = pytensor.function(variables, output, mode=_PERFORM)(*values)
        _check_shapes(what, variables, output, values, wanted)
    for mode in modes:
        got = pytensor.function(variables, output, mode=mode)(*values)
        require_equal(f"{what}, mode {mode}", [got], [wanted], 1e-9)
    if gradient:
        _check_slopes(what, variables, output, values, wanted.shape)


def _double(value):
    value = np.asarray(value)
    return value.astype("float64") if value.dtype.kind == "f" else value


def _variable(value, static):
    shape = value.shape if static else (None,) * value.ndim
    return pt.tensor(dtype=value.dtype.name, shape=shape)


def _check_shapes(what, variables, output, values, wanted):
    static = output.type.shape
    fits = len(static) == wanted.ndim and all(
        known in (None, size) for known, size in zip(static, wanted.shape, strict=True)
    )
    require(
        fits and output.type.dtype == wanted.dtype.name,
        f"{what}: the type of the output must be that of what is computed, "
        f"{wanted.dtype} of shape {wanted.shape}, got {output.type}.",
    )
    # Rewritten, so that infer_shape answers instead of the value itself.
    mode = Mode(linker="py", optimizer="fast_run")
    function = pytensor.function(
        variables, output.shape, mode=mode, on_unused_input="ignore"
    )
    inferred = tuple(int(size) for size in function(*values))
    require(
        inferred == wanted.shape,
        f"{what}: infer_shape must say {wanted.shape}, got {inferred}.",
    )
    nodes = function.maker.fgraph.apply_nodes
    computed = [node.op for node in nodes if node.op == output.owner.op]
    require(
        not computed,
        f"{what}: the shape must be known without computing the value. Define "
        "infer_shape.",
    )


def _check_slopes(what, variables, output, values, shape):
    real = [index for index, value in enumerate(values) if value.dtype.kind == "f"]
    wanted = [variables[index] for index in real]
    weights = np.random.default_rng(1).normal(size=shape)
    first = (output * pt.constant(weights)).sum()
    gradients = pytensor.grad(first, wanted)
    # One direction through all gradients, of which none is constant everywhere.
    second = sum(pt.sqr(gradient).sum() for gradient in gradients)
    for order, loss in (("first", first), ("second", second)):
        slopes = pytensor.grad(
            loss, wanted, disconnected_inputs="ignore", return_disconnected="zero"
        )
        function = pytensor.function(
            variables, [loss, *slopes], mode="FAST_COMPILE", on_unused_input="ignore"
        )

        def evaluate(*points, function=function):
            fed = list(values)
            for index, point in zip(real, points, strict=True):
                fed[index] = point
            return function(*fed)

        start = [values[index] for index in real]
        labels = [f"input {index}" for index in real]
        check_gradients(f"{what}, {order} derivative", evaluate, start, labels)
