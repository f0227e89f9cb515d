"""Exchanging parameters of layers that are already built."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers
from lasagne_next.layers import replace_param
from lasagne_next.params import collect_shared_vars, get_tags, set_tags
from tests.expression_networks import BilinearLayer
from tests.expressions.values import value_of

MODE = "FAST_COMPILE"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def dense(num_inputs=7, num_units=5, **kwargs):
    kwargs = {"W": draw(num_inputs, num_units), "name": "h", **kwargs}
    return layers.DenseLayer((None, num_inputs), num_units, **kwargs)


def output_of(layer, value):
    x = pt.matrix("x")
    output = layers.get_output(layer, {None: x})
    return output.eval({x: value.astype(x.dtype)}, mode=MODE)


def snapshot(layer):
    """Return what an error must leave as it is."""
    return dict(vars(layer)), [(p, set(tags)) for p, tags in layer.params.items()]


@pytest.mark.parametrize(
    "spec",
    [
        expressions.WeightNorm(),
        expressions.SpectralNorm(),
        expressions.LowRank(5),
        expressions.Gaussian(),
        expressions.Box(-5, 5),
        expressions.WeightNorm(init=expressions.LowRank(5)),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_an_expression_starts_at_the_present_value(spec, floatX64):
    """Catches a fresh draw, which forgets what was learnt."""
    layer = dense()
    b, before = layer.b, layer.W
    new = replace_param(layer, "W", spec)
    assert layer.W is new
    assert layer.b is b
    np.testing.assert_allclose(value_of(new), draw(7, 5))
    assert before not in layer.get_params()
    assert layer.get_params(unwrap_shared=False) == [new, b]
    leaves = collect_shared_vars(new)
    assert layer.get_params() == [*leaves, b]
    assert all(leaf.name.startswith("h.W.") for leaf in leaves)


def test_the_network_computes_the_same_with_fewer_numbers(floatX64):
    """Catches a layer that goes on with the old parameter."""
    layer = dense(W=draw(7, 2) @ draw(2, 5, seed=1))
    before = output_of(layer, draw(4, 7))
    replace_param(layer, "W", expressions.LowRank(2))
    assert layers.count_params(layer) == 2 * (7 + 5) + 5
    np.testing.assert_allclose(output_of(layer, draw(4, 7)), before, atol=1e-12)


def test_the_nearest_is_taken_only_if_asked_for(floatX64):
    """Catches a compression that silently loses most of a weight."""
    layer = dense()
    before = snapshot(layer)
    with pytest.raises(ValueError, match=r"LowRank\(rank=2.*cannot be represented"):
        replace_param(layer, "W", expressions.LowRank(2))
    assert snapshot(layer) == before
    new = replace_param(layer, "W", expressions.LowRank(2), strict=False)
    left, scales, right = np.linalg.svd(draw(7, 5), full_matrices=False)
    nearest = (left[:, :2] * scales[:2]) @ right[:2]
    np.testing.assert_allclose(value_of(new), nearest)


def test_nothing_makes_a_parameter_plain_again(floatX64):
    """Catches a plain parameter of another value, name or type."""
    layer = dense(W=expressions.WeightNorm(init=draw(7, 5).astype("float32")))
    new = replace_param(layer, "W")
    assert new.name == "h.W"
    assert new.dtype == "float32"
    assert layer.get_params() == [new, layer.b]
    np.testing.assert_allclose(new.get_value(), draw(7, 5), rtol=1e-6)
    random = dense(W=expressions.Gaussian(init=draw(7, 5)))
    np.testing.assert_array_equal(replace_param(random, "W").get_value(), draw(7, 5))


def test_a_function_makes_a_new_parameter_of_the_old_one(floatX64):
    """Catches a copy of the leaf, which loses the state of an optimiser."""
    layer, mask = dense(), np.tri(7, 5)
    leaf = layer.W
    new = replace_param(layer, "W", lambda W: mask * W)
    assert layer.get_params() == [leaf, layer.b]
    assert new.name == "h.W"
    np.testing.assert_allclose(value_of(layer.W), mask * draw(7, 5))
    replace_param(layer, "W", lambda W: 2 * W)
    np.testing.assert_allclose(value_of(layer.W), 2 * mask * draw(7, 5))
    assert layer.get_params() == [leaf, layer.b]


def test_anything_else_is_taken_as_it_is(floatX64):
    """Catches an initialiser that is called with a variable."""
    layer = dense()
    mine = pytensor.shared(draw(7, 5, seed=1), name="mine")
    assert replace_param(layer, "W", mine) is mine
    assert layer.W is mine
    new = replace_param(layer, "W", np.ones((7, 5)))
    assert new.get_value().sum() == 35
    new = replace_param(layer, "W", init.Constant(2.0))
    assert new.get_value().sum() == 70
    assert new.type.shape == (7, 5)


def test_a_bias_can_be_exchanged(floatX64):
    """Catches a function for weights only."""
    layer = dense(b=np.arange(1.0, 6.0))
    replace_param(layer, "b", expressions.Positive())
    np.testing.assert_allclose(value_of(layer.b), np.arange(1.0, 6.0))
    x = draw(4, 7)
    expected = np.maximum(x @ draw(7, 5) + np.arange(1.0, 6.0), 0)
    np.testing.assert_allclose(output_of(layer, x), expected)


def test_order_and_tags_of_the_layer_stay(floatX64):
    """Catches a parameter that moves to the end, where files do not expect it."""
    layer = dense()
    layer.params[layer.W].add("mine")
    layer.params[layer.b].add("other")
    new = replace_param(layer, "W", expressions.LowRank(5))
    assert list(layer.params) == [new, layer.b]
    assert layer.params[new] == {"trainable", "regularizable", "mine"}
    assert layer.get_params(mine=True) == collect_shared_vars(new)
    replace_param(layer, "b", expressions.UnitNorm(axis=0), strict=False)
    assert layer.params[layer.b] == {"trainable", "other"}


def test_a_plain_variable_keeps_the_tags_of_its_own():
    """Catches a frozen weight that learns after an exchange."""
    layer = dense()
    set_tags(layer.W, trainable=False)
    new = replace_param(layer, "W")
    assert get_tags(new) == {"trainable": False}
    assert layer.get_params(trainable=True) == [layer.b]
    replace_param(layer, "W", expressions.LowRank(5))
    assert len(layer.get_params(trainable=True)) == 3


def test_an_adapter_is_put_beside_a_frozen_base(floatX64):
    """Catches a base that goes on learning, and outputs that change."""
    layer = dense()
    before = output_of(layer, draw(4, 7))
    replace_param(layer, "W", expressions.LowRankPlus(2))
    np.testing.assert_allclose(output_of(layer, draw(4, 7)), before)
    sizes = [leaf.get_value().size for leaf in layer.get_params(trainable=True)]
    assert sizes == [7 * 2, 2 * 5, 5]
    plain = replace_param(layer, "W")
    np.testing.assert_allclose(plain.get_value(), draw(7, 5))


def test_tied_layers_follow_in_the_network(floatX64):
    """Catches a decoder that keeps the old weights of the encoder."""
    encoder = layers.DenseLayer(
        layers.InputLayer((None, 7)), 5, W=draw(7, 5), name="encoder"
    )
    decoder = layers.DenseLayer(encoder, 7, W=encoder.W.T, b=None, name="decoder")
    name, tags = decoder.W.name, set(decoder.params[decoder.W])
    new = replace_param(encoder, "W", expressions.LowRank(5), network=decoder)
    np.testing.assert_allclose(value_of(decoder.W), draw(7, 5).T)
    assert decoder.W.name == name
    assert decoder.params == {decoder.W: tags}
    assert set(layers.get_all_params(decoder)) == {
        *collect_shared_vars(new),
        encoder.b,
    }
    leaf = collect_shared_vars(new)[0]
    leaf.set_value(2 * leaf.get_value())
    np.testing.assert_allclose(value_of(decoder.W), 2 * draw(7, 5).T)


def test_layers_that_share_a_weight_go_on_sharing_it(floatX64):
    """Catches one of two layers that keeps the unconstrained weight."""
    first = layers.DenseLayer(layers.InputLayer((None, 5)), 5, name="a")
    second = layers.DenseLayer(first, 5, W=first.W, b=first.b, name="b")
    new = replace_param(first, "W", expressions.Orthogonal(), second, strict=False)
    assert first.W is new
    assert second.W is new
    assert list(second.params) == [new, first.b]
    mask = np.tri(5)
    new = replace_param(second, "W", lambda W: mask * W, network=[second])
    assert first.W is new
    assert second.W is new


def test_without_the_network_other_layers_keep_what_they_have():
    """Catches a search through layers that nobody named."""
    first = layers.DenseLayer(layers.InputLayer((None, 5)), 5, name="a")
    second = layers.DenseLayer(first, 5, W=first.W, name="b")
    old = first.W
    replace_param(first, "W", expressions.WeightNorm())
    assert second.W is old
    assert first.W is not old


class Aliased(layers.Layer):
    """Holds a parameter, and what is made of it, in many places."""

    def __init__(self, incoming, **kwargs):
        super().__init__(incoming, **kwargs)
        self.W = self.add_param(draw(5, 5), (5, 5), name="W")
        self.weights = self.W
        self.back = self.add_param(self.W.T, (5, 5), name="back")
        self.by_name = {"W": self.W, "both": [self.W, {self.W}]}
        self.pair = (self.W, 1)
        self.norm = pt.sqr(self.W).sum()


def test_everything_a_layer_holds_of_a_parameter_follows(floatX64):
    """Catches aliases, containers and other parameters that keep the old one."""
    layer = Aliased((None, 5), name="h")
    old, registry = layer.W, layer.params
    new = replace_param(layer, "W", expressions.WeightNorm())
    assert layer.weights is new
    assert layer.by_name == {"W": new, "both": [new, {new}]}
    assert layer.pair == (new, 1)
    assert layer.params is registry
    assert list(registry) == [new, layer.back]
    for each in (layer.back, layer.norm):
        assert old not in collect_shared_vars(each)
        assert collect_shared_vars(each) == collect_shared_vars(new)
    np.testing.assert_allclose(value_of(layer.back), draw(5, 5).T)


def test_parameters_in_lists_go_by_the_name_of_their_registration(floatX64):
    """Catches weights that no attribute names."""
    inputs = [layers.InputLayer((None, size)) for size in (3, 2)]
    layer = BilinearLayer(inputs, 5, name="both")
    before = value_of(layer.weights[1])
    new = replace_param(layer, "W1", expressions.WeightNorm())
    assert layer.weights[1] is new
    assert list(layer.params) == layer.weights
    np.testing.assert_allclose(value_of(new), before)


def test_exchanging_two_for_one_keeps_the_tags_of_both():
    """Catches a weight that loses tags because the layer holds it already."""
    layer = layers.DenseLayer(layers.InputLayer((None, 5)), 5, b=None)
    other = layer.add_param(draw(5, 5), (5, 5), name="other", mine=True)
    layer.other = other
    replace_param(layer, "W", other)
    assert layer.params == {other: {"trainable", "regularizable", "mine"}}


def test_dependents_of_another_type_are_built_for_it(floatX64):
    """Catches a tied layer that cannot follow to single precision."""
    first = layers.DenseLayer(layers.InputLayer((None, 5)), 5, W=draw(5, 5), name="a")
    second = layers.DenseLayer(first, 5, W=first.W.T, name="b")
    replace_param(first, "W", draw(5, 5).astype("float32"), network=second)
    assert second.W.dtype == "float32"


@pytest.mark.parametrize(
    ("error", "message", "name", "spec"),
    [
        (
            ValueError,
            "DenseLayer 'h': name must be one of the parameters W, b, got 'w'",
            "w",
            None,
        ),
        (ValueError, "name must be one of the parameters W, b", "num_units", None),
        (ValueError, r"parameter W must have shape \(7, 5\)", "W", np.ones((5, 7))),
        (ValueError, r"parameter W must have shape \(7, 5\)", "W", lambda W: W.T),
        (ValueError, "LowRank.*rank must be at most 5", "W", expressions.LowRank(6)),
        (TypeError, "parameter W must be a number", "W", "plain"),
        (
            NotImplementedError,
            "Generated.* has no inverse",
            "W",
            expressions.Generated(pt.vector("v")),
        ),
    ],
)
def test_errors_change_nothing(error, message, name, spec):
    """Catches a layer that is left half exchanged."""
    layer = dense()
    decoder = layers.DenseLayer((None, 5), 7, W=layer.W.T, name="decoder")
    before, tied = snapshot(layer), snapshot(decoder)
    with pytest.raises(error, match=message):
        replace_param(layer, name, spec, network=decoder)
    assert snapshot(layer) == before
    assert snapshot(decoder) == tied


def test_a_value_that_is_needed_must_be_known():
    """Catches an obscure error about a missing input."""
    x = pt.tensor("x", shape=(7, 5))
    layer = dense(W=pt.exp(x))
    message = "'h'.*: parameter W must have a value to start from, got h.W, which dep"
    with pytest.raises(ValueError, match=message):
        replace_param(layer, "W", expressions.WeightNorm())
    new = replace_param(layer, "W", lambda W: W / 2)
    assert layer.W is new
    unknown = dense(W=pt.matrix("W"))
    message = r"parameter W must have a known shape to be replaced, got \(None, None\)"
    with pytest.raises(ValueError, match=message):
        replace_param(unknown, "W", lambda W: W / 2)
