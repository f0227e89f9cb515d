"""Averages of parameters against their definitions, and their use."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates
from tests.backends import compile_on


def make_params(dtype="float64"):
    return [
        pytensor.shared(np.asarray(value, dtype), name=name, shape=np.shape(value))
        for name, value in [("A", [[1.0, 2.0, 3.0]]), ("b", 5.0)]
    ]


def trajectory(extend, num_steps=7, dtype="float64"):
    """Return values and averages of two parameters after each of some steps."""
    params = make_params(dtype)
    averages = updates.parameter_averages(params)
    shift = pt.scalar(dtype=dtype)
    step = updates.sgd([p.ones_like() * shift for p in params], params, 1.0)
    made = extend(step, averages)
    assert list(made)[:4] == [*params, *averages.values()]
    assert all(v.type.is_super(new.type) for v, new in made.items())
    train = compile_on("FAST_COMPILE", [shift], [], updates=made)
    history = []
    for i in range(num_steps):
        train(np.asarray(np.sin(i), dtype))
        history.append([(p.get_value(), averages[p].get_value()) for p in params])
    return history


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_polyak_average_is_the_mean_of_all_values(dtype, start):
    """The value before the step averaged, or the start value counted."""
    history = trajectory(
        lambda step, a: updates.apply_polyak_average(step, a, start), dtype=dtype
    )
    rtol = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for t in range(1, 8):
        for i in range(2):
            values = [each[i][0].astype("float64") for each in history[:t]]
            wanted = np.mean(values[start:], axis=0) if t > start else values[-1]
            np.testing.assert_allclose(history[t - 1][i][1], wanted, rtol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exponential_average_weighs_by_age(dtype):
    """The correction applied twice or at the wrong count."""
    history = trajectory(
        lambda step, a: updates.apply_exponential_average(step, a, 0.8), dtype=dtype
    )
    rtol = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for t in range(1, 8):
        weights = 0.8 ** np.arange(t)[::-1]
        for i in range(2):
            values = np.array([each[i][0].astype("float64") for each in history[:t]])
            wanted = np.tensordot(weights / weights.sum(), values, 1)
            np.testing.assert_allclose(history[t - 1][i][1], wanted, rtol)


def test_exponential_average_without_correction_starts_at_the_parameter():
    """A start at zero, which biases the average."""
    history = trajectory(
        lambda step, a: updates.apply_exponential_average(
            step, a, pytensor.shared(np.float32(0.75)), debias=False
        )
    )
    for i, param in enumerate(make_params()):
        wanted = param.get_value()
        for each in history:
            wanted = 0.75 * wanted + 0.25 * each[i][0]
            np.testing.assert_allclose(each[i][1], wanted, rtol=1e-12)


def test_averages_look_like_their_parameters():
    """Storage shared with the parameter; type or name lost."""
    params = [*make_params("float32"), pytensor.shared(np.ones(2))]
    averages = updates.parameter_averages(params)
    assert [a.type for a in averages.values()] == [p.type for p in params]
    assert [a.name for a in averages.values()] == ["A.average", "b.average", None]
    params[0].set_value(np.zeros((1, 3), "float32"))
    assert averages[params[0]].get_value().tolist() == [[1.0, 2.0, 3.0]]


def test_averages_serve_as_givens():
    """A dictionary the wrong way round."""
    A, b = make_params()
    averages = updates.parameter_averages([A, b])
    averages[A].set_value(np.array([[7.0, 8.0, 9.0]]))
    evaluate = compile_on("FAST_COMPILE", [], A * b, givens=averages)
    assert evaluate().tolist() == [[35.0, 40.0, 45.0]]


def test_swapping_twice_restores_all_values():
    """One of the two values written over before it is read."""
    A, b = make_params()
    averages = updates.parameter_averages([A, b])
    averages[A].set_value(np.array([[7.0, 8.0, 9.0]]))
    updates.swap_values(averages)
    assert A.get_value().tolist() == [[7.0, 8.0, 9.0]]
    assert averages[A].get_value().tolist() == [[1.0, 2.0, 3.0]]
    updates.swap_values(averages)
    assert A.get_value().tolist() == [[1.0, 2.0, 3.0]]
    assert averages[A].get_value().tolist() == [[7.0, 8.0, 9.0]]


def test_swapping_works_between_updates_in_place():
    """An array that two variables hold afterwards, changed for both by an update."""
    A, b = make_params()
    averages = updates.parameter_averages([A, b])
    step = updates.sgd(A.sum() + b, [A, b], 1.0)
    train = compile_on("FAST_RUN", [], [], updates=step)
    train()
    updates.swap_values(averages)
    train()
    updates.swap_values(averages)
    assert A.get_value().tolist() == [[0.0, 1.0, 2.0]]
    assert averages[A].get_value().tolist() == [[0.0, 1.0, 2.0]]


def test_swapping_refuses_other_types_before_it_writes():
    """Half of the values swapped when an error comes."""
    A, b = make_params()
    single = pytensor.shared(np.float32(0))
    averages = {A: updates.parameter_averages([A])[A], b: single}
    averages[A].set_value(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"swap_values: .*float64.* of type .*float32"):
        updates.swap_values(averages)
    assert A.get_value().any()


@pytest.mark.parametrize("name", ["apply_polyak_average", "apply_exponential_average"])
def test_averages_must_fit_the_updates(name):
    """An average of a parameter that does not move, or one variable updated twice."""
    A, b = make_params()
    apply = getattr(updates, name)
    step = updates.sgd(A.sum(), [A], 1.0)
    with pytest.raises(KeyError, match=f"{name}: .*got none for b"):
        apply(step, updates.parameter_averages([b]))
    averages = updates.parameter_averages([A])
    with pytest.raises(ValueError, match=f"{name}: .* second one for A.average"):
        apply(apply(step, averages), averages)
    with pytest.raises(ValueError, match=f"{name}: values of averages must contain"):
        apply(step, {A: A * 2})
    with pytest.raises(ValueError, match="keys of averages must contain"):
        apply(step, {pt.vector(): A})


def test_hyperparameters_of_averages_are_scalars():
    """A vector of decays broadcast over a parameter."""
    A, _ = make_params()
    step, averages = updates.sgd(A.sum(), [A], 1.0), updates.parameter_averages([A])
    with pytest.raises(TypeError, match="apply_exponential_average: decay must be"):
        updates.apply_exponential_average(step, averages, decay="slow")
    with pytest.raises(TypeError, match="apply_polyak_average: start must be"):
        updates.apply_polyak_average(step, averages, start=None)
