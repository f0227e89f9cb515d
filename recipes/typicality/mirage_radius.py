"""Find the typical radius of the mirage distribution, by Lambert's W function.

Where is -log p of the mirage distribution its entropy? Setting both equal gives an
equation in r^2 and log r, which Lambert's W function solves, the inverse of w exp(w):

    r = sqrt(K (K-1) W(exp(1 / (K-1) + log(K / 2) - gamma) / (K (K-1)))),

where gamma is Euler's constant; for K = 1 it is 0/0, and r = 1. Divided by sqrt(K), it
tends to sqrt(exp(-gamma) / 2) = 0.52984: not to the mode, which is 0, nor to the mean
radius, 0.79788 (addendum of Dieleman 2020). `lasagne_next.ops.lambert_w` computes W
and has its gradient.

    python -m recipes.typicality.mirage_radius

Time: 4 s. Our numbers: r / sqrt(K) = 0.68899, 0.55075, 0.53176 and 0.53003 for K = 2,
10, 100 and 1,000, and 0.529840 for a million.

* Sander Dieleman (2020): Musings on typicality: addendum.
  https://sander.ai/2020/09/01/typicality-addendum.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy import special

from lasagne_next.ops import lambert_w
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.typicality.mirage import entropy_terms, log_density


class Settings(NamedTuple):
    """How many values of K are computed."""

    sizes: int = 100


SMOKE = Settings(sizes=40)
LIMIT = np.sqrt(np.exp(-np.euler_gamma) / 2)
RATIOS = {2: 0.68899, 10: 0.55075, 100: 0.53176, 1000: 0.53003, 1_000_000: 0.52983955}


def typical_radius(size):
    """Express the radius for `size` dimensions."""
    more = pt.switch(pt.eq(size, 1), 2, size)  # no division by zero where it is unused
    pairs = more * (more - 1)
    inside = pt.exp(1 / (more - 1) + pt.log(more) - np.log(2) - np.euler_gamma) / pairs
    return pt.switch(pt.eq(size, 1), 1, pt.sqrt(pairs * lambert_w(inside)))


def compile_all(mode):
    """Return a function of K: radius, residual, slope; and one of x: W and slope."""
    k, x = pt.dvector("k"), pt.dvector("x")
    radius = typical_radius(k)
    # Residual: -log p less entropy, relative to the numbers that cancel in it.
    residual = -log_density(radius, k) - sum(entropy_terms(k))
    slope = pt.grad(radius.sum(), k)
    of_size = pytensor.function([k], [radius, residual, slope], mode=mode)
    w = lambert_w(x)
    return of_size, pytensor.function([x], [w, pt.grad(w.sum(), x)], mode=mode)


def check(of_size, of_number):
    """Return the claims."""
    claims = []
    for size, ratio in RATIOS.items():
        radius = of_size(np.array([float(size)]))[0][0]
        error = 6e-9 if size > 1e5 else 6e-6
        found = radius / np.sqrt(size)
        claims.append(near(f"r / sqrt K, K = {size:,}", found, ratio, error))
    sizes = np.float64([1, 2, 3, 10, 100, 1000])
    radii, residuals, _ = of_size(sizes)
    claims.append(near("r, K = 1", radii[0], 1, 1e-12))
    claims.append(Claim("residual of the equation", abs(residuals).max(), most=1e-9))
    claims.append(near("limit", LIMIT, 0.529839355, 5e-10))
    claims.append(near("mean radius / sqrt K", np.sqrt(2 / np.pi), 0.79788, 5e-6))

    points = np.concatenate([np.linspace(-0.36, 1, 50), np.logspace(0, 8, 30)])
    w, slope = of_number(points)
    error = abs(w - special.lambertw(points).real) / np.maximum(1, abs(w))
    claims.append(Claim("W, off SciPy", error.max(), most=1e-12))
    step = 1e-6 * np.maximum(abs(points), 0.01)
    around = of_number(points + step)[0] - of_number(points - step)[0]
    off = abs(around / (2 * step) / slope - 1)[5:]  # the slope bends steeply at -1/e
    claims.append(Claim("slope of W, off differences", off.max(), most=1e-6))
    middle = np.float64([2, 10, 100])
    around = of_size(middle + 1e-5)[0] - of_size(middle - 1e-5)[0]
    off = abs(around / 2e-5 - of_size(middle)[2]).max()
    claims.append(Claim("slope of r in K, off differences", off, most=1e-6))
    return claims


def draw(path, of_size, count):
    """Write the figure of the addendum: the typical radius against K."""
    sizes = np.unique(np.round(np.logspace(0, 6, count)))
    axes = (figure := figures.new_figure(6, 4)).subplots()
    axes.semilogx(sizes, of_size(sizes)[0] / np.sqrt(sizes), "o-", markersize=3)
    for height, name in ((LIMIT, "limit"), (np.sqrt(2 / np.pi), "mean radius")):
        axes.axhline(height, color="grey", linewidth=0.8)
        axes.annotate(f"{name}, {height:.5f}", (1e3, height + 0.01))
    axes.set(xlabel="K", ylabel="typical radius / sqrt K", ylim=(0.4, 1.05))
    figures.save_figure(figure, path)


def main(argv=None):
    """Compute and plot; return what was claimed."""
    run = command.begin("typicality.mirage_radius", __doc__, argv, Settings(), SMOKE)
    of_size, of_number = compile_all(run.mode)
    holds = print_claims(check(of_size, of_number))
    draw(run.folder / "mirage_radius.png", of_size, run.settings.sizes)
    print(f"See {run.folder / 'mirage_radius.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
