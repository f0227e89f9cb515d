"""Layers of gates that are computed by one operation, beside the loop of any cell."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors
from pytensor.scan.op import Scan

from lasagne_next import init, nonlinearities
from lasagne_next.layers import (
    Gate,
    GRULayer,
    InputLayer,
    LSTMLayer,
    StateLayer,
    get_all_params,
    get_output,
)
from lasagne_next.ops import GRUSequence, LSTMSequence

BATCH, STEPS, FEATURES, UNITS = 3, 5, 2, 4


def operations(variable):
    """Return the kinds of operations that an expression is made of."""
    return {
        type(each.owner.op) for each in ancestors([variable]) if each.owner is not None
    }


def is_fused(layer, **kwargs):
    kinds = operations(get_output(layer, **kwargs))
    assert len(kinds & {GRUSequence, LSTMSequence, Scan}) <= 1
    return bool(kinds & {GRUSequence, LSTMSequence})


def tied():
    """Return gates whose weights are expressions, two of them the same."""
    w = pytensor.shared(init.Normal(0.5)((UNITS, UNITS)))
    return {
        "ingate": Gate(W_hid=w.T, b=init.Normal(1)),
        "forgetgate": Gate(W_hid=w, W_cell=pt.exp(pytensor.shared(np.zeros(UNITS)))),
        "outgate": Gate(W_hid=pt.tanh(w), nonlinearity=pt.sigmoid),
    }


CASES = {
    "plain": {"peepholes": False},
    "expressions": {**tied(), "learn_init": True, "hid_init": init.Normal(1)},
    "masked and backwards": {
        "backwards": True,
        "learn_init": True,
        "cell_init": init.Normal(1),
        "mask_input": InputLayer((None, None), pt.matrix("mask")),
        "grad_clipping": 0.01,
    },
    "last of a mask": {
        "mask_input": InputLayer((None, None), pt.matrix("mask")),
        "only_return_final": True,
    },
    "last, backwards": {"backwards": True, "only_return_final": True},
}


GRU_CASES = {
    "expressions, backwards": {
        "updategate": Gate(b=init.Normal(1), nonlinearity=pt.sigmoid),
        "resetgate": Gate(W_hid=tied()["outgate"].W_hid, b=None),
        "hid_init": init.Normal(1),
        "learn_init": True,
        "backwards": True,
    },
    "last of a mask, clipped": {
        "mask_input": InputLayer((None, None), pt.matrix("mask")),
        "only_return_final": True,
        "grad_clipping": 0.01,
    },
}
ALL_CASES = [
    *[pytest.param(LSTMLayer, each, id=f"LSTM {name}") for name, each in CASES.items()],
    *[pytest.param(GRULayer, each, id=f"GRU {n}") for n, each in GRU_CASES.items()],
]


@pytest.mark.parametrize(("kind", "options"), ALL_CASES)
def test_the_operation_and_the_loop_compute_the_same(kind, options):
    """Catches gates in another order, a mask or clipping that one path forgets."""
    generator = np.random.default_rng(7)
    x = generator.normal(size=(BATCH, STEPS, FEATURES))
    mask = np.arange(STEPS) < np.array([[5], [2], [3]])
    l_in = InputLayer((None, None, FEATURES))
    layer = kind(l_in, UNITS, **options)
    network = [layer, StateLayer(layer, list(layer.state_shapes)[-1])]
    params = get_all_params(layer, trainable=True)
    results = []
    for fused in (True, False):
        hidden, last = get_output(network, fused=fused)
        assert bool(operations(last) & {GRUSequence, LSTMSequence}) == fused
        loss = (hidden * pt.cos(hidden)).sum() + pt.sqr(last).mean()
        results += [hidden, last, *pytensor.grad(loss, [l_in.input_var, *params])]
    inputs = {l_in.input_var: x}
    if layer.mask_incoming_index >= 0:
        inputs[options["mask_input"].input_var] = mask
    function = pytensor.function(list(inputs), results, mode="FAST_COMPILE")
    values = function(*inputs.values())
    half = len(values) // 2
    for one, other in zip(values[:half], values[half:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_what_the_operation_does_not_know_is_left_to_the_loop():
    """Catches an option that is silently dropped."""
    shape = (None, STEPS, FEATURES)
    low_rank = pt.dot(
        pytensor.shared(np.ones((900, 1))), pytensor.shared(np.ones((1, 900)))
    )
    rectifying = Gate(nonlinearity=nonlinearities.rectify)
    for kind in (GRULayer, LSTMLayer):
        assert is_fused(kind(shape, UNITS), inputs={None: pt.tensor3()})
    for units, options in [
        (UNITS, {"gradient_steps": 2}),
        (UNITS, {"precompute_input": False}),
        (UNITS, {"grad_clipping": pt.dscalar()}),
        (UNITS, {"nonlinearity": nonlinearities.rectify}),
        (UNITS, {"outgate": rectifying}),
        (UNITS, {"cell_init": np.ones((1, UNITS), "float32")}),
        (900, {"ingate": Gate(W_hid=low_rank)}),
    ]:
        layer = LSTMLayer(shape, units, **options)
        assert not is_fused(layer, inputs={None: pt.tensor3()}), options
    for options in [
        {"gradient_steps": 2},
        {"precompute_input": False},
        {"resetgate": rectifying},
        {"hidden_update": Gate()},
        {"hid_init": np.ones((1, UNITS), "float32")},
    ]:
        layer = GRULayer(shape, UNITS, **options)
        assert not is_fused(layer, inputs={None: pt.tensor3()}), options
    x = pt.tensor3(shape=shape)
    unrolled = get_output(LSTMLayer(shape, UNITS, unroll_scan=True), {None: x})
    assert not operations(unrolled) & {LSTMSequence, Scan}


def test_a_step_of_ones_own_is_taken():
    """Catches a sub-class whose step is bypassed."""

    class Forgetful(LSTMLayer):
        def step(self, inputs, states, context, **kwargs):
            return super().step(inputs, states, context, **kwargs)

    assert not is_fused(
        Forgetful((None, STEPS, FEATURES), UNITS), inputs={None: pt.tensor3()}
    )
