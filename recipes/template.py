"""Show how a recipe is built: fit a line, and compare with the exact answer.

Copy this file, and say here in ten lines what the idea is, who had it, and what to
expect: this text is all that many readers read. Here, a layer without nonlinearity is
trained by gradient descent, and should find the line of least squares, which is known.
Each number that the recipe prints stands beside a reference. The best references follow
from a definition, so that they need no tolerance for luck.

    python -m recipes.template

Time: 5 s of one core at the first run and 2 s afterwards. Our numbers: the weights are
off by 1e-4, the error is 1.000 times the least one.

* Carl Friedrich Gauss (1809): Theoria motus corporum coelestium, section 3.
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import objectives, updates
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.training import train


class Settings(NamedTuple):
    """All sizes that tests want smaller."""

    examples: int = 1000
    epochs: int = 30


SMOKE = Settings(examples=200, epochs=20)


# Prose between blocks says what comes next, and why. Data first: what is known of them?


def draw_data(number, rng):
    """Draw x, and y = 2 x - 1 + noise, as single precision."""
    x = rng.uniform(-1, 1, (number, 1))
    return np.float32(x), np.float32(2 * x - 1 + rng.normal(0, 0.1, x.shape))


# The model, with nothing hidden: layers, loss, rule, compiled function.


def fit(x, y, run):
    """Train a line; return slope and offset."""
    inputs, targets = pt.fmatrix("inputs"), pt.fmatrix("targets")
    line = DenseLayer(InputLayer((None, 1), inputs), 1, nonlinearity=None)
    loss = objectives.squared_error(get_output(line), targets).mean()
    rule = updates.sgd(loss, get_all_params(line, trainable=True), learning_rate=0.1)
    step = pytensor.function([inputs, targets], [loss], updates=rule, mode=run.mode)
    train(step, [x, y], run.settings.epochs, 20, run.rng)
    return [float(param.get_value().squeeze()) for param in line.get_params()]


def draw(path, x, y, found):
    """Write the picture."""
    axes = (figure := figures.new_figure(4, 3)).subplots()
    axes.plot(x, y, ".", markersize=3)
    axes.axline((0, found[1]), slope=found[0], color="black")
    axes.set(xlabel="x", ylabel="y")
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Fit, compare and draw; return what was claimed."""
    run = command.begin("template", __doc__, argv, Settings(), SMOKE)
    x, y = draw_data(run.settings.examples, run.rng)
    found = fit(x, y, run)
    best = np.polyfit(x[:, 0], y[:, 0], 1)
    errors = [np.square(np.polyval(line, x) - y).mean() for line in (found, best)]
    holds = print_claims(
        [
            near("slope, off least squares", found[0] - best[0], 0, 0.02),
            near("offset, off least squares", found[1] - best[1], 0, 0.02),
            Claim("error : least error", errors[0] / errors[1], 1, 1.05),
        ]
    )
    draw(run.folder / "template.png", x, y, found)
    print(f"See {run.folder / 'template.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
