"""Running averages of parameters, to evaluate with in place of the last values."""

from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next.updates.base import (
    check_params,
    check_scalar,
    make_counter,
    new_value,
)
from lasagne_next.utils import match_dtype

__all__ = [
    "apply_exponential_average",
    "apply_polyak_average",
    "parameter_averages",
    "swap_values",
]


def parameter_averages(params):
    """Make a variable for the average of each parameter, starting at its value.

    Parameters
    ----------
    params : iterable of shared variables
        What is averaged, of any shapes.

    Returns
    -------
    OrderedDict
        Parameter to the shared variable of its average, of its shape and type and
        named ``<name of parameter>.average``. It is what ``givens`` of
        ``pytensor.function`` takes to evaluate with averages.

    Raises
    ------
    ValueError, TypeError
        If `params` are not distinct shared variables of floating type.

    Examples
    --------
    Train and average, then evaluate with the averages:

    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> averages = updates.parameter_averages([W])
    >>> step = updates.sgd((W**2).sum(), [W], learning_rate=0.25)
    >>> step = updates.apply_polyak_average(step, averages)
    >>> train = pytensor.function([], [], updates=step, mode="FAST_COMPILE")
    >>> evaluate = pytensor.function([], W, givens=averages, mode="FAST_COMPILE")
    >>> train(), train(), evaluate().tolist()
    ([], [], [0.375, 0.75])
    """
    averages = OrderedDict()
    for param in check_params("parameter_averages", params):
        averages[param] = pytensor.shared(
            np.array(param.get_value(borrow=True)),
            name=f"{param.name}.average" if param.name else None,
            shape=param.type.shape,
        )
    return averages


def apply_polyak_average(updates, averages, start=0):
    """Average the values of parameters after all steps alike.

    At call t after the first `start`, computes ``a + (p' - a) / t`` for each average a
    of a parameter with new value p' in `updates`.

    Parameters
    ----------
    updates : dict of shared variable to expression
        What a rule returned; it is copied, not changed.
    averages : dict of shared variable to shared variable
        From :func:`parameter_averages`.
    start : number or scalar expression, default 0
        Calls to wait for before averaging; until then the average follows the
        parameter. Averaging only the last part forgets the way there.

    Returns
    -------
    OrderedDict
        All of `updates`, then the averages, of the shapes of their parameters, then a
        counter.

    Raises
    ------
    KeyError
        If `updates` has no entry for a parameter.
    ValueError, TypeError
        If `averages` or `start` are not as described.

    References
    ----------
    B. T. Polyak, A. B. Juditsky (1992), Acceleration of stochastic approximation by
    averaging, equation 2, https://doi.org/10.1137/0330046

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> step = updates.sgd((W**2).sum(), [W], learning_rate=0.25)
    >>> list(updates.apply_polyak_average(step, updates.parameter_averages([W])))
    [W, W.average, polyak_average.t]
    """
    name = "apply_polyak_average"
    check_scalar(name, "start", start)

    def share(t):
        one = match_dtype(1, t.dtype)
        return one / pt.maximum(t - match_dtype(start, t.dtype), one)

    return _apply_average(name, updates, averages, share, "polyak_average.t")


def apply_exponential_average(updates, averages, decay=0.999, debias=True):
    """Average the values of parameters, the latest most.

    At call t, computes ``a + w * (p' - a)`` for each average a of a parameter with new
    value p' in `updates`, where w is ``(1 - decay) / (1 - decay**t)``.

    Parameters
    ----------
    updates : dict of shared variable to expression
        What a rule returned; it is copied, not changed.
    averages : dict of shared variable to shared variable
        From :func:`parameter_averages`.
    decay : number or scalar expression, default 0.999
        The share of the average that is kept at each call; about 1 / (1 - decay) calls
        are averaged.
    debias : bool, default True
        Whether the first calls weigh more so that the start values count nothing.
        Otherwise w is 1 - decay.

    Returns
    -------
    OrderedDict
        All of `updates`, then the averages, of the shapes of their parameters, then a
        counter where `debias`.

    Raises
    ------
    KeyError
        If `updates` has no entry for a parameter.
    ValueError, TypeError
        If `averages` or `decay` are not as described.

    Notes
    -----
    The average is kept corrected. Elsewhere a biased average is kept and divided by
    ``1 - decay**t`` when it is read, with the same result for a constant `decay`.

    References
    ----------
    D. P. Kingma, J. Ba (2015), Adam: A method for stochastic optimization, section 7.2,
    https://arxiv.org/abs/1412.6980

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> step = updates.sgd((W**2).sum(), [W], learning_rate=0.25)
    >>> averages = updates.parameter_averages([W])
    >>> step = updates.apply_exponential_average(step, averages, 0.9, debias=False)
    >>> step[averages[W]].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.95, 1.9]
    """
    name = "apply_exponential_average"
    check_scalar(name, "decay", decay)
    if not debias:
        return _apply_average(name, updates, averages, lambda _: 1 - decay)

    def share(t):
        kept = match_dtype(decay, t.dtype)
        return (1 - kept) / (1 - kept**t)

    return _apply_average(name, updates, averages, share, "exponential_average.t")


def _apply_average(name, updates, averages, share, counter=None):
    updates = OrderedDict(updates)
    params = check_params(name, averages, "keys of averages")
    check_params(name, averages.values(), "values of averages")
    count = make_counter(counter, params)
    fresh = share(count + 1)
    for param in params:
        target = new_value(name, updates, param)
        average = averages[param]
        if average in updates:
            raise ValueError(
                f"{name}: an average must have one new value, got a second one for "
                f"{average!r}. Make other variables with parameter_averages."
            )
        weight = match_dtype(fresh, param.dtype)
        updates[average] = average + weight * (target - average)
    if counter:
        updates[count] = count + 1
    return updates


def swap_values(averages):
    """Exchange the values of parameters and averages; a second call undoes it.

    All values are read before any is written, and nothing is copied.

    Parameters
    ----------
    averages : dict of shared variable to shared variable
        From :func:`parameter_averages`.

    Raises
    ------
    ValueError, TypeError
        If keys or values are not shared variables, or the types of a pair differ.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]))
    >>> averages = updates.parameter_averages([W])
    >>> averages[W].set_value(np.array([3.0, 4.0]))
    >>> updates.swap_values(averages)
    >>> W.get_value().tolist()
    [3.0, 4.0]
    """
    name = "swap_values"
    pairs = list(
        zip(
            check_params(name, averages, "keys of averages"),
            check_params(name, averages.values(), "values of averages"),
            strict=True,
        )
    )
    for param, average in pairs:
        if param.type != average.type:
            raise ValueError(
                f"{name}: an average must be of the type of its parameter "
                f"{param.type}, got {average!r} of type {average.type}."
            )
    values = [[v.get_value(borrow=True) for v in pair] for pair in pairs]
    for (param, average), (old, new) in zip(pairs, values, strict=True):
        param.set_value(new, borrow=True)
        average.set_value(old, borrow=True)
