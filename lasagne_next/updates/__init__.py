"""Update rules: expressions for the new values of parameters.

A rule takes a loss (or gradients) and a list of shared variables and returns an
ordered dictionary, shared variable to new value, for the argument ``updates`` of
``pytensor.function``. Hyper-parameters are numbers, shared variables or any scalar
expressions. Dictionaries combine, and functions named ``apply_...`` extend them.

Examples
--------
A rate that warms up and falls, clipped gradients, and averages to evaluate with:

>>> import numpy as np
>>> import pytensor
>>> import pytensor.tensor as pt
>>> from lasagne_next import updates
>>> x, params = pt.vector("x"), [pytensor.shared(np.ones(3), name="W")]
>>> prediction = (params[0] * x).sum()
>>> loss = (prediction - 5) ** 2

>>> step = updates.step_counter()
>>> rate = updates.warmup_schedule(
...     step, 100, lambda s: updates.cosine_schedule(s, 0.001, num_steps=10000)
... )
>>> gradients = updates.clip_by_global_norm(loss, params, max_norm=1)
>>> train_updates = updates.adamw(gradients, params, learning_rate=rate)
>>> averages = updates.parameter_averages(params)
>>> train_updates = updates.apply_exponential_average(train_updates, averages)
>>> train_updates = updates.combine(train_updates, updates.advance(step))

>>> train = pytensor.function([x], loss, updates=train_updates, mode="FAST_COMPILE")
>>> evaluate = pytensor.function([x], prediction, givens=averages, mode="FAST_COMPILE")
>>> train([1, 2, 3]), evaluate([1, 2, 3])
(array(1.), array(6.))
"""

from lasagne_next.updates.accumulation import accumulate_gradients
from lasagne_next.updates.adaptive import adadelta, adagrad, rmsprop
from lasagne_next.updates.averaging import (
    apply_exponential_average,
    apply_polyak_average,
    parameter_averages,
    swap_values,
)
from lasagne_next.updates.base import get_or_compute_grads as get_or_compute_grads
from lasagne_next.updates.classic import (
    apply_momentum,
    apply_nesterov_momentum,
    momentum,
    nesterov_momentum,
    rprop,
    sgd,
)
from lasagne_next.updates.composition import apply_multipliers, combine
from lasagne_next.updates.constraints import (
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
    norm_constraint,
    total_norm_constraint,
)
from lasagne_next.updates.decay import adamw, lamb, lion
from lasagne_next.updates.moments import (
    adabelief,
    adam,
    adamax,
    amsgrad,
    nadam,
    radam,
)
from lasagne_next.updates.schedules import (
    advance,
    constant_schedule,
    cosine_restarts_schedule,
    cosine_schedule,
    exponential_schedule,
    one_cycle_schedule,
    piecewise_schedule,
    polynomial_schedule,
    step_counter,
    step_schedule,
    warmup_schedule,
)

__all__ = [
    "accumulate_gradients",
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "advance",
    "amsgrad",
    "apply_exponential_average",
    "apply_momentum",
    "apply_multipliers",
    "apply_nesterov_momentum",
    "apply_polyak_average",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "combine",
    "constant_schedule",
    "cosine_restarts_schedule",
    "cosine_schedule",
    "exponential_schedule",
    "lamb",
    "lion",
    "momentum",
    "nadam",
    "nesterov_momentum",
    "norm_constraint",
    "one_cycle_schedule",
    "parameter_averages",
    "piecewise_schedule",
    "polynomial_schedule",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
    "step_counter",
    "step_schedule",
    "swap_values",
    "total_norm_constraint",
    "warmup_schedule",
]
