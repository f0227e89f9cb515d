"""Find typical sets: where samples are, and likely points are not.

Among many random numbers, -log p of all of them is nearly their entropy H. The typical
set holds what comes within eps bits of it, 2^-(H+eps) <= p(x) <= 2^-(H-eps). For a
normal distribution it is a shell around radius sqrt(K), for a coin the sequences with
about as many heads as expected. The likeliest point of all is not in it: heads only, or
the mean. The typical set takes nearly all mass as the number of dimensions grows, the
asymptotic equipartition property; Dieleman (2020, section 4) says, even for small eps.
That is so if eps is counted per toss or dimension. With a fixed number of bits in total
the mass falls, because the deviation of -log p grows with sqrt(K). Both are shown.

    python -m recipes.typicality.typical_sets

Time: 3 s. Our numbers: a shell of width 4 has .9935 of the mass (.9935 of a million
samples). With 0.05 bits a dimension, the masses for K = 100, 1,000 and 10,000 are .376,
.879 and 1.000; with 28.27 bits in total, .9935, .619 and .218.

* Sander Dieleman (2020): Musings on typicality, section 4, and its addendum.
  https://sander.ai/2020/09/01/typicality.html
* Thomas Cover and Joy Thomas (2006): Elements of information theory, chapter 3.
"""

from math import comb
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy import optimize, stats

from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.typicality.soap_bubbles import radii


class Settings(NamedTuple):
    """How many samples are drawn."""

    samples: int = 1_000_000


SMOKE = Settings(samples=50_000)
P = 0.75  # of heads
BIT = np.log(2)
COIN_ENTROPY = -(P * np.log2(P) + (1 - P) * np.log2(1 - P))  # bits a toss
WIDTHS = {1: (0.5204, 7.20), 2: (0.8432, 14.35), 3: (0.9647, 21.40)}
WIDTHS |= {4: (0.9935, 28.27), 5: (0.9988, 34.92)}  # of the shell: mass, eps in bits
FIXED = 28.27  # bits


def is_typical(log_p, entropy, eps):
    """Tell which samples are within `eps` of the entropy, all in one unit."""
    return abs(-log_p - entropy) <= eps


# Coins: -log2 p depends on the number of heads alone.


def coin_log_p(number):
    """Return log2 p of a sequence by its number of heads, SHAPE (number + 1,)."""
    heads = np.arange(number + 1)
    return heads * np.log2(P) + (number - heads) * np.log2(1 - P)


def coin_mass(number, eps):
    """Return the mass of the typical set of `number` tosses."""
    typical = is_typical(coin_log_p(number), number * COIN_ENTROPY, eps)
    return stats.binom.pmf(np.arange(number + 1), number, P)[typical].sum()


def check_coins():
    """Return the claims on coins."""
    log_p, entropy = coin_log_p(16), 16 * COIN_ENTROPY
    typical = np.flatnonzero(is_typical(log_p, entropy, 1.6))
    claims = [
        Claim("16 tosses, eps 1.6: fewest heads", typical.min(), 11, 11),
        Claim("16 tosses, eps 1.6: most heads", typical.max(), 13, 13),
        Claim("of them, sequences", sum(comb(16, h) for h in typical), 6748, 6748),
        near("all heads are off by, bits", log_p[16] + entropy, 6.34, 5e-3),
        near(
            "1,600 tosses: all heads off by, bits",
            coin_log_p(1600)[-1] + 1600 * COIN_ENTROPY,
            634,
            0.5,
        ),
    ]
    for eps, mass in ((1.6, 0.6132), (3.2, 0.8570), (4.8, 0.9628)):
        claims.append(near(f"mass, eps {eps}", coin_mass(16, eps), mass, 5e-5))
    for number, mass in ((16, 0.225), (160, 0.685), (1600, 0.9965)):
        found = coin_mass(number, 0.05 * number)
        claims.append(near(f"mass, eps .05 a toss, n = {number}", found, mass, 5e-4))
    return claims


# Normal distributions: -log p - H = (r^2 - K) / 2 nats.


def shell(size, eps):
    """Return the radii between which the typical set of `eps` bits lies."""
    low, high = size - eps * 2 * BIT, size + eps * 2 * BIT
    return np.sqrt(max(low, 0)), np.sqrt(high)


def normal_mass(size, eps):
    """Return the mass of the typical set."""
    low, high = shell(size, eps)
    return stats.chi2.cdf(high**2, size) - stats.chi2.cdf(low**2, size)


def typical_radius(size, start):
    """Find the radius where -log p is the entropy, by Newton's method on the graph."""
    r = pt.dscalar("radius")
    log_p = -size / 2 * np.log(2 * np.pi) - pt.sqr(r) / 2
    excess = -log_p - size / 2 * np.log(2 * np.pi * np.e)
    mode = command.mode_of("python")
    step = pytensor.function([r], r - excess / pt.grad(excess, r), mode=mode)
    for _ in range(20):
        start = float(step(start))
    return start


def check_normal(sample):
    """Return the claims on a normal distribution; `sample` are radii for K = 100."""
    surprise = (np.square(sample) - 100) / 2 / BIT  # bits above the entropy
    claims = [
        near("entropy, K = 100, nats", 50 * np.log(2 * np.pi * np.e), 141.894, 5e-4),
        near("typical radius, K = 100", typical_radius(100, 3.0), 10, 1e-9),
        near("bits of the mean below entropy", 50 / BIT, 72.13, 5e-3),
        near("deviation of -log2 p", surprise.std(), 10.2, 0.1),
        near("deviations to the mean", 50 / BIT / surprise.std(), 7.07, 0.05),
    ]
    for width, (mass, rounded) in WIDTHS.items():
        eps = optimize.brentq(lambda e, w=width: np.ptp(shell(100, e)) - w, 1, 60)
        low, high = shell(100, eps)
        seen = ((sample >= low) & (sample <= high)).mean()
        text = f"shell of width {width}"
        claims.append(near(f"{text}: eps in bits", eps, rounded, 5e-3))
        claims.append(near(f"{text}: mass", normal_mass(100, eps), mass, 5e-5))
        claims.append(near(f"{text}: mass, drawn", seen, mass, 3e-3))
    for size, mass in ((100, 0.376), (1000, 0.879), (10_000, 1.0)):
        found = normal_mass(size, 0.05 * size)
        claims.append(near(f"mass, eps .05 a dim., K = {size}", found, mass, 5e-4))
    for size, mass in ((100, 0.9935), (1000, 0.619), (10_000, 0.218)):
        found = normal_mass(size, FIXED)
        claims.append(near(f"mass, eps 28.27 bits, K = {size}", found, mass, 5e-4))
    return claims


# The figure of the post, and the two readings of the claim.


def draw(path, sample):
    """Write mass against the width of the shell, and against K."""
    figure = figures.new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    shells = np.array([shell(100, eps) for eps in np.logspace(-1, 2, 200)])
    ordered = np.sort(sample)
    low, high = np.searchsorted(ordered, shells.T)
    left.plot(shells[:, 1] - shells[:, 0], (high - low) / len(sample))
    left.set(xlabel="width of the typical set, K = 100", ylabel="mass")
    sizes = np.unique(np.round(np.logspace(1, 4, 60)))
    readings = {
        "0.05 bits a dimension": [normal_mass(size, 0.05 * size) for size in sizes],
        f"{FIXED} bits in total": [normal_mass(size, FIXED) for size in sizes],
    }
    for name, masses in readings.items():
        right.semilogx(sizes, masses, label=name)
    right.set(xlabel="dimensions", ylabel="mass")
    right.legend(title="eps")
    figures.save_figure(figure, path)


def main(argv=None):
    """Compute, draw samples and plot; return what was claimed."""
    run = command.begin("typicality.typical_sets", __doc__, argv, Settings(), SMOKE)
    sample = radii(run.settings.samples, 100, run.rng)
    holds = print_claims(check_coins() + check_normal(sample))
    draw(run.folder / "typical_sets.png", sample)
    print(f"See {run.folder / 'typical_sets.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
