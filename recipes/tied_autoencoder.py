"""Train an autoencoder whose decoder reads its encoder's weights.

An autoencoder squeezes an image through a few numbers, its code, and learns to restore
the image from them. Its decoder mirrors its encoder, so why should it learn matrices of
its own? With tied weights (Vincent et al. 2010, section 2.2) it multiplies by the
encoder's matrices, transposed, and the network has half as many parameters. That takes
one line where the parameter of a layer may be any expression (Dieleman and Schlüter
2015): `W=encoder.W.T`. So does a second saving, a matrix that is a product of two thin
ones. Without nonlinearities, the best such network finds what principal component
analysis (PCA) finds (Baldi and Hornik 1989); with them, it should restore images better
from a code of the same size. This program measures all of it on images held out.

    python -m recipes.tied_autoencoder

Time: 25 s on two cores with an empty compilation cache and 6 s afterwards, two minutes
more with `--data mnist`. Our numbers, mean squared error on held-out digits with a code
of 8, for four seeds: PCA 0.0238; untied 0.0109 to 0.0111, with 37,448 parameters; tied
0.0102 to 0.0110, with 19,016; low rank 0.0107 to 0.0113, with 10,312.

* Sander Dieleman and Jan Schlüter (2015): New Lasagne feature: arbitrary expressions as
  layer parameters. https://sander.ai/2015/11/10/arbitrary-expressions-as-params.html
* Pascal Vincent et al. (2010): Stacked denoising autoencoders. JMLR 11.
  https://jmlr.org/papers/v11/vincent10a.html
* Pierre Baldi and Kurt Hornik (1989): Neural networks and principal component analysis.
  Neural Networks 2(1). https://doi.org/10.1016/0893-6080(89)90014-2
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from threadpoolctl import threadpool_limits

import lasagne_next
from lasagne_next import io, nonlinearities, objectives, updates
from lasagne_next.init import GlorotUniform
from lasagne_next.layers import (
    DenseLayer,
    InputLayer,
    count_params,
    get_all_layers,
    get_all_params,
    get_output,
)
from lasagne_next.utils import create_param
from recipes import command, data, figures
from recipes.progress import track


class Settings(NamedTuple):
    """Sizes and training: pixels to features to code, to features to pixels."""

    features: int
    code: int
    rank: int
    epochs: int
    batch: int
    learning_rate: float


SETTINGS = {
    "digits": Settings(256, 8, 24, 100, 64, 0.003),
    "mnist": Settings(500, 32, 100, 10, 100, 0.001),
}
SMOKE = {"features": 64, "epochs": 8}
KINDS = ("untied", "tied", "low rank")
MODELS = ("PCA", *KINDS)


# The kinds of autoencoder differ in the expressions for W, and in nothing else.


def autoencoder(kind, image, num_pixels, settings):
    """Stack four dense layers, and return the last."""
    W = GlorotUniform()
    if kind == "low rank":
        # 64 x 256 weights are the product of 64 x 24 and 24 x 256 numbers to learn.
        U = create_param(W, (num_pixels, settings.rank), name="U")
        V = create_param(W, (settings.rank, settings.features), name="V")
        W = pt.dot(U, V)

    l_in = InputLayer((None, num_pixels), image)
    features = DenseLayer(l_in, settings.features, W=W, name=f"{kind}.features")
    code = DenseLayer(features, settings.code, nonlinearity=None, name=f"{kind}.code")

    back_to_features, back_to_pixels = code.W.T, features.W.T
    if kind == "untied":
        back_to_features, back_to_pixels = GlorotUniform(), GlorotUniform()

    unfolded = DenseLayer(
        code, settings.features, W=back_to_features, name=f"{kind}.unfolded"
    )
    return DenseLayer(
        unfolded,
        num_pixels,
        W=back_to_pixels,
        nonlinearity=nonlinearities.sigmoid,  # pixels lie between 0 and 1, too
        name=f"{kind}.restored",
    )


# All networks see the same batches, so that one compiled function can train them all:
# they share nothing, and the gradient of the sum of their losses is that of each.


def compile_training(networks, image, settings, mode):
    """Return a function that takes a batch, learns from it and returns the losses."""
    losses = [
        objectives.squared_error(restored, image).mean()
        for restored in get_output(networks)
    ]
    params = get_all_params(networks, trainable=True)
    rule = updates.adam(sum(losses), params, learning_rate=settings.learning_rate)
    return pytensor.function([image], losses, updates=rule, mode=mode)


def train(step, images, settings, rng):
    """Show all images to the networks, in a new order in every epoch."""
    num_batches = len(images) // settings.batch
    for _ in (epochs := track(range(settings.epochs), "training")):
        order = rng.permutation(len(images))[: num_batches * settings.batch]
        losses = [step(images[batch]) for batch in np.split(order, num_batches)]
        means = zip(KINDS, np.mean(losses, axis=0), strict=True)
        epochs.set_postfix_str(", ".join(f"{kind} {mean:.4f}" for kind, mean in means))


# The yardstick is the linear map that restores the training images best.


def pca(train_images, size):
    """Return a function that restores images from `size` principal components."""
    mean = train_images.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(train_images, rowvar=False))
    axes = np.float32(axes[:, -size:])  # (pixels, size), since eigenvalues ascend
    return lambda images: (images - mean) @ axes @ axes.T + mean


def measure(networks, image, images, settings):
    """Return the numbers of each model, and the held-out images it restores."""
    linear = pca(images.train, settings.code)
    # For a single pass over the images, compiling a fast function does not pay.
    mode = command.mode_of("python")
    nonlinear = pytensor.function([image], get_output(networks), mode=mode)
    seen, unseen = (
        [linear(pixels), *nonlinear(pixels)] for pixels in (images.train, images.test)
    )
    num_linear = (settings.code + 1) * len(images.test[0])  # the axes and the mean
    sizes = [num_linear, *map(count_params, networks)]
    numbers = {
        model: {
            "parameters": sizes[index],
            "train_error": float(np.square(seen[index] - images.train).mean()),
            "error": float(np.square(unseen[index] - images.test).mean()),
        }
        for index, model in enumerate(MODELS)
    }
    return numbers, dict(zip(MODELS, unseen, strict=True))


def report(numbers):
    """Print the numbers of each model, and its error as a part of that of PCA."""
    rows = [("model", "parameters", "error, seen", "error, held out", "of PCA's")]
    for model, values in numbers.items():
        ratio = values["error"] / numbers["PCA"]["error"]
        errors = f"{values['train_error']:.5f}", f"{values['error']:.5f}"
        rows.append((model, f"{values['parameters']:,}", *errors, f"{ratio:.0%}"))
    command.print_table(rows)


# What there is to see: an image of each digit, restored by each model, and what the
# strongest units of the first layer look for.


def draw(path, images, restored, numbers, networks):
    """Write the picture, with the first held-out image of each digit."""
    first = [np.flatnonzero(images.test_labels == digit)[0] for digit in range(10)]
    figure = figures.new_figure(9, 7.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=[2, 1])

    figures.set_title(top, "Held-out images, restored from their codes")
    pictures = {"input": images.test, **restored}
    rows = top.subplots(len(pictures), 1)
    for axes, (model, pixels) in zip(rows, pictures.items(), strict=True):
        figures.show_images(axes, pixels[first], images.shape, columns=10)
        details = []
        if model in numbers:
            details.append(f"{numbers[model]['parameters']:,} parameters")
            details.append(f"error {numbers[model]['error']:.4f}")
        figures.label_row(axes, model, details)

    figures.set_title(
        bottom, "What the strongest first units look for: ink in red, paper in blue"
    )
    panels = bottom.subplots(1, len(KINDS))
    for axes, kind, network in zip(panels, KINDS, networks, strict=True):
        W = get_all_layers(network)[1].W.eval(mode=command.mode_of("python"))
        # A pixel that never changes moves no unit, whatever its weight.
        influence = W.T * images.train.std(axis=0)  # (units, pixels)
        strongest = np.argsort(-np.linalg.norm(influence, axis=1))[:32]
        figures.show_images(axes, influence[strongest], images.shape, 8, signed=True)
        axes.set_title(kind)
    figures.save_figure(figure, path)


def arguments(argv):
    """Read the command line."""
    parser = command.argument_parser("tied_autoencoder", __doc__)
    add = parser.add_argument
    add("--data", choices=data.DATASETS, default="digits", help="default: %(default)s")
    add("--cache", type=Path, metavar="FOLDER", help="of downloads")
    add("--epochs", type=command.positive_integer, metavar="N", help="of training")
    add(
        "--load", type=Path, metavar="FILE", help="weights of a run, not to train again"
    )
    return parser.parse_args(argv)


@pytensor.config.change_flags(floatX="float32")  # twice as fast as double precision
def main(argv=None):
    """Train or load, measure and draw; return the numbers of each model."""
    args = arguments(argv)
    folder = command.output_folder(args.output)
    mode = command.mode_of(args.backend)
    settings = SETTINGS[args.data]
    if args.smoke:
        settings = settings._replace(**SMOKE)
    if args.epochs:
        settings = settings._replace(epochs=args.epochs)

    images = data.load(args.data, args.cache)
    num_pixels = images.train.shape[1]
    print(
        f"{len(images.train):,} images of {num_pixels} pixels to learn from, "
        f"{len(images.test):,} held out; a code of {settings.code} numbers"
    )
    rng = np.random.default_rng(args.seed)
    lasagne_next.random.set_rng(rng)
    image = pt.matrix("image")
    networks = [autoencoder(kind, image, num_pixels, settings) for kind in KINDS]

    weights, pictures = folder / "weights.npz", folder / "pictures.png"
    if args.load:
        weights = args.load
        command.load_weights(weights, networks)
    else:
        print("Compiling the training step; a first run takes longest ...", flush=True)
        step = compile_training(networks, image, settings, mode)
        # Products this small gain nothing from a second thread, and lose much when it
        # has to wait for another program.
        with threadpool_limits(1, user_api="blas"):
            train(step, images.train, settings, rng)
        io.save(weights, networks)

    numbers, restored = measure(networks, image, images, settings)
    report(numbers)
    draw(pictures, images, restored, numbers, networks)
    print(f"See {pictures}; the weights are in {weights}")
    return numbers


if __name__ == "__main__":
    command.run(main)
