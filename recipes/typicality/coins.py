"""Toss a coin of known bias: why likely sequences are never seen.

A coin shows heads with probability 3/4. Of all sequences of 16 tosses, 16 heads are the
likeliest, yet nobody would expect them: some twelve heads come up. Dieleman (2020) asks
us to see two questions. A sequence has a probability; a number of heads has that
probability times the number of such sequences, which is one for 16 heads and 1,820 for
twelve. Who drops the order of the tosses reasons about sets, and forgets their sizes.

This program makes the table of the post from exact fractions and from a PyTensor graph
whose only parameter is the log-odds of heads. It counts all 65,536 sequences, tosses
coins, and learns the coin from 5,000 sequences, once as one number and once as a
network that predicts each toss from those before it. Asked for the likeliest sequence,
the network answers with heads only, which it hardly ever draws.

    python -m recipes.typicality.coins

Time: 18 s of one core at the first run, most of it compilation, and 8 s afterwards.
Our numbers: 51 of 51 in the table; 12.97 and 13.02 bits a sequence where the entropy is
12.98; 12.08 heads in what the network draws, 16 in what it finds likeliest.

* Sander Dieleman (2020): Musings on typicality, section 2.
  https://sander.ai/2020/09/01/typicality.html
"""

from fractions import Fraction
from math import comb, lgamma
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import objectives, updates
from lasagne_next.expressions import Masked
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.training import train


class Settings(NamedTuple):
    """How much is tossed and learnt."""

    tosses: int = 2_000_000
    examples: int = 5000
    epochs: int = 60


SMOKE = Settings(tosses=160_000, examples=1000, epochs=25)
TOSSES, HEADS = 16, Fraction(3, 4)
HEADS_OF_A_SET = np.arange(TOSSES + 1)
SAME_SET = ("HTHHTHHHHTTHHHHH", "HHHHHTHTHHHTHTHH")  # the post's examples
BITS = np.log(2)


# The table: probability of a sequence, number of sequences, and their product.


def exact_table():
    """Return the 17 rows in exact fractions, the definition of what is claimed."""
    return [
        (point := HEADS**heads * (1 - HEADS) ** (TOSSES - heads), size, point * size)
        for heads, size in enumerate(comb(TOSSES, heads) for heads in HEADS_OF_A_SET)
    ]


def log_table(log_odds, heads):
    """Express the logarithms of the three columns."""
    point = heads * pt.log(pt.sigmoid(log_odds))
    point += (TOSSES - heads) * pt.log(pt.sigmoid(-log_odds))
    size = lgamma(TOSSES + 1) - pt.gammaln(heads + 1)
    size -= pt.gammaln(TOSSES - heads + 1)
    return point, size, point + size


@pytensor.config.change_flags(floatX="float64")
def computed_table():
    """Return the 17 rows, as PyTensor computes them."""
    heads = pt.constant(HEADS_OF_A_SET.astype("float64"))
    columns = pt.stack(log_table(pt.constant(np.log(3.0)), heads), axis=1)
    mode = command.mode_of("python")
    return pytensor.function([], pt.exp(columns), mode=mode)()


def all_sequences():
    """Return each sequence of tosses, 1 for heads, SHAPE (65536, 16)."""
    return (np.arange(2**TOSSES)[:, None] >> np.arange(TOSSES)) & 1


def log_probability(tosses):
    """Return log p of sequences, SHAPE (n,)."""
    heads = tosses.sum(axis=1)
    p = float(HEADS)
    return heads * np.log(p) + (TOSSES - heads) * np.log(1 - p)


def check_table(tosses):
    """Return the claims on the table, on all sequences and on `tosses`."""
    exact = np.array(exact_table(), dtype="float64")
    table = computed_table()
    same = [
        f"{ours:.2e}" == f"{each:.2e}"
        for ours, each in zip(table.flat, exact.flat, strict=True)
    ]
    every = all_sequences()
    log_p = log_probability(every)
    grouped = np.bincount(every.sum(axis=1), weights=np.exp(log_p))
    expected = exact[:, 2] * len(tosses)
    seen = np.bincount(tosses.sum(axis=1), minlength=TOSSES + 1)
    error = (seen - expected) / np.sqrt(expected * (1 - exact[:, 2]))
    twice = np.array([[side == "H" for side in each] for each in SAME_SET])
    point, size, mass = exact.T
    return [
        Claim("numbers of the table, to 3 digits", sum(same), 51, 51),
        Claim("sum of p(heads), off 1", abs(table[:, 2].sum() - 1), most=1e-12),
        near("p(16 heads)", table[-1, 2], 0.0100226, 5e-8),
        near("p(no heads)", table[0, 2], 2.3283e-10, 5e-15),
        Claim("likeliest sequence has heads", point.argmax(), 16, 16),
        Claim("likeliest number of heads", mass.argmax(), 12, 12),
        Claim("rows where the columns agree", (point == mass).sum(), 2, 2),
        near("log(column 5 / column 3) at 12", np.log(mass / point)[12], 7.507, 5e-4),
        near(
            "heads in both of the post's examples",
            twice.sum(axis=1).mean(),
            12,
        ),
        near("their p", np.exp(log_probability(twice)).mean(), 1.24e-4, 5e-7),
        Claim("sums over sets, off the table", abs(grouped - mass).max(), most=1e-12),
        Claim(
            "log p(set) off log p + log size",
            abs(np.log(grouped) - np.log(point) - np.log(size)).max(),
            most=1e-9,
        ),
        Claim("heads in likeliest of 65,536", every[log_p.argmax()].sum(), 16, 16),
        Claim("tossed, off in standard errors", abs(error).max(), most=4),
    ]


# Learning the coin: as one number, and as the odds of each toss given those before.

SEQUENCES = pt.fmatrix("sequences")


def build():
    """Return networks from tosses to the log-odds of each toss."""
    l_in = InputLayer((None, TOSSES), SEQUENCES)
    none, before = np.zeros((TOSSES, TOSSES)), np.triu(np.ones((TOSSES, TOSSES)), 1)
    bias = pytensor.shared(np.float32(0), name="log-odds")
    settings = {"num_units": TOSSES, "nonlinearity": None}
    # One bias for all tosses: an expression that repeats a single number.
    one = DenseLayer(l_in, W=Masked(none), b=pt.alloc(bias, TOSSES), **settings)
    return {
        "one number": one,
        "network": DenseLayer(l_in, W=Masked(before), **settings),
    }


def fit(networks, tosses, run):
    """Train both; return functions from sequences to log-odds and to mean bits."""
    odds = get_output(list(networks.values()))
    bits = [
        objectives.binary_crossentropy_from_logits(each, SEQUENCES).sum(axis=1).mean()
        / np.float32(BITS)
        for each in odds
    ]
    params = get_all_params(list(networks.values()), trainable=True)
    rule = updates.adam(sum(bits), params, learning_rate=0.01)
    step = pytensor.function([SEQUENCES], bits, updates=rule, mode=run.mode)
    train(step, [np.float32(tosses)], run.settings.epochs, 50, run.rng)
    mode = command.mode_of("python")
    return pytensor.function([SEQUENCES], [*odds, *bits], mode=mode)


def follow(evaluate, number, choose):
    """Build sequences toss by toss; `choose` gets the probability of heads."""
    tosses = np.zeros((number, TOSSES), "float32")
    for toss in range(TOSSES):
        log_odds = evaluate(tosses)[1][:, toss]
        tosses[:, toss] = choose(1 / (1 + np.exp(-log_odds)))
    return tosses


def check_learning(evaluate, rng):
    """Return the claims on what was learnt."""
    fresh = rng.random((20_000, TOSSES)) < float(HEADS)
    one, network = evaluate(np.float32(fresh))[2:]
    greedy = follow(evaluate, 1, lambda p: p > 0.5)
    drawn = follow(evaluate, 20_000, lambda p: rng.random(len(p)) < p)
    entropy = -TOSSES * sum(float(p) * np.log2(float(p)) for p in (HEADS, 1 - HEADS))
    return [
        near("bits a sequence, one number", one, entropy, 0.05),
        near("bits a sequence, network", network, entropy, 0.05),
        Claim("heads in the network's likeliest", greedy.sum(), 16, 16),
        near("heads in what it draws", drawn.sum(axis=1).mean(), 12.0, 0.1),
        Claim("of these, all heads", (drawn.sum(axis=1) == 16).mean(), 0.005, 0.015),
    ]


def draw(path):
    """Write the two curves of the post."""
    point, _, mass = np.array(exact_table(), dtype="float64").T
    axes = (figure := figures.new_figure(6, 4)).subplots()
    axes.semilogy(point, "o-", label="of one sequence")
    axes.semilogy(mass, "o-", label="of all with so many heads")
    axes.set(xlabel="heads in 16 tosses", ylabel="probability")
    axes.legend()
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Make the table, toss, learn and draw; return what was claimed."""
    run = command.begin("typicality.coins", __doc__, argv, Settings(), SMOKE)
    shape = run.settings.tosses // TOSSES, TOSSES
    tosses = run.rng.random(shape, dtype="float32") < float(HEADS)
    claims = check_table(tosses)
    evaluate = fit(build(), tosses[: run.settings.examples], run)
    holds = print_claims(claims + check_learning(evaluate, run.rng))
    draw(run.folder / "coins.png")
    print(f"See {run.folder / 'coins.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
