"""Traces, and losses that learn scores."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import diffusion
from tests.backends import MODES

A = np.array([[0.3, -1.0, 0.2], [0.5, 0.7, -0.4], [0.1, 0.9, -0.6]])


def field(x):
    """Compute a field whose Jacobian is known: ``diag(1 - tanh(x A)**2) A'``."""
    return pt.tanh(pt.dot(x, A.astype(x.dtype)))


# Numba takes long to compile this graph, and nothing in it is an Op of ours.
@pytest.mark.parametrize(
    "backend", ["python", "jax", pytest.param("numba", marks=pytest.mark.slow)]
)
def test_traces_and_losses_are_those_of_the_jacobian(backend):
    """Catches a transposed Jacobian, a missing half, and a term left out."""
    if backend == "jax":
        pytest.importorskip("jax")
    x, v = pt.dmatrix("x", shape=(None, 3)), pt.dmatrix("v", shape=(None, 3))
    s = field(x)
    outputs = [
        diffusion.jacobian_trace(s, x),
        diffusion.estimated_trace(s, x, v),
        diffusion.score_matching(s, x),
        diffusion.sliced_score_matching(s, x, v),
        diffusion.denoising_score_matching(s, v, 0.7),
    ]
    rng = np.random.default_rng(3)
    points, directions = rng.normal(size=(2, 5, 3))
    found = pytensor.function([x, v], outputs, mode=MODES[backend])(points, directions)
    value = np.tanh(points @ A)
    # Row i of the Jacobian has the slopes of the i-th component.
    jacobian = (1 - value**2)[:, :, None] * A.T
    trace = np.array([np.trace(each) for each in jacobian])
    along = np.array(
        [v @ each @ v for v, each in zip(directions, jacobian, strict=True)]
    )
    half = np.square(value).sum(axis=1) / 2
    wanted = [
        trace,
        along,
        half + trace,
        half + along,
        np.square(0.7 * value + directions).sum(axis=1) / 2,
    ]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7)


def test_the_estimate_takes_images_and_is_right_on_average():
    """Catches a sum over the wrong axes, and directions that do not average out."""
    x, v = pt.dtensor3("x"), pt.dtensor3("v")
    trace = diffusion.estimated_trace(x**2 + x[:, ::-1] * 0.3, x, v)
    points = np.random.default_rng(1).normal(size=(1, 2, 3))
    signs = np.random.default_rng(2).choice([-1.0, 1.0], size=(4000, 2, 3))
    found = pytensor.function([x, v], trace, mode="FAST_COMPILE")(
        np.repeat(points, 4000, axis=0), signs
    )
    assert found.shape == (4000,)
    assert found.mean() == pytest.approx(2 * points.sum(), abs=4 * found.std() / 63)


def test_single_precision_stays():
    """Catches constants, and signs as whole numbers, that make a loss double."""
    x, signs = pt.fmatrix("x", shape=(None, 3)), pt.lmatrix("signs")
    for loss in (
        diffusion.sliced_score_matching(field(x), x, signs),
        diffusion.score_matching(field(x), x),
        diffusion.sliced_score_matching(field(x), x, x),
        diffusion.denoising_score_matching(field(x), x, 0.1),
    ):
        assert loss.dtype == "float32"


def test_the_trace_needs_matrices_of_known_size():
    """Catches a sum over no columns."""
    x = pt.dmatrix("x")
    with pytest.raises(ValueError, match=r"known number of columns, got shapes \(None"):
        diffusion.jacobian_trace(x**2, x)
    y = pt.dtensor3("y")
    with pytest.raises(ValueError, match="must be matrices, got 3 axes and 3 axes"):
        diffusion.jacobian_trace(y**2, y)
