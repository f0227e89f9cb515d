"""Sampling from a decoder that needs more than its own last word."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import init
from lasagne_next.layers import (
    DenseLayer,
    GRULayer,
    InputLayer,
    MultiHeadAttentionLayer,
    Sampler,
    StateLayer,
    get_output,
)

BATCH, STEPS, TOLD, FEATURES, UNITS = 2, 5, 3, 7, 4


def decoder():
    """Return source, mask, what is told, encoder, its last state, and the output."""
    source = InputLayer((None, None, FEATURES), name="source")
    mask = InputLayer((None, None), pt.imatrix("mask"), name="mask")
    told = InputLayer((None, None, UNITS), name="told")
    encoder = GRULayer(source, UNITS, mask_input=mask, name="encoder")
    last = StateLayer(encoder, "hid", name="last")
    speaking = GRULayer(told, UNITS, hid_init=last, name="decoder")
    attended = MultiHeadAttentionLayer(
        speaking, 2, context=encoder, mask_input=mask, W_out=init.Normal(1)
    )
    output = DenseLayer(attended, UNITS, num_leading_axes=2, nonlinearity=pt.tanh)
    return source, mask, told, encoder, last, output


def test_steps_of_a_decoder_are_those_of_the_whole_sequence():
    """Catches a first state of zeros, a memory that is not read, a mask left out."""
    source, mask, told, encoder, last, output = decoder()
    inputs = [source.input_var, mask.input_var, told.input_var]
    whole = pytensor.function(
        inputs, get_output([output, encoder, last]), mode="FAST_COMPILE"
    )
    sampler = Sampler(output, BATCH, "FAST_COMPILE", given=[encoder, last, mask])
    rng = np.random.default_rng(0)
    for steps in (STEPS, STEPS - 1):
        x = rng.normal(size=(BATCH, steps, FEATURES))
        y = rng.normal(size=(BATCH, TOLD, UNITS))
        m = np.ones((BATCH, steps), "int32")
        m[1, 2:] = 0
        expected, memory, state = whole(x, m, y)
        sampler.give({encoder: memory, last: state, mask: m})
        for _ in range(2):
            sampler.reset()
            got = np.stack([sampler(y[:, t]) for t in range(TOLD)], axis=1)
            np.testing.assert_allclose(got, expected)


def test_what_is_given_must_be_layers_of_the_network_and_fit():
    """Catches a value that is broadcast or lands at another layer."""
    _, mask, told, encoder, last, output = decoder()
    with pytest.raises(ValueError, match=r"exactly one InputLayer, .* in given"):
        Sampler(output, mode="FAST_COMPILE", given=[encoder, last])
    with pytest.raises(TypeError, match=r"given must be a list of layers, got \['enc"):
        Sampler(output, mode="FAST_COMPILE", given=["encoder"])
    sampler = Sampler(output, BATCH, "FAST_COMPILE", given=[encoder, last, mask])
    assert [each.type.shape for each in sampler.given.values()] == [
        (BATCH, None, UNITS),
        (BATCH, UNITS),
        (BATCH, None),
    ]
    with pytest.raises(ValueError, match=r"layers named in given, got .*'told'"):
        sampler.give({told: np.ones((BATCH, 1, UNITS))})
    with pytest.raises(ValueError, match=r"'last' must have the shape \(2, 4\), got"):
        sampler.give({last: np.ones((BATCH + 1, UNITS))})
