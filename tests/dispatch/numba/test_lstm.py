"""The long short-term memory on Numba."""

import multiprocessing

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import lstm_sequence
from tests.backends import MODES, compile_on
from tests.ops.sequences import SIZES, values, with_gradients

PLAIN = {"peepholes": False, "masked": False, "backwards": False}
ALL = dict.fromkeys(PLAIN, True)
CASES = [
    pytest.param(ALL, 0.5, "float32", id="all-clipped-float32"),
    pytest.param(PLAIN, 0, "float64", id="plain-float64", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("options", "clip", "dtype"), CASES)
def test_it_computes_what_numpy_does(options, clip, dtype):
    """Catches rows and columns at the edge of a block, threads, layouts in memory."""
    graph = with_gradients(lstm_sequence, options, dtype, grad_clipping=clip)
    wanted = pytensor.function(*graph, mode=pytensor.compile.mode.Mode("py", None))
    run = compile_on(MODES["numba"], *graph)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    for size in [*SIZES, (3, 70, 40), (2, 0, 3), (0, 2, 3)]:
        arrays = values(size, options, dtype)
        arrays[1] /= np.sqrt(size[2]).astype(dtype)
        for value, other in zip(run(*arrays), wanted(*arrays), strict=True):
            assert (value.dtype, value.shape) == (np.dtype(dtype), other.shape)
            scale = abs(other).max(initial=1)
            np.testing.assert_allclose(value, other, atol=tolerance * scale)
    with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
        run(*arrays[:2], arrays[2][:, :2], *arrays[3:])
    arrays = values(SIZES[0], options, dtype)
    for index in range(4, len(arrays)):  # peepholes and mask
        with pytest.raises(ValueError, match="the sizes of the operands do not fit"):
            run(*arrays[:index], arrays[index][:, :1], *arrays[index + 1 :])


@pytest.mark.slow
def test_every_layout_runs():
    """Catches strides that are taken for those of an array without gaps."""
    time, batch, width = pt.matrix("z", dtype="float32"), 3, 12
    z = pt.repeat(time[:, None, ::-1], batch, axis=1).transpose(1, 0, 2)
    zeros = np.zeros((5, 3), "float32")
    weight = pt.matrix("weight", dtype="float32")
    hidden, _ = lstm_sequence(z[:, :, ::1], weight.T, zeros, zeros)
    gradient = pytensor.grad(hidden[:, ::-1, ::-1].sum(), time)
    run = compile_on(MODES["numba"], [time, weight], [hidden, gradient])
    python = pytensor.function(
        [time, weight], [hidden, gradient], mode=pytensor.compile.mode.Mode("py", None)
    )
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype("float32") for s in ((5, width), (width, 3))]
    for value, other in zip(run(*arrays), python(*arrays), strict=True):
        np.testing.assert_allclose(value, other, atol=1e-5)


def _states(run, arrays, line):
    line.send(run(*arrays)[0])


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")
def test_a_forked_process_computes_too():
    """Catches threads that die with the process that started them."""
    run = compile_on(MODES["numba"], *with_gradients(lstm_sequence, PLAIN, "float32"))
    arrays = values((3, 70, 40), PLAIN, "float32")
    wanted = run(*arrays)[0]
    context = multiprocessing.get_context("fork")
    near, far = context.Pipe()
    process = context.Process(target=_states, args=(run, arrays, far))
    process.start()
    assert near.poll(60)
    np.testing.assert_array_equal(near.recv(), wanted)
    process.join()
