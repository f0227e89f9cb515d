"""The contract of a parameter expression."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.params import collect_shared_vars, create_param, leaf_tags
from lasagne_next.testing.graphs import require, require_single
from lasagne_next.testing.numerics import check_gradients

__all__ = ["check_expression"]


def check_expression(spec, shape, gradients=True, mode="FAST_COMPILE"):
    """Check that something can stand for the parameter of a layer.

    Its shape must be known and as asked for, its leaves must be found, single precision
    must stay single, and the gradients of the trainable leaves must agree with finite
    differences.

    Parameters
    ----------
    spec : callable
        An initialiser, an instance of
        :class:`lasagne_next.expressions.ParameterExpression`, or any function from a
        shape to an array, a shared variable or an expression of ``config.floatX``.
    shape : tuple of int
        Shape of the parameter.
    gradients : bool, default True
        Whether to check gradients. False for those that differ from the slope on
        purpose (straight-through estimators) and for random parameters.
    mode : str or Mode, default "FAST_COMPILE"
        What to compile with.

    Raises
    ------
    AssertionError
        If something is not as it must be; the message says what.

    Examples
    --------
    >>> from lasagne_next import expressions
    >>> from lasagne_next.testing import check_expression
    >>> check_expression(expressions.LowRank(rank=2), (5, 3))
    """
    for dtype in ("float32", "float64"):
        what = f"{spec!r} ({dtype})"
        with pytensor.config.change_flags(floatX=dtype):
            parameter = create_param(spec, shape, name="checked")
        _check_types(what, parameter, tuple(shape), dtype)
        leaves = _trained_leaves(what, parameter)
        with pytensor.config.change_flags(floatX="float64"):
            function = _loss_and_gradients(parameter, leaves, dtype, mode)
        if dtype == "float32":
            require_single(what, function)
        value = function()[-1]
        require(
            value.shape == tuple(shape) and np.isfinite(value).all(),
            f"{what}: the value must be finite numbers of shape {tuple(shape)}, got "
            f"{value!r}.",
        )
    if gradients and leaves:
        _check_slopes(what, function, leaves)


def _check_types(what, parameter, shape, dtype):
    require(
        parameter.type.shape == shape,
        f"{what}: the parameter must have the static shape {shape}, got "
        f"{parameter.type.shape}.",
    )
    require(
        parameter.type.dtype == dtype,
        f"{what}: the parameter must be {dtype}, got {parameter.type.dtype}.",
    )


def _trained_leaves(what, parameter):
    leaves = collect_shared_vars(parameter)
    require(
        bool(leaves),
        f"{what}: the parameter must depend on shared variables, found none in "
        f"{parameter}.",
    )
    vague = [leaf for leaf in leaves if None in leaf.type.shape]
    require(
        not vague,
        f"{what}: leaves must have static shapes, got none for {vague}. Pass "
        "shape=value.shape to pytensor.shared.",
    )
    tagged = leaf_tags(parameter, {"trainable"})
    return [leaf for leaf, tags in tagged if "trainable" in tags]


def _loss_and_gradients(parameter, leaves, dtype, mode):
    weights = np.random.default_rng(1).normal(size=parameter.type.shape)
    loss = (parameter * pt.constant(weights.astype(dtype))).sum()
    gradients = pytensor.grad(loss, leaves) if leaves else []
    return pytensor.function([], [loss, *gradients, parameter], mode=mode)


def _check_slopes(what, function, leaves):
    start = [leaf.get_value() for leaf in leaves]

    def evaluate(*points):
        for leaf, point in zip(leaves, points, strict=True):
            leaf.set_value(point)
        return function()[:-1]

    labels = [f"leaf {leaf}" for leaf in leaves]
    try:
        check_gradients(what, evaluate, start, labels)
    finally:
        for leaf, value in zip(leaves, start, strict=True):
            leaf.set_value(value)
