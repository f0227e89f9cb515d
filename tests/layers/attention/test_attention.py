"""Attention layers against their definition, on all backends."""

from functools import partial

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, init, layers
from lasagne_next.layers import (
    InputLayer,
    MultiHeadAttentionLayer,
    PositionEmbeddingLayer,
    PositionEncodingLayer,
    RMSNormLayer,
    get_output,
    transformer_block,
)
from tests.backends import MODES, compile_on
from tests.dtypes import double_variables
from tests.reference import attention as reference

RNG = np.random.default_rng(9)
X, CONTEXT = RNG.normal(size=(2, 5, 6)), RNG.normal(size=(2, 7, 3))
PADDING = np.ones((2, 7))
PADDING[0, 4:] = 0


def values(layer):
    """Return the parameters under the names of the layer's arguments."""
    return {each.name.split(".")[1]: each.get_value() for each in layer.get_params()}


def filled(layer):
    """Give all parameters, biases too, numbers unlike zero."""
    for number, param in enumerate(layer.get_params()):
        drawn = np.random.default_rng(number).normal(size=param.get_value().shape)
        param.set_value(drawn.astype(param.dtype))
    return layer


def computed(layer, inputs, **kwargs):
    return get_output(layer, inputs, **kwargs).eval(mode="FAST_COMPILE")


def test_self_attention_looks_at_the_past_only(floatX64):
    """Catches heads that are interleaved, and a future that is seen."""
    l_in = InputLayer((2, 5, 6))
    layer = filled(MultiHeadAttentionLayer(l_in, 3, causal=True, name="a"))
    past = np.broadcast_to(np.tri(5, dtype=bool), (2, 5, 5))
    wanted = reference.multi_head(X, X, values(layer), 3, past)
    np.testing.assert_allclose(computed(layer, X), wanted)


@pytest.mark.parametrize("causal", [False, True])
def test_a_context_is_seen_where_it_is_not_padding(causal, floatX64):
    """Catches a mask of queries, and options that exclude each other."""
    l_x, l_c, l_m = InputLayer((2, 5, 6)), InputLayer((2, 7, 3)), InputLayer((2, 7))
    layer = MultiHeadAttentionLayer(
        l_x, 2, l_c, l_m, num_units=4, head_size=3, causal=causal, max_distance=2,
        position_bias=init.Normal(1), position_keys=init.Normal(1), scale=0.7, name="a",
    )  # fmt: skip
    filled(layer)
    allowed = np.repeat(PADDING[:, None].astype(bool), 5, axis=1)
    if causal:
        allowed &= np.tri(5, 7, dtype=bool)
    wanted = reference.multi_head(X, CONTEXT, values(layer), 2, allowed, 0.7, reach=2)
    got = computed(layer, {l_x: X, l_c: CONTEXT, l_m: PADDING})
    np.testing.assert_allclose(got, wanted)
    assert layer.output_shape == (2, 5, 4)


def test_each_query_may_have_a_mask_of_its_own(floatX64):
    """Catches the axes of queries and keys being exchanged."""
    l_x, l_m = InputLayer((2, 5, 6)), InputLayer((2, 5, 5))
    layer = filled(MultiHeadAttentionLayer(l_x, 2, mask_input=l_m, name="a"))
    allowed = np.random.default_rng(1).random((2, 5, 5)) > 0.5
    allowed[0, 3] = False
    got = computed(layer, {l_x: X, l_m: allowed.astype("float64")})
    wanted = reference.multi_head(X, X, values(layer), 2, allowed)
    np.testing.assert_allclose(got, wanted)
    np.testing.assert_allclose(got[0, 3], layer.b_out.get_value())


def test_weights_are_dropped_while_training_only(floatX64):
    """Catches dropped weights that are not scaled, or dropped at evaluation."""
    l_in = InputLayer((2, 5, 6))
    layer = MultiHeadAttentionLayer(l_in, 2, dropout=0.5)
    plain = MultiHeadAttentionLayer(
        l_in, 2, **{each: getattr(layer, each) for each in vars(layer) if "_" in each
                    and each[:2] in ("W_", "b_")},
    )  # fmt: skip
    wanted = computed(plain, X)
    np.testing.assert_allclose(computed(layer, X, deterministic=True), wanted)
    function = pytensor.function([], get_output(layer, X), mode="FAST_COMPILE")
    draws = np.array([function() for _ in range(400)])
    assert draws.std(axis=0).min() > 0
    error = draws.std(axis=0) / 20
    assert (abs(draws.mean(axis=0) - wanted) < 5 * error + 1e-9).all()


def test_projections_may_be_tied_expressions():
    """Catches projections that are not parameters."""
    W = init.GlorotUniform()
    layer = MultiHeadAttentionLayer((None, 5, 6), 2, W_query=W, name="a")
    tied = MultiHeadAttentionLayer(
        (None, 5, 6), 2, W_query=layer.W_query, W_key=layer.W_query,
        W_value=expressions.LowRank(rank=2), W_out=layer.W_query.T,
        b_query=None, b_value=None, b_out=None,
    )  # fmt: skip
    assert [each.name for each in layer.get_params(trainable=True)] == [
        f"a.{each}"
        for each in "W_query b_query W_key W_value b_value W_out b_out".split()
    ]
    assert layer.get_params(regularizable=True) == [
        layer.W_query, layer.W_key, layer.W_value, layer.W_out
    ]  # fmt: skip
    assert len(tied.get_params()) == 3


def network_of_all(batch, time):
    """Return a decoder block in single precision, with everything that it can use."""

    def array(x):
        return np.asarray(init.Normal(0.4)(x), dtype="float32")

    l_x = InputLayer((batch, time, 6), pt.tensor3("x", dtype="float32"))
    l_c = InputLayer((batch, time, 4), pt.tensor3("c", dtype="float32"))
    l_m = InputLayer((batch, time), pt.matrix("m", dtype="float32"))
    network = PositionEmbeddingLayer(PositionEncodingLayer(l_x), 9, W=array)
    relative = {"position_bias": array, "position_keys": array, "max_distance": 2}
    plain = dict.fromkeys(["W_query", "W_key", "W_value", "W_out"], array)
    plain |= dict.fromkeys(["b_query", "b_value", "b_out"])
    network = MultiHeadAttentionLayer(network, 2, causal=True, **plain, **relative)
    network = MultiHeadAttentionLayer(network, 3, l_c, l_m, **plain)
    return [l_x, l_c, l_m], network


@pytest.mark.parametrize("sizes", [(None, None), (3, 5)], ids=["unknown", "known"])
def test_backends_agree_without_known_sizes(sizes, backend_mode, floatX64):
    """Catches positions, masks or reshapes that need a known time, and doubles."""
    inputs, network = network_of_all(*sizes)
    if backend_mode is MODES["numba"]:
        if None not in sizes:
            pytest.skip("Numba compiles the same code for both.")
        # All takes a minute to compile. The rest is compiled in the test of the zoo.
        network.input_layers = inputs
    output = get_output(network)
    gradients = pytensor.grad(
        pt.sqr(output).sum(), layers.get_all_params(network, trainable=True)
    )
    variables = [each.input_var for each in inputs]
    generator = np.random.default_rng(2)
    function = compile_on(backend_mode, variables, [output, *gradients])
    oracle = pytensor.function(variables, [output, *gradients], mode="FAST_COMPILE")
    assert not double_variables(function)
    for batch, time in [sizes] if sizes[0] else [(2, 7), (1, 3)]:
        fed = [
            generator.normal(size=shape).astype("float32")
            for shape in [(batch, time, 6), (batch, time, 4)]
        ]
        mask = np.ones((batch, time), "float32")
        mask[0, :] = 0
        for got, wanted in zip(function(*fed, mask), oracle(*fed, mask), strict=True):
            assert np.isfinite(got).all()
            assert got.dtype == "float32"
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)


def test_positions_are_told_apart(floatX64):
    """Catches positions of examples, and of features."""
    layer = PositionEncodingLayer((2, 5, 6), longest=100)
    waves = [reference.sinusoids(step, 6, 100) for step in range(5)]
    np.testing.assert_allclose(computed(layer, {None: X}), X + np.array(waves))
    W = RNG.normal(size=(8, 6))
    for time in (5, None):
        layer = PositionEmbeddingLayer((2, time, 6), num_positions=8, W=W)
        np.testing.assert_allclose(computed(layer, {None: X}), X + W[:5])


def names(network):
    return [each.name for each in layers.get_all_layers(network) if each.name]


def test_a_block_norms_before_or_after_each_branch():
    """Catches a shortcut that is normed, or a branch that is not."""
    l_in = InputLayer((None, 5, 6))
    context, mask = InputLayer((None, 7, 3)), InputLayer((None, 7))
    block = transformer_block(
        l_in, 2, context=context, context_mask=mask, dropout=0.1, name="b"
    )
    order = "attention_norm attention attention_dropout attention_sum context_norm "
    order += "context context_dropout context_sum out_norm hidden out out_dropout"
    assert names(block) == [f"b_{each}" for each in f"{order} out_sum".split()]
    post = transformer_block(l_in, 2, pre_norm=False, norm=RMSNormLayer, name="b")
    order = "attention attention_sum attention_norm hidden out out_sum out_norm"
    assert names(post) == [f"b_{each}" for each in order.split()]
    assert isinstance(post, RMSNormLayer)
    assert post.output_shape == block.output_shape == (None, 5, 6)


def test_a_block_is_made_of_its_parts(floatX64):
    """Catches branches that miss their input."""
    l_in = InputLayer((2, 5, 6))
    attention = partial(MultiHeadAttentionLayer, position_bias=init.Normal(1))
    block = transformer_block(
        l_in, 2, num_hidden=7, attention=attention, nonlinearity=pt.tanh, name="b"
    )
    found = {each.name: each for each in layers.get_all_layers(block)}
    outputs = get_output(
        [found[f"b_{each}"] for each in ("attention", "hidden", "out")] + [block], X
    )
    function = pytensor.function([], outputs, mode="FAST_COMPILE")
    attended, hidden, out, result = function()
    np.testing.assert_allclose(result, X + attended + out)
    assert hidden.shape == (2, 5, 7)
    assert found["b_attention"].position_bias is not None
    assert abs(hidden).max() < 1
    assert len(layers.get_all_layers(transformer_block(l_in, 2))) == 8


def test_bad_arguments_are_refused():
    """Catches shapes that fail later, in a product."""
    make = partial(MultiHeadAttentionLayer, name="a")
    with pytest.raises(ValueError, match=r"'a': the input must have 3 axes.*\(2, 6\)"):
        make((2, 6), 2)
    with pytest.raises(ValueError, match=r"'a': the context must have 3 axes"):
        make((2, 5, 6), 2, context=(2, 7, None))
    with pytest.raises(ValueError, match=r"'a': the mask must have 2 axes .*\(2,\)"):
        make((2, 5, 6), 2, mask_input=(2,))
    with pytest.raises(ValueError, match=r"'a': num_heads must be a divisor .*got 4"):
        make((2, 5, 6), 4)
    with pytest.raises(ValueError, match=r"'a': num_heads must be a positive .*got 0"):
        make((2, 5, 6), 0)
    with pytest.raises(ValueError, match=r"'a': max_distance must be .* got 0"):
        make((2, 5, 6), 2, max_distance=0)
    with pytest.raises(ValueError, match=r"'a': dropout must be .* got 1"):
        make((2, 5, 6), 2, dropout=1)
    with pytest.raises(TypeError, match=r"'a': scale must be a number .* got 'x'"):
        make((2, 5, 6), 2, scale="x")
    with pytest.raises(ValueError, match=r"'p': num_positions must be at least .* 5"):
        PositionEmbeddingLayer((2, 5, 6), 4, name="p")
    with pytest.raises(ValueError, match=r"'p': the input must have 3 axes"):
        PositionEncodingLayer((2, 5), name="p")
