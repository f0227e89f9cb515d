"""Bring a normal distribution's samples back to its mean: the mirage distribution.

In many dimensions a normal distribution has no samples near its mean. Dieleman's
addendum (2020) makes one that has: a random direction, at a distance of which the
square root of K times a normal number decides. In one dimension it is the normal
distribution; in all, the second moment is that of it. But most samples are close to
the mean, the density there is infinite, its logarithm varies with K rather than with
sqrt(K), and single numbers have heavy tails. The addendum draws the distance from
N(0, K) and writes half of that density; as directions are symmetric, both are one law.

Shown are the histograms of the addendum, the density and its integral, the area of
spheres, and the entropy against quadrature and samples, all terms by themselves.

    python -m recipes.typicality.mirage

Time: 5 s. Our numbers: entropies 1.41894, 9.76083, 81.4652 and 787.999 nats for K = 1,
10, 100 and 1,000; excess kurtosis 0.00, 2.39, 4.48 and 5.76 for K = 1, 3, 10 and 100;
a deviation of 110.7 nats in log p for K = 100, where a normal distribution has 7.07.

* Sander Dieleman (2020): Musings on typicality: addendum.
  https://sander.ai/2020/09/01/typicality-addendum.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy import integrate, optimize, stats

from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.progress import track


class Settings(NamedTuple):
    """How many numbers are drawn."""

    numbers: int = 4_000_000


SMOKE = Settings(numbers=400_000)
SIZES = (1, 3, 10, 100)
ENTROPIES = {1: 1.41894, 2: 2.62163, 3: 3.63437, 10: 9.76083, 100: 81.4652}
ENTROPIES[1000] = 787.999


def mirage(number, size, rng):
    """Draw samples, SHAPE (number, size), as the addendum does."""
    direction = rng.normal(size=(number, size))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return rng.normal(0, np.sqrt(size), (number, 1)) * direction


# The density, in graphs of the radius r and of the number of dimensions K.


def log_area(size):
    """Express the logarithm of the surface of a unit sphere in `size` dimensions."""
    return np.log(2) + size / 2 * np.log(np.pi) - pt.gammaln(size / 2)


def log_density(radius, size):
    """Express log p at a distance from the mean."""
    half_normal = np.log(2) - pt.log(2 * np.pi * size) / 2 - radius**2 / (2 * size)
    return half_normal - log_area(size) - (size - 1) * pt.log(radius)


def entropy_terms(size):
    """Express the terms of the entropy in nats, as the addendum names them."""
    first = pt.zeros_like(size) + 0.5
    second = (size - 1) / 2 * (pt.log(size) - np.log(2) - np.euler_gamma)
    third = pt.gammaln(size / 2) - size / 2 * np.log(np.pi)
    return first, second, pt.log(2 * np.pi * size) / 2 - third


def compiled(expression, *inputs):
    """Compile a function of vectors."""
    mode = command.mode_of("python")
    return pytensor.function(inputs, expression, mode=mode, on_unused_input="ignore")


def check_samples(settings, rng):
    """Return the claims on samples, and the samples."""
    claims, drawn = [], {}
    for size in track(SIZES, "drawing", "size"):
        number = settings.numbers // size
        drawn[size] = mirage(number, size, rng)
        squares = np.square(drawn[size])
        scale = squares.sum(axis=1).mean() / size
        # E r^4 = 3 K^2, so that the mean of r^2 / K has a variance of 2 / n.
        error = max(0.01, 4 * np.sqrt(2 / number))
        claims.append(near(f"E r^2 / K, K = {size}", scale, 1, error))
        excess = 9 * size / (size + 2) - 3
        found = np.square(squares).mean() / squares.mean() ** 2 - 3
        error = max(0.05, 0.05 * excess, 4 * np.sqrt(96 / number) * (excess + 3) / 3)
        claims.append(near(f"excess kurtosis, K = {size}", found, excess, error))
        normal = rng.normal(size=squares.size)
        found = stats.kurtosis(normal)
        claims.append(near(f"of normal numbers, K = {size}", found, 0, 0.05))
    distance = stats.kstest(drawn[1][:, 0], "norm").statistic
    claims.append(Claim("K = 1, distance to normal", distance, most=0.005))
    spread = 1 / np.sqrt(100 * len(drawn[100]))
    variance = np.square(drawn[100]).mean()
    claims.append(near("variance of a number, K = 100", variance, 1, 141 * spread))
    return claims, drawn


def check_density():
    """Return the claims on the density and on the area of spheres."""
    r, k = pt.dvector("r"), pt.dvector("k")
    log_p, slope = (
        compiled(each, r, k)
        for each in (log_density(r, k), pt.grad(log_density(r, k).sum(), r))
    )
    area = compiled(pt.exp(log_area(k)), k)
    bend = compiled(pt.grad(log_area(k).sum(), k), k)

    def mass(size):
        def shell(radius):
            at = np.array([radius]), np.array([float(size)])
            surface = np.log(area(at[1])) + (size - 1) * np.log(radius)
            return np.exp(log_p(*at) + surface)[0]

        return integrate.quad(shell, 0, 12 * np.sqrt(size), epsabs=1e-9)[0]

    tiny, sizes = np.full(3, 1e-6), np.float64(SIZES[1:])
    radii = np.linspace(0.1, 4, 9)
    as_normal = log_p(radii, np.ones(9)) - stats.norm.logpdf(radii)
    heights = area(np.arange(1.0, 31))
    widest = optimize.brentq(lambda size: bend(np.array([size]))[0], 2, 20)
    off = max(abs(mass(size) - 1) for size in (1, 2, 3, 10, 100))
    powers = tiny * slope(tiny, sizes) + sizes - 1
    return [
        Claim("integral of the density, off 1", off, most=1e-6),
        Claim("K = 1, log p off the normal", abs(as_normal).max(), most=1e-12),
        Claim("smallest log p at r = 1e-6", log_p(tiny, sizes).min(), least=0),
        Claim("slope there, off -(K - 1)", abs(powers).max(), most=1e-6),
        near("area of a sphere in 3 dimensions", heights[2], 12.5664, 5e-5),
        Claim("largest area, in dimensions", heights.argmax() + 1, 7, 7),
        near("area in 7 dimensions", heights[6], 33.0734, 5e-5),
        near("area in 30 dimensions", heights[29], 0.0007, 5e-5),
        near("area in 0 dimensions", area(np.array([1e-12]))[0], 0, 1e-9),
        near("largest, between dimensions", widest, 7.2569, 5e-5),
    ]


def check_entropy(settings, rng):
    """Return the claims on the entropy and on the spread of the log density."""
    r, k = pt.dvector("r"), pt.dvector("k")
    terms = compiled(entropy_terms(k), k)
    log_p = compiled(log_density(r, k), r, k)
    claims = []
    for size, entropy in ENTROPIES.items():
        at = np.array([float(size)])
        parts = [float(term[0]) for term in terms(at)]
        claims.append(near(f"entropy, K = {size}", sum(parts), entropy, 6e-4))

        def surprise(radius, at=at):
            scaled = radius * np.sqrt(at)
            return -log_p(scaled, at)[0] * np.sqrt(2 / np.pi) * np.exp(-(radius**2) / 2)

        by_quadrature = integrate.quad(surprise, 0, 12, limit=200)[0]
        off = abs(by_quadrature - sum(parts))
        claims.append(Claim(f"off quadrature, K = {size}", off, most=1e-5 * size))
        number = settings.numbers // 10
        radius = np.sqrt(size) * abs(rng.normal(size=number))
        sample = -log_p(radius, np.full(number, float(size)))
        errors = (sample.mean() - sum(parts)) / (sample.std() / np.sqrt(number))
        claims.append(near(f"samples off, std. errors, K = {size}", errors, 0, 4))
        if size == 100:
            # z^2 / 2 + (K - 1) log |z|: variances 1/2 and pi^2 / 8, covariance 1/2
            exact = np.sqrt(0.5 + 99**2 * np.pi**2 / 8 + 99)
            claims.append(near("deviation of log p, K = 100", sample.std(), exact, 1.0))
            claims.append(near("main term of it", 99 * np.pi / 8**0.5, 109.96, 5e-3))
        if size == 1000:
            ratio = sample.std() / size
            claims.append(near("deviation / K, K = 1000", ratio, 1.11, 0.01))
    log, half = np.log, np.log(50)
    third = [float(term[0]) for term in terms(np.array([100.0]))]
    claims.append(near("first term", third[0], 0.5))
    claims.append(
        near("second, K = 100", third[1], 49.5 * (half - np.euler_gamma), 1e-9)
    )
    last = log(2 * np.pi * 100) / 2 - np.log(np.arange(1, 50)).sum() + 50 * log(np.pi)
    claims.append(near("third, K = 100", third[2], last, 1e-9))
    return claims


def draw(path, drawn, rng):
    """Write the histograms of the addendum, and the areas of spheres."""
    figure = figures.new_figure(11, 5)
    panels = figure.subplots(2, 4)
    for (top, bottom), (size, points) in zip(panels.T, drawn.items(), strict=True):
        bins = np.linspace(-5, 5, 101)
        top.hist(rng.normal(size=points.size), bins, density=True)
        top.set(title=f"normal, K = {size}")
        bottom.hist(points.ravel(), bins, density=True, color="C1")
        bottom.set(title=f"mirage, K = {size}")
    figures.save_figure(figure, path)


def main(argv=None):
    """Draw, integrate and plot; return what was claimed."""
    run = command.begin("typicality.mirage", __doc__, argv, Settings(), SMOKE)
    claims, drawn = check_samples(run.settings, run.rng)
    claims += check_density() + check_entropy(run.settings, run.rng)
    holds = print_claims(claims)
    draw(run.folder / "mirage.png", drawn, run.rng)
    print(f"See {run.folder / 'mirage.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
