"""Restore digits by convolutions, with one set of kernels for both directions.

An encoder made of strided convolutions shrinks an image to a few numbers, its code. A
decoder leads back by transposed convolutions, which spread what convolutions gather
(Zeiler et al. 2010). It needs kernels of the same shapes in the opposite order. Why
should it learn its own? As the W of a layer may be any expression, tying is a word:

    TransposedConv2DLayer(..., W=encoder.W, flip_filters=not encoder.flip_filters)

With the flip turned round, that layer is exactly the transpose of the encoder's map, so
this is what tied matrices are in dense autoencoders (Masci et al. 2011, section 3).
Beside it learn an autoencoder with kernels of its own for the way back, and principal
component analysis (PCA), the best of all linear ones. The code has 8 numbers.

    python -m recipes.images.tied_kernels

Time: 25 s with `--backend jax`; on Numba 30 s of processor time with a warm cache and
twice that with an empty one. Our numbers, mean squared error on held-out digits: PCA
0.0238; untied 0.0106, with 70,656 numbers in kernels; tied 0.0105, with 35,328.

* Matthew Zeiler, Dilip Krishnan, Graham Taylor and Rob Fergus (2010): Deconvolutional
  networks. https://doi.org/10.1109/CVPR.2010.5539957
* Jonathan Masci, Ueli Meier, Dan Cireşan and Jürgen Schmidhuber (2011): Stacked
  convolutional auto-encoders for hierarchical feature extraction.
  https://doi.org/10.1007/978-3-642-21735-7_7
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import nonlinearities, objectives, updates
from lasagne_next.init import HeNormal
from lasagne_next.layers import (
    Conv2DLayer,
    InputLayer,
    TransposedConv2DLayer,
    get_all_layers,
    get_all_params,
    get_output,
)
from recipes import command, data, figures
from recipes.checkpoint import Checkpoint
from recipes.claims import Claim, print_claims
from recipes.training import steps


class Settings(NamedTuple):
    """Sizes and training."""

    filters: tuple = (32, 64)
    code: int = 8
    steps: int = 2000
    batch: int = 64
    learning_rate: float = 0.01


SMOKE = Settings(filters=(8, 16), steps=150)
FULL = Settings(filters=(64, 128), steps=4000)
KINDS = ("untied", "tied")

IMAGE = pt.ftensor4("image")


# Two convolutions halve the image, 8 x 8 to 4 x 4 to 2 x 2; a third one sees all of the
# rest. Sizes are chosen so that each transposed convolution leads back exactly.


def encoder(settings):
    """Stack three convolutions; return them, the code last."""
    layer, layers = InputLayer((None, 1, 8, 8), IMAGE), []
    for num_filters in settings.filters:
        layer = Conv2DLayer(layer, num_filters, 4, stride=2, pad=1, W=HeNormal("relu"))
        layers.append(layer)
    code = Conv2DLayer(layer, settings.code, 2, nonlinearity=None)
    return [*layers, code]


def decoder(layers, tied):
    """Lead back through the layers of an encoder; return the restored image."""
    layer = layers[-1]
    for below in reversed(layers):
        layer = TransposedConv2DLayer(
            layer,
            num_filters=below.input_shape[1],
            filter_size=below.filter_size,
            stride=below.stride,
            crop=below.pad,
            W=below.W if tied else HeNormal("relu"),
            flip_filters=not below.flip_filters,
            # Pixels lie between 0 and 1, too.
            nonlinearity=nonlinearities.rectify
            if below is not layers[0]
            else nonlinearities.sigmoid,
        )
    return layer


def kernels(network):
    """List the shared variables that are kernels, each once, from the image on."""
    return get_all_params(network, regularizable=True)


def num_weights(network):
    """Count the numbers of all kernels."""
    return sum(W.get_value().size for W in kernels(network))


def autoencoders(settings):
    """Return both kinds, untied first, that start from the same kernels."""
    untied, tied = networks = [
        decoder(encoder(settings), tied) for tied in (False, True)
    ]
    start = [W.get_value() for W in kernels(tied)]
    for W, value in zip(kernels(untied), start + start[::-1], strict=True):
        W.set_value(value)
    return networks


def training(networks, settings):
    """Return the losses, and the rule that makes them smaller."""
    losses = [
        objectives.squared_error(restored, IMAGE).mean()
        for restored in get_output(networks)
    ]
    params = get_all_params(networks, trainable=True)
    rate = pytensor.shared(np.float32(settings.learning_rate))
    rule = updates.adam(sum(losses), params, learning_rate=rate)
    # The rate shrinks to a twentieth over the whole training.
    rule[rate] = rate * np.float32(0.05 ** (1 / settings.steps))
    return losses, rule


# What tying means. Both are true whatever the kernels are, and measured at the start.


def off_adjoint(network, rng):
    """Return by how much <A x, y> is off <x, B y>, A the first layer and B the last.

    They are equal for all x and y only if B is the transpose of A.
    """
    first, last = get_all_layers(network)[1], get_all_layers(network)[-1]
    x, y = (rng.normal(size=(3, *each.input_shape[1:])) for each in (first, last))
    there, back = first.convolve(pt.constant(x)), last.convolve(pt.constant(y))
    mode = command.mode_of("python")
    there, back = pytensor.function([], [there, back], mode=mode)()
    return float(abs(np.vdot(there, y) - np.vdot(x, back)) / abs(np.vdot(there, y)))


def off_sum_of_gradients(networks, losses, images):
    """Return by how much the tied gradient is off those of encoder plus decoder.

    The largest difference, relative to the largest entry. No line of this program adds
    the two: a shared variable that is read twice has such a gradient.
    """
    own, shared = (
        pt.grad(loss, kernels(network))
        for loss, network in zip(losses, networks, strict=True)
    )
    encoding, decoding = own[: len(shared)], own[: len(shared) - 1 : -1]
    sums = [one + other for one, other in zip(encoding, decoding, strict=True)]
    mode = command.mode_of("python")
    values = pytensor.function([IMAGE], [*shared, *sums], mode=mode)(images)
    tied, untied = values[: len(shared)], values[len(shared) :]
    return max(
        float(abs(one - other).max() / abs(other).max())
        for one, other in zip(tied, untied, strict=True)
    )


# Training, and what comes of it.


def learn(networks, losses, rule, images, run):
    """Train both networks on the same batches; return the losses of every step."""
    function = pytensor.function([IMAGE], losses, updates=rule, mode=run.mode)
    examples = as_maps(images.train)

    def step():
        chosen = run.rng.choice(len(examples), run.settings.batch, replace=False)
        return function(examples[chosen])

    path = run.folder / "checkpoint.npz"
    keep = run.args.full and Checkpoint(path, list(rule), run.rng, run.args.resume)
    return steps(step, run.settings.steps, "digits", checkpoint=keep or None)


def principal_components(images, size):
    """Return held-out images through the best linear code of those to learn from."""
    mean = images.train.mean(axis=0)
    axes = np.linalg.svd(images.train - mean, full_matrices=False)[2][:size]
    return (images.test - mean) @ axes.T @ axes + mean


def restore(networks, images):
    """Return held-out images through each of the codes, by name."""
    mode = command.mode_of("python")
    function = pytensor.function([IMAGE], get_output(networks), mode=mode)
    outputs = [each.reshape(-1, 64) for each in function(as_maps(images.test))]
    return dict(zip(KINDS, outputs, strict=True))


def as_maps(images):
    """Give rows of pixels the axes (images, channels, rows, columns)."""
    return images.reshape(-1, 1, 8, 8)


def error(restored, images):
    """Return the mean squared error on held-out images."""
    return float(np.mean((restored - images.test) ** 2))


def check(networks, errors, identities):
    """Return the claims."""
    untied, tied = map(num_weights, networks)
    adjoint, gradients = identities
    return [
        Claim("tied kernels, share of the untied", tied / untied, 0.5, 0.5),
        Claim("last layer off transpose of the first", adjoint, most=1e-5),
        Claim("gradient off encoder's plus decoder's", gradients, most=1e-4),
        Claim("untied, error of PCA", errors["untied"] / errors["PCA"], most=0.55),
        Claim("tied, error of PCA", errors["tied"] / errors["PCA"], most=0.55),
        Claim("tied, error of untied", errors["tied"] / errors["untied"], most=1.1),
    ]


def draw(path, images, restored, history, networks):
    """Write the picture: digits restored, learning, and the kernels at the image."""
    figure = figures.new_figure(9, 5.4)
    left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1])
    figures.set_title(left, "Held-out digits through 8 numbers, squared error")
    rows = {"held out": images.test, **restored}
    panels = left.subplots(len(rows) + 1, 1, height_ratios=[1] * len(rows) + [2.6])
    for axes, (kind, pixels) in zip(panels[:-1], rows.items(), strict=True):
        figures.show_images(axes, pixels[:12], images.shape, columns=12)
        errors = [] if kind == "held out" else [f"{error(pixels, images):.4f}"]
        figures.label_row(axes, kind, errors)
    every = max(1, len(history) // 80)
    for kind, losses in zip(KINDS, history.T, strict=True):
        means = losses[: len(losses) // every * every].reshape(-1, every).mean(axis=1)
        panels[-1].semilogy(every * np.arange(1, 1 + len(means)), means, label=kind)
    panels[-1].set(xlabel="step", ylabel="error while learning")
    panels[-1].legend(frameon=False)

    figures.set_title(right, "Kernels at the image")
    ends = [get_all_layers(each)[index] for each in networks for index in (1, -1)]
    names = ["untied, encoder", "untied, decoder", "tied, both"]
    for axes, name, layer in zip(right.subplots(3, 1), names, ends, strict=False):
        W = layer.W.get_value()[:32, 0]  # (filters, 4, 4)
        if layer is not ends[1]:
            W = W[:, ::-1, ::-1]  # as the encoder flips them
        figures.show_images(axes, W.reshape(-1, 16), (4, 4), 8, signed=True)
        axes.set_title(name)
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train both autoencoders, measure and draw; return the numbers."""
    run = command.begin("images.tied_kernels", __doc__, argv, Settings(), SMOKE, FULL)
    images, networks = data.digits(), autoencoders(run.settings)
    losses, rule = training(networks, run.settings)
    identities = (
        off_adjoint(networks[1], run.rng),
        off_sum_of_gradients(networks, losses, as_maps(images.test)),
    )
    print("Compiling; a first run takes longest ...", flush=True)
    history = learn(networks, losses, rule, images, run)

    restored = {"PCA": principal_components(images, run.settings.code)}
    restored |= restore(networks, images)
    errors = {kind: error(each, images) for kind, each in restored.items()}
    sizes = ["", *(f"{num_weights(network):,}" for network in networks)]
    rows = [("code of 8 by", "numbers in kernels", "error, held-out digits")]
    rows += [
        (kind, size, f"{value:.4f}")
        for (kind, value), size in zip(errors.items(), sizes, strict=True)
    ]
    command.print_table(rows)
    holds = print_claims(check(networks, errors, identities))
    draw(run.folder / "tied_kernels.png", images, restored, history, networks)
    print(f"See {run.folder / 'tied_kernels.png'}")
    return {**errors, "holds": holds}


if __name__ == "__main__":
    command.run(main)
