"""Hyper-parameters that change during training, as expressions of a step counter.

Every schedule takes the number of updates done so far: the shared variable of
:func:`step_counter`, any expression, a number, or an array of numbers (for a picture).
It returns an expression of ``config.floatX`` that any rule takes for any
hyper-parameter. The first update sees step 0.
"""

from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.tensor.type import TensorType

from lasagne_next.updates.base import check_positive, check_scalar
from lasagne_next.utils import as_theano_expression, match_dtype

__all__ = [
    "advance",
    "constant_schedule",
    "cosine_restarts_schedule",
    "cosine_schedule",
    "exponential_schedule",
    "one_cycle_schedule",
    "piecewise_schedule",
    "polynomial_schedule",
    "step_counter",
    "step_schedule",
    "warmup_schedule",
]


def step_counter(start=0, name="step"):
    """Make a counter of updates for schedules.

    Parameters
    ----------
    start : int, default 0
        Where to begin counting.
    name : str, default "step"
        Name of the variable, under which it is saved.

    Returns
    -------
    TensorSharedVariable, shape ()
        Of type int64. Only :func:`advance` moves it.

    Raises
    ------
    TypeError
        If `start` is no integer.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W, step = pytensor.shared(np.ones(2), name="W"), updates.step_counter()
    >>> rate = updates.cosine_schedule(step, 0.1, num_steps=1000)
    >>> rule = updates.adam((W**2).sum(), [W], learning_rate=rate)
    >>> train_updates = updates.combine(rule, updates.advance(step))
    >>> list(train_updates)
    [W.adam.m, W.adam.v, W, adam.t, step]
    """
    if np.asarray(start).dtype.kind not in "iu" or np.ndim(start):
        raise TypeError(f"step_counter: start must be an integer, got {start!r}.")
    return pytensor.shared(np.int64(start), name=name)


def advance(counter, by=1):
    """Return the update that moves a step counter on, to combine with a rule's.

    Parameters
    ----------
    counter : shared variable, shape ()
        Of integer type, from :func:`step_counter`.
    by : int or scalar integer expression, default 1
        How far.

    Returns
    -------
    OrderedDict
        The counter and its next value, of shape ().

    Raises
    ------
    TypeError
        If `counter` is no shared integer scalar.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> step = updates.step_counter(start=5)
    >>> updates.advance(step)[step].eval(mode="FAST_COMPILE").tolist()
    6
    """
    if not (
        isinstance(counter, SharedVariable)
        and isinstance(counter.type, TensorType)
        and counter.type.ndim == 0
        and np.dtype(counter.dtype).kind in "iu"
    ):
        raise TypeError(
            "advance: counter must be a shared integer scalar, got "
            f"{counter!r}. Make one with step_counter()."
        )
    return OrderedDict([(counter, counter + match_dtype(by, counter.dtype))])


def constant_schedule(step, value):
    """Stay at one value.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    value : number or scalar expression
        The value at every step.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.constant_schedule([0, 1, 2], 0.5)
    >>> rate.eval(mode="FAST_COMPILE").tolist()
    [0.5, 0.5, 0.5]
    """
    step = _as_step("constant_schedule", step)
    return _as_value("constant_schedule", "value", value) + pt.zeros_like(step)


def step_schedule(step, initial, factor, every):
    """Multiply by a factor after every so many steps.

    Computes ``initial * factor ** floor(step / every)``.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    initial : number or scalar expression
        The value at step 0.
    factor : number or scalar expression
        Below one to decay.
    every : positive number or scalar expression
        Steps from one multiplication to the next.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.step_schedule([0, 9, 10, 20], 1.0, factor=0.5, every=10)
    >>> rate.eval(mode="FAST_COMPILE").tolist()
    [1.0, 1.0, 0.5, 0.25]
    """
    name = "step_schedule"
    initial = _as_value(name, "initial", initial)
    factor = _as_value(name, "factor", factor)
    times = pt.floor(_as_step(name, step) / _as_length(name, "every", every))
    return initial * factor**times


def piecewise_schedule(step, boundaries, values):
    """Stay at one value after another.

    The value is ``values[i]`` from step ``boundaries[i - 1]`` on and before step
    ``boundaries[i]``.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    boundaries : sequence of numbers or scalar expressions
        The steps of change, increasing.
    values : sequence of numbers or scalar expressions
        One more than `boundaries`.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.piecewise_schedule([0, 9, 10, 99], [10, 50], [1.0, 0.5, 0.25])
    >>> rate.eval(mode="FAST_COMPILE").tolist()
    [1.0, 1.0, 0.5, 0.25]
    """
    name = "piecewise_schedule"
    boundaries, values = list(boundaries), list(values)
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"{name}: values must be one more than boundaries, got {len(values)} "
            f"values for {len(boundaries)} boundaries."
        )
    known = [boundary for boundary in boundaries if not isinstance(boundary, Variable)]
    step = _as_step(name, step)
    values = [_as_value(name, "values", value) for value in values]
    limits = [_as_value(name, "boundaries", boundary) for boundary in boundaries]
    if any(later <= earlier for earlier, later in pairwise(known)):
        raise ValueError(f"{name}: boundaries must increase, got {boundaries!r}.")
    result = values[-1] + pt.zeros_like(step)
    for limit, value in zip(limits[::-1], values[-2::-1], strict=True):
        result = pt.switch(step < limit, value, result)
    return result


def exponential_schedule(step, initial, factor, every=1):
    """Decay a little at every step, by a factor after so many.

    Computes ``initial * factor ** (step / every)``.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    initial : number or scalar expression
        The value at step 0.
    factor : number or scalar expression
        Below one to decay.
    every : positive number or scalar expression, default 1
        Steps after which the value is `factor` times what it was.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.exponential_schedule([0, 5, 10], 1.0, factor=0.25, every=10)
    >>> rate.eval(mode="FAST_COMPILE").tolist()
    [1.0, 0.5, 0.25]
    """
    name = "exponential_schedule"
    initial = _as_value(name, "initial", initial)
    factor = _as_value(name, "factor", factor)
    times = _as_step(name, step) / _as_length(name, "every", every)
    return initial * factor**times


def polynomial_schedule(step, initial, num_steps, final=0.0, power=1.0):
    """Go to a final value along a power of the steps left.

    Computes ``final + (initial - final) * (1 - step / num_steps) ** power`` until
    `num_steps`, and stays at `final` then. The default power is a straight line.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    initial : number or scalar expression
        The value at step 0.
    num_steps : positive number or scalar expression
        The step from which on the value is `final`.
    final : number or scalar expression, default 0
        The last value.
    power : number or scalar expression, default 1
        Above one to fall fast first.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.polynomial_schedule([0, 5, 10, 11], 1.0, 10, power=2)
    >>> rate.eval(mode="FAST_COMPILE").tolist()
    [1.0, 0.25, 0.0, 0.0]
    """
    name = "polynomial_schedule"
    initial = _as_value(name, "initial", initial)
    final = _as_value(name, "final", final)
    power = _as_value(name, "power", power)
    left = 1 - _progress(name, step, num_steps)
    return final + (initial - final) * left**power


def cosine_schedule(step, initial, num_steps, final=0.0):
    """Go to a final value along half a cosine wave.

    Computes ``final + (initial - final) * (1 + cos(pi * step / num_steps)) / 2`` until
    `num_steps`, and stays at `final` then.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    initial : number or scalar expression
        The value at step 0.
    num_steps : positive number or scalar expression
        The step from which on the value is `final`.
    final : number or scalar expression, default 0
        The last value.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    References
    ----------
    I. Loshchilov, F. Hutter (2017), SGDR: Stochastic gradient descent with warm
    restarts, equation 5, https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.cosine_schedule([0, 5, 10, 11], 1.0, num_steps=10)
    >>> rate.eval(mode="FAST_COMPILE").round(4).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    name = "cosine_schedule"
    initial = _as_value(name, "initial", initial)
    final = _as_value(name, "final", final)
    return final + (initial - final) * _fall(_progress(name, step, num_steps))


def cosine_restarts_schedule(step, initial, period, growth=1, final=0.0):
    """Go to a final value along half a cosine wave, again and again.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    initial : number or scalar expression
        The value at the start of every cycle.
    period : positive number or scalar expression
        Steps of the first cycle.
    growth : number of at least 1, default 1
        Each cycle is so many times as long as the one before.
    final : number or scalar expression, default 0
        What the value approaches at the end of every cycle.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    References
    ----------
    I. Loshchilov, F. Hutter (2017), SGDR: Stochastic gradient descent with warm
    restarts, equation 5, https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> from lasagne_next import updates
    >>> steps = [0, 5, 10, 20, 30]
    >>> rate = updates.cosine_restarts_schedule(steps, 1.0, period=10, growth=2)
    >>> rate.eval(mode="FAST_COMPILE").round(4).tolist()
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """
    name = "cosine_restarts_schedule"
    initial = _as_value(name, "initial", initial)
    final = _as_value(name, "final", final)
    period = _as_length(name, "period", period)
    if isinstance(growth, Variable):
        raise TypeError(f"{name}: growth must be a number, got {growth!r}.")
    if check_scalar(name, "growth", growth) < 1:
        raise ValueError(f"{name}: growth must be at least 1, got {growth!r}.")
    cycles = _as_step(name, step) / period
    position = cycles - pt.floor(cycles) if growth == 1 else _grown(cycles, growth)
    return final + (initial - final) * _fall(position)


def _grown(cycles, growth):
    """Return the position in the cycle, 0 to 1, of a time in units of the first."""
    growth = match_dtype(growth)

    def start(index):
        return (growth**index - 1) / (growth - 1)

    index = pt.floor(pt.log1p(cycles * (growth - 1)) / pt.log(growth))
    # Rounding of the logarithms may miss a restart by one cycle either way.
    index = pt.switch(cycles >= start(index + 1), index + 1, index)
    index = pt.switch(cycles < start(index), index - 1, index)
    return (cycles - start(index)) / growth**index


def warmup_schedule(step, num_steps, schedule, initial=0.0):
    """Rise in a straight line first, then follow another schedule.

    Computes ``initial + (value - initial) * min(step / num_steps, 1)``, where the value
    is that of `schedule`.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    num_steps : positive number or scalar expression
        Steps of the rise.
    schedule : number, expression or callable
        What comes afterwards. A callable gets the steps since the rise (0 during it)
        and returns the value: ``lambda step: cosine_schedule(step, 0.1, 1000)``. A
        number is held. An expression of the same step, of its shape, is followed as it
        is and not delayed.
    initial : number or scalar expression, default 0
        The value at step 0. With zero, the first update moves nothing.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    References
    ----------
    P. Goyal, P. Dollar, R. Girshick, and others (2017), Accurate, large minibatch SGD:
    Training ImageNet in 1 hour, section 2.2, https://arxiv.org/abs/1706.02677

    Examples
    --------
    >>> from lasagne_next import updates
    >>> rate = updates.warmup_schedule([0, 5, 10, 15, 20], 10,
    ...                                lambda s: updates.cosine_schedule(s, 1.0, 10))
    >>> rate.eval(mode="FAST_COMPILE").round(4).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    name = "warmup_schedule"
    initial = _as_value(name, "initial", initial)
    length = _as_length(name, "num_steps", num_steps)
    step = _as_step(name, step)
    if callable(schedule):
        schedule = schedule(pt.maximum(step - length, 0.0))
    if not isinstance(schedule, Variable):
        check_scalar(name, "schedule", schedule)
    value = match_dtype(schedule)
    return initial + (value - initial) * pt.clip(step / length, 0.0, 1.0)


def one_cycle_schedule(step, peak, num_steps, rise=0.3, initial=None, final=None):
    """Rise to a peak and fall far below the start, both along half cosine waves.

    Parameters
    ----------
    step : number, array or expression, any shape
        Updates done so far.
    peak : number or scalar expression
        The largest value, reached at step ``rise * num_steps``.
    num_steps : positive number or scalar expression
        The step from which on the value is `final`.
    rise : number between 0 and 1, default 0.3
        The part of the steps that the rise takes, as in PyTorch.
    initial : number or scalar expression, optional
        The value at step 0, ``peak / 25`` by default, as in PyTorch.
    final : number or scalar expression, optional
        The last value, ``initial / 10000`` by default, as in PyTorch.

    Returns
    -------
    TensorVariable, shape of `step`
        Of type ``config.floatX``.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Notes
    -----
    The paper also lets the momentum fall while the rate rises: make it with another
    schedule whose peak is the smallest value, ``one_cycle_schedule(step, 0.85,
    num_steps, initial=0.95, final=0.95)``. The paper rises and falls in straight lines.

    References
    ----------
    L. N. Smith, N. Topin (2018), Super-convergence: Very fast training of neural
    networks using large learning rates, section 3, https://arxiv.org/abs/1708.07120

    Examples
    --------
    >>> from lasagne_next import updates
    >>> steps = [0, 30, 65, 100]
    >>> rate = updates.one_cycle_schedule(steps, 1.0, num_steps=100, initial=0.25)
    >>> rate.eval(mode="FAST_COMPILE").round(3).tolist()
    [0.25, 1.0, 0.5, 0.0]
    """
    name = "one_cycle_schedule"
    if isinstance(rise, Variable) or not 0 < check_scalar(name, "rise", rise) < 1:
        raise ValueError(f"{name}: rise must be between 0 and 1, got {rise!r}.")
    rise = match_dtype(rise)
    peak = _as_value(name, "peak", peak)
    initial = peak / 25 if initial is None else _as_value(name, "initial", initial)
    final = initial / 10000 if final is None else _as_value(name, "final", final)
    progress = _progress(name, step, num_steps)
    up = initial + (peak - initial) * (1 - _fall(progress / rise))
    down = final + (peak - final) * _fall((progress - rise) / (1 - rise))
    return pt.switch(progress < rise, up, down)


def _as_step(name, step):
    step = as_theano_expression(step)
    if not isinstance(step.type, TensorType) or np.dtype(step.dtype).kind not in "iuf":
        raise TypeError(f"{name}: step must be a number, got {step!r} of {step.type}.")
    return match_dtype(step)


def _as_value(name, argument, value):
    return match_dtype(check_scalar(name, argument, value))


def _as_length(name, argument, value):
    return match_dtype(check_positive(name, argument, value))


def _progress(name, step, num_steps):
    """Return the part of the steps that are done, 0 to 1."""
    length = _as_length(name, "num_steps", num_steps)
    return pt.clip(_as_step(name, step) / length, 0.0, 1.0)


def _fall(position):
    """Return half a cosine wave from 1 to 0 for positions from 0 to 1."""
    return 0.5 * (1 + pt.cos(match_dtype(np.pi) * position))
