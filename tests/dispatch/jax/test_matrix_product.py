"""The matrix product on JAX."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from lasagne_next.ops import matrix_product
from tests.backends import MODES, compile_on
from tests.ops.layouts import SIZES, draw

pytest.importorskip("jax")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_multiplies_and_differentiates(dtype):
    """Catches an operation that JAX does not know, and another type."""
    x, y = (pt.matrix(name, dtype=dtype) for name in "xy")
    product = matrix_product(x, y)
    gradients = pytensor.grad(pt.sqr(product).sum() / 2, [x, y])
    function = compile_on(MODES["jax"], [x, y], [product, *gradients])
    for rows, inner, columns in SIZES[:5]:
        a, b = draw((rows, inner), dtype, 0), draw((inner, columns), dtype, 1)
        expected = [a @ b, a @ b @ b.T, a.T @ (a @ b)]
        for value, wanted in zip(function(a, b), expected, strict=True):
            assert value.dtype == dtype
            rtol = 1e-4 if dtype == "float32" else 1e-10
            np.testing.assert_allclose(value, wanted, rtol=rtol, atol=rtol)


def test_it_runs_without_rewrites():
    """Catches an operation that is known only after some rewrite has met it."""
    x, y = (pt.matrix(name, dtype="float64") for name in "xy")
    mode = Mode(linker="jax", optimizer=None)
    function = pytensor.function([x, y], matrix_product(x, y), mode=mode)
    np.testing.assert_allclose(function(np.eye(2), np.eye(2, 3)), np.eye(2, 3))
