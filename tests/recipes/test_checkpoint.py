"""Continuing a training that was interrupted."""

import os

import numpy as np
import pytensor
import pytest

from recipes.checkpoint import Checkpoint
from recipes.command import RecipeError
from recipes.training import steps


def walk(path, resume=False, stop=None):
    """Walk at random for 1200 steps, or until `stop`; return the place."""
    w, rng = pytensor.shared(np.zeros(3), shape=(3,)), np.random.default_rng(1)

    def step():
        if stop is not None and stop.pop(0):
            raise KeyboardInterrupt
        w.set_value(w.get_value() + rng.normal(size=3))
        return [0.0]

    steps(step, 1200, checkpoint=Checkpoint(path, [w], rng, resume))
    return w.get_value()


def test_a_continued_run_ends_where_an_uninterrupted_one_does(tmp_path):
    """Catches a forgotten generator, and steps that are taken twice."""
    path = tmp_path / "state.npz"
    whole = walk(path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyboardInterrupt):
        walk(path, stop=[False] * 700 + [True])
    assert os.listdir(tmp_path) == ["state.npz"]
    np.testing.assert_array_equal(walk(path, resume=True), whole)
    assert os.listdir(tmp_path) == []


def test_without_the_flag_a_run_begins_anew(tmp_path):
    """Catches old states that come back unasked."""
    path = tmp_path / "state.npz"
    w, rng = pytensor.shared(np.ones(2), shape=(2,)), np.random.default_rng(2)
    Checkpoint(path, [w], rng).save(500)
    assert Checkpoint(path, [w], rng).start() == 0
    assert Checkpoint(tmp_path / "none.npz", [w], rng, resume=True).start() == 0


@pytest.mark.parametrize("kind", ["shape", "number", "no archive"])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, kind):
    """Catches half a state loaded, and a traceback."""
    path, rng = tmp_path / "state.npz", np.random.default_rng(3)
    w = pytensor.shared(np.ones(2), shape=(2,))
    others = {"shape": [pytensor.shared(np.ones(5))], "number": [w, w]}
    Checkpoint(path, others.get(kind, [w]), rng).save(1)
    if kind == "no archive":
        path.write_bytes(b"nothing")
    w.set_value(np.zeros(2))
    with pytest.raises(RecipeError, match=r"--resume: .*state\.npz' must be"):
        Checkpoint(path, [w], rng, resume=True).start()
    np.testing.assert_array_equal(w.get_value(), np.zeros(2))
