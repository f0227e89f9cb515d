"""Orthonormal columns and rows."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers, updates
from lasagne_next.params import leaf_tags
from tests.dtypes import double_variables
from tests.expressions.values import MODE, leaves_of, value_of
from tests.reference.parameters import cayley, reflect

MAPS = ("cayley", "exponential", "householder")
SHAPES = [(7, 5), (5, 7), (6, 6), (1, 5), (5, 1), (1, 1)]


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def gram_error(value, gain=1.0):
    """Return the largest entry of the error of orthonormality."""
    value = value.astype("float64")
    n, m = value.shape
    gram = value.T @ value if n >= m else value @ value.T
    return abs(gram - gain**2 * np.eye(min(n, m))).max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("map", MAPS)
def test_the_start_is_the_nearest_orthogonal_matrix(map, shape, floatX64):
    """Catches a QR factor, which depends on the order of columns, and signs lost."""
    value = draw(shape)
    W = value_of(expressions.Orthogonal(map, gain=1, init=value)(shape))
    assert gram_error(W) < 1e-14
    left, _, right = np.linalg.svd(value, full_matrices=False)
    np.testing.assert_allclose(W, left @ right, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("map", MAPS)
def test_any_leaf_gives_orthonormal_vectors(map, shape, floatX64):
    """Catches a rotation of the wrong side, and columns that are not orthonormal."""
    W = expressions.Orthogonal(map, gain=2.5)(shape)
    leaves = leaves_of(W)
    leaf = leaves["v" if map == "householder" else "s"]
    leaf.set_value(draw(leaf.type.shape, 1))
    assert gram_error(value_of(W), gain=2.5) < 1e-12
    base = leaves["base"].get_value()
    tall = base if shape[0] >= shape[1] else base.T
    rotate = {"cayley": lambda s, b: cayley(s) @ b, "householder": reflect}
    if map in rotate:
        expected = rotate[map](leaf.get_value(), tall)
        expected = expected if shape[0] >= shape[1] else expected.T
        np.testing.assert_allclose(value_of(W), expected, atol=1e-12)


def test_every_rotation_can_be_reached(floatX64):
    """Catches a map that leaves out directions, such as those of a symmetric leaf."""
    for map in MAPS:
        W = expressions.Orthogonal(map, gain=1)((5, 3))
        (leaf,) = (each for name, each in leaves_of(W).items() if name != "base")
        compute, start = pytensor.function([], W, mode=MODE), draw(leaf.type.shape)
        tangents = []
        for index in np.ndindex(*start.shape):
            moved = start.copy()
            moved[index] += 1e-6
            leaf.set_value(moved)
            tangents.append(compute())
        leaf.set_value(start)  # not at the start, where reflections come in pairs
        tangents = (np.array(tangents) - compute()) / 1e-6
        rank = np.linalg.matrix_rank(tangents.reshape(-1, 15), tol=1e-4)
        assert rank == expressions.Orthogonal(map).count_free((5, 3)) == 9


def test_a_reflection_at_zero_does_nothing(floatX64):
    """Catches division by zero in the value or its gradient."""
    W = expressions.Orthogonal("householder", gain=1)((7, 5))
    v = leaves_of(W)["v"]
    vectors = draw(v.type.shape, 1)
    vectors[[0, 3]] = 0
    v.set_value(vectors)
    expected = reflect(vectors, leaves_of(W)["base"].get_value())
    np.testing.assert_allclose(value_of(W), expected, atol=1e-13)
    gradient = pytensor.grad(pt.sqr(W - 1).sum(), v)
    assert np.isfinite(gradient.eval(mode=MODE)).all()


def test_many_reflections_make_a_short_graph():
    """Catches an operation chain for each reflection, which takes long to compile."""
    from pytensor.graph.traversal import toposort

    lengths = [
        len(list(toposort([expressions.Orthogonal("householder")((size, size))])))
        for size in (4, 40)
    ]
    assert lengths[0] == lengths[1] < 40


@pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
def test_the_gain_keeps_the_variance_of_the_draw(shape, floatX64):
    """Catches a gain for square matrices only."""
    W = expressions.Orthogonal(init=init.GlorotUniform()).sample(shape)
    np.testing.assert_allclose((W**2).mean(), 2 / 100, rtol=0.05)
    assert gram_error(W, gain=np.sqrt(2 * 60 / 100)) < 0.1


def test_values_are_members_at_any_length_or_at_one(floatX64):
    """Catches a membership test that ignores the gain."""
    value = np.linalg.qr(draw((7, 5)))[0]
    assert expressions.Orthogonal().contains(3 * value)
    assert expressions.Orthogonal(gain=3).contains(3 * value)
    assert not expressions.Orthogonal(gain=1).contains(3 * value)
    assert not expressions.Orthogonal().contains(draw((7, 5)))
    nearest = expressions.Orthogonal().from_value(draw((7, 5)), strict=False)
    start = value_of(nearest((7, 5)))
    for factor in (0.99, 1.01):
        distance = np.linalg.norm(factor * start - draw((7, 5)))
        assert distance / np.linalg.norm(draw((7, 5))) > nearest.residual


def test_the_upper_triangle_does_not_count(floatX64):
    """Catches an optimiser that moves entries which have no effect."""
    W = expressions.Orthogonal()((5, 5))
    gradient = pytensor.grad(pt.sqr(W - draw((5, 5))).sum(), leaves_of(W)["s"])
    value = gradient.eval(mode=MODE)
    assert not np.triu(value).any()
    assert np.tril(value, -1).any()


def test_the_base_is_kept_fixed():
    """Catches a base that learns, or a penalty on the rotation."""
    layer = layers.DenseLayer((None, 7), 5, W=expressions.Orthogonal(), b=None)
    assert len(layer.get_params()) == 2
    (leaf,) = layer.get_params(trainable=True)
    assert leaf.type.shape == (7, 7)
    assert layer.get_params(regularizable=True) == []


def test_layers_that_share_a_weight_compute_it_once():
    """Catches a rotation that is computed again for every use."""
    first = layers.DenseLayer(
        layers.InputLayer((None, 5)), 5, W=expressions.Orthogonal()
    )
    second = layers.DenseLayer(first, 5, W=first.W)
    output = layers.get_output(layers.DenseLayer(second, 5, W=first.W.T))
    gradients = pytensor.grad(output.sum(), layers.get_all_params(first))
    inputs = [first.input_layer.input_var]
    function = pytensor.function(inputs, [output, *gradients], mode=MODE)
    operations = [str(node.op) for node in function.maker.fgraph.apply_nodes]
    assert sum("Solve" in each for each in operations) == 2  # one is its gradient


def train(map, shape, dtype, steps):
    """Return the matrix after steps of Adam towards a rotation far away."""
    rng = np.random.default_rng(1)
    start = rng.normal(size=shape).astype(dtype)
    W = expressions.Orthogonal(map, gain=1, init=start)(shape)
    target = np.linalg.qr(rng.normal(size=shape[:1] * 2))[0][:, : shape[1]]
    loss = pt.sqr(W - target.astype(dtype)).sum()
    params = [leaf for leaf, tags in leaf_tags(W, {"trainable"}) if tags]
    rate = np.asarray(1e-2, dtype)
    step = pytensor.function(
        [], loss, updates=updates.adam(loss, params, learning_rate=rate), mode=MODE
    )
    first = step()
    for _ in range(steps - 1):
        last = step()
    assert last < first / 2
    return value_of(W)


LIMITS = {
    ("cayley", "float32"): 1e-6,
    ("exponential", "float32"): 1e-5,
    ("householder", "float32"): 1e-5,
    ("cayley", "float64"): 1e-13,
    ("exponential", "float64"): 1e-13,
    ("householder", "float64"): 1e-13,
}


@pytest.mark.parametrize(("map", "dtype"), LIMITS)
def test_training_keeps_the_vectors_orthonormal(map, dtype):
    """Catches an error that grows from step to step."""
    assert gram_error(train(map, (16, 12), dtype, 100)) < LIMITS[map, dtype]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(64, 64), (64, 20)])
@pytest.mark.parametrize(("map", "dtype"), LIMITS)
def test_long_training_keeps_the_vectors_orthonormal(map, dtype, shape):
    """Catches an error that grows from step to step, at larger sizes."""
    assert gram_error(train(map, shape, dtype, 1000)) < LIMITS[map, dtype]


@pytest.mark.parametrize("map", MAPS)
def test_no_gradient_is_double_at_any_order(map, floatX64):
    """Catches constants of double precision in a solve or an exponential."""
    W = expressions.Orthogonal(map, init=draw((7, 5)).astype("float32"))((7, 5))
    leaf = next(each for name, each in leaves_of(W).items() if name != "base")
    first = pytensor.grad(pt.tanh(W).sum(), leaf)
    outputs = [W, first]
    if map != "exponential":
        outputs.append(pytensor.grad(pt.sqr(first).sum(), leaf))
    function = pytensor.function([], outputs, mode=MODE)
    assert double_variables(function) == []


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "map must be one of cayley, exponential, householder, got 'caley'. Did you "
            "mean 'cayley'",
            lambda: expressions.Orthogonal("caley"),
        ),
        (
            ValueError,
            "gain must be greater than 0, got 0",
            lambda: expressions.Orthogonal(gain=0),
        ),
        (
            TypeError,
            "gain must be a number, got 'relu'",
            lambda: expressions.Orthogonal(gain="relu"),
        ),
        (
            ValueError,
            "reflections must be an even number, at least 2, got 3",
            lambda: expressions.Orthogonal("householder", reflections=3),
        ),
        (
            ValueError,
            "reflections must be an even number, at least 2, got 0",
            lambda: expressions.Orthogonal("householder", reflections=0),
        ),
        (
            TypeError,
            r"reflections must be an integer, got 2\.5",
            lambda: expressions.Orthogonal("householder", reflections=2.5),
        ),
        (
            ValueError,
            "reflections must be None unless map is 'householder', got 4 for 'cayley'",
            lambda: expressions.Orthogonal(reflections=4),
        ),
        (
            ValueError,
            r"Orthogonal.* makes matrices, got the shape \(3,\)",
            lambda: expressions.Orthogonal()((3,)),
        ),
    ],
)
def test_impossible_arguments_are_refused(error, message, call):
    """Catches a misspelt map, and an odd number of reflections."""
    with pytest.raises(error, match=message):
        call()
