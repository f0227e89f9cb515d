"""Model binary images exactly, by a network whose weights are masked (MADE).

Any distribution of D bits is a product of conditional ones, p(x) = p(x1) p(x2 | x1) ...
p(xD | x1 ... xD-1). An autoencoder computes all of them at once if its d-th output sees
only the inputs before d (Germain et al. 2015). That is a matter of zeros in its
weights: every unit gets a degree, and is connected to units of lower degree only. The W
of a layer being any expression, W = mask * V, no new layer is needed. The likelihood is
then exact, and drawing an image takes D passes, a pixel in each.

This program learns two distributions. One is of noisy bars in 4x4 pixels, whose 65,536
images can be listed: the sum of all probabilities, the entropy and the distance to the
truth are known exactly. The other is of digits in 8x8 pixels, black and white, where it
is compared with independent pixels, and with independent pixels for each digit.

    python -m recipes.parameters.made

Time: 27 s of one core at the first run, half of it compilation, and 12 s afterwards.
Our numbers, mean -log p: bars 6.557 nats, where the entropy is 6.496 and independent
pixels have 11.090; held-out digits 17.221 nats, where independent pixels have 25.227,
and 20.184 for each digit.

* Mathieu Germain, Karol Gregor, Iain Murray and Hugo Larochelle (2015): MADE: masked
  autoencoder for distribution estimation, section 4. https://arxiv.org/abs/1502.03509
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

import lasagne_next
from lasagne_next import objectives, updates
from lasagne_next.expressions import Masked
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    ElemwiseSumLayer,
    InputLayer,
    get_all_params,
    get_output,
)
from recipes import command, data, figures
from recipes.claims import Claim, print_claims
from recipes.training import train


class Settings(NamedTuple):
    """Sizes and training."""

    units: int = 300
    epochs: int = 60
    num_bars: int = 100_000
    bar_epochs: int = 6
    learning_rate: float = 0.003


SMOKE = Settings(units=100, epochs=8, num_bars=4000, bar_epochs=6, learning_rate=0.01)
BITS = pt.fmatrix("bits")


def made(name, size, num_units, dropout):
    """Return a network from bits to the log-odds of each bit, given those before it."""
    order = 1 + np.arange(size)
    network = l_in = InputLayer((None, size), BITS)
    degrees = order
    for layer in ("first", "second"):
        new_degrees = 1 + np.arange(num_units) % (size - 1)
        seen = degrees[:, None] <= new_degrees  # (inputs, units)
        network = DenseLayer(network, num_units, W=Masked(seen), name=f"{name}.{layer}")
        network, degrees = DropoutLayer(network, dropout), new_degrees

    deep, direct = Masked(degrees[:, None] < order), Masked(order[:, None] < order)
    linear = {"num_units": size, "nonlinearity": None}
    deep = DenseLayer(network, W=deep, name=f"{name}.deep", **linear)
    direct = DenseLayer(l_in, W=direct, b=None, name=f"{name}.direct", **linear)
    return ElemwiseSumLayer([deep, direct])


def surprise(network, deterministic=True):
    """Return -log p of each image in nats, SHAPE (batch,)."""
    log_odds = get_output(network, deterministic=deterministic)
    return objectives.binary_crossentropy_from_logits(log_odds, BITS).sum(axis=1)


def fit(network, images, num_epochs, batch_size, settings, mode, rng):
    """Compile a training step and train."""
    loss = surprise(network, deterministic=False).mean()
    params = get_all_params(network, trainable=True)
    rule = updates.adam(loss, params, learning_rate=settings.learning_rate)
    step = pytensor.function([BITS], [loss], updates=rule, mode=mode)
    return train(step, [images], num_epochs, batch_size, rng)


# A distribution that is known: each row, or else each column, is black or white by a
# toss of a coin, and then every pixel changes its colour with a probability of 5 %.

SIDE, NOISE = 4, 0.05


def bars():
    """Return the 2 x 16 images without noise, SHAPE (32, 16)."""
    lines = (np.arange(2**SIDE)[:, None] >> np.arange(SIDE)) & 1  # (16, 4)
    rows = np.repeat(lines, SIDE, axis=1)
    columns = np.tile(lines, SIDE)
    return np.concatenate([rows, columns])


def all_images():
    """Return all images of 4x4 pixels, SHAPE (65536, 16), and their probabilities."""
    images = (np.arange(2**SIDE**2)[:, None] >> np.arange(SIDE**2)) & 1
    overlap = (2 * images - 1) @ (2 * bars() - 1).T  # (65536, 32)
    flips = (SIDE**2 - overlap) // 2
    clean = NOISE**flips * (1 - NOISE) ** (SIDE**2 - flips)
    return np.float32(images), clean.mean(axis=1)


def draw_bars(number, rng):
    """Draw noisy bars, SHAPE (number, 16)."""
    clean = bars()[rng.integers(2 * 2**SIDE, size=number)]
    return np.float32(clean ^ (rng.random(clean.shape) < NOISE))


# What is measured beside the likelihood: that no output depends on inputs that it must
# not see, and what the network draws.


def dependence(network, size):
    """Return the largest |d output_d / d input_j| over some images, at [d, j]."""
    log_odds = get_output(network, deterministic=True)
    # Row d of a batch of D equal images differentiates output d, all in one pass.
    rows = pt.grad(pt.diagonal(log_odds).sum(), BITS)
    slopes = pytensor.function([BITS], rows, mode=command.mode_of("python"))
    rng = np.random.default_rng(0)
    images = np.float32(rng.integers(2, size=(20, 1, size)))
    return np.max([abs(slopes(np.repeat(each, size, 0))) for each in images], axis=0)


def draw_samples(network, number, size, rng):
    """Draw images, pixel by pixel."""
    odds = get_output(network, deterministic=True)
    probability = pytensor.function(
        [BITS], pt.sigmoid(odds), mode=command.mode_of("python")
    )
    samples = np.zeros((number, size), "float32")
    for pixel in range(size):
        samples[:, pixel] = rng.random(number) < probability(samples)[:, pixel]
    return samples


def independent_pixels(train, labels, test, by_label):
    """Return the mean -log p under independent pixels, in all or for each label."""
    labels = labels if by_label else np.zeros_like(labels)
    log_joint = []
    for label in np.unique(labels):
        images = train[labels == label]
        black = (images.sum(axis=0) + 1) / (len(images) + 2)  # one more of each colour
        pixels = test @ np.log(black) + (1 - test) @ np.log(1 - black)
        log_joint.append(np.log(len(images) / len(train)) + pixels)
    return float(-np.logaddexp.reduce(log_joint).mean())


def measure_bars(network):
    """Compare with the truth, image by image."""
    images, truth = all_images()
    evaluate = pytensor.function(
        [BITS], surprise(network), mode=command.mode_of("python")
    )
    log_p = -evaluate(images).astype("float64")
    return {
        "sum": float(np.exp(log_p).sum()),
        "entropy": float(-truth @ np.log(truth)),
        "model": float(-truth @ log_p),
        "independent": SIDE**2
        * np.log(2),  # each pixel alone is black half of the time
    }


def measure_digits(network, seen, seen_labels, held_out):
    """Compare with independent pixels."""
    evaluate = pytensor.function(
        [BITS], surprise(network).mean(), mode=command.mode_of("python")
    )
    return {
        "seen": float(evaluate(seen)),
        "model": float(evaluate(held_out)),
        "independent": independent_pixels(seen, seen_labels, held_out, False),
        "by_label": independent_pixels(seen, seen_labels, held_out, True),
    }


def report(bars_, digits):
    """Print the likelihoods."""
    rows = [("mean -log p, nats", "bars", "digits, held out")]
    for name, key in {
        "truth": "entropy",
        "MADE": "model",
        "independent pixels": "independent",
        "independent, by digit": "by_label",
    }.items():
        values = (numbers.get(key) for numbers in (bars_, digits))
        rows.append((name, *("-" if v is None else f"{v:.3f}" for v in values)))
    command.print_table(rows)
    print()


def check(bars_, digits, slopes):
    """Return the claims."""
    size = len(slopes)
    return [
        Claim("sum of p over all bars, off 1", abs(bars_["sum"] - 1), most=1e-4),
        Claim("nats lost to the truth", bars_["model"] - bars_["entropy"], 0, 0.1),
        Claim(
            "nats won on independent pixels",
            digits["independent"] - digits["model"],
            least=6,
        ),
        Claim(
            "nats won on pixels by digit",
            digits["by_label"] - digits["model"],
            least=1,
        ),
        Claim("slope at inputs not to be seen", np.triu(slopes).max(), 0, 0),
        Claim(
            "outputs that depend on all before",
            sum((slopes[d, :d] > 0).all() for d in range(size)),
            size,
            size,
        ),
    ]


def draw(path, real, samples, slopes, shape):
    """Write the picture: digits, digits drawn by the network, and what sees what."""
    figure = figures.new_figure(9, 3.8)
    panels = figure.subplots(1, 3)
    titles = ("Digits in black and white", "Drawn by the network")
    for axes, images, title in zip(panels, (real, samples), titles, strict=False):
        figures.show_images(axes, images[:64], shape, columns=8)
        axes.set_title(title)
    panels[2].imshow(slopes > 0, cmap="Greys", interpolation="nearest")
    panels[2].set(
        title="Which pixel sees which",
        xlabel="pixel that is seen",
        ylabel="pixel to be predicted",
    )
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train on both distributions, measure and draw; return the numbers."""
    parser = command.argument_parser("parameters.made", __doc__)
    args = parser.parse_args(argv)
    folder = command.output_folder(args.output)
    mode = command.mode_of(args.backend)
    settings = SMOKE if args.smoke else Settings()
    rng = np.random.default_rng(args.seed)
    lasagne_next.random.set_rng(rng)
    images = data.digits()
    seen, held_out = (np.float32(i >= 0.5) for i in (images.train, images.test))

    print("Compiling; a first run takes longest ...", flush=True)
    of_bars = made("bars", SIDE**2, settings.units, dropout=0)
    examples = draw_bars(settings.num_bars, rng)
    fit(of_bars, examples, settings.bar_epochs, 100, settings, mode, rng)
    size = len(seen[0])
    of_digits = made("digits", size, settings.units, dropout=0.5)
    fit(of_digits, seen, settings.epochs, 64, settings, mode, rng)

    numbers = {
        "bars": measure_bars(of_bars),
        "digits": measure_digits(of_digits, seen, images.train_labels, held_out),
    }
    slopes = dependence(of_digits, size)
    report(*numbers.values())
    holds = print_claims(check(*numbers.values(), slopes))
    samples = draw_samples(of_digits, 64, size, rng)
    draw(folder / "made.png", held_out, samples, slopes, images.shape)
    print(f"See {folder / 'made.png'}")
    return {**numbers, "holds": holds}


if __name__ == "__main__":
    command.run(main)
