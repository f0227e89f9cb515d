"""Say digits backwards: an LSTM encoder and decoder with attention.

An LSTM reads digits, of some length between the least and the most. Another one starts
from its last states and says them in reverse, then a mark that ends. In each step it
attends to all that the first has seen (Bahdanau et al. 2015, in the form of Luong et
al. 2015: the state of the decoder asks, before the output). In training the decoder is
told the right digits so far ("teacher forcing"), so that all steps are computed at
once. To decode, a `Sampler` runs the same decoder a step at a time on what it said
itself; what it knows of the encoder is given to it once.

    python -m recipes.sequences.reversing

Time: 6 to 12 s of training; with compilation 20 s on JAX, 25 s on Numba, and two
minutes at the first run on Numba. Our numbers after 700 batches, on 500 sequences drawn
anew: 100 % of the symbols and of the sequences are right, for two seeds. There are 10
to the power of 12 sequences of the greatest length; the network has seen 44,800, most
of them shorter.

* Ilya Sutskever, Oriol Vinyals and Quoc Le (2014): Sequence to sequence learning with
  neural networks. https://arxiv.org/abs/1409.3215
* Dzmitry Bahdanau, Kyunghyun Cho and Yoshua Bengio (2015): Neural machine translation
  by jointly learning to align and translate. https://arxiv.org/abs/1409.0473
* Minh-Thang Luong, Hieu Pham and Christopher Manning (2015): Effective approaches to
  attention-based neural machine translation. https://arxiv.org/abs/1508.04025
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

import lasagne_next
from lasagne_next import init, updates
from lasagne_next.layers import (
    ConcatLayer,
    DenseLayer,
    EmbeddingLayer,
    Gate,
    InputLayer,
    LSTMLayer,
    MultiHeadAttentionLayer,
    Sampler,
    StateLayer,
    count_params,
    get_all_params,
    get_output,
)
from lasagne_next.objectives import aggregate, categorical_crossentropy_from_logits
from recipes import command, figures
from recipes.claims import Claim, print_claims
from recipes.training import steps


class Settings(NamedTuple):
    """Sizes and training."""

    least: int = 4
    most: int = 12
    units: int = 64
    batch: int = 64
    steps: int = 700
    learning_rate: float = 0.005
    tested: int = 500


SMOKE = Settings(2, 3, 16, 32, 40, 0.02, 20)
MARK = 10  # begins and ends what is said
NUM_SYMBOLS = 11


class Network(NamedTuple):
    """Layers to feed, to read, and to give to a sampler."""

    source: InputLayer
    source_mask: InputLayer
    said: InputLayer
    encoder: LSTMLayer
    first_states: list
    logits: DenseLayer


def draw_batch(settings, number, rng):
    """Draw digits and their mask, what the decoder is told, its answer and mask."""
    s = settings
    lengths = rng.integers(s.least, s.most + 1, number)
    places = np.arange(s.most + 1)
    mask = (places[:-1] < lengths[:, None]).astype("float32")
    digits = rng.integers(0, 10, (number, s.most)).astype("int32")
    answer = np.full((number, s.most + 1), MARK, "int32")
    for row, length, source in zip(answer, lengths, digits, strict=True):
        row[:length] = source[:length][::-1]
        source[length:] = MARK
    told = np.concatenate([np.full((number, 1), MARK, "int32"), answer[:, :-1]], axis=1)
    counted = (places <= lengths[:, None]).astype("float32")
    return digits, mask, told, answer, counted


def lstm(incoming, units, **options):
    """Build an LSTM that starts by remembering."""
    weights, hidden = init.GlorotUniform(), init.Orthogonal()
    gate = Gate(weights, hidden, None)
    remember = Gate(weights, hidden, None, b=init.Constant(1.0))
    cell = Gate(weights, hidden, None, nonlinearity=pt.tanh)
    return LSTMLayer(
        incoming, units, gate, remember, cell, gate, peepholes=False, **options
    )


def build(settings):
    """Build encoder, decoder, attention, and scores of the next symbol."""
    units = settings.units
    source = InputLayer((None, None), pt.imatrix("source"), name="source")
    source_mask = InputLayer((None, None), pt.fmatrix("mask"), name="mask")
    said = InputLayer((None, None), pt.imatrix("said"), name="said")
    read = EmbeddingLayer(source, NUM_SYMBOLS, units, name="read")
    encoder = lstm(read, units, mask_input=source_mask, name="encoder")
    first = {f"{name}_init": StateLayer(encoder, name) for name in ("hid", "cell")}
    spoken = EmbeddingLayer(said, NUM_SYMBOLS, units, name="spoken")
    decoder = lstm(spoken, units, **first, name="decoder")
    attended = MultiHeadAttentionLayer(
        decoder, 1, context=encoder, mask_input=source_mask, name="attention"
    )
    logits = DenseLayer(
        ConcatLayer([decoder, attended], axis=2),
        NUM_SYMBOLS,
        nonlinearity=None,
        num_leading_axes=2,
        name="next",
    )
    return Network(source, source_mask, said, encoder, list(first.values()), logits)


def training_step(network, settings, mode, rng):
    """Compile one step of teacher forcing; it draws its own batch."""
    answer, counted = pt.imatrix("answer"), pt.fmatrix("counted")
    inputs = [network.source, network.source_mask, network.said]
    losses = categorical_crossentropy_from_logits(get_output(network.logits), answer)
    loss = aggregate(losses, weights=counted, mode="normalized_sum")
    params = get_all_params(network.logits, trainable=True)
    rate = np.float32(settings.learning_rate)
    function = pytensor.function(
        [*(each.input_var for each in inputs), answer, counted],
        [loss],
        updates=updates.adam(loss, params, rate),
        mode=mode,
    )
    return lambda: function(*draw_batch(settings, settings.batch, rng))


class Speaker:
    """Encode at once, then decode a step at a time."""

    def __init__(self, network, batch_size, mode):
        known = [network.encoder, *network.first_states]
        inputs = [network.source.input_var, network.source_mask.input_var]
        self._given = [*known, network.source_mask]
        self._encode = pytensor.function(inputs, get_output(known), mode=mode)
        self._sampler = Sampler(
            network.logits, batch_size, mode=mode, given=self._given
        )

    def __call__(self, digits, mask, num_steps):
        """Return what is said to digits, SHAPE (batch, num_steps)."""
        values = [*self._encode(digits, mask), mask]
        self._sampler.give(dict(zip(self._given, values, strict=True)))
        first = np.full(len(digits), MARK, "int32")
        return self._sampler.feed_back(
            first, num_steps, lambda logits: logits.argmax(axis=1)
        )


def right(said, answer, counted):
    """Return the shares of right symbols and of sequences without an error."""
    correct = (said == answer) | (counted == 0)
    return (
        float((correct * counted).sum() / counted.sum()),
        float(correct.all(axis=1).mean()),
    )


def draw(path, history):
    """Write the picture: the loss while training."""
    figure = figures.new_figure(6, 3.6)
    axes = figure.subplots()
    axes.semilogy(1 + np.arange(len(history)), history)
    axes.set(xlabel="step", title="Loss of the next symbol, nats")
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train with the right digits told, decode without, compare."""
    parser = command.argument_parser("sequences.reversing", __doc__)
    args = parser.parse_args(argv)
    folder = command.output_folder(args.output)
    mode = command.mode_of(args.backend)
    settings = SMOKE if args.smoke else Settings()
    rng = np.random.default_rng(args.seed)
    lasagne_next.random.set_rng(rng)

    print("Compiling; a first run takes longest ...", flush=True)
    network = build(settings)
    step = training_step(network, settings, mode, rng)
    history = steps(step, settings.steps, "encoder and decoder")
    speak = Speaker(network, settings.tested, mode)
    digits, mask, _, answer, counted = draw_batch(settings, settings.tested, rng)
    said = speak(digits, mask, answer.shape[1])
    symbols, sequences = right(said, answer, counted)
    for source, line in zip(digits[:3], said, strict=False):
        words = ["".join("0123456789."[each] for each in row) for row in (source, line)]
        print(f"{words[0]} -> {words[1]}")
    command.print_table(
        [
            ("parameters", "symbols right", "sequences right"),
            (f"{count_params(network.logits):,}", f"{symbols:.2%}", f"{sequences:.1%}"),
        ]
    )
    holds = print_claims([Claim("symbols right", symbols, least=0.99)])
    draw(folder / "reversing.png", history[:, 0])
    print(f"See {folder / 'reversing.png'}")
    losses = float(history[0, 0]), float(history[-1, 0])
    numbers = {"symbols": symbols, "sequences": sequences, "losses": losses}
    return {**numbers, "holds": holds}


if __name__ == "__main__":
    command.run(main)
