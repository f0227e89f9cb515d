"""Every rule with hyper-parameters that differ from all defaults, and its reference."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import updates
from tests.reference import updates as reference

ADAM = {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.995, "epsilon": 1e-3}

HYPER = {
    "sgd": {"learning_rate": 0.3},
    "momentum": {"learning_rate": 0.2, "momentum": 0.7},
    "nesterov_momentum": {"learning_rate": 0.2, "momentum": 0.7},
    "adagrad": {"learning_rate": 0.3, "epsilon": 1e-3},
    "rmsprop": {"learning_rate": 0.03, "rho": 0.8, "epsilon": 1e-3},
    "adadelta": {"learning_rate": 0.7, "rho": 0.8, "epsilon": 1e-3},
    "adam": ADAM,
    "adamax": ADAM,
    "amsgrad": ADAM,
    "nadam": ADAM | {"momentum_decay": 0.3},
    "radam": ADAM,
    "adabelief": ADAM,
    "adamw": ADAM | {"weight_decay": 0.2},
    "lion": {
        "learning_rate": 0.02,
        "beta1": 0.8,
        "beta2": 0.95,
        "weight_decay": 0.2,
    },
    "lamb": ADAM | {"weight_decay": 0.2},
    "rprop": {
        "learning_rate": 0.02,
        "eta_minus": 0.4,
        "eta_plus": 1.5,
        "min_step": 0.015,
        "max_step": 0.06,
    },
}

RULES = {name: getattr(updates, name) for name in HYPER}
REFERENCES = {name: getattr(reference, name) for name in HYPER}

# An axis of length 1, a vector and a scalar; different sizes throughout.
SHAPES = [(1, 3), (5,), ()]
NUM_STEPS = 12


def start_values(dtype):
    """Return one array for each shape, the same for every type."""
    generator = np.random.default_rng(20)
    return [np.asarray(generator.normal(size=shape), dtype) for shape in SHAPES]


def shared_params(dtype, select=slice(None)):
    """Return parameters a, b, c of the static shapes above, or some of them."""
    return [
        pytensor.shared(value, name=name, shape=value.shape)
        for name, value in zip("abc", start_values(dtype), strict=True)
    ][select]


def gradient_inputs(dtype, select=slice(None)):
    """Return a symbolic gradient for each of these parameters."""
    return [pt.tensor(dtype=dtype, shape=shape) for shape in SHAPES[select]]


def gradient_values(dtype):
    """Return the gradients of all parameters at each step; some entries are zero."""
    generator = np.random.default_rng(21)
    steps = []
    for _ in range(NUM_STEPS):
        gradients = [generator.normal(size=shape) for shape in SHAPES]
        gradients[1][2] = 0.0
        steps.append([np.asarray(g, dtype) for g in gradients])
    return steps


def expected_values(name):
    """Return the reference's values: a list over steps of one array a parameter."""
    steps = gradient_values("float64")
    series = [
        REFERENCES[name](p, [step[i] for step in steps], **HYPER[name])
        for i, p in enumerate(start_values("float64"))
    ]
    return list(zip(*series, strict=True))
