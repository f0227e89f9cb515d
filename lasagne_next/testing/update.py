"""The contract of an update rule."""

from __future__ import annotations

import inspect
from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable

from lasagne_next.testing.graphs import require, require_single

__all__ = ["check_update"]

_SHAPES = ((1, 3), (5,), ())


def check_update(rule, num_steps=50, modes=("FAST_COMPILE",), **hyper):
    """Check that an update rule does what training relies on.

    The rule must return an OrderedDict from shared variables to new values, of the same
    type and static shape, also where its hyper-parameters are numbers, numpy scalars,
    shared variables or expressions, and ``config.floatX`` is float64 for single
    precision. A list of gradients must do as well as a loss, and the steps must lower
    a quadratic.

    Parameters
    ----------
    rule : callable
        ``rule(loss_or_grads, params, **hyper)``.
    num_steps : int, default 50
        How many steps are made down the quadratic.
    modes : iterable of str or Mode, default ("FAST_COMPILE",)
        Each must lower it.
    **hyper : number
        Hyper-parameters; those with a number as default need not be given.

    Raises
    ------
    AssertionError
        If something is not as it must be; the message says what.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> from lasagne_next.testing import check_update
    >>> check_update(updates.adam, learning_rate=0.1)
    >>> try:
    ...     check_update(updates.sgd, num_steps=1, learning_rate=-1.0)
    ... except AssertionError as error:
    ...     print(error)
    sgd (float32): the loss of a quadratic must fall, got 9 before and 81 after 1 steps.
    Is the sign of the step right?
    """
    what = getattr(rule, "__name__", repr(rule))
    hyper = {**_default_numbers(rule), **hyper}
    for dtype in ("float32", "float64"):
        label = f"{what} ({dtype})"
        with pytensor.config.change_flags(floatX="float64"):
            for kind, given in _kinds(hyper, dtype).items():
                params, loss = _quadratic(dtype)
                updates = rule(loss, params, **given)
                _check_updates(f"{label}, hyper-parameters {kind}", updates, params)
            _check_gradients_do(label, rule, dtype, hyper)
            for mode in modes:
                _check_descent(label, rule, dtype, hyper, num_steps, mode)


def _default_numbers(rule):
    parameters = inspect.signature(rule).parameters.values()
    return {
        each.name: each.default
        for each in parameters
        if isinstance(each.default, int | float) and not isinstance(each.default, bool)
    }


def _kinds(hyper, dtype):
    """Return the hyper-parameters in each of the kinds that are allowed."""
    makers = {
        "as numbers": lambda value: value,
        "as numpy scalars": np.dtype(dtype).type,
        "as float64 scalars": np.float64,
        "as shared variables": lambda value: pytensor.shared(np.float64(value)),
        "as expressions": lambda value: pytensor.shared(np.float64(value)) * 1.0,
    }
    return {
        kind: {name: make(value) for name, value in hyper.items()}
        for kind, make in makers.items()
    }


def _quadratic(dtype):
    """Return parameters of several ranks, and a loss with its least value at 3."""
    params = [
        pytensor.shared(np.full(shape, 2, dtype), name=f"p{index}", shape=shape)
        for index, shape in enumerate(_SHAPES)
    ]
    return params, sum(pt.sqr(param - np.asarray(3, dtype)).sum() for param in params)


def _check_updates(what, updates, params):
    require(
        isinstance(updates, OrderedDict),
        f"{what}: the updates must be an OrderedDict, got {type(updates).__name__}.",
    )
    missing = [param for param in params if param not in updates]
    require(not missing, f"{what}: every parameter needs an update, got no {missing}.")
    for variable, value in updates.items():
        require(
            isinstance(variable, SharedVariable),
            f"{what}: the keys must be shared variables, got {variable!r}.",
        )
        require(
            variable.type.dtype == value.type.dtype,
            f"{what}: the new value of {variable} must be {variable.type.dtype}, got "
            f"{value.type.dtype}.",
        )
        require(
            variable.type.shape == value.type.shape,
            f"{what}: the new value of {variable} must have the static shape "
            f"{variable.type.shape}, got {value.type.shape}.",
        )


def _check_gradients_do(what, rule, dtype, hyper):
    params, loss = _quadratic(dtype)
    updates = rule(pytensor.grad(loss, params), params, **hyper)
    _check_updates(f"{what}, from gradients", updates, params)
    number = len(rule(loss, params, **hyper))
    require(
        len(updates) == number,
        f"{what}: a loss and its gradients must give as many updates, got {number} "
        f"and {len(updates)}.",
    )


def _check_descent(what, rule, dtype, hyper, num_steps, mode):
    params, loss = _quadratic(dtype)
    step = pytensor.function([], loss, updates=rule(loss, params, **hyper), mode=mode)
    if dtype == "float32":
        require_single(what, step)
    losses = [float(step()) for _ in range(num_steps + 1)]
    require(
        losses[-1] < losses[0],
        f"{what}: the loss of a quadratic must fall, got {losses[0]:.6g} before and "
        f"{losses[-1]:.6g} after {num_steps} steps. Is the sign of the step right?",
    )
