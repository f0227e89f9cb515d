"""See a variational autoencoder ignore its code, and what makes it use it.

A decoder that predicts each symbol from those before it can model a sequence without
any code. Then the bound is best if the code says nothing, and at the start of training,
when codes are noise, that is where it goes: KL(q(z|x), p(z)) falls to zero, and the
network is a language model (Bowman et al. 2016; Chen et al. 2017). Their remedies: let
the weight of KL grow from zero while training, and hide symbols from the decoder, so
that it needs the code. Here each sequence has a topic, its symbols are the topic's own
with probability 0.6, and all is known: the entropy of sequences, and how much they say
about their topic.

    python -m recipes.autoencoders.collapse

Time: 106 s of one core at the first run. Our numbers: KL of 0.03 nats and 0.17 bits on
the topic for the plain one, 2.84 nats and 2.08 bits with both remedies, where sequences
say 2.74 nats; the bounds are 0.24 and 0.70 nats above the entropy.

* Samuel Bowman et al. (2016): Generating sentences from a continuous space.
  https://arxiv.org/abs/1511.06349
* Xi Chen et al. (2017): Variational lossy autoencoder, section 2.2.
  https://arxiv.org/abs/1611.02731
* Sander Dieleman (2020): Generating music in the waveform domain.
  https://sander.ai/2020/03/24/audio-generation.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import objectives, updates
from lasagne_next.layers import (
    ConcatLayer,
    DenseLayer,
    EmbeddingLayer,
    GRULayer,
    InputLayer,
    get_all_params,
    get_output,
)
from recipes import command, figures
from recipes.autoencoders.vae import kl_to_normal
from recipes.claims import Claim, near, print_claims
from recipes.training import steps


class Settings(NamedTuple):
    """Sizes and training."""

    units: int = 48
    steps: int = 3000
    held_out: int = 2000


SMOKE = Settings(units=12, steps=40, held_out=200)
TOPICS, LENGTH, OWN, CODE = 16, 10, 0.6, 4
HIDDEN = TOPICS  # what stands for a symbol that the decoder must not see
X, NOISE, KEEP = pt.lmatrix("x"), pt.fmatrix("noise"), pt.fmatrix("keep")


def draw_sequences(number, rng):
    """Return topics, SHAPE (n,), and sequences, SHAPE (n, LENGTH)."""
    topics = rng.integers(TOPICS, size=number)
    other = rng.integers(TOPICS, size=(number, LENGTH))
    own = rng.random(other.shape) < OWN
    return topics, np.where(own, topics[:, None], other)


def log_p(sequences):
    """Return log p(x), by adding up topics, and log p(x | topic)."""
    counts = (sequences[:, None] == np.arange(TOPICS)[:, None]).sum(axis=2)
    low = np.log((1 - OWN) / TOPICS)
    given = counts * np.log(OWN + np.exp(low)) + (LENGTH - counts) * low
    return np.logaddexp.reduce(given, axis=1) - np.log(TOPICS), given


class Model:
    """A variational autoencoder of sequences, whose decoder is a language model."""

    def __init__(self, name, num_units):
        ones = pt.eye(TOPICS, dtype="float32")[X].reshape((-1, TOPICS * LENGTH))
        hidden = InputLayer((None, TOPICS * LENGTH), ones)
        hidden = DenseLayer(hidden, 64, nonlinearity=pt.tanh)
        encoder = DenseLayer(hidden, 2 * CODE, nonlinearity=None, name=f"{name}.code")
        self.before = InputLayer((None, LENGTH), pt.lmatrix("before"))
        self.z = InputLayer((None, LENGTH, CODE), pt.ftensor3("z"))
        symbols = EmbeddingLayer(self.before, TOPICS + 1, 16)
        decoder = ConcatLayer([symbols, self.z], axis=2)
        decoder = GRULayer(decoder, num_units, name=f"{name}.decoder")
        self.decoder = DenseLayer(
            decoder, TOPICS, num_leading_axes=2, nonlinearity=None
        )
        self.params = get_all_params([encoder, self.decoder], trainable=True)
        code = get_output(encoder)
        self.mean, self.rho = code[:, :CODE], code[:, CODE:]
        self.kl = kl_to_normal(self.mean, self.rho)
        self.code = self.mean + pt.exp(self.rho) * NOISE

    def lost(self, keep):
        """Express -log p(x | z), SHAPE (n,); the decoder sees what `keep` leaves."""
        shown = pt.switch(keep > 0, X, HIDDEN)
        start = pt.full((X.shape[0], 1), HIDDEN, dtype="int64")
        before = pt.concatenate([start, shown[:, :-1]], axis=1)
        repeated = pt.repeat(self.code[:, None], LENGTH, axis=1)  # (n, LENGTH, CODE)
        scores = get_output(self.decoder, {self.before: before, self.z: repeated})
        each = objectives.categorical_crossentropy_from_logits(
            scores.reshape((-1, TOPICS)), X.ravel()
        )
        return each.reshape((-1, LENGTH)).sum(axis=1)


def information(topics, answers):
    """Return the mutual information of topics and answers in bits, from counts."""
    joint = np.zeros((TOPICS, TOPICS))
    np.add.at(joint, (topics, answers), 1 / len(topics))
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / alone[seen])).sum())


def answers(codes, topics, test_codes):
    """Return the topics that a linear reader, by least squares, gives to codes."""
    codes, test_codes = (
        np.hstack([each, each**2, np.ones((len(each), 1))])
        for each in (codes, test_codes)
    )
    wanted = np.eye(TOPICS)[topics]
    square = codes.T @ codes + 1e-3 * np.eye(codes.shape[1])
    return (test_codes @ np.linalg.solve(square, codes.T @ wanted)).argmax(axis=1)


def check(run):
    """Train both; return claims, losses over time, and codes."""
    settings, rng = run.settings, run.rng
    models = {name: Model(name, settings.units) for name in ("plain", "remedied")}
    counter = updates.step_counter()
    # The weight of KL: 1 for the plain one, growing from 0 for half of the time.
    growing = pt.minimum(2 * counter / np.float32(settings.steps), 1).astype("float32")
    ones = pt.ones_like(KEEP)
    plain, remedied = models["plain"].lost(ones), models["remedied"].lost(KEEP)
    costs = [
        (plain + models["plain"].kl).mean(),
        (remedied + growing * models["remedied"].kl).mean(),
    ]
    watched = [model.kl.mean() for model in models.values()]
    params = [p for model in models.values() for p in model.params]
    rule = updates.adam(pt.add(*costs), params, learning_rate=0.003)
    rule = updates.combine(rule, updates.advance(counter))
    step = pytensor.function([X, NOISE, KEEP], watched, updates=rule, mode=run.mode)

    def one_step():
        _, x = draw_sequences(64, rng)
        noise = np.float32(rng.normal(size=(64, CODE)))
        return step(x, noise, np.float32(rng.random(x.shape) < 0.5))

    history = steps(one_step, settings.steps, "sequences")
    outputs = [
        each
        for model in models.values()
        for each in (model.lost(ones), model.kl, model.mean, model.code)
    ]
    evaluate = pytensor.function(
        [X, NOISE, KEEP], outputs, mode=run.mode, on_unused_input="ignore"
    )
    topics, x = draw_sequences(settings.held_out, rng)
    noise = np.float32(rng.normal(size=(len(x), CODE)))
    values = evaluate(x, noise, np.ones(x.shape, "float32"))
    results = values[:4], values[4:]
    true, given = log_p(x)
    known = (given[np.arange(len(x)), topics] - true).mean()
    rows = [
        ("model", "-log p(x | z)", "KL", "sum", "bits on the topic", "units in use")
    ]
    half, found, codes = len(x) // 2, {}, {}
    for name, (lost, kl, mean, code) in zip(models, results, strict=True):
        guess = answers(code[:half], topics[:half], code[half:])
        bits = information(topics[half:], guess)
        used = int((mean.var(axis=0) > 0.01).sum())
        found[name] = lost.mean() + kl.mean(), kl.mean(), bits, used
        codes[name] = code
        rows.append((name, f"{lost.mean():.3f}", f"{kl.mean():.3f}",
                     f"{found[name][0]:.3f}", f"{bits:.2f}", str(used)))  # fmt: skip
    command.print_table(rows)
    (plain, plain_kl, plain_bits, _), (_, kl, bits, _) = found.values()
    lowest = min(each[0] for each in found.values())
    print(f"entropy of sequences {-true.mean():.3f}, they say {known:.3f} nats\n")
    return [
        Claim("plain: KL, nats", plain_kl, most=0.05),
        near("plain: bound off the entropy, nats", plain + true.mean(), 0, 0.3),
        Claim("plain: bits on the topic", plain_bits, most=0.5),
        Claim("remedied: KL, nats", kl, least=2),
        Claim("remedied: bits on the topic", bits, least=1),
        Claim("remedied: KL, of what sequences say", kl / known, 0.5, 2),
        Claim("a bound is below the entropy by", -true.mean() - lowest, most=0.1),
    ], history, (topics, codes)  # fmt: skip


def draw(path, history, topics, codes):
    """Write how KL develops, and the first two numbers of codes."""
    figure = figures.new_figure(10, 3.3)
    axes, *panels = figure.subplots(1, 3)
    for name, kl in zip(codes, history.T, strict=True):
        axes.plot(kl, label=name)
    axes.set(xlabel="step", title="KL, nats")
    axes.legend(frameon=False)
    for panel, (name, mean) in zip(panels, codes.items(), strict=True):
        first = np.argsort(-mean.var(axis=0))[:2]
        panel.scatter(*mean[:, first].T, c=topics, s=5, cmap="tab20")
        panel.set(title=f"Codes by topic, {name}", xlim=(-3, 3), ylim=(-3, 3))
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train both, compare and draw; return what was claimed."""
    run = command.begin("autoencoders.collapse", __doc__, argv, Settings(), SMOKE)
    claims, history, (topics, codes) = check(run)
    holds = print_claims(claims)
    draw(run.folder / "collapse.png", history, topics, codes)
    print(f"See {run.folder / 'collapse.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
