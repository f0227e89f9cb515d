"""Parameters with state that training carries on."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import toposort
from pytensor.tensor.math import Dot

from lasagne_next import expressions, init, layers, updates
from lasagne_next.expressions import exponential_average, state_updates
from tests.dtypes import double_variables
from tests.expressions.values import MODE, leaves_of, pulled_back, value_of
from tests.reference.parameters import spectral_step


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def state_of(W):
    leaves = leaves_of(W)
    return leaves["left"].get_value(), leaves["right"].get_value()


def test_one_step_of_training_is_one_power_iteration(floatX64):
    """Catches singular vectors that lag behind the matrix, and two steps at once."""
    W = expressions.SpectralNorm(bound=2, init=draw((7, 5)))((7, 5))
    v, (left, _) = draw((7, 5), 1), state_of(W)
    leaves_of(W)["v"].set_value(v)
    step = pytensor.function([], W, updates=state_updates(W), mode=MODE)
    for _ in range(3):
        left, right, sigma = spectral_step(v, left)
        np.testing.assert_allclose(step(), 2 * v / sigma)
        np.testing.assert_allclose(state_of(W)[0], left)
        np.testing.assert_allclose(state_of(W)[1], right)


def test_the_largest_singular_value_is_the_bound_after_some_steps(floatX64):
    """Catches an iteration that converges to something else."""
    W = expressions.SpectralNorm(bound=0.5, init=draw((7, 5)))((7, 5))
    np.testing.assert_allclose(np.linalg.svd(value_of(W))[1][0], 0.5, rtol=1e-5)
    leaves_of(W)["v"].set_value(draw((7, 5), 1))
    step = pytensor.function([], W, updates=state_updates(W), mode=MODE)
    for _ in range(60):
        value = step()
    np.testing.assert_allclose(np.linalg.svd(value)[1][0], 0.5, rtol=1e-6)


def test_diagonal_matrices_are_divided_by_their_largest_entry(floatX64):
    """Catches a norm over all singular values."""
    spec = expressions.SpectralNorm(bound=1, init=np.diag([-4.0, 2.0, 1.0]))
    W = spec((3, 3))
    np.testing.assert_allclose(value_of(W), np.diag([-1, 0.5, 0.25]), atol=1e-6)
    vector = expressions.SpectralNorm(bound=1, init=draw((7, 1)))((7, 1))
    np.testing.assert_allclose(np.linalg.norm(value_of(vector)), 1)


def test_the_start_is_the_draw(floatX64):
    """Catches a bound from a singular value that has not converged."""
    np.testing.assert_allclose(
        value_of(expressions.SpectralNorm(init=draw((70, 50)))((70, 50))),
        draw((70, 50)),
        rtol=1e-6,
    )


def test_functions_without_the_updates_leave_the_state_alone():
    """Catches evaluation that moves the singular vectors."""
    W = expressions.SpectralNorm()((7, 5))
    before = state_of(W)
    compute = pytensor.function([], W, mode=MODE)
    np.testing.assert_array_equal(compute(), compute())
    for old, new in zip(before, state_of(W), strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_gradient_passes_through_the_singular_vectors(floatX64):
    """Catches the derivative of the iteration, which is not the formula's."""
    W = expressions.SpectralNorm(bound=2, init=draw((7, 5)))((7, 5))
    v, cotangent = draw((7, 5)), draw((7, 5), 1)
    left, right, sigma = spectral_step(v, state_of(W)[0])
    (gradient,) = pulled_back(W, [leaves_of(W)["v"]], cotangent)
    shared = (cotangent * v).sum() / sigma * np.outer(left, right)
    np.testing.assert_allclose(gradient, 2 / sigma * (cotangent - shared))


# OpenBLAS reads beyond small operands and masks what it read, but not its warnings.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_give_zeros_and_can_be_left(dtype, floatX64):
    """Catches division by zero, and singular vectors that become zeros for ever."""
    W = expressions.SpectralNorm(init=np.zeros((7, 5), dtype))((7, 5))
    leaves = leaves_of(W)
    step = pytensor.function([], W, updates=state_updates(W), mode=MODE)
    np.testing.assert_array_equal(step(), 0)
    for gradient in pulled_back(W, [leaves["v"]], draw((7, 5))):
        assert np.isfinite(gradient).all()
    leaves["v"].set_value(draw((7, 5)).astype(dtype))
    for _ in range(60):
        value = step()
    bound = leaves["bound"].get_value()
    np.testing.assert_allclose(np.linalg.svd(value)[1][0], bound, rtol=1e-4)
    for size in (1e-30, 1e-15, 1e12):
        leaves["v"].set_value((size * draw((7, 5))).astype(dtype))
        outputs = [step(), *pulled_back(W, [leaves["v"]], draw((7, 5)))]
        assert all(np.isfinite(each).all() for each in outputs)


def test_the_layer_multiplies_before_it_scales_and_keeps_the_update(floatX64):
    """Catches a mark on W that hides its making from the product, or gets lost."""
    x = pt.tensor("x", shape=(2, 7), dtype="float64")
    layer = layers.DenseLayer(
        layers.InputLayer((2, 7), x), 5, W=expressions.SpectralNorm(), b=None
    )
    output = layers.get_output(layer)
    found = list(state_updates(output))
    leaves = leaves_of(layer.W)
    products = [node for node in toposort([output]) if isinstance(node.op, Dot)]
    assert any(node.inputs == [x, leaves["v"]] for node in products)
    assert set(found) == {leaves["left"], leaves["right"]}
    assert list(state_updates(layer.get_params(unwrap_shared=False))) == found


def test_one_update_however_many_layers_share_the_weights():
    """Catches an iteration for each use."""
    l_in = layers.InputLayer((None, 5))
    first = layers.DenseLayer(l_in, 5, W=expressions.SpectralNorm(), name="a")
    second = layers.DenseLayer(first, 5, W=first.W, name="b")
    outputs = layers.get_output([first, second])
    assert len(state_updates(outputs)) == 2
    both = [*outputs, *layers.get_all_params(second, unwrap_shared=False)]
    assert len(state_updates(both)) == 2


def test_only_the_matrix_is_trained():
    """Catches singular vectors or a bound that a rule updates."""
    layer = layers.DenseLayer((None, 7), 5, W=expressions.SpectralNorm(), name="h")
    params = layer.get_params(trainable=True)
    assert [param.name for param in params] == ["h.W.v", "h.b"]
    regularizable = layer.get_params(regularizable=True)
    assert [param.name for param in regularizable] == ["h.W.v"]


def test_training_and_iterating_go_together():
    """Catches updates that a rule and the state cannot make in one function."""
    W = expressions.SpectralNorm(bound=1)((7, 5))
    loss = pt.sqr(W - 1).sum()
    rule = updates.sgd(loss, [leaves_of(W)["v"]], learning_rate=0.1)
    step = pytensor.function([], loss, updates={**rule, **state_updates(W)}, mode=MODE)
    losses = [step() for _ in range(50)]
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(np.linalg.svd(value_of(W))[1][0], 1, rtol=1e-3)


def test_two_passes_in_one_loss_differentiate(floatX64):
    """Catches state that is changed in the middle of a computation."""
    layer = layers.DenseLayer((None, 5), 1, W=expressions.SpectralNorm(bound=1), b=None)
    real, fake = pt.matrices("real", "fake")
    passes = [layers.get_output(layer, {None: each}) for each in (real, fake)]
    loss = (passes[0] - passes[1]).sum()
    v = leaves_of(layer.W)["v"]
    compute = pytensor.function([real, fake], [loss, pytensor.grad(loss, v)], mode=MODE)
    a, b = draw((3, 5)), draw((3, 5), 1)
    _, gradient = compute(a, b)
    start, direction = v.get_value(), draw((5, 1), 2)
    losses = []
    for step in (1e-6, -1e-6):
        v.set_value(start + step * direction)
        losses.append(compute(a, b)[0])
    difference = (losses[0] - losses[1]) / 2e-6
    np.testing.assert_allclose(difference, (gradient * direction).sum(), rtol=1e-6)


def test_no_gradient_is_double(floatX64):
    """Catches the gradient of a switch, and counts of double precision."""
    W = expressions.SpectralNorm(init=draw((7, 5)).astype("float32"))((7, 5))
    gradient = pytensor.grad(pt.tanh(W).sum(), leaves_of(W)["v"])
    function = pytensor.function([], [W, gradient], updates=state_updates(W), mode=MODE)
    assert double_variables(function) == []


def test_an_average_follows(floatX64):
    """Catches an average of the values after the step, and weights exchanged."""
    student = pytensor.shared(draw((7, 5)), shape=(7, 5), name="student")
    teacher = exponential_average(student, decay=0.9, name="teacher")
    np.testing.assert_array_equal(value_of(teacher), draw((7, 5)))
    changes = {student: student + 1, **state_updates(teacher)}
    step = pytensor.function([], [], updates=changes, mode=MODE)
    average, value = draw((7, 5)), draw((7, 5))
    for _ in range(3):
        average, value = 0.9 * average + 0.1 * value, value + 1
        step()
        np.testing.assert_allclose(value_of(teacher), average)


def test_an_average_may_follow_an_expression_with_a_decay_of_its_own(floatX64):
    """Catches a parameter that must be a shared variable, and a fixed decay."""
    log = pytensor.shared(draw((7, 5)), shape=(7, 5))
    decay = pytensor.shared(0.5)
    average = exponential_average(pt.exp(log), decay)
    assert average.type.shape == (7, 5)
    step = pytensor.function([], [], updates=state_updates(average), mode=MODE)
    log.set_value(draw((7, 5), 1))
    step()
    expected = (np.exp(draw((7, 5))) + np.exp(draw((7, 5), 1))) / 2
    np.testing.assert_allclose(value_of(average), expected)


def test_an_average_trains_nothing():
    """Catches a gradient into what is averaged."""
    student = pytensor.shared(draw((7, 5)).astype("float32"), name="student")
    layer = layers.DenseLayer((None, 7), 5, W=exponential_average(student), b=None)
    assert layer.get_params(trainable=True) == []
    assert layer.W.dtype == "float32"
    (new,) = state_updates(layer.W).values()
    assert new.dtype == "float32"


def test_an_average_of_random_weights_follows_their_means(floatX64):
    """Catches an average that starts from a draw."""
    W = expressions.Gaussian(init=draw((7, 5)))((7, 5))
    np.testing.assert_array_equal(value_of(exponential_average(W)), draw((7, 5)))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "SpectralNorm: bound must be greater than 0, got 0",
            lambda: expressions.SpectralNorm(bound=0),
        ),
        (
            TypeError,
            "SpectralNorm: bound must be a number, got 'one'",
            lambda: expressions.SpectralNorm(bound="one"),
        ),
        (
            ValueError,
            r"SpectralNorm.* makes matrices, got the shape \(3, 5, 2, 2\)",
            lambda: expressions.SpectralNorm(init=init.Normal())((3, 5, 2, 2)),
        ),
    ],
)
def test_impossible_arguments_are_refused(error, message, call):
    """Catches a bound of zero, which makes every weight zero."""
    with pytest.raises(error, match=message):
        call()
