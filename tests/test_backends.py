"""Tests of the modes of compilation."""

import importlib.util
import re
import warnings

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import backends, layers, objectives, updates
from lasagne_next.backends import machine

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
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing that a user cannot act on
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


def told(**changes):
    """Return a report on a made-up machine, on which all is well but for `changes`."""
    well = {
        "_vector_features": {"avx", "avx2", "avx512f"},
        "_matrix_libraries": [library()],
        "_usable_cores": 2,
        "_jax_devices": ["cpu cpu"],
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (well | changes).items():
            if name.startswith("_"):
                patch.setattr(machine, name, lambda value=value: value)
        gpu = changes.get("gpu", False)
        patch.setattr(machine.shutil, "which", lambda name: name if gpu else None)
        with pytensor.config.change_flags(floatX=changes.get("floatX", "float32")):
            return backends.report()


def library(architecture="SkylakeX", num_threads=2):
    return {
        "internal_api": "openblas",
        "version": "0.3",
        "architecture": architecture,
        "num_threads": num_threads,
    }


def test_nothing_is_advised_where_all_is_well():
    """Would catch advice that a user cannot follow."""
    told_of = told()
    assert told_of.advice == ()
    assert told_of.facts["matrix products"] == "openblas 0.3 (SkylakeX), 2 threads"
    assert "512 bits" in told_of.facts["processor"]
    assert told_of.facts["cores"].startswith("2 of")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"_matrix_libraries": [library("Haswell")]}, "Haswell.*OPENBLAS_CORETYPE"),
        ({"_matrix_libraries": None}, "pip install threadpoolctl"),
        ({"_matrix_libraries": [library(num_threads=8)]}, "OMP_NUM_THREADS=2"),
        ({"_matrix_libraries": [library(num_threads=1)]}, "fewer threads than the 2"),
        ({"floatX": "float64"}, "Double precision takes twice"),
        ({"gpu": True}, r"GPU that JAX does not use.*\[cuda\]"),
        ({"gpu": True, "_jax_devices": None}, "GPU that JAX does not use"),
    ],
    ids=["kernels", "unknown", "threads", "few threads", "type", "GPU", "no JAX"],
)
def test_what_is_in_the_way_is_said(changes, says):
    """Would catch a comparison the wrong way round, and advice without a remedy."""
    (advice,) = told(**changes).advice
    assert re.search(says, advice)
    assert advice in str(told(**changes))


def test_narrow_kernels_are_right_on_a_narrow_processor():
    """Would catch advice that makes a program crash."""
    narrow = {"_vector_features": {"avx2", "avx"}}
    assert not told(**narrow, _matrix_libraries=[library("Haswell")]).advice


def test_a_used_gpu_and_slow_modes_are_noticed():
    """Would catch advice to install what is there, and silence on a slow default."""
    assert not told(gpu=True, _jax_devices=["gpu H100"]).advice
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        (advice,) = told().advice
    assert 'pytensor.config.mode = "NUMBA"' in advice
