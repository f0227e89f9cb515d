"""Norms bounded, on the right axes, in the right type."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import updates

SHAPES = [(3, 5), (2, 3, 5), (2, 3, 5, 7), (2, 1, 3, 5, 7)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_norm_constraint_bounds_the_vector_of_each_unit(shape, dtype):
    """Norms over the wrong axes; another type."""
    x = np.random.default_rng(1).normal(size=shape).astype(dtype)
    axes = (0,) if len(shape) == 2 else tuple(range(1, len(shape)))
    norms = np.sqrt((x.astype("float64") ** 2).sum(axes, keepdims=True))
    bound = np.median(norms)
    constrained = updates.norm_constraint(pt.as_tensor(x), bound)
    assert constrained.dtype == dtype
    got = constrained.eval(mode="FAST_COMPILE")
    wanted = x * np.minimum(norms, bound) / (1e-7 + norms)
    rtol = {"float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(got, wanted, rtol)


def test_norm_constraint_takes_other_axes_and_a_symbolic_bound():
    """norm_axes or epsilon ignored; a float64 bound for a float32 parameter."""
    x = np.float32([[3.0, 4.0], [0.3, 0.4]])
    bound = pytensor.shared(np.float64(1.0))
    constrained = updates.norm_constraint(x, bound, norm_axes=[1], epsilon=1)
    assert constrained.dtype == "float32"
    wanted = x * np.float32([[1 / 6], [0.5 / 1.5]])
    np.testing.assert_allclose(constrained.eval(mode="FAST_COMPILE"), wanted, rtol=1e-6)


def test_norm_constraint_of_a_vector_needs_axes():
    """A vector scaled as a whole, or each entry clipped, without being asked to."""
    with pytest.raises(ValueError, match="Unsupported tensor dimensionality 1"):
        updates.norm_constraint(pt.vector(), 1)
    assert updates.norm_constraint(pt.vector(), 1, norm_axes=(0,)).ndim == 1


@pytest.mark.parametrize("name", ["norm_constraint", "total_norm_constraint"])
def test_constraints_refuse_bounds_that_are_no_scalars(name):
    """A vector of bounds broadcast over the wrong axis."""
    x = pt.matrix()
    tensors = x if name == "norm_constraint" else [x]
    with pytest.raises(ValueError, match=f"{name}: max_norm must be"):
        getattr(updates, name)(tensors, pt.vector())
    with pytest.raises(TypeError, match=f"{name}: epsilon must be"):
        getattr(updates, name)(tensors, 1, epsilon=None)


@pytest.mark.parametrize("bound", [1.0, 100.0])
def test_total_norm_constraint_scales_all_by_the_joint_norm(bound):
    """Tensors scaled one by one; the norm returned after scaling; types mixed up."""
    x, y = np.float32([[3.0, 0.0]]), np.float64(4.0)
    scaled, norm = updates.total_norm_constraint(
        (t for t in [pt.as_tensor(x), pt.as_tensor(y)]), bound, return_norm=True
    )
    assert [t.dtype for t in scaled] == ["float32", "float64"]
    factor = min(bound, 5.0) / (5.0 + 1e-7)
    got = [t.eval(mode="FAST_COMPILE") for t in [*scaled, norm]]
    np.testing.assert_allclose(got[0], x * factor, rtol=1e-6)
    np.testing.assert_allclose(got[1], y * factor, rtol=1e-6)
    np.testing.assert_allclose(got[2], 5.0, rtol=1e-6)


def test_total_norm_constraint_of_nothing_is_nothing():
    """A crash on an empty list."""
    assert updates.total_norm_constraint([], 1) == []


def clipped(name, gradients, bound, **kwargs):
    params = [pytensor.shared(np.zeros_like(g)) for g in gradients]
    return getattr(updates, name)(gradients, params, bound, **kwargs)


def values(expressions):
    return [e.eval(mode="FAST_COMPILE").tolist() for e in expressions]


def test_clipping_by_value_bounds_both_signs():
    """The lower bound forgotten."""
    got = clipped("clip_by_value", [np.array([-3.0, 0.5, 2.0])], 1)
    assert values(got) == [[-1.0, 0.5, 1.0]]


def test_clipping_by_norm_treats_each_gradient_alone():
    """The joint norm used; small gradients changed by an epsilon."""
    got = clipped("clip_by_norm", [np.array([6.0, 8.0]), np.array([0.3, 0.4])], 5)
    assert values(got) == [[3.0, 4.0], [0.3, 0.4]]


def test_clipping_by_global_norm_keeps_the_direction_of_all():
    """Each gradient scaled by its own norm; the norm returned after clipping."""
    gradients = [np.array([6.0, 0.0]), np.array(8.0)]
    got, norm = clipped("clip_by_global_norm", gradients, 5, return_norm=True)
    assert values([*got, norm]) == [[3.0, 0.0], 4.0, 10.0]
    assert values(clipped("clip_by_global_norm", gradients, 11)) == [[6.0, 0.0], 8.0]


@pytest.mark.parametrize("name", ["clip_by_norm", "clip_by_global_norm"])
def test_clipping_zero_gradients_gives_zero(name):
    """Zero divided by zero."""
    assert values(clipped(name, [np.zeros(2)], 1)) == [[0.0, 0.0]]


CLIPPING = ["clip_by_value", "clip_by_norm", "clip_by_global_norm"]


@pytest.mark.parametrize("name", CLIPPING)
def test_clipping_differentiates_a_loss_and_feeds_any_rule(name):
    """Gradients only accepted; a shared float64 bound that changes the type."""
    W = pytensor.shared(np.float32([3.0, 4.0]))
    bound = pytensor.shared(np.float64(1.0))
    gradients = getattr(updates, name)((W**2).sum(), (p for p in [W]), bound)
    assert gradients[0].dtype == "float32"
    new = updates.sgd(gradients, [W], 1.0)[W].eval(mode="FAST_COMPILE")
    wanted = [2.0, 3.0] if name == "clip_by_value" else [2.4, 3.2]
    np.testing.assert_allclose(new, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", CLIPPING)
def test_bounds_of_clipping_are_positive(name):
    """A bound of zero or below, which stops or reverses training."""
    with pytest.raises(ValueError, match=f"{name}: .* must be positive, got -1"):
        clipped(name, [np.ones(2)], -1)
