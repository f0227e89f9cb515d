"""The package generator and the symbolic streams seeded from it."""

import subprocess
import sys

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import random
from tests.backends import compile_on

GENERATORS = {
    "Generator": np.random.default_rng,
    "RandomState": np.random.RandomState,
}


@pytest.fixture(params=GENERATORS.values(), ids=GENERATORS)
def generator(request):
    """Give a constructor of each kind of generator in turn."""
    return request.param


@pytest.mark.slow
def test_the_default_is_the_module_numpy_random():
    """Catches a private default: then numpy.random.seed would not seed the library."""
    code = (
        "import numpy, lasagne_next.random as r; assert r.get_rng() is numpy.random; "
        "r.get_rng().seed(1); print(r.draw_seed())"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    )
    assert first == second != ""


def test_get_rng_returns_what_was_set(generator):
    """Catches a copy or a wrapper, whose state would run apart from the user's."""
    rng = generator(1)
    random.set_rng(rng)
    assert random.get_rng() is rng
    random.set_rng(np.random)
    assert random.get_rng() is np.random


@pytest.mark.parametrize("wrong", [42, None, "numpy", np.random.PCG64(1)], ids=str)
def test_set_rng_refuses_what_is_no_generator(wrong):
    """Catches a seed taken for a generator, noticed only when a layer is built."""
    before = random.get_rng()
    with pytest.raises(TypeError, match=r"must be a numpy Generator.*default_rng"):
        random.set_rng(wrong)
    assert random.get_rng() is before


def test_draw_seed_consumes_one_number_in_range(generator):
    """Catches a draw of another size: layers built later would start differently."""
    random.set_rng(generator(5))
    seeds = [random.draw_seed() for _ in range(200)]
    assert all(1 <= seed < 2147462579 for seed in seeds)
    assert all(type(seed) is int for seed in seeds)
    assert len(set(seeds)) == 200
    rng = generator(5)
    draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
    assert seeds[:3] == [draw(1, 2147462579) for _ in range(3)]


def draws_of(stream, size=(2, 3)):
    return [
        stream.uniform(size, -1.0, 3.0),
        stream.normal(size, 2.0, 0.5),
        stream.bernoulli_mask(size, 0.3),
    ]


def test_one_seed_gives_one_sequence_and_two_seeds_two():
    """Catches draws that share one generator state, or ignore the seed."""
    streams = [random.RandomStream(seed) for seed in (7, 7, 8)]
    outputs = [draw for stream in streams for draw in draws_of(stream)]
    function = pytensor.function([], outputs, mode="FAST_COMPILE")
    values = function()
    for first, same in zip(values[:3], values[3:6], strict=True):
        np.testing.assert_array_equal(first, same)
    assert not np.array_equal(values[0], values[6])
    for first, second in zip(values[:2], function()[:2], strict=True):
        assert not np.array_equal(first, second)


def test_two_draws_of_one_stream_differ():
    """Catches a seed given to each draw unchanged."""
    stream = random.RandomStream(7)
    first, second = pytensor.function(
        [], [stream.uniform((5,)), stream.uniform((5,))], mode="FAST_COMPILE"
    )()
    assert not np.array_equal(first, second)


def test_drawing_emits_no_warning(recwarn):
    """Catches PyTensor's advice about updates, which a user cannot follow here."""
    draws_of(random.RandomStream(1))
    assert not recwarn.list


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_may_be_symbolic_and_the_type_is_the_one_asked_for(dtype):
    """Catches a double parameter that widens a single draw."""
    stream, one = random.RandomStream(3), pt.dscalar()
    for draw in (
        stream.uniform((2, 3), 0.0, one, dtype),
        stream.normal((2, 3), one, one, dtype),
        stream.bernoulli_mask((2, 3), one, dtype),
    ):
        assert draw.dtype == dtype
        assert draw.type.shape == (2, 3)
    assert stream.normal((2,)).dtype == pytensor.config.floatX
    assert stream.bernoulli_mask((2,), 0.5).dtype == pytensor.config.floatX


def test_a_symbolic_size_is_followed():
    """Catches a size frozen at the first value."""
    x = pt.matrix("x")
    function = pytensor.function(
        [x], draws_of(random.RandomStream(3), x.shape), mode="FAST_COMPILE"
    )
    for shape in [(2, 3), (5, 1), (0, 7)]:
        assert {draw.shape for draw in function(np.zeros(shape))} == {shape}


def test_draws_have_their_distribution_on_every_backend(backend_mode):
    """Catches swapped arguments, and a state that a backend does not advance."""
    function = compile_on(backend_mode, [], draws_of(random.RandomStream(1), (50, 999)))
    uniform, normal, mask = (np.asarray(draw) for draw in function())
    # Five standard errors of a mean over n draws.
    five = 5 / np.sqrt(50 * 999)
    assert uniform.min() >= -1
    assert uniform.max() < 3
    assert abs(uniform.mean() - 1) < five * 4 / np.sqrt(12)
    assert abs(normal.mean() - 2) < five * 0.5
    assert abs(normal.std() - 0.5) < five * 0.5
    assert set(np.unique(mask)) == {0, 1}
    assert abs(mask.mean() - 0.3) < five * np.sqrt(0.3 * 0.7)
    assert not np.array_equal(uniform, np.asarray(function()[0]))
