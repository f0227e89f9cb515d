"""Gradients added up over calls, for batches larger than the memory."""

from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.tensor.type import TensorType

from lasagne_next.updates.base import (
    check_params,
    check_scalar,
    fit_gradients,
    zeros_like_param,
)
from lasagne_next.updates.composition import combine
from lasagne_next.utils import match_dtype

__all__ = ["accumulate_gradients"]


def accumulate_gradients(loss_or_grads, params, num_calls, rule, **hyper):
    """Apply a rule at each n-th call only, to the mean of the gradients since.

    At the other calls the gradients are added up, and neither parameters nor any state
    of the rule (moments, counters, averages) change. For losses that are means over
    equally large batches, n calls do what one call with the n-fold batch does.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    num_calls : int or scalar integer expression
        The number n. If it is lowered on the way, the mean is over the calls made.
    rule : callable
        Called as ``rule(gradients, params, **hyper)``; returns a dictionary of updates.
        Any rule of this module, or a function that also clips, averages or advances a
        counter.
    **hyper
        Passed to `rule`.

    Returns
    -------
    OrderedDict
        What `rule` returned, then the sum of gradients for each parameter, of its
        shape, then a counter.

    Raises
    ------
    ValueError, TypeError
        For gradients and parameters that do not fit, or `num_calls` that is no positive
        integer.

    Notes
    -----
    The rule is computed at every call and its result chosen or not, which costs less
    than a branch: the choice is part of the same loop over the entries.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> list(updates.accumulate_gradients(
    ...     (W**2).sum(), [W], 4, updates.momentum, learning_rate=0.1))
    [W, W.momentum.velocity, W.accumulation.sum, accumulation.calls]
    """
    name = "accumulate_gradients"
    _check_num_calls(name, num_calls)
    params = check_params(name, params)
    gradients = fit_gradients(name, loss_or_grads, params)
    calls = pytensor.shared(np.int64(0), name="accumulation.calls")
    new_calls = calls + 1
    due = new_calls >= num_calls
    sums = [zeros_like_param(param, "accumulation", "sum") for param in params]
    totals = [total + g for total, g in zip(sums, gradients, strict=True)]
    means = [total / match_dtype(new_calls, total.dtype) for total in totals]

    updates = OrderedDict()
    for variable, value in combine(rule(means, params, **hyper)).items():
        if not isinstance(variable.type, TensorType):
            raise TypeError(
                f"{name}: rule must update tensors only, got {variable!r} of type "
                f"{variable.type}. Add its update afterwards with combine."
            )
        updates[variable] = _choose(due, value, variable)
    for total, new_total in zip(sums, totals, strict=True):
        updates[total] = _choose(due, 0, new_total)
    updates[calls] = _choose(due, 0, new_calls)
    return updates


def _choose(condition, value, other):
    return pt.switch(condition, match_dtype(value, other.dtype), other)


def _check_num_calls(name, num_calls):
    check_scalar(name, "num_calls", num_calls)
    is_symbolic = isinstance(num_calls, Variable)
    dtype = num_calls.dtype if is_symbolic else np.asarray(num_calls).dtype
    too_small = not is_symbolic and num_calls < 1
    if np.dtype(dtype).kind not in "iu" or too_small:
        raise ValueError(
            f"{name}: num_calls must be a positive integer, got {num_calls!r}."
        )
