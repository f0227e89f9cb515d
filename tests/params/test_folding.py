"""Parameters as constants, for inference."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.traversal import ancestors
from pytensor.raise_op import Assert
from pytensor.tensor.elemwise import Elemwise

from lasagne_next import expressions, layers
from lasagne_next.expressions import settle
from lasagne_next.params import collect_shared_vars, fold, set_tags
from lasagne_next.random import RandomStream
from tests.backends import compile_on

MODE = "FAST_COMPILE"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def network():
    """Return an input and a network with parameters of many kinds."""
    l_in = layers.InputLayer((None, 7), pt.matrix("x", dtype="float64"))
    first = layers.DenseLayer(l_in, 5, W=expressions.Orthogonal(), name="a")
    second = layers.DenseLayer(first, 5, W=expressions.SpectralNorm(), name="b")
    third = layers.DenseLayer(second, 7, W=first.W.T, name="c")
    return l_in.input_var, layers.DenseLayer(third, 3, W=expressions.LowRank(2))


def operations(function):
    return [node.op for node in function.maker.fgraph.toposort()]


def test_outputs_stay_equal(backend_mode, floatX64):
    """Catches an expression that is folded to a wrong or stale value."""
    x, net = network()
    output = layers.get_output(net)
    both = compile_on(backend_mode, [x], [output, fold(output)])
    plain, folded = both(draw(4, 7))
    np.testing.assert_allclose(folded, plain, rtol=1e-9)
    for leaf in layers.get_all_params(net, trainable=True):
        leaf.set_value(leaf.get_value() + 1)
    changed, folded = both(draw(4, 7))
    np.testing.assert_allclose(folded, plain, rtol=1e-9)
    assert not np.allclose(changed, plain)


def test_weights_are_computed_once_and_for_all():
    """Catches leaves that become constants while the weights are computed on."""
    x, net = network()
    folded = fold(layers.get_output(net))
    assert collect_shared_vars(folded) == []
    function = pytensor.function([x], folded, mode=MODE)
    names = " ".join(str(op) for op in operations(function))
    for absent in ("Solve", "Tri", "Eye", "Sqr", "True_div"):
        assert absent.lower() not in names.lower()
    # One product a layer, and two of thin factors in the last.
    assert sum("dot" in str(op).lower() for op in operations(function)) == 5


def test_the_expressions_given_are_not_changed():
    """Catches a replacement in place, after which nothing trains any more."""
    _, net = network()
    output = layers.get_output(net)
    before = list(ancestors([output]))
    fold(output)
    assert list(ancestors([output])) == before
    assert collect_shared_vars(output) == layers.get_all_params(net)


def test_several_outputs_share_what_they_shared():
    """Catches a list that comes back as one expression, or in another order."""
    w = pytensor.shared(draw(3), name="w")
    x = pt.vector("x")
    hidden = x * pt.exp(w)
    folded = fold([hidden, x, hidden + 1, w, pt.exp(w)])
    assert len(folded) == 5
    assert folded[1] is x
    assert folded[0] in list(ancestors([folded[2]]))
    assert collect_shared_vars(folded) == []
    values = pytensor.function([x], folded, mode=MODE)(np.ones(3))
    expected = [np.exp(draw(3)), np.ones(3), np.exp(draw(3)) + 1, draw(3)]
    for value, wanted in zip(values, [*expected, np.exp(draw(3))], strict=True):
        np.testing.assert_allclose(value, wanted)
    assert fold([]) == []


def test_a_leaf_alone_becomes_its_value():
    """Catches an output without operations, which has nothing to be rebuilt."""
    w = pytensor.shared(draw(3, 2), name="w")
    folded = fold(w)
    np.testing.assert_array_equal(folded.data, draw(3, 2))
    assert folded.name == "w"
    w.get_value(borrow=True)[:] = 0
    np.testing.assert_array_equal(folded.data, draw(3, 2))


def test_only_the_leaves_named_become_constant():
    """Catches trainable leaves that are frozen along with the frozen ones."""
    mask = set_tags(pytensor.shared(np.tri(7, 5), name="mask"), trainable=False)
    v = pytensor.shared(draw(7, 5), name="v")
    layer = layers.DenseLayer(
        (None, 7), 5, W=pt.exp(mask) * v, b=None, nonlinearity=None
    )
    x = pt.matrix("x")
    output = layers.get_output(layer, {None: x})
    folded = fold(output, layers.get_all_params(layer, trainable=False))
    assert collect_shared_vars(folded) == [v]
    gradient = pytensor.grad(folded.sum(), v)
    compute = pytensor.function([x], [folded, output, gradient], mode=MODE)
    assert not any(
        isinstance(op, Elemwise) and "exp" in str(op).lower()
        for op in operations(pytensor.function([x], folded, mode=MODE))
    )
    got, wanted, slope = compute(draw(4, 7))
    np.testing.assert_allclose(got, wanted)
    expected = np.exp(np.tri(7, 5)) * draw(4, 7).sum(axis=0)[:, None]
    np.testing.assert_allclose(slope, expected)


def test_nothing_to_fold_gives_the_same_expression():
    """Catches copies, on which replacements by identity fail."""
    x = pt.vector("x")
    y = x * 2 + 1
    assert fold(y) is y
    w = pytensor.shared(1.0)
    z = x * w
    assert fold(z, []) is z


def test_leaves_that_functions_update_stay():
    """Catches a counter that stands still."""
    count, w = pytensor.shared(0.0, name="count"), pytensor.shared(2.0, name="w")
    with pytest.warns(DeprecationWarning, match="default_update"):
        count.default_update = count + 1
    output = count * w
    folded = fold(output)
    assert collect_shared_vars(folded) == [count]
    step = pytensor.function([], folded, mode=MODE)
    assert [float(step()) for _ in range(3)] == [0, 2, 4]
    assert collect_shared_vars(fold(output, [count])) == [w]


def test_random_draws_stay_random():
    """Catches a draw that is computed once, and noise of the wrong leaf."""
    w = pytensor.shared(np.ones(3), name="w")
    output = pt.exp(w) * RandomStream(1).normal((3,), dtype="float64")
    sample = pytensor.function([], fold(output), mode=MODE)
    assert (sample() != sample()).all()
    W = expressions.Gaussian(init=draw(7, 5))((7, 5))
    folded = fold(W)
    np.testing.assert_allclose(settle(folded).eval(mode=MODE), draw(7, 5))


def test_sizes_and_indices_are_folded_too():
    """Catches integers on the way that keep an expression from being constant."""
    w = pytensor.shared(draw(6), shape=(6,), name="w")
    flat = w.reshape((w.shape[0] // 2, 2))[1 : w.shape[0] // 2]
    folded = fold(flat.sum(axis=0) + pt.vector("x"))
    function = pytensor.function([folded.owner.inputs[1]], folded, mode=MODE)
    assert len(operations(function)) == 1
    value = function(np.zeros(2))
    np.testing.assert_allclose(value, draw(6).reshape(3, 2)[1:].sum(axis=0))


def test_inner_graphs_take_constants():
    """Catches an operation that must be built again and refuses other types."""
    w = pytensor.shared(draw(3), name="w")  # of unknown shape to PyTensor
    x, inner = pt.vector("x"), pt.vector("inner")
    made = OpFromGraph([inner, x], [pt.exp(inner) * x])(w, x)
    steps = pytensor.scan(
        lambda state, factor: state * factor,
        outputs_info=x,
        non_sequences=pt.tanh(w),
        n_steps=3,
        return_updates=False,
    )
    folded = fold([made, steps[-1]])
    assert collect_shared_vars(folded) == []
    values = pytensor.function([x], folded, mode=MODE)(np.ones(3))
    np.testing.assert_allclose(values[0], np.exp(draw(3)))
    np.testing.assert_allclose(values[1], np.tanh(draw(3)) ** 3)


def test_assertions_of_the_user_hold():
    """Catches a check that disappears with the expression that it guards."""
    w = pytensor.shared(-1.0, name="w")
    guarded = Assert("w must be positive")(w, w > 0) * pt.scalar("x")
    with pytest.raises(AssertionError, match="w must be positive"):
        fold(guarded)


def test_single_precision_stays_single(floatX64):
    """Catches values that are folded in double precision."""
    w = pytensor.shared(draw(3).astype("float32"))
    folded = fold(pt.exp(w) * pt.vector("x", dtype="float32"))
    assert {each.dtype for each in folded.owner.inputs} == {"float32"}


@pytest.mark.parametrize("wrong", [pt.exp(pytensor.shared(1.0)), 1.0, "w"])
def test_only_shared_variables_can_be_folded(wrong):
    """Catches an expression that is ignored, since it is no leaf."""
    w = pytensor.shared(1.0)
    with pytest.raises(TypeError, match="fold: leaves must be shared variables, got"):
        fold(w * 2, [w, wrong])


def test_generators_cannot_be_folded():
    """Catches noise that is frozen, which nobody means."""
    noise = RandomStream(1).normal((3,))
    state = noise.owner.inputs[1] if noise.owner.inputs[0].owner else None
    states = [each for each in ancestors([noise]) if "RNG" in str(each)]
    assert states or state
    with pytest.raises(TypeError, match="fold: leaves must be shared variables, got"):
        fold(noise, states[:1])
