"""CustomRecurrentLayer: networks inside, masks over maps, dropout in the loop."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.layers import (
    CustomRecurrentLayer,
    DenseLayer,
    DropoutLayer,
    GaussianNoiseLayer,
    InputLayer,
    NINLayer,
    copy_network,
    get_all_layers,
    get_all_params,
    get_output,
)
from lasagne_next.random import RandomStream
from tests.backends import MODES, compile_on

FAST = "FAST_COMPILE"
BATCH, STEPS, CHANNELS, HIDDEN, SIZE = 2, 5, 3, 4, 7


def maps(channels, batch=None, size=SIZE, units=HIDDEN, name=None):
    below = InputLayer((batch, channels, size))
    return NINLayer(below, units, nonlinearity=None, b=None, name=name)


def dense(inputs, units=HIDDEN, dropped=False, name=None):
    below = InputLayer((None, inputs))
    if dropped:
        below = GaussianNoiseLayer(DropoutLayer(below, 0.3), 0.1)
    return DenseLayer(below, units, nonlinearity=None, name=name)


def values_of(layer):
    for index, param in enumerate(layer.get_params()):
        shape = param.get_value().shape
        param.set_value(np.random.default_rng(index).normal(size=shape))
    return [each.get_value() for each in layer.get_params()]


@pytest.mark.parametrize("batch", [BATCH, 1])
def test_masks_choose_examples_whatever_the_features(batch, floatX64):
    """Catches a mask aligned with channels or positions, and a batch of one."""
    generator = np.random.default_rng(batch)
    x = generator.normal(size=(batch, STEPS, CHANNELS, SIZE))
    mask = generator.integers(0, 2, (batch, STEPS))
    incoming, keep = InputLayer(x.shape), InputLayer((batch, None))
    layer = CustomRecurrentLayer(
        incoming, maps(CHANNELS), maps(HIDDEN), pt.tanh, mask_input=keep
    )
    start, W, V = values_of(layer)
    hidden, wanted = np.repeat(start, batch, axis=0), []
    for t in range(STEPS):
        new = np.einsum("ncs,ch->nhs", x[:, t], W)
        new = np.tanh(new + np.einsum("ncs,ch->nhs", hidden, V))
        hidden = np.where(mask[:, t, None, None], new, hidden)
        wanted.append(hidden)
    output = get_output(layer, {incoming: x, keep: mask.astype(float)})
    got = output.eval(mode=FAST)
    np.testing.assert_allclose(got, np.stack(wanted, axis=1), rtol=1e-9)
    assert layer.output_shape == (batch, STEPS, HIDDEN, SIZE)


def test_layers_inside_are_found_on_request_and_parameters_always():
    """Catches hidden layers that nobody can list, or that get evaluated."""
    g, q = maps(CHANNELS, name="g"), maps(HIDDEN, name="q")
    incoming = InputLayer((None, STEPS, CHANNELS, SIZE))
    layer = CustomRecurrentLayer(incoming, g, q, name="r")
    assert get_all_layers(layer) == [incoming, layer]
    inner = [*get_all_layers(g), *get_all_layers(q)]
    assert get_all_layers(layer, inner=True) == [incoming, *inner, layer]
    assert layer.get_inner_layers() == inner
    assert [each.name for each in get_all_params(layer)] == ["r.hid_init", "g.W", "q.W"]
    twin = copy_network(layer, prefix="t.")
    names = [each.name for each in get_all_params(twin)]
    assert names == ["t.r.hid_init", "t.g.W", "t.q.W"]


@pytest.mark.parametrize("unroll", [False, True], ids=["scan", "unrolled"])
def test_each_step_draws_a_mask_of_its_own_for_value_and_gradient(unroll, floatX64):
    """Catches one mask for all steps, and a gradient through other masks."""
    incoming = InputLayer((BATCH, STEPS, HIDDEN))
    g = DenseLayer(InputLayer((None, HIDDEN)), HIDDEN, np.eye(HIDDEN), None, None)
    q = DropoutLayer(InputLayer((None, HIDDEN)), 0.4)
    layer = CustomRecurrentLayer(incoming, g, q, None, unroll_scan=unroll)
    output, x = get_output(layer), incoming.input_var
    wanted = [output, pytensor.grad(output.sum(), x)]
    wanted.append(get_output(layer, deterministic=True))
    function = pytensor.function([x], wanted, mode=FAST)
    x = np.random.default_rng(1).random((BATCH, STEPS, HIDDEN)) + 1
    h, slope, fixed = function(x)
    # h_t = x_t + h_{t-1} * mask / 0.6 tells what the masks were.
    masks = (h[:, 1:] - x[:, 1:]) / h[:, :-1] * 0.6
    np.testing.assert_allclose(masks * (1 - masks), 0, atol=1e-9)
    assert len({mask.round().tobytes() for mask in masks.transpose(1, 0, 2)}) > 1
    back = np.zeros((BATCH, HIDDEN))
    for t in reversed(range(STEPS)):
        back = 1 + (back * masks[:, t] / 0.6 if t < STEPS - 1 else 0)
        np.testing.assert_allclose(slope[:, t], back, rtol=1e-9)
    again, _, same = function(x)
    assert abs(again - h).max() > 0.1
    np.testing.assert_array_equal(fixed, same)


@pytest.mark.skipif(len(MODES) < 3, reason="JAX is not installed")
def test_dropout_in_a_loop_runs_on_jax(floatX64):
    """Catches generators that JAX cannot carry through a loop of unknown length."""
    incoming = InputLayer((None, None, CHANNELS))
    layer = CustomRecurrentLayer(
        incoming, dense(CHANNELS, dropped=True), dense(HIDDEN, dropped=True), pt.tanh
    )
    output = get_output(layer)
    slope = pytensor.grad(output.sum(), layer.hidden_to_hidden.W)
    function = compile_on(MODES["jax"], [incoming.input_var], [output, slope])
    x = np.ones((2, 5, CHANNELS))
    one, other = np.asarray(function(x)[0]), np.asarray(function(x)[0])
    assert one.shape == (2, 5, HIDDEN)
    assert abs(one - other).max() > 1e-3
    assert abs(one[0] - one[1]).max() > 1e-3


class Wild(DenseLayer):
    """Draws numbers whose spread depends on the state."""

    def get_output_for(self, input, **kwargs):
        spread = pt.exp(input)
        stream = RandomStream(3)
        draw = stream._draw("normal", spread, 1.0, size=input.shape, dtype="float64")
        return super().get_output_for(draw)


def test_draws_that_depend_on_the_state_are_refused(floatX64):
    """Catches a gradient that silently goes through other numbers."""
    q = Wild(InputLayer((None, HIDDEN)), HIDDEN)
    layer = CustomRecurrentLayer((None, STEPS, CHANNELS), dense(CHANNELS), q)
    with pytest.raises(NotImplementedError, match="must not depend on inputs or state"):
        get_output(layer, {None: pt.tensor3()})


def test_keywords_reach_the_layers_inside():
    """Catches a warning of unused keywords, or none of a misspelt one."""
    layer = CustomRecurrentLayer((2, 5, CHANNELS), dense(CHANNELS), dense(HIDDEN))
    assert "structured" in layer.get_output_kwargs
    get_output(layer, {None: pt.tensor3()}, structured=False)
    with pytest.warns(UserWarning, match="structred"):
        get_output(layer, {None: pt.tensor3()}, structred=False)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"input_to_hidden": DenseLayer((None, 3), 4)}, "input_to_hidden must hav"),
        ({"hidden_to_hidden": DenseLayer((None, 4), 4)}, "hidden_to_hidden must h"),
        ({"input_to_hidden": dense(3, 5)}, r"equal sizes .*\(5,\) and \(4,\)"),
        ({"hidden_to_hidden": dense(5, 4)}, r"input of hid.* \(4,\) and \(5,\)"),
        (
            {"input_to_hidden": maps(3, batch=4), "hidden_to_hidden": maps(4)},
            r"must return 10 examples \(batch \* time\) when .* got 4",
        ),
        (
            {
                "input_to_hidden": maps(3, batch=3),
                "hidden_to_hidden": maps(4, batch=2),
                "precompute_input": False,
            },
            "same number of examples .* got 3 and 2",
        ),
    ],
)  # fmt: skip
def test_networks_must_fit_each_other(options, match):
    """Catches a shape error in the middle of a loop."""
    options = {"input_to_hidden": dense(3), "hidden_to_hidden": dense(4), **options}
    with pytest.raises(ValueError, match=f"'r': .*{match}"):
        CustomRecurrentLayer((2, 5, 3), name="r", **options)
