"""What holds for every ready-made expression."""

import copy
import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers
from lasagne_next.expressions import ParameterExpression, settle
from lasagne_next.params import collect_shared_vars, leaf_tags, static_shape
from tests.dtypes import double_variables
from tests.expressions.zoo import (
    CASES,
    FIRST_CASES,
    WITHOUT_START,
    ZOO,
    label,
    make,
)

MODE = "FAST_COMPILE"
every_case = pytest.mark.parametrize(
    ("name", "shape"), CASES, ids=[label(case) for case in CASES]
)
RANDOM = {"Gaussian"}
DISCRETE = {"Binary", "Quantised"}


def first_case(without=()):
    """Parametrise with the first shape of each expression."""
    cases = [case for case in FIRST_CASES if case[0] not in without]
    return pytest.mark.parametrize(
        ("name", "shape"), cases, ids=[label(case) for case in cases]
    )


def value_of(W):
    return np.asarray(settle(W).eval(mode=MODE))


def test_every_public_expression_is_in_the_zoo():
    """Catches an expression that nobody tests."""
    classes = {
        name
        for name in expressions.__all__
        if isinstance(getattr(expressions, name), type)
    } - {"ParameterExpression"}
    assert classes == {name.split()[0] for name in ZOO} | WITHOUT_START


@every_case
def test_the_parameter_has_the_shape_and_its_leaves(name, shape, floatX64):
    """Catches unknown shapes, unnamed leaves, and leaves that share a name."""
    layer = layers.DenseLayer((None, shape[0]), shape[1], W=make(name, shape), name="h")
    assert static_shape(layer.W) == shape
    assert value_of(layer.W).shape == shape
    leaves = collect_shared_vars(layer.W)
    assert layer.get_params() == [*leaves, layer.b]
    names = [leaf.name for leaf in leaves]
    assert len(set(names)) == len(names)
    assert all(name.startswith("h.W") for name in names)
    assert np.isfinite(value_of(layer.W)).all()


@every_case
def test_each_call_makes_leaves_of_its_own(name, shape):
    """Catches two layers that share a weight unasked."""
    spec = make(name, shape)
    first, second = (set(collect_shared_vars(spec(shape))) for _ in range(2))
    assert not first & second


@every_case
def test_a_sample_is_in_the_set_and_can_be_started_from(name, shape):
    """Catches an inverse that is none, and a membership test that refuses members."""
    spec = make(name, shape)
    value = value_of(spec(shape))
    assert spec.contains(value)
    if name in RANDOM:
        return
    started = make(name, shape).from_value(value)
    assert started.residual <= 1e-5
    np.testing.assert_allclose(
        value_of(started(shape)), value, atol=1e-5 * abs(value).max()
    )


@every_case
def test_trainable_leaves_get_finite_gradients(name, shape):
    """Catches a leaf that is trainable but reaches nothing, and NaN."""
    W = make(name, shape)(shape)
    tagged = leaf_tags(W, {"trainable"})
    trainable = [leaf for leaf, tags in tagged if "trainable" in tags]
    assert trainable
    weights = np.random.default_rng(1).normal(size=shape)
    gradients = pytensor.grad((W * weights).sum(), trainable)
    for gradient in pytensor.function([], gradients, mode=MODE)():
        assert np.isfinite(gradient).all()


@first_case(without=DISCRETE | RANDOM)  # these have a straight-through gradient
def test_gradients_agree_with_finite_differences(name, shape, floatX64):
    """Catches a wrong derivative; discrete values have a straight-through one."""
    W = make(name, shape)(shape)
    tagged = leaf_tags(W, {"trainable"})
    leaves = [leaf for leaf, tags in tagged if "trainable" in tags]
    weights = np.random.default_rng(1).normal(size=shape)
    loss = (W * weights).sum()
    measure = pytensor.function([], [loss, *pytensor.grad(loss, leaves)], mode=MODE)
    _, *gradients = measure()
    rng, step = np.random.default_rng(2), 1e-6
    for leaf, gradient in zip(leaves, gradients, strict=True):
        start = leaf.get_value()
        direction = rng.normal(size=start.shape)
        leaf.set_value(start + step * direction)
        above = measure()[0]
        leaf.set_value(start - step * direction)
        below = measure()[0]
        leaf.set_value(start)
        np.testing.assert_allclose(
            (above - below) / (2 * step),
            (gradient * direction).sum(),
            rtol=1e-5,
            atol=1e-7,
        )


@first_case()
def test_single_precision_stays_single(name, shape, floatX64):
    """Catches constants of double precision in the value or in its gradients."""
    with pytensor.config.change_flags(floatX="float32"):
        W = make(name, shape)(shape)
    trainable = [leaf for leaf, t in leaf_tags(W, {"trainable"}) if "trainable" in t]
    gradients = pytensor.grad(pt.sqr(W).sum(), trainable)
    function = pytensor.function([], [W, *gradients], mode=MODE)
    assert not double_variables(function)
    assert {each.dtype for each in function()} == {np.dtype("float32")}


@pytest.mark.parametrize("name", [name for name, case in ZOO.items() if case[2]])
def test_the_start_has_the_variance_of_the_plain_parameter(name):
    """Catches the product of two Glorot factors, which has half of it."""
    shape = (240, 240)
    spec = make(name, shape)
    spec.init = init.Normal(std=0.3)
    if name == "Orthogonal householder":
        spec = expressions.Orthogonal("householder", reflections=2, init=spec.init)
    variance = np.var(value_of(spec(shape)))
    assert abs(variance / 0.09 - 1) < 0.03


@every_case
def test_free_numbers_are_not_more_than_leaves(name, shape):
    """Catches a count that includes what cannot be chosen."""
    spec = make(name, shape)
    leaves = collect_shared_vars(spec(shape))
    size = sum(leaf.get_value().size for leaf in leaves)
    assert 0 <= spec.count_free(shape) <= size


@every_case
def test_it_is_readable_and_copies(name, shape):
    """Catches a representation that fails, and copies that share leaves."""
    spec = make(name, shape)
    assert repr(spec).startswith(name.split()[0] + "(")
    layer = layers.DenseLayer((None, shape[0]), shape[1], W=spec, name="h")
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        np.testing.assert_array_equal(value_of(again.W), value_of(layer.W))
        assert not set(again.get_params()) & set(layer.get_params())
        names = [leaf.name for leaf in again.get_params(trainable=True)]
        assert names == [leaf.name for leaf in layer.get_params(trainable=True)]


@first_case(without=RANDOM | {"LowRankPlus", "SpectralNorm"})  # take any value
def test_training_keeps_the_constraint(name, shape, floatX64):
    """Catches a constraint that only holds at the start."""
    spec = make(name, shape)
    W = spec(shape)
    trainable = [leaf for leaf, t in leaf_tags(W, {"trainable"}) if "trainable" in t]
    target = np.random.default_rng(3).normal(size=shape)
    gradients = pytensor.grad(pt.sqr(W - target).sum(), trainable)
    updates = [(p, p - 0.01 * g) for p, g in zip(trainable, gradients, strict=True)]
    step = pytensor.function([], pt.sqr(W - target).sum(), updates=updates, mode=MODE)
    losses = [float(step()) for _ in range(20)]
    assert losses[-1] < losses[0]
    value = value_of(W)
    if name == "Orthogonal cayley":
        gram = value.T @ value
        np.testing.assert_allclose(gram, gram[0, 0] * np.eye(len(gram)), atol=1e-12)
    elif name != "Binary":
        assert make(name, shape).contains(value, tolerance=1e-8)


def test_backends_agree(backend_mode):
    """Catches an operation that a backend lacks or computes otherwise."""
    chosen = FIRST_CASES
    if type(backend_mode.linker).__name__ == "NumbaLinker":
        # A cold compilation of all would take minutes.
        few = ("Toeplitz", "Monarch", "Box", "Simplex")
        chosen = [case for case in chosen if case[0] in few]
    weights = [settle(make(*case)(case[1])) for case in chosen]
    values = pytensor.function([], weights, mode=backend_mode)()
    for case, got, W in zip(chosen, values, weights, strict=True):
        wanted = np.asarray(W.eval(mode=MODE))
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9, err_msg=str(case))


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        (lambda: expressions.LowRank(9), (8, 12), "rank must be at most 8"),
        (lambda: expressions.LowRank(0), None, "rank must be at least 1, got 0"),
        (lambda: expressions.Symmetric(), (8, 12), "square matrices, got the shape"),
        (lambda: expressions.Circulant(), (8, 12), "square matrices"),
        (
            lambda: expressions.BlockDiagonal(3),
            (8, 12),
            "blocks must divide the size 8",
        ),
        (lambda: expressions.Kronecker((3, 2)), (8, 12), "left_shape must divide"),
        (
            lambda: expressions.Kronecker((3, 2, 1)),
            None,
            "left_shape must have 2 sizes",
        ),
        (lambda: expressions.LowRank(1), (8,), r"makes matrices, got the shape \(8,\)"),
        (lambda: expressions.SPDCholesky(epsilon=0), None, "epsilon must be positive"),
        (lambda: expressions.PSD(epsilon=-1), None, "epsilon must not be negative"),
        (lambda: expressions.SPDCholesky(init=-np.eye(8)), (8, 8), "positive definite"),
        (lambda: expressions.LUInvertible(init=np.zeros((8, 8))), (8, 8), "invertible"),
    ],
)
def test_impossible_parameters_are_refused(spec, shape, message):
    """Catches an obscure error of a linear algebra routine."""
    with pytest.raises(ValueError, match=message):
        spec() if shape is None else spec()(shape)


def test_counts_must_be_integers():
    """Catches a rank of 2.5."""
    with pytest.raises(TypeError, match=r"LowRank: rank must be an integer, got 2\.5"):
        expressions.LowRank(2.5)


def test_nearest_values_and_residuals():
    """Catches an inverse that is not the projection it claims to be."""
    value = np.random.default_rng(1).normal(size=(8, 8))
    symmetric = expressions.Symmetric().from_value(value, strict=False)
    np.testing.assert_allclose(value_of(symmetric((8, 8))), (value + value.T) / 2)
    scales = np.linalg.svd(value)[1]
    low_rank = expressions.LowRank(3).from_value(value, strict=False)
    expected = np.sqrt((scales[3:] ** 2).sum() / (scales**2).sum())
    np.testing.assert_allclose(low_rank.residual, expected)
    kronecker = expressions.Kronecker((2, 4), terms=8).from_value(value)
    assert kronecker.residual < 1e-12  # that many terms make any such matrix
    with pytest.raises(ValueError, match="cannot be represented"):
        expressions.LowRank(3).from_value(value)


def test_determinants_are_known():
    """Catches a lost sign, permutation or factor of two."""
    value = np.random.default_rng(1).normal(size=(5, 5))
    made = {
        expressions.LUInvertible(init=value): value,
        expressions.SPDCholesky(init=value @ value.T): value @ value.T,
    }
    for spec, matrix in made.items():
        W = spec((5, 5))
        np.testing.assert_allclose(value_of(W), matrix, atol=1e-10)
        known = expressions.log_abs_det(W).eval(mode=MODE)
        np.testing.assert_allclose(known, np.linalg.slogdet(matrix)[1])
    plain = expressions.log_abs_det(pt.constant(value)).eval(mode=MODE)
    np.testing.assert_allclose(plain, np.linalg.slogdet(value)[1])


def test_an_adapter_starts_at_its_base_and_trains_beside_it():
    """Catches a base that learns, and a start that differs."""
    base = layers.DenseLayer((None, 8), 6, name="base")
    spec = expressions.LowRankPlus(2, alpha=4, init=base.W)
    layer = layers.DenseLayer((None, 8), 6, W=spec, b=None, name="h")
    np.testing.assert_array_equal(value_of(layer.W), base.W.get_value())
    u, v = layer.get_params(trainable=True)[-2:]
    assert [u.name, v.name] == ["h.W.u", "h.W.v"]
    v.set_value(np.ones((2, 6)))
    expected = base.W.get_value() + 2 * u.get_value() @ np.ones((2, 6))
    np.testing.assert_allclose(value_of(layer.W), expected)
    assert isinstance(spec, ParameterExpression)


def test_transposes_are_not_copied():
    """Catches a copy, which would be trained apart."""
    layer = layers.DenseLayer((None, 8), 6, name="h")
    W = expressions.Transposed(layer.W)
    tied = layers.DenseLayer(layer, 8, W=W, b=None)
    assert tied.get_params() == [layer.W]
    assert W.count_free((6, 8)) == 0
