"""Convolutions on Numba."""

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from lasagne_next.ops import (
    Convolution,
    FilterGradient,
    TransposedConvolution,
    convolve,
)
from tests.backends import MODES, compile_on
from tests.ops.convolutions import CASES, Case, check_on

# What small sizes do not reach: several panels, chunks, tasks and threads.
LARGE = [
    Case((3, 150, 11, 9), (21, 150, 3, 3), (1, 1), ((1, 1),) * 2, (1, 1), 1, True),
    Case((2, 5, 3001), (18, 5, 2), (1,), ((700, 0),), (700,), 1, False),
    Case((40, 3, 21, 19), (7, 3, 5, 4), (2, 3), ((2, 2), (0, 1)), (1, 1), 1, True),
    Case((3, 22, 31, 33), (22, 1, 3, 3), (1, 1), ((1, 1),) * 2, (1, 1), 22, False),
    Case(
        (2, 3, 9, 40, 17), (11, 3, 3, 2, 3), (2, 1, 1), ((1, 0),) * 3, (1, 2, 1), 1, 1
    ),
    Case((5, 70, 14, 14), (33, 70, 1, 1), (1, 1), ((0, 0),) * 2, (1, 1), 1, True),
]


@pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)]
)
def test_products_are_those_of_the_definition(dtype):
    """Catches another padding, flip, group or type than those of the numpy version."""
    check_on(
        MODES["numba"], CASES[1::20] if dtype == "float64" else CASES[12:13], dtype
    )


def test_views_and_unknown_sizes_are_taken():
    """Catches memory that is read as if it lay in one piece."""
    x, W = (pt.tensor4(name, dtype="float64") for name in "xW")
    y = convolve(x, W, stride=(1, 2))
    outputs = [y, *pytensor.grad(pt.sqr(y).sum(), [x, W])]
    function = compile_on(MODES["numba"], [x, W], outputs)
    check = pytensor.function([x, W], outputs, mode="FAST_COMPILE")
    rng = np.random.default_rng(1)
    image, weights = rng.normal(size=(8, 6, 7, 2)), rng.normal(size=(5, 4, 3, 3))
    for x_value, W_value in (
        (image.T, weights[:, :, ::-1][:, 1:].transpose(0, 2, 3, 1)[:, :, :, :2]),
        (image.transpose(1, 3, 0, 2)[::-1, :, ::2], weights.T[:, 1:, ::-1, ::-1]),
        (image.T[:0, :2], np.broadcast_to(weights[:1, :2], (4, 2, 3, 3))),
    ):
        if x_value.shape[1] != W_value.shape[1]:
            x_value = np.repeat(x_value, 2, axis=1)[:, : W_value.shape[1]]
        results = zip(function(x_value, W_value), check(x_value, W_value), strict=True)
        for value, wanted in results:
            np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-9)


def test_misfits_are_refused():
    """Catches windows beyond the end of the input."""
    x, W = (pt.tensor3(name, dtype="float64") for name in "xW")
    function = compile_on(MODES["numba"], [x, W], convolve(x, W))
    with pytest.raises(ValueError, match="the filters do not fit into the input"):
        function(np.ones((1, 2, 3)), np.ones((1, 2, 4)))
    with pytest.raises(ValueError, match="batch, channels or filters do not fit"):
        function(np.ones((1, 2, 3)), np.ones((1, 3, 3)))


def test_it_runs_without_rewrites():
    """Catches an operation that is known only after some rewrite has met it."""
    x = pt.tensor("x", shape=(1, 2, 3), dtype="float64")
    function = pytensor.function(
        [x], convolve(x, np.ones((1, 2, 3))), mode=Mode(linker="numba", optimizer=None)
    )
    np.testing.assert_allclose(function(np.ones((1, 2, 3))), [[[6.0]]])


def kernels_on(dtype):
    """Return the kernels as functions of a case and of the three arrays."""
    # Imported when used, as the library does.
    from lasagne_next.dispatch.numba import convolution as dispatch

    filters, outputs = dispatch._kernels(dtype)

    @numba.njit
    def run(to_filters, table):
        if to_filters:
            outputs(table)
        else:
            filters(table)

    def call(case, x, W, y, transposed=False, to_filters=False):
        stride, pad, _, dilation = dispatch._geometry(case)
        shapes = [
            (*each.shape[:2], *dispatch._wide(each.shape[2:], 1)) for each in (x, W, y)
        ]
        table = np.zeros(dispatch.LENGTH, np.intp)
        table[:3] = [each.ctypes.data for each in (x, W, y)]
        table[3:7] = x.shape[0], case.num_groups, case.flip_filters, transposed
        table[7:9] = W.shape[1], W.shape[0] // case.num_groups
        table[9:27] = [
            *shapes[0][2:], *shapes[2][2:], *shapes[1][2:], *stride, *pad, *dilation
        ]  # fmt: skip
        run(to_filters, table.ctypes.data)

    return call


def products(call, case, arrays):
    """Return all three products, in memory full of what is no number."""
    x, W, y = arrays
    results = [np.full_like(each, np.nan) for each in (y, x)] + [np.zeros_like(W)]
    call(case, x, W, results[0])
    call(case, results[1], W, y, transposed=True)
    call(case, x, results[2], y, to_filters=True)
    return results


def perform(case, arrays):
    """Compute the same with numpy."""
    x, W, y = arrays
    nodes = [
        Convolution(*case.arguments)(x, W),
        TransposedConvolution(*case.arguments)(y, W, case.x_shape[2:]),
        FilterGradient(*case.arguments)(x, y, case.W_shape[2:]),
    ]
    return pytensor.function([], nodes, mode=Mode(linker="py", optimizer=None))()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_compute_every_geometry(dtype):
    """Catches tiles, panels, chunks and phases that end at a wrong place."""
    call = kernels_on(dtype)
    for case in [each for each in CASES if each.x_shape[0]] + LARGE:
        arrays = case.arrays(dtype)
        double = [each.astype("float64") for each in arrays]
        results = products(call, case, arrays)
        for value, wanted in zip(results, perform(case, double), strict=True):
            rtol = {"float32": 1e-5, "float64": 1e-13}[dtype]
            atol = rtol * np.sqrt(np.mean(wanted**2)) * 20
            np.testing.assert_allclose(value, wanted, rtol=rtol, atol=atol)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    """Catches sums that are cut where the threads are."""
    call = kernels_on("float32")
    for case in LARGE:
        arrays = case.arrays("float32")
        results = []
        for threads in (1, 2, 5):
            monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
            results.append(products(call, case, arrays))
        for one, two, five in zip(*results, strict=True):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_array_equal(one, five)
