"""Learn the mirage distribution from samples, by a flow that bends radii only.

A normalising flow maps data to a normal distribution, and counts volumes. Both
distributions of the addendum to "Musings on typicality" are alike in all directions, so
that a monotone function of the radius is enough, here of its logarithm u:

    log |y| = m(u),  y / |y| = x / |x|,
    log p(x) = -exp(2 m) / 2 - K / 2 log(2 pi) + log m'(u) + K (m - u).

m is a small network with positive weights, `W=Positive()`, and increasing
nonlinearities; its derivative is that of PyTensor, and training differentiates that
once more. What to expect for K = 10: 9.761 nats on the mirage distribution, its
entropy, where the nearest normal distribution needs 14.189, and no harm done to normal
data.

    python -m recipes.typicality.radial_flow

Time: 19 s of one core at the first run, most of it compilation, and 9 s afterwards. Our
numbers on fresh points: 9.855 nats on the mirage distribution, 0.001 more than by its
true density, where a normal distribution has 14.21; 14.196 on the normal one.

* Sander Dieleman (2020): Musings on typicality: addendum.
  https://sander.ai/2020/09/01/typicality-addendum.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import nonlinearities, updates
from lasagne_next.expressions import Positive
from lasagne_next.init import Constant, Uniform
from lasagne_next.layers import (
    DenseLayer,
    ElemwiseSumLayer,
    InputLayer,
    get_all_params,
    get_output,
)
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.training import train
from recipes.typicality.mirage import log_density, mirage


class Settings(NamedTuple):
    """Sizes and training."""

    examples: int = 20_000
    units: int = 24
    epochs: int = 40


SMOKE = Settings(examples=4000, units=12, epochs=15)
SIZE = 10
ENTROPY = {"mirage": 9.76083, "normal": SIZE / 2 * np.log(2 * np.pi * np.e)}
MOST = {"mirage": 9.95, "normal": 14.25}


def monotone(name, u, num_units):
    """Return a layer that computes an increasing function of `u`, SHAPE (n, 1)."""
    l_in = InputLayer((None, 1), u)
    hidden = DenseLayer(
        l_in,
        num_units,
        W=Positive(init=Uniform((0.5, 1.5))),
        b=Uniform(3.0),  # bends at radii from exp(-3) to exp(3)
        nonlinearity=nonlinearities.tanh,
        name=f"{name}.bends",
    )
    bent = DenseLayer(
        hidden,
        1,
        W=Positive(init=Constant(0.02)),
        nonlinearity=None,
        name=f"{name}.sum",
    )
    line = DenseLayer(
        l_in, 1, W=Positive(init=Constant(0.5)), b=None, nonlinearity=None, name=name
    )
    return ElemwiseSumLayer([line, bent])


def surprise(layer, u):
    """Return -log p of points by the logarithms of their radii, and m(u)."""
    m = get_output(layer)
    slope = pt.grad(m.sum(), u)  # rows do not mix, so that this is m'(u) of each
    log_p = -pt.exp(2 * m) / 2 - np.float32(SIZE / 2 * np.log(2 * np.pi))
    log_p += pt.log(slope) + SIZE * (m - u)
    return -log_p[:, 0], m


def fit(name, points, run):
    """Train on points; return a function from log radii to -log p and m."""
    u = pt.fmatrix("u")
    layer = monotone(name, u, run.settings.units)
    cost, m = surprise(layer, u)
    rule = updates.adam(cost.mean(), get_all_params(layer, trainable=True), 0.01)
    step = pytensor.function([u], [cost.mean()], updates=rule, mode=run.mode)
    train(step, [log_radius(points)], run.settings.epochs, 100, run.rng, title=name)
    return pytensor.function([u], [cost, m], mode=command.mode_of("python"))


def log_radius(points):
    """Return the logarithm of the distance from the mean, SHAPE (n, 1)."""
    return np.float32(np.log(np.linalg.norm(points, axis=1, keepdims=True)))


def draw(path, curves, truth):
    """Write learnt and true log densities against the radius."""
    figure = figures.new_figure(9, 3.6)
    panels = figure.subplots(1, 2)
    for axes, (name, (radius, log_p)) in zip(panels, curves.items(), strict=True):
        axes.plot(radius, truth[name](radius), color="grey", linewidth=4, label="true")
        axes.plot(radius, log_p, label="learnt")
        axes.set(title=name, xlabel="distance from the mean", ylabel="log density")
        axes.legend()
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train on both distributions, compare and draw; return what was claimed."""
    run = command.begin("typicality.radial_flow", __doc__, argv, Settings(), SMOKE)
    r, k = pt.dvector("r"), np.float64(SIZE)
    exact = pytensor.function([r], log_density(r, k), mode=command.mode_of("python"))
    truth = {
        "mirage": exact,
        "normal": lambda radius: -(radius**2) / 2 - SIZE / 2 * np.log(2 * np.pi),
    }
    sample = {
        "mirage": lambda number: mirage(number, SIZE, run.rng),
        "normal": lambda number: run.rng.normal(size=(number, SIZE)),
    }
    claims, curves = [], {}
    for name in truth:
        evaluate = fit(name, sample[name](run.settings.examples), run)
        fresh = sample[name](20_000)
        nats, m = evaluate(log_radius(fresh))
        loss = float(nats.mean())
        claims.append(
            Claim(f"{name}: -log p, nats", loss, ENTROPY[name] - 0.1, MOST[name])
        )
        true = -truth[name](np.linalg.norm(fresh, axis=1)).mean()
        claims.append(Claim(f"{name}: nats lost to the truth", loss - true, -0.01, 0.2))
        second = np.exp(2 * np.float64(m)).mean() / SIZE
        claims.append(near(f"{name}: E |y|^2 / K", second, 1, 0.05))
        radius = np.linspace(0.2, 8, 200)
        curves[name] = radius, -evaluate(np.float32(np.log(radius[:, None])))[0]
        if name == "mirage":
            normal = (fresh**2).sum(axis=1).mean() / 2 + SIZE / 2 * np.log(2 * np.pi)
            claims.append(
                near("mirage: nats of a normal distribution", normal, 14.189, 0.2)
            )
    holds = print_claims(claims)
    draw(run.folder / "radial_flow.png", curves, truth)
    print(f"See {run.folder / 'radial_flow.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
