"""Learn a distribution of networks, which knows where it does not know.

A network trained on few points is as sure far away from them as among them. A Bayesian
one has a distribution over its weights, and so over its predictions. Bayes by backprop
(Blundell et al. 2015) approximates it by a normal one for each weight and learns means
and deviations by gradient descent, on one random draw of the weights in each step:

    W = mean + log(1 + exp(rho)) * noise,
    loss = -log p(data | W) + KL(normal of W, prior).

A random W is an expression like any other, `W=Gaussian()`, so that the layers are the
usual ones; `settle` replaces draws by means. Compared are the same network with plain
weights, and a line fitted in both ways, for which the best normal distributions are
known exactly. What to expect: bands that hold as many points as they should among the
data, and widen outside. In a gap between data they hardly do, which is due to the
independence of the normal distributions (Foong et al. 2020).

    python -m recipes.parameters.bayes_by_backprop

Time: 40 s of one core at the first run, most of it compilation, and 15 s afterwards.
Our numbers: the bands of 50 % and 95 % hold 57.5 % and 97.8 % of held-out points; the
networks deviate by 0.034 among the data, 0.045 in the gap and 0.507 outside; the line
is 4 % of a deviation, and its deviations 2 %, off the exact ones.

* Charles Blundell, Julien Cornebise, Koray Kavukcuoglu and Daan Wierstra (2015): Weight
  uncertainty in neural networks, section 3. https://arxiv.org/abs/1505.05424
* Andrew Foong, David Burt, Yingzhen Li and Richard Turner (2020): On the expressiveness
  of approximate inference in Bayesian neural networks. https://arxiv.org/abs/1909.00719
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.stats import norm
from threadpoolctl import threadpool_limits

import lasagne_next
from lasagne_next import init, updates
from lasagne_next.expressions import Gaussian, kl_to_normal_prior, settle
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command, figures
from recipes.claims import Claim, print_claims
from recipes.progress import track


class Settings(NamedTuple):
    """Sizes and training."""

    units: int = 50
    prior: float = 0.5  # standard deviation of weights
    examples: int = 500
    steps: int = 8000
    learning_rate: float = 0.02
    draws: int = 300  # to predict with


SMOKE = Settings(units=20, examples=200, steps=500, learning_rate=0.03, draws=50)
NOISE = 0.1
LINE_NOISE = 0.5  # that the line is told
X, Y = pt.fmatrix("x"), pt.fmatrix("y")


def draw_data(number, rng):
    """Draw x from two intervals with a gap between them, and y = sin 4x + noise."""
    low, high = np.array([[-1, 0.3], [-0.2, 1]])[:, rng.integers(2, size=number)]
    x = rng.uniform(low, high)[:, None]
    return np.float32(x), np.float32(np.sin(4 * x) + rng.normal(0, NOISE, x.shape))


# Three models: networks that differ in the expressions of their weights, and a line.


def network(name, settings, wrap):
    """Return a network of two hidden layers; `wrap` makes a parameter of a start."""
    layer = InputLayer((None, 1), X)
    for index, spread in enumerate((0.5, 0.05)):  # bends all over the data
        layer = DenseLayer(
            layer,
            settings.units,
            W=wrap(init.GlorotUniform()),
            b=wrap(init.Normal(spread)),
            name=f"{name}.{index}",
        )
    return DenseLayer(
        layer,
        num_units=1,
        W=wrap(init.GlorotUniform()),
        b=wrap(init.Constant(0)),
        nonlinearity=None,
        name=f"{name}.y",
    )


def build(settings):
    """Return the models by name."""
    slope, offset = Gaussian(init=init.Normal(0.1)), Gaussian(init=init.Normal(0.1))
    line = {"num_units": 1, "W": slope, "b": offset, "nonlinearity": None}
    return {
        "Bayes": network("Bayes", settings, wrap=lambda start: Gaussian(init=start)),
        "plain": network("plain", settings, wrap=lambda start: start),
        "line": DenseLayer(InputLayer((None, 1), X), **line),
    }


def compile_training(models, noises, settings, mode):
    """Compile a step for all models; it returns what each point costs, in nats."""
    losses = []
    for name, model in models.items():
        deviation = pt.exp(noises[name]) if name in noises else np.float32(LINE_NOISE)
        error = (Y - get_output(model)) / deviation
        loss = (pt.sqr(error) / 2 + pt.log(deviation)).sum()
        if name != "plain":
            parameters = get_all_params(model, unwrap_shared=False)
            loss = loss + kl_to_normal_prior(parameters, std=settings.prior)
        losses.append(loss / settings.examples)
    counter = updates.step_counter()
    rate = updates.cosine_schedule(counter, settings.learning_rate, settings.steps)
    leaves = get_all_params(list(models.values()), trainable=True)
    rule = updates.adam(sum(losses), [*leaves, *noises.values()], rate)
    rule = updates.combine(rule, updates.advance(counter))
    return pytensor.function([X, Y], losses, updates=rule, mode=mode)


def fit(step, x, y, settings):
    """Take all steps, each on all points."""
    with threadpool_limits(1, user_api="blas"):
        for index in (steps := track(range(settings.steps), "training", unit="step")):
            losses = step(x, y)
            if index % 200 == 0:
                steps.set_postfix_str(" ".join(f"{float(loss):.3f}" for loss in losses))


def predictor(models, noises, num_draws):
    """Return a function from x to mean, deviation and noise, and one to draws of it."""
    outputs = [get_output(models["Bayes"]), get_output(models["plain"])]
    function = pytensor.function([X], outputs, mode=command.mode_of("python"))
    noise = {name: float(np.exp(value.get_value())) for name, value in noises.items()}

    def predict(x):
        draws = np.stack([function(x) for _ in range(num_draws)])[..., 0]
        means, deviations = draws.mean(axis=0), draws.std(axis=0)  # (2, n)
        return {
            name: (means[index], deviations[index], noise[name])
            for index, name in enumerate(noise)
        }

    def draw(x):
        return np.stack([function(x)[0][:, 0] for _ in range(10)])  # (10, n)

    return predict, draw


def coverage(prediction, y, share):
    """Return how many points lie in the band that should hold a given share."""
    mean, deviation, noise = prediction
    width = norm.ppf((1 + share) / 2) * np.hypot(deviation, noise)
    return float(np.mean(abs(y[:, 0] - mean) < width))


# For a line a + b x, the posterior is normal, and of all products of independent normal
# distributions the nearest has its mean and the inverses of the diagonal of its
# precision matrix.


def best_line(x, y, prior):
    """Return means and deviations of slope and offset."""
    inputs = np.hstack([x, np.ones_like(x)]).astype("float64")
    precision = inputs.T @ inputs / LINE_NOISE**2 + np.eye(2) / prior**2
    means = np.linalg.solve(precision, inputs.T @ y[:, 0] / LINE_NOISE**2)
    return means, np.diag(precision) ** -0.5


def learnt_line(line):
    """Return the same of the trained line."""
    mode = command.mode_of("python")
    means = [settle(each).eval(mode=mode).item() for each in (line.W, line.b)]
    rhos = [leaf.get_value().item() for leaf in line.get_params()[1::2]]
    return np.array(means), np.log1p(np.exp(rhos))


PLACES = {"among": [-0.6, 0.6], "gap": [0.05], "outside": [-2.0, 2.0]}


def measure(models, predict, x, y, rng, prior):
    """Return the numbers."""
    held_out_x, held_out_y = draw_data(2000, rng)
    inside = predict(held_out_x)
    numbers = {"noise": inside["Bayes"][2]}
    for name, (mean, *_) in inside.items():
        error = mean - np.sin(4 * held_out_x[:, 0])
        numbers[f"{name} error"] = float(np.sqrt(np.mean(error**2)))
        for share in (50, 95):
            number = coverage(inside[name], held_out_y, share / 100)
            numbers[f"{name} {share} %"] = number
    for place, points in PLACES.items():
        _, deviations, _ = predict(np.float32(points)[:, None])["Bayes"]
        numbers[place] = float(deviations.mean())

    means, deviations = learnt_line(models["line"])
    best_means, best_deviations = best_line(x, y, prior)
    numbers["line mean"] = float(max(abs(means - best_means) / best_deviations))
    numbers["line deviation"] = float(max(abs(deviations / best_deviations - 1)))
    return numbers


def report(numbers):
    """Print how both networks do among the data, and how sure the random one is."""
    rows = [("network", "error", "in band of 50 %", "of 95 %")]
    for name in ("plain", "Bayes"):
        shares = (f"{numbers[f'{name} {share} %']:.1%}" for share in (50, 95))
        rows.append((name, f"{numbers[f'{name} error']:.4f}", *shares))
    command.print_table(rows)
    print()
    rows = [("place", "deviation of networks")]
    command.print_table([*rows, *((p, f"{numbers[p]:.4f}") for p in PLACES)])
    print()


def check(numbers):
    """Return the claims."""
    return [
        Claim("held-out points in band of 95 %", numbers["Bayes 95 %"], 0.92, 0.98),
        Claim("held-out points in band of 50 %", numbers["Bayes 50 %"], 0.44, 0.6),
        Claim("noise of the data (0.1)", numbers["noise"], 0.09, 0.125),
        Claim(
            "deviation outside, times that among",
            numbers["outside"] / numbers["among"],
            least=5,
        ),
        Claim("line: error of means, deviations", numbers["line mean"], most=0.2),
        Claim("line: error of deviations", numbers["line deviation"], most=0.1),
    ]


def draw(path, predict, draws, x, y):
    """Write the picture: data, bands and some networks."""
    figure = figures.new_figure(9, 3.8)
    grid = np.linspace(-2, 2, 200, dtype="float32")
    predictions = predict(grid[:, None])
    for axes, name in zip(figure.subplots(1, 2, sharey=True), predictions, strict=True):
        mean, deviation, noise = predictions[name]
        for share, colour in ((0.95, "#cfe3f5"), (0.5, "#8fbde6")):
            width = norm.ppf((1 + share) / 2) * np.hypot(deviation, noise)
            label = f"holds {share:.0%}"
            axes.fill_between(
                grid, mean - width, mean + width, color=colour, lw=0, label=label
            )
        axes.plot(grid, mean, color="C0", label="mean")
        if name == "Bayes":
            axes.plot(grid, draws(grid[:, None]).T, color="C0", lw=0.3)
        axes.plot(x[:200, 0], y[:200, 0], ".", color="black", markersize=2)
        axes.plot(grid, np.sin(4 * grid), "--", color="0.4", lw=1, label="truth")
        axes.set(title=TITLES[name], xlabel="x", xlim=(-2, 2), ylim=(-3, 3))
    axes.legend(frameon=False, loc="upper right", ncols=2)
    figures.save_figure(figure, path)


TITLES = {"Bayes": "Random weights", "plain": "Plain weights"}


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train all models, measure and draw; return the numbers."""
    parser = command.argument_parser("parameters.bayes_by_backprop", __doc__)
    args = parser.parse_args(argv)
    folder = command.output_folder(args.output)
    mode = command.mode_of(args.backend)
    settings = SMOKE if args.smoke else Settings()
    rng = np.random.default_rng(args.seed)
    lasagne_next.random.set_rng(rng)
    x, y = draw_data(settings.examples, rng)

    print("Compiling; a first run takes longest ...", flush=True)
    models = build(settings)
    noises = {
        name: pytensor.shared(np.float32(np.log(NOISE)), name=f"{name}.noise")
        for name in ("Bayes", "plain")
    }
    step = compile_training(models, noises, settings, mode)
    fit(step, x, y, settings)

    predict, draws = predictor(models, noises, settings.draws)
    numbers = measure(models, predict, x, y, rng, settings.prior)
    report(numbers)
    holds = print_claims(check(numbers))
    draw(folder / "bayes_by_backprop.png", predict, draws, x, y)
    print(f"See {folder / 'bayes_by_backprop.png'}")
    return {**numbers, "holds": holds}


if __name__ == "__main__":
    command.run(main)
