"""Schedules against plain Python, as expressions of any kind of step."""

import math
from functools import partial

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates
from tests.backends import MODES, compile_on
from tests.updates.graphs import tensor_types


def fall(x):
    return (1 + math.cos(math.pi * min(max(x, 0.0), 1.0))) / 2


def restarts(t, period, growth):
    while t >= period:
        t, period = t - period, period * growth
    return 0.1 + 0.9 * fall(t / period)


def one_cycle(t):
    if t < 15:
        return 0.2 + 0.8 * (1 - fall(t / 15))
    return 0.05 + 0.95 * fall((t - 15) / 35)


# Arguments after the step, and the value at step t.
CASES = {
    "constant": (updates.constant_schedule, [0.3], lambda t: 0.3),
    "step": (updates.step_schedule, [0.8, 0.5, 7], lambda t: 0.8 * 0.5 ** (t // 7)),
    "piecewise": (
        updates.piecewise_schedule,
        [[5, 11], [0.1, 0.2, 0.3]],
        lambda t: 0.1 if t < 5 else 0.2 if t < 11 else 0.3,
    ),
    "one value": (updates.piecewise_schedule, [[], [0.7]], lambda t: 0.7),
    "exponential": (
        updates.exponential_schedule,
        [0.8, 0.5, 7],
        lambda t: 0.8 * 0.5 ** (t / 7),
    ),
    "polynomial": (
        updates.polynomial_schedule,
        [1.0, 40, 0.1, 3],
        lambda t: 0.1 + 0.9 * (1 - min(t / 40, 1)) ** 3,
    ),
    "cosine": (
        updates.cosine_schedule,
        [1.0, 40, 0.1],
        lambda t: 0.1 + 0.9 * fall(t / 40),
    ),
    "restarts": (
        updates.cosine_restarts_schedule,
        [1.0, 7, 1, 0.1],
        lambda t: restarts(t, 7, 1),
    ),
    "growing restarts": (
        updates.cosine_restarts_schedule,
        [1.0, 3, 2, 0.1],
        lambda t: restarts(t, 3, 2),
    ),
    "restarts growing by a half": (
        updates.cosine_restarts_schedule,
        [1.0, 4, 1.5, 0.1],
        lambda t: restarts(t, 4, 1.5),
    ),
    "warm-up": (
        updates.warmup_schedule,
        [9, lambda s: updates.cosine_schedule(s, 1.0, 40), 0.1],
        lambda t: 0.1 + 0.9 * t / 9 if t < 9 else fall((t - 9) / 40),
    ),
    "warm-up to a number": (
        updates.warmup_schedule,
        [9, 0.5],
        lambda t: 0.5 * min(t / 9, 1),
    ),
    "one cycle": (
        updates.one_cycle_schedule,
        [1.0, 50, 0.3, 0.2, 0.05],
        one_cycle,
    ),
}
STEPS = list(range(60))


def as_step(kind, floatX):
    """Return a step of some kind and the inputs that the function needs."""
    if kind == "vector":
        step = pt.lvector()
        return step, [step]
    if kind == "float":
        step = pt.vector(dtype=floatX)
        return step, [step]
    return pt.as_tensor(STEPS), []


@pytest.mark.parametrize("kind", ["vector", "float", "constant"])
@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_schedules_have_their_definitions_values(floatX, kind):
    """A step too early or late, integer division, double precision."""
    with pytensor.config.change_flags(floatX=floatX):
        step, inputs = as_step(kind, floatX)
        outputs = [make(step, *arguments) for make, arguments, _ in CASES.values()]
        assert {output.dtype for output in outputs} == {floatX}
        compute = compile_on("FAST_COMPILE", inputs, outputs)
        values = compute(*[np.array(STEPS, v.dtype) for v in inputs])
        if floatX == "float32":
            assert not [t for t in tensor_types(compute) if t.dtype == "float64"]
    for (name, (_, _, wanted)), got in zip(CASES.items(), values, strict=True):
        np.testing.assert_allclose(
            got,
            [wanted(t) for t in STEPS],
            # Absolute too: cosine waves end at a difference of two ones.
            rtol={"float32": 3e-6, "float64": 1e-12}[floatX],
            atol={"float32": 1e-6, "float64": 1e-12}[floatX],
            err_msg=name,
        )


def test_growing_restarts_fall_on_the_step_for_a_million_steps():
    """A logarithm that rounds below the whole number at a restart."""
    with pytensor.config.change_flags(floatX="float32"):
        starts = np.array([10 * (2**i - 1) for i in range(17)])
        step = pt.lvector()
        rate = updates.cosine_restarts_schedule(step, 1.0, 10, growth=2)
        compute = compile_on("FAST_COMPILE", [step], rate)
    np.testing.assert_array_equal(compute(starts), 1.0)
    assert compute(starts[1:] - 1).max() < 0.1


def test_schedules_take_symbolic_arguments(floatX64):
    """Arguments that must be numbers although nothing requires it."""
    n, value = pt.lscalar(), pt.scalar(dtype="float64")
    makers = [
        partial(updates.constant_schedule, value=value),
        partial(updates.step_schedule, initial=value, factor=value, every=n),
        partial(updates.piecewise_schedule, boundaries=[n], values=[1.0, value]),
        partial(updates.exponential_schedule, initial=1.0, factor=value, every=n),
        partial(updates.polynomial_schedule, initial=value, num_steps=n, power=value),
        partial(updates.cosine_schedule, initial=value, num_steps=n),
        partial(updates.cosine_restarts_schedule, initial=value, period=n),
        partial(updates.warmup_schedule, num_steps=n, schedule=value),
        partial(updates.one_cycle_schedule, peak=value, num_steps=n),
    ]
    outputs = [make(n) for make in makers]
    assert {output.type for output in outputs} == {value.type}
    compute = compile_on("FAST_COMPILE", [n, value], outputs)
    wanted = [0.5, 0.25, 0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.5 / 25 / 10000]
    np.testing.assert_allclose(compute(8, 0.5), wanted, atol=1e-12)


def test_one_cycle_defaults_are_those_of_pytorch(floatX64):
    """Other divisors of the peak."""
    rate = updates.one_cycle_schedule(np.array([0, 30, 100]), 1.0, 100)
    got = rate.eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(got, [1 / 25, 1.0, 1 / 250000], rtol=1e-12)


def test_warmup_follows_an_expression_of_the_same_step():
    """An expression delayed, or an error for what is no callable."""
    step = np.array([0, 2, 4, 8])
    rate = updates.warmup_schedule(step, 4, updates.step_schedule(step, 1.0, 0.5, 4))
    assert rate.eval(mode="FAST_COMPILE").tolist() == [0.0, 0.5, 0.5, 0.25]


def test_a_counter_drives_a_schedule_through_its_own_entry():
    """A counter read after it is advanced, or advanced without being asked."""
    A, step = pytensor.shared(np.float32(0)), updates.step_counter()
    rate = updates.piecewise_schedule(step, [1, 2], [1.0, 10.0, 100.0])
    made = updates.sgd(A * 1, [A], rate)
    frozen = compile_on("FAST_COMPILE", [], [], updates=made)
    train = compile_on(
        "FAST_COMPILE", [], [], updates=updates.combine(made, updates.advance(step))
    )
    seen = []
    for function in (frozen, train, train, frozen):
        function()
        seen.append(float(-A.get_value()))
    assert seen == [1.0, 2.0, 12.0, 112.0]
    assert step.get_value().dtype == "int64"


def test_counters_start_and_advance_as_told():
    """Start or stride ignored, or the type changed by the stride."""
    step = updates.step_counter(start=np.int32(5), name="epoch")
    new = updates.advance(step, by=pt.lscalar())[step]
    assert (step.name, int(step.get_value()), step.dtype) == ("epoch", 5, "int64")
    assert new.dtype == "int64"
    assert updates.advance(step, by=3)[step].eval(mode="FAST_COMPILE") == 8


@pytest.mark.parametrize("backend", sorted(MODES))
def test_a_whole_training_step_gives_the_same_numbers_on_every_backend(backend):
    """Schedule, clipping, averages, multipliers and accumulation without dispatch."""
    A = pytensor.shared(np.float32([1, 2, 3, 4, 5]), name="A", shape=(5,))
    averages, step = updates.parameter_averages([A]), updates.step_counter()
    rate = updates.warmup_schedule(
        step, 2, lambda s: updates.one_cycle_schedule(s, 0.1, 9), initial=0.01
    )

    def rule(gradients, params):
        clipped = updates.clip_by_global_norm(gradients, params, 1.5)
        made = updates.momentum(clipped, params, rate)
        made = updates.apply_multipliers(made, {A: 0.5})
        made = updates.apply_exponential_average(made, averages, 0.9)
        return updates.combine(made, updates.advance(step))

    made = updates.accumulate_gradients((A**2).sum(), [A], 2, rule)
    train = compile_on(MODES[backend], [], [], updates=made)
    for _ in range(12):
        train()
    # The loss does not change between two calls, so six updates with its gradient.
    value, velocity, seen = np.arange(1.0, 6.0), 0.0, []
    for t in range(6):
        s = max(t - 2, 0)
        rising = 0.004 + 0.096 * (1 - fall(s / 2.7))
        falling = 4e-7 + (0.1 - 4e-7) * fall((s - 2.7) / 6.3)
        now = 0.01 + ((rising if s < 2.7 else falling) - 0.01) * min(t / 2, 1)
        gradient = 2 * value * 1.5 / np.linalg.norm(2 * value)
        velocity = 0.9 * velocity - now * gradient
        # The velocity is what the rule computed, before the multiplier.
        value = value + 0.5 * velocity
        seen.append(value)
    weights = 0.9 ** np.arange(6)[::-1]
    average = np.tensordot(weights / weights.sum(), np.array(seen), 1)
    assert np.asarray(A.get_value()).dtype == "float32"
    np.testing.assert_allclose(A.get_value(), value, rtol=1e-5)
    np.testing.assert_allclose(averages[A].get_value(), average, rtol=1e-5)
    assert step.get_value() == 6


ERRORS = {
    "step counter": (
        lambda: updates.step_counter(0.5),
        TypeError,
        "step_counter: start must be an integer, got 0.5",
    ),
    "advance float": (
        lambda: updates.advance(pytensor.shared(0.0, name="t")),
        TypeError,
        "advance: counter must be a shared integer scalar, got t",
    ),
    "advance input": (
        lambda: updates.advance(pt.lscalar("n")),
        TypeError,
        "advance: counter must be .* got n",
    ),
    "step": (
        lambda: updates.cosine_schedule(pt.scalar(dtype="complex64"), 1, 2),
        TypeError,
        "cosine_schedule: step must be a number",
    ),
    "value": (
        lambda: updates.constant_schedule(0, pt.vector()),
        ValueError,
        "constant_schedule: value must be .* with 1 axes",
    ),
    "length": (
        lambda: updates.cosine_schedule(0, 0.1, 0),
        ValueError,
        "cosine_schedule: num_steps must be positive, got 0",
    ),
    "every": (
        lambda: updates.step_schedule(0, 0.1, 0.5, -1),
        ValueError,
        "step_schedule: every must be positive, got -1",
    ),
    "count of values": (
        lambda: updates.piecewise_schedule(0, [1, 2], [0.1, 0.2]),
        ValueError,
        "one more than boundaries, got 2 values for 2 boundaries",
    ),
    "order": (
        lambda: updates.piecewise_schedule(0, [2, 2], [0.1, 0.2, 0.3]),
        ValueError,
        r"boundaries must increase, got \[2, 2\]",
    ),
    "growth": (
        lambda: updates.cosine_restarts_schedule(0, 0.1, 5, growth=0.5),
        ValueError,
        "growth must be at least 1, got 0.5",
    ),
    "symbolic growth": (
        lambda: updates.cosine_restarts_schedule(0, 0.1, 5, growth=pt.scalar("r")),
        TypeError,
        "growth must be a number, got r",
    ),
    "rise": (
        lambda: updates.one_cycle_schedule(0, 0.1, 5, rise=1),
        ValueError,
        "rise must be between 0 and 1, got 1",
    ),
    "symbolic rise": (
        lambda: updates.one_cycle_schedule(0, 0.1, 5, rise=pt.scalar("r")),
        ValueError,
        "rise must be between 0 and 1, got r",
    ),
    "schedule": (
        lambda: updates.warmup_schedule(0, 5, "cosine"),
        TypeError,
        "warmup_schedule: schedule must be a real number .* got 'cosine'",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_schedules_refuse(case):
    """A silent constant, or an error that does not name the argument."""
    call, error, match = ERRORS[case]
    with pytest.raises(error, match=match):
        call()
