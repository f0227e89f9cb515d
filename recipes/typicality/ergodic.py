"""Watch -log p of a growing sequence settle at its entropy rate.

Typical sets are usually defined for stationary ergodic processes: by the theorem of
Shannon, McMillan and Breiman, -log p(x1 ... xn) / n tends to the entropy rate, for
almost every sequence. This program watches it for a Markov chain, whose rate is known
in closed form, and for a hidden Markov model, which has none: the forward algorithm
gives log p, and conditional entropies enclose the rate (Cover and Thomas, section 4.5).
The spread over sequences falls as n^-1/2.

Then the processes are learnt. The rows of a transition matrix are a softmax, so that
any number of them are distributions: `W=Simplex()`. The hidden one is learnt by a
network that predicts each symbol from those before it.

    python -m recipes.typicality.ergodic

Time: 14 s of one core at the first run and 12 s afterwards. Our numbers: the chain's
-log2 p / n is 1.1489 bits at n = 4096, its rate 1.1486, its spread falls as n^-0.502;
the hidden process has 0.7459 of 0.7458 and n^-0.491; the network needs 0.754 bits a
symbol.

* Thomas Cover and Joy Thomas (2006): Elements of information theory, chapters 4, 16.8.
* Sander Dieleman (2020): Musings on typicality, section 4.
  https://sander.ai/2020/09/01/typicality.html
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import objectives, updates
from lasagne_next.expressions import Simplex
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from lasagne_next.params import collect_shared_vars
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.progress import track
from recipes.training import minimise, train


class Settings(NamedTuple):
    """How many sequences are drawn, how long, and how the network sees and learns."""

    sequences: int = 1000
    length: int = 4096
    window: int = 12
    units: int = 64
    examples: int = 200_000
    epochs: int = 3


SMOKE = Settings(sequences=150, length=512, examples=30_000, epochs=2)
CHAIN = np.array([[0.8, 0.15, 0.05], [0.2, 0.6, 0.2], [0.1, 0.4, 0.5]])
STAY = np.array([[0.95, 0.05], [0.1, 0.9]])  # hidden states of the other process
SHOW = np.array([[0.9, 0.1], [0.2, 0.8]])  # symbols that they show


def stationary(transition):
    """Return the distribution that a transition leaves as it is."""
    values, vectors = np.linalg.eig(transition.T)
    vector = vectors[:, np.argmax(values.real)].real
    return vector / vector.sum()


def walk(transition, number, length, rng):
    """Draw states, SHAPE (number, length), from the stationary process."""
    limits = np.cumsum(transition, axis=1)[:, :-1]
    state = rng.choice(len(transition), size=number, p=stationary(transition))
    states = [state]
    for _ in range(length - 1):
        state = (rng.random((number, 1)) > limits[state]).sum(axis=1)
        states.append(state)
    return np.stack(states, axis=1)


def entropy(p):
    """Return the entropy in bits along the last axis."""
    return -(p * np.log2(p)).sum(axis=-1)


# log2 p of all beginnings of a sequence, SHAPE (number, length).


def chain_log_p(states):
    """Add up the logarithms of transitions."""
    first = np.log2(stationary(CHAIN))[states[:, :1]]
    moves = np.log2(CHAIN)[states[:, :-1], states[:, 1:]]
    return np.cumsum(np.concatenate([first, moves], axis=1), axis=1)


def hidden_log_p(symbols):
    """Run the forward algorithm: the distribution of the state, given the past."""
    belief = np.repeat(stationary(STAY)[None], len(symbols), axis=0)
    total, totals = np.zeros(len(symbols)), []
    for symbol in track(symbols.T, "forward algorithm", "symbol"):
        joint = belief * SHOW[:, symbol].T  # (number, states)
        total = total + np.log2(joint.sum(axis=1))
        totals.append(total)
        belief = joint / joint.sum(axis=1, keepdims=True) @ STAY
    return np.stack(totals, axis=1)


def enclose(length=12):
    """Return bounds of the hidden rate: H(x_n | past), with and without s_1."""
    symbols = np.array(list(product((0, 1), repeat=length)))

    def block_entropies(start):
        belief = np.repeat(start[None], len(symbols), axis=0)  # unnormalised
        for symbol in symbols.T[:-1]:
            belief = (belief * SHOW[:, symbol].T) @ STAY
        before = belief.sum(axis=1)
        after = (belief * SHOW[:, symbols[:, -1]].T).sum(axis=1)
        return -(after * np.log2(after / before)).sum()

    first = stationary(STAY)
    given = sum(p * block_entropies(np.eye(2)[state]) for state, p in enumerate(first))
    return given, block_entropies(first)


# Learning: rows of a transition matrix, and a network with a window on the past.


def learn_chain(states, mode):
    """Fit a matrix whose rows are distributions; return it and its bits a symbol."""
    counts = np.zeros_like(CHAIN)
    np.add.at(counts, (states[:, :-1].ravel(), states[:, 1:].ravel()), 1)
    rows = Simplex(axis=1)(CHAIN.shape)
    bits = -(counts / counts.sum() * pt.log2(rows)).sum()
    least = minimise(bits, collect_shared_vars([rows]), {}, mode)
    return rows.eval(mode=mode), least


def learn_hidden(symbols, settings, run):
    """Train the network on some sequences; return its bits a symbol on the others."""
    window = settings.window
    views = np.lib.stride_tricks.sliding_window_view(symbols, window + 1, axis=1)
    seen, unseen = (
        np.float32(part.reshape(-1, window + 1)) for part in np.array_split(views, 2)
    )
    seen = run.rng.permutation(seen)[: settings.examples]
    x = pt.fmatrix("x")
    network = DenseLayer(InputLayer((None, window), x[:, :-1]), settings.units)
    network = DenseLayer(network, 1, nonlinearity=None)
    log_odds = get_output(network)[:, 0]
    nats = objectives.binary_crossentropy_from_logits(log_odds, x[:, -1]).mean()
    bits = nats / np.float32(np.log(2))
    rule = updates.adam(bits, get_all_params(network, trainable=True), 0.003)
    step = pytensor.function([x], [bits], updates=rule, mode=run.mode)
    train(step, [seen], settings.epochs, 100, run.rng)
    evaluate = pytensor.function([x], bits, mode=command.mode_of("python"))
    return float(evaluate(unseen[:400_000]))


def slope(lengths, rates):
    """Return the exponent with which the spread falls."""
    spread = rates[:, lengths - 1].std(axis=0)
    return np.polyfit(np.log(lengths), np.log(spread), 1)[0]


def draw(path, rates):
    """Write some sequences' -log p / n against n."""
    figure = figures.new_figure(9, 3.5)
    panels = figure.subplots(1, 2)
    for axes, (name, (values, rate)) in zip(panels, rates.items(), strict=True):
        axes.semilogx(1 + np.arange(values.shape[1]), values[:20].T, linewidth=0.6)
        axes.axhline(rate, color="black")
        axes.set(title=name, xlabel="n", ylabel="-log2 p / n", ylim=(0, 2))
    figures.save_figure(figure, path)


def main(argv=None):
    """Draw, learn and plot; return what was claimed."""
    run = command.begin("typicality.ergodic", __doc__, argv, Settings(), SMOKE)
    settings = run.settings
    states = walk(CHAIN, settings.sequences, settings.length, run.rng)
    hidden = walk(STAY, settings.sequences, settings.length, run.rng)
    symbols = np.int64(run.rng.random(hidden.shape) < SHOW[hidden, 1])
    chain_rate = stationary(CHAIN) @ entropy(CHAIN)
    low, high = enclose()

    n = 1 + np.arange(settings.length)
    rates = {
        "Markov chain": (-chain_log_p(states) / n, chain_rate),
        "hidden Markov model": (-hidden_log_p(symbols) / n, (low + high) / 2),
    }
    lengths = 2 ** np.arange(5, int(np.log2(settings.length)) + 1)
    claims = [Claim("bounds of the hidden rate are apart", high - low, 0, 1e-3)]
    for name, (values, rate) in rates.items():
        claims.append(near(f"{name}: -log2 p / n", values[:, -1].mean(), rate, 0.005))
        claims.append(
            near(f"{name}: spread falls as n^", slope(lengths, values), -0.5, 0.05)
        )
    with pytensor.config.change_flags(floatX="float64"):
        rows, bits = learn_chain(states, command.mode_of("python"))
    claims.append(near("learnt chain: bits a symbol", bits, chain_rate, 0.005))
    claims.append(
        Claim("learnt rows, off the truth", abs(rows - CHAIN).max(), most=0.01)
    )
    claims.append(
        Claim("sums of rows, off 1", abs(rows.sum(axis=1) - 1).max(), most=1e-12)
    )
    with pytensor.config.change_flags(floatX="float32"):
        bits = learn_hidden(symbols, settings, run)
    claims.append(near("network on hidden: bits a symbol", bits, high, 0.02))
    holds = print_claims(claims)
    draw(run.folder / "ergodic.png", rates)
    print(f"See {run.folder / 'ergodic.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
