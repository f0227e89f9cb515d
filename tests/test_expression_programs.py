"""Programs of the post on expressions as parameters, and further kinds of expression.

The programs stand as they were published, with the names of the packages changed.
"""

import numpy as np
import pytensor as theano
import pytensor.tensor as T
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.gradient import disconnected_grad

import lasagne_next as lasagne
from lasagne_next import io, params
from lasagne_next.random import RandomStream

MODE = "FAST_COMPILE"
INPUTS = np.random.default_rng(1).uniform(size=(64, 784))


def default_layer():
    """Return the program that all others vary."""
    l1 = lasagne.layers.InputLayer((64, 784))
    l2 = lasagne.layers.DenseLayer(l1, num_units=500)
    return l1, l2


def shared_layers():
    """Return two layers with one matrix."""
    l1, l2 = default_layer()
    l3 = lasagne.layers.DenseLayer(l1, num_units=500, W=l2.W)
    return l1, l2, l3


def tied_autoencoder():
    """Return an encoder and a decoder that transposes its matrix."""
    l1, l2 = default_layer()
    l3 = lasagne.layers.DenseLayer(l2, num_units=784, W=l2.W.T)
    return l1, l2, l3


def low_rank_layer():
    """Return a layer whose matrix is a product, and the factors."""
    l1 = lasagne.layers.InputLayer((64, 784))
    w = lasagne.init.GlorotUniform()
    w1 = theano.shared(lasagne.utils.floatX(w((784, 100))))
    w2 = theano.shared(lasagne.utils.floatX(w((100, 500))))
    l2 = lasagne.layers.DenseLayer(l1, num_units=500, W=T.dot(w1, w2))
    return l1, l2, w1, w2


def positive_layer(positive):
    """Return a layer of positive weights, and what they are computed from."""
    l1 = lasagne.layers.InputLayer((64, 784))
    w_init = lasagne.init.Normal(std=0.01, mean=-10)
    w = theano.shared(lasagne.utils.floatX(w_init((784, 500))))
    l2 = lasagne.layers.DenseLayer(l1, num_units=500, W=positive(w))
    return l1, l2, w


def semidefinite_layer():
    """Return a layer on 500 units whose matrix is positive semi-definite."""
    _, l2 = default_layer()
    w_init = lasagne.init.Normal(std=0.01)
    w = theano.shared(lasagne.utils.floatX(w_init((500, 500))))
    l3 = lasagne.layers.DenseLayer(l2, num_units=500, W=T.dot(w, w.T))
    return l3, w


def value(expression, **kwargs):
    """Evaluate on the Python linker."""
    return expression.eval(mode=MODE, **kwargs)


def count(layer, **tags):
    """Count the numbers in all parameters."""
    return lasagne.layers.count_params(layer, **tags)


def training(loss, network, rule, **kwargs):
    """Compile one step of training on the inputs of the network."""
    trained = lasagne.layers.get_all_params(network, trainable=True)
    return theano.function([], loss, updates=rule(loss, trained, **kwargs), mode=MODE)


def test_the_default_layer_has_392000_weights():
    """Catches a matrix of another shape, or biases counted as weights."""
    _l1, l2 = default_layer()
    assert l2.W.get_value().shape == (784, 500)
    assert l2.W.get_value().size == 392_000
    assert count(l2) == 392_500
    assert l2.output_shape == (64, 500)
    output = value(lasagne.layers.get_output(l2, INPUTS))
    expected = np.maximum(INPUTS @ l2.W.get_value() + l2.b.get_value(), 0)
    np.testing.assert_allclose(output, expected, rtol=1e-10, atol=1e-12)


def test_a_shared_matrix_is_one_parameter_set():
    """Catches a copy of the matrix, and a gradient from one of the layers only."""
    _l1, l2, l3 = shared_layers()
    assert lasagne.layers.get_all_params([l2, l3]) == [l2.W, l2.b, l3.b]
    assert count([l2, l3]) == 392_000 + 500 + 500
    outputs = lasagne.layers.get_output([l2, l3], INPUTS)
    first, second = (outputs[0] ** 2).mean(), (outputs[1] - 1).sum()
    gradients = [theano.grad(each, l2.W) for each in (first + second, first, second)]
    both, one, other = theano.function([], gradients, mode=MODE)()
    np.testing.assert_allclose(both, one + other, rtol=1e-10, atol=1e-12)
    training(first + second, [l2, l3], lasagne.updates.sgd, learning_rate=1e-4)()
    assert l3.W is l2.W


def test_a_tied_autoencoder_has_half_the_weights():
    """Catches the transposed matrix counted, saved or trained for itself."""
    _l1, l2, l3 = tied_autoencoder()
    untied = lasagne.layers.DenseLayer(l2, num_units=784)
    assert count(l3) == 393_284
    assert count(untied) == 785_284
    assert lasagne.layers.get_all_params(l3) == [l2.W, l2.b, l3.b]


def test_the_gradient_of_a_tied_matrix_is_the_sum_of_both_uses():
    """Catches a gradient that misses the encoder or the decoder."""
    l1, l2, l3 = tied_autoencoder()
    E = theano.shared(l2.W.get_value())
    D = theano.shared(l2.W.get_value().T)
    encoder = lasagne.layers.DenseLayer(l1, num_units=500, W=E, b=l2.b)
    decoder = lasagne.layers.DenseLayer(encoder, num_units=784, W=D, b=l3.b)
    outputs = lasagne.layers.get_output([l3, decoder], INPUTS)
    losses = [((output - INPUTS) ** 2).sum() for output in outputs]
    both = theano.grad(losses[0], l2.W)
    one, other = theano.grad(losses[1], [E, D])
    both, one, other = theano.function([], [both, one, other], mode=MODE)()
    assert min(np.abs(one).max(), np.abs(other).max()) > 0.1
    np.testing.assert_allclose(both, one + other.T, rtol=1e-9, atol=1e-9)


def test_a_tied_autoencoder_stays_tied_bit_by_bit():
    """Catches a decoder that drifts away from its encoder."""
    _l1, l2, l3 = tied_autoencoder()
    before = l2.W.get_value()
    loss = lasagne.objectives.squared_error(
        lasagne.layers.get_output(l3, INPUTS), INPUTS
    ).mean()
    step = training(loss, l3, lasagne.updates.adam)
    losses = [step() for _ in range(5)]
    assert losses[-1] < losses[0]
    assert not np.array_equal(l2.W.get_value(), before)
    assert np.array_equal(value(l3.W), l2.W.get_value().T)


def test_a_product_of_factors_has_128400_weights():
    """Catches the product stored instead of its factors, and gradients of it alone."""
    l1, l2, w1, w2 = low_rank_layer()
    weights = [each.get_value().size for each in l2.get_params(regularizable=True)]
    assert sum(weights) == 128_400
    assert count(l2) == 128_900
    assert lasagne.layers.get_all_params(l2) == [w1, w2, l2.b]
    given = [each.get_value() for each in (w1, w2)]
    full = theano.shared(given[0] @ given[1])
    plain = lasagne.layers.DenseLayer(l1, num_units=500, W=full, b=l2.b)
    outputs = lasagne.layers.get_output([l2, plain], INPUTS)
    losses = [((output - 1) ** 2).mean() for output in outputs]
    wanted = [*theano.grad(losses[0], [w1, w2]), theano.grad(losses[1], full)]
    left, right, G = theano.function([], wanted, mode=MODE)()
    np.testing.assert_allclose(left, G @ given[1].T, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(right, given[0].T @ G, rtol=1e-8, atol=1e-12)
    assert np.linalg.matrix_rank(value(l2.W)) == 100


def test_a_product_of_factors_is_a_linear_layer_below():
    """Catches a factorised layer that trains another way than its bottleneck twin."""
    l1, l2, w1, w2 = low_rank_layer()
    bottleneck = lasagne.layers.DenseLayer(
        l1, num_units=100, W=w1.get_value(), b=None, nonlinearity=None
    )
    twin = lasagne.layers.DenseLayer(bottleneck, num_units=500, W=w2.get_value())
    assert count(twin) == count(l2) == 128_900
    steps = []
    for network in (l2, twin):
        output = lasagne.layers.get_output(network, INPUTS)
        loss = ((output - 1) ** 2).mean()
        steps.append(training(loss, network, lasagne.updates.sgd, learning_rate=0.1))
    losses = [[step() for step in steps] for _ in range(5)]
    np.testing.assert_allclose(*np.transpose(losses), rtol=1e-9)
    assert losses[-1][0] < losses[0][0]
    pairs = zip(
        lasagne.layers.get_all_param_values(l2),
        lasagne.layers.get_all_param_values(twin),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("positive", "start", "slope"),
    [
        (T.exp, np.exp, np.exp),
        (T.softplus, lambda w: np.log1p(np.exp(w)), lambda w: 1 / (1 + np.exp(-w))),
    ],
    ids=["exp", "softplus"],
)
def test_positive_weights_stay_positive(positive, start, slope):
    """Catches weights that are trained in place of their logarithms."""
    _l1, l2, w = positive_layer(positive)
    assert lasagne.layers.get_all_params(l2) == [w, l2.b]
    np.testing.assert_allclose(value(l2.W), start(w.get_value()), rtol=1e-12)
    G = T.constant(np.random.default_rng(2).normal(size=(784, 500)))
    gradient = value(theano.grad((l2.W * G).sum(), w))
    np.testing.assert_allclose(gradient, G.data * slope(w.get_value()), rtol=1e-9)
    # The loss pulls every weight down to -1, where none can go.
    loss = ((l2.W + 1) ** 2).sum() + lasagne.layers.get_output(l2, INPUTS).mean()
    step = training(loss, l2, lasagne.updates.sgd, learning_rate=1e4)
    before = w.get_value()
    losses = [step() for _ in range(2)]
    assert losses[-1] < losses[0]
    assert (w.get_value() < before).all()
    assert (value(l2.W) > 0).all()


def test_a_product_with_its_own_transpose_is_positive_semidefinite():
    """Catches a factor counted twice, and half of its gradient."""
    l3, w = semidefinite_layer()
    assert l3.get_params() == [w, l3.b]
    W = value(l3.W)
    assert np.array_equal(W, W.T)
    assert np.linalg.eigvalsh(W).min() > -1e-12
    G = np.random.default_rng(3).normal(size=(500, 500))
    gradient = value(theano.grad((l3.W * T.constant(G)).sum(), w))
    np.testing.assert_allclose(
        gradient, (G + G.T) @ w.get_value(), rtol=1e-8, atol=1e-10
    )


def test_one_variable_in_three_forms_is_one_parameter():
    """Catches a variable listed once for each expression that it is in."""
    l1 = lasagne.layers.InputLayer((None, 5))
    l2 = lasagne.layers.DenseLayer(l1, 3, b=None)
    l3 = lasagne.layers.DenseLayer(l2, 5, W=l2.W.T, b=None)
    l4 = lasagne.layers.DenseLayer(l3, 5, W=T.dot(l2.W, l2.W.T), b=None)
    assert lasagne.layers.get_all_params(l4) == [l2.W]
    assert count(l4) == 15
    (saved,) = lasagne.layers.get_all_param_values(l4)
    l2.W.set_value(saved * 0)
    lasagne.layers.set_all_param_values(l4, [saved])
    assert np.array_equal(l2.W.get_value(), saved)
    with pytest.raises(ValueError, match="must have 1 elements, one per parameter"):
        lasagne.layers.set_all_param_values(l4, [saved, saved])


# Learnable and fixed variables in one expression.


def leaf(name, *shape, seed=4):
    """Return a shared variable of some numbers."""
    numbers = np.random.default_rng([seed, *name.encode()]).normal(size=shape)
    return theano.shared(numbers, name=name, shape=shape)


def frozen(name, *shape):
    """Return a shared variable that is not to be trained."""
    return params.set_tags(leaf(name, *shape), trainable=False)


def masked():
    """Return a masked matrix; the mask holds zeros."""
    mask, V = frozen("mask", 5, 3), leaf("V", 5, 3)
    mask.set_value((mask.get_value() > 0) * 1.0)
    return mask * V, [mask, V], [V], [V]


def corrected():
    """Return a frozen matrix with a low-rank correction."""
    W0, U, V = frozen("W0", 5, 3), leaf("U", 5, 2), leaf("V", 2, 3)
    return W0 + U.dot(V), [W0, U, V], [U, V], [U, V]


def weight_normed():
    """Return columns of a direction and a length, the direction to be penalised."""
    V, g = leaf("V", 5, 3), params.set_tags(leaf("g", 3), regularizable=False)
    return V * (g / T.sqrt((V**2).sum(axis=0))), [V, g], [V, g], [V]


def binarised():
    """Return signs whose gradient is that of the numbers below them."""
    V = leaf("V", 5, 3)
    return V + disconnected_grad(T.sign(V) - V), [V], [V], [V]


@pytest.mark.parametrize("make", [masked, corrected, weight_normed, binarised])
def test_mixed_expressions_train_what_they_should_and_save_all(make, tmp_path):
    """Catches a fixed leaf that is trained, penalised, counted or not saved."""
    W, leaves, trained, penalised = make()
    net = lasagne.layers.DenseLayer((None, 5), 3, W=W, nonlinearity=None, name="h")
    b = net.b
    assert lasagne.layers.get_all_params(net) == [*leaves, b]
    assert lasagne.layers.get_all_params(net, trainable=True) == [*trained, b]
    assert lasagne.layers.get_all_params(net, regularizable=True) == penalised
    sizes = [each.get_value().size for each in [*trained, b]]
    assert count(net, trainable=True) == sum(sizes)
    before = [each.get_value() for each in leaves]
    penalty = lasagne.regularization.regularize_network_params(
        net, lasagne.regularization.l2
    )
    expected = sum((each.get_value() ** 2).sum() for each in penalised)
    np.testing.assert_allclose(value(penalty), expected)
    output = lasagne.layers.get_output(net, {None: INPUTS[:, :5]})
    loss = ((output - 1) ** 2).mean()
    training(loss, net, lasagne.updates.sgd, learning_rate=0.1)()
    for each, old in zip(leaves, before, strict=True):
        assert np.array_equal(each.get_value(), old) == (each not in trained)
    path = tmp_path / "weights.npz"
    io.save(path, net)
    after = lasagne.layers.get_all_param_values(net)
    for each in lasagne.layers.get_all_params(net):
        each.set_value(each.get_value() * 0)
    io.load(path, net)
    for one, other in zip(lasagne.layers.get_all_param_values(net), after, strict=True):
        assert np.array_equal(one, other)


def test_a_binarised_weight_computes_with_signs():
    """Catches a forward pass through the real numbers."""
    W, (V,), _, _ = binarised()
    np.testing.assert_allclose(value(W), np.sign(V.get_value()))
    G = np.arange(15.0).reshape(5, 3)
    np.testing.assert_array_equal(value(theano.grad((W * G).sum(), V)), G)


# What else an expression may hold. Each case gives the weights, their leaves and the
# symbolic inputs that must be fed.


def from_an_input():
    """Weights that are computed from an input of the function."""
    z, w = T.vector("z", dtype="float64", shape=(2,)), leaf("w", 2, 15)
    return z.dot(w).reshape((5, 3)), [w], {z: np.array([0.5, -1.5])}


def from_a_network():
    """Weights that another network puts out."""
    z = T.matrix("z", dtype="float64")
    below = lasagne.layers.InputLayer((1, 2), z)
    net = lasagne.layers.DenseLayer(below, 15, nonlinearity=T.tanh)
    W = lasagne.layers.get_output(net).reshape((5, 3))
    return W, [net.W, net.b], {z: np.array([[0.5, -1.5]])}


def from_draws():
    """Weights with Gaussian noise of a learnt size."""
    mean, spread = leaf("mean", 5, 3), leaf("spread", 5, 3)
    noise = RandomStream(7).normal((5, 3), dtype="float64")
    return mean + T.exp(spread) * noise, [mean, spread], {}


def from_constants():
    """Weights on a fixed basis."""
    basis, w = T.constant(np.eye(5)[:, :4]), leaf("w", 4, 3)
    return T.dot(basis, w) * 2, [w], {}


def from_other_parameters():
    """Weights made from the expressions of another layer."""
    u, v = leaf("u", 3, 2), leaf("v", 2, 5)
    other = lasagne.layers.DenseLayer((None, 3), 5, W=T.dot(u, v), b=leaf("b", 5))
    return T.exp(other.W.T) * other.b[:, None], [u, v, other.b], {}


def from_a_scan():
    """Weights from a loop that captures a shared variable without naming it."""
    w, decay = leaf("w", 3), leaf("decay", 3)
    rows = theano.scan(
        lambda row: row * decay, outputs_info=w, n_steps=5, return_updates=False
    )
    return rows, [w, decay], {}


def from_an_inner_graph():
    """Weights from an operation with a graph of its own."""
    u, v = T.matrix(dtype="float64"), T.vector(dtype="float64")
    op = OpFromGraph([u, v], [T.tanh(u) * v])
    a, b = leaf("a", 5, 3), leaf("b", 3)
    return op(a, b), [a, b], {}


HELD = [
    from_an_input,
    from_a_network,
    from_draws,
    from_constants,
    from_other_parameters,
    from_a_scan,
    from_an_inner_graph,
]


@pytest.mark.parametrize("make", HELD, ids=lambda make: make.__name__)
def test_leaves_are_found_and_trained_whatever_the_expression_holds(make):
    """Catches leaves behind inputs, draws, loops and inner graphs that are missed."""
    W, leaves, given = make()
    net = lasagne.layers.DenseLayer((None, 5), 3, W=W, b=None, nonlinearity=None)
    assert set(lasagne.layers.get_all_params(net, trainable=True)) == set(leaves)
    assert lasagne.layers.get_all_params(net, unwrap_shared=False) == [W]
    output = lasagne.layers.get_output(net, {None: INPUTS[:, :5]})
    loss = ((output - 1) ** 2).mean()
    updates = lasagne.updates.sgd(
        loss, lasagne.layers.get_all_params(net, trainable=True), learning_rate=0.01
    )
    step = theano.function(list(given), [loss, output, W], updates=updates, mode=MODE)
    before = [each.get_value() for each in leaves]
    _, computed, weights = step(*given.values())
    np.testing.assert_allclose(computed, INPUTS[:, :5] @ weights, rtol=1e-10)
    for each, old in zip(leaves, before, strict=True):
        assert not np.array_equal(each.get_value(), old), each


@pytest.mark.parametrize(
    ("build", "shape", "name"),
    [
        (lambda: T.dot(leaf("a", 5, 2), leaf("b", 2, 7)), (5, 7), "W"),
        (lambda: leaf("a", 3, 5), (3, 5), "W"),
        (lambda: T.exp(leaf("a", 5)), 1, "W"),
    ],
    ids=["implied", "transposed", "rank"],
)
def test_wrong_expressions_are_refused_when_the_layer_is_built(build, shape, name):
    """Catches an error that appears only when the function runs."""
    match = rf"DenseLayer 'h': parameter {name} must have .*\(5, 3\), got .*"
    match += rf"with {shape} axes" if shape == 1 else rf"\({shape[0]}, {shape[1]}\)"
    with pytest.raises(ValueError, match=match):
        lasagne.layers.DenseLayer((None, 5), 3, W=build(), name="h")


def test_weights_of_unknown_size_are_accepted():
    """Catches refusal of a size that only the run can tell."""
    W = T.matrix("W", dtype="float64")
    net = lasagne.layers.DenseLayer((None, 5), 3, W=W, b=None)
    output = lasagne.layers.get_output(net, {None: INPUTS[:, :5]})
    assert value(output, inputs_to_values={W: np.ones((5, 3))}).shape == (64, 3)


@pytest.mark.parametrize("make", [masked, corrected, weight_normed])
def test_gradients_of_mixed_expressions_agree_with_finite_differences(make):
    """Catches a wrong pull-back of a structured product."""
    W, _, trained, _ = make()
    net = lasagne.layers.DenseLayer((None, 5), 3, W=W, nonlinearity=T.tanh)
    output = lasagne.layers.get_output(net, {None: INPUTS[:7, :5]})
    loss = (output**2).sum()
    evaluate = theano.function([], [loss, *theano.grad(loss, trained)], mode=MODE)
    _, *gradients = evaluate()
    generator = np.random.default_rng(5)
    for each, gradient in zip(trained, gradients, strict=True):
        start, direction = each.get_value(), generator.normal(size=gradient.shape)
        sides = []
        for step in (1e-5, -1e-5):
            each.set_value(start + step * direction)
            sides.append(evaluate()[0])
        each.set_value(start)
        slope = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-6)
