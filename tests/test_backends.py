"""Tests of the modes of compilation."""

import importlib.util

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import backends, layers, objectives, updates

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)


def compiled_training(mode, dropout=0.0):
    """Return a training step on fixed data, and its parameters."""
    rng = np.random.default_rng(3)
    x = layers.InputLayer((None, 5))
    hidden = layers.DenseLayer(x, 7, W=rng.normal(size=(5, 7)), name="hidden")
    noisy = layers.DropoutLayer(hidden, p=dropout)
    output = layers.DenseLayer(noisy, 3, W=rng.normal(size=(7, 3)), name="output")
    loss = objectives.squared_error(layers.get_output(output), 1.0).mean()
    params = layers.get_all_params(output, trainable=True)
    rule = updates.adam(loss, params, learning_rate=0.01)
    step = pytensor.function([x.input_var], loss, updates=rule, mode=mode)
    return step, params


@needs_jax
def test_donation_changes_no_number():
    """Would catch an update that reads a value after it was overwritten."""
    x = np.random.default_rng(5).normal(size=(11, 5))
    plain, plain_params = compiled_training("JAX")
    donated, donated_params = compiled_training(backends.jax_mode())
    assert [float(plain(x)) for _ in range(4)] == [float(donated(x)) for _ in range(4)]
    for one, other in zip(plain_params, donated_params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@needs_jax
def test_donation_overwrites_what_is_updated_and_nothing_else():
    """Would catch a linker that donates nothing, or also inputs that are kept."""
    import jax

    kept = pytensor.shared(np.ones(4), name="kept")
    changed = pytensor.shared(np.ones(4), name="changed")
    step = pytensor.function(
        [], changed.sum(), updates={changed: changed + kept}, mode=backends.jax_mode()
    )
    step()
    old = changed.get_value(borrow=True, return_internal_type=True)
    fixed = kept.get_value(borrow=True, return_internal_type=True)
    step()
    assert isinstance(old, jax.Array)
    assert old.is_deleted()
    assert not getattr(fixed, "is_deleted", lambda: False)()
    np.testing.assert_array_equal(changed.get_value(), 3 * np.ones(4))


@needs_jax
def test_donation_works_with_random_state():
    """Would catch positions that are confused by an input of generator state."""
    x = np.random.default_rng(5).normal(size=(11, 5))
    step, _ = compiled_training(backends.jax_mode(), dropout=0.5)
    losses = [float(step(x)) for _ in range(3)]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 3


@needs_jax
def test_without_donation_it_is_the_mode_of_pytensor():
    """Would catch an ignored argument."""
    assert backends.jax_mode(donate=False) is pytensor.compile.mode.get_mode("JAX")


def test_missing_jax_is_said_with_the_remedy(monkeypatch):
    """Would catch an import error from deep inside PyTensor."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"jax_mode: JAX must be installed.*pip"):
        backends.jax_mode()


@needs_jax
def test_scalar_shapes_stay_static():
    """Would catch a donating linker that traces sizes."""
    n = pt.lscalar("n")
    total = pytensor.shared(np.arange(6.0))
    folded = total.reshape((n, -1))
    step = pytensor.function(
        [n], folded, updates={total: total + 1}, mode=backends.jax_mode()
    )
    assert step(3).shape == (3, 2)
    assert step(2).shape == (2, 3)
    np.testing.assert_array_equal(total.get_value(), np.arange(6.0) + 2)
