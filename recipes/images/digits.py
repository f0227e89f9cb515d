"""Read handwritten digits with convolutions, and show what is still mistaken.

A dense layer has to learn at every place anew what a stroke looks like. A convolution
(LeCun et al. 1998) learns it once: small filters slide over the image, and pooling lets
a stroke move a little. Images that are shifted by a pixel during training show the same
digits at more places, and dropout keeps units from relying on each other. Beside the
convolutional network learns a dense one of about as many parameters.

    python -m recipes.images.digits

Time: 35 to 45 s on two shared cores with ``--backend jax``, compilation included; 150 s
on Numba beside other work. Our numbers, held-out digits read: 99.2 % and 99.4 % with
convolutions for two seeds (99,178 parameters), 97.5 % with dense layers (85,002). The
digits are the 1,797 of 8 x 8 pixels that scikit-learn ships, of which 360 are held out,
always the same ones.

* Yann LeCun et al. (1998): Gradient-based learning applied to document recognition,
  section 2. https://doi.org/10.1109/5.726791
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import nonlinearities, objectives, updates
from lasagne_next.init import HeNormal
from lasagne_next.layers import (
    Conv2DLayer,
    DenseLayer,
    InputLayer,
    MaxPool2DLayer,
    count_params,
    dropout,
    get_all_params,
    get_output,
)
from recipes import command, data, figures
from recipes.claims import Claim, print_claims
from recipes.training import train


class Settings(NamedTuple):
    """Sizes and training."""

    filters: int = 32
    units: int = 128
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.003


SMOKE = Settings(filters=8, units=64, epochs=8, learning_rate=0.01)

IMAGE, LABEL = pt.ftensor4("image"), pt.lvector("label")


# Convolutions see 3 x 3 pixels, and keep the size; each pooling halves it.


def convolutional(settings):
    """Stack two blocks of convolutions and a dense layer; return the class scores."""
    network = InputLayer((None, 1, 8, 8), IMAGE)
    for block, filters in enumerate((settings.filters, 2 * settings.filters)):
        for index in "ab":
            network = Conv2DLayer(
                network, filters, 3, pad="same", W=HeNormal("relu"),
                name=f"conv{block}{index}",
            )  # fmt: skip
        network = MaxPool2DLayer(network, 2)
    network = DenseLayer(dropout(network), settings.units, name="hidden")
    return DenseLayer(dropout(network), 10, nonlinearity=None, name="scores")


def dense(settings):
    """Stack two dense layers; return the class scores."""
    network = InputLayer((None, 1, 8, 8), IMAGE)
    for index in "ab":
        network = DenseLayer(dropout(network, 0.2), 8 * settings.filters, name=index)
    return DenseLayer(dropout(network), 10, nonlinearity=None, name="scores")


def compile_training(networks, settings, mode):
    """Return a function that learns from a batch and returns the losses."""
    losses = [
        objectives.categorical_crossentropy_from_logits(scores, LABEL).mean()
        for scores in get_output(networks)
    ]
    params = get_all_params(networks, trainable=True)
    rate = pytensor.shared(np.float32(settings.learning_rate))
    rule = updates.adam(sum(losses), params, learning_rate=rate)
    # The rate shrinks to a hundredth over the whole training.
    steps = settings.epochs * (1437 // settings.batch)
    rule[rate] = rate * np.float32(0.01 ** (1 / steps))
    return pytensor.function([IMAGE, LABEL], losses, updates=rule, mode=mode)


def shift(images, rng):
    """Move each image by up to one pixel in both directions, over empty paper."""
    padded = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)])
    places = rng.integers(0, 3, (len(images), 2))
    return np.stack(
        [
            image[:, row : row + 8, column : column + 8]
            for image, (row, column) in zip(padded, places, strict=True)
        ]
    )


def as_maps(images):
    """Give rows of pixels the axes (images, channels, rows, columns)."""
    return images.reshape(-1, 1, 8, 8)


def read(networks, images, mode):
    """Return what each network reads, SHAPE (networks, images).

    Probabilities are averaged over the nine shifts that were trained for.
    """
    scores = get_output(networks, deterministic=True)
    outputs = [nonlinearities.softmax(each) for each in scores]
    classify = pytensor.function([IMAGE], outputs, mode=mode)
    padded = np.pad(as_maps(images), [(0, 0), (0, 0), (1, 1), (1, 1)])
    total = sum(
        np.array(classify(padded[:, :, row : row + 8, column : column + 8]))
        for row, column in np.ndindex(3, 3)
    )
    return total.argmax(axis=2)


def confusion(labels, answers):
    """Count how often each digit is read as which, SHAPE (digits, answers)."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    return counts


def draw(path, history, images, answers):
    """Write the picture: learning, confusions, and the digits that are misread."""
    figure = figures.new_figure(9, 3.4)
    learning, counts, mistakes = figure.subplots(1, 3, width_ratios=[1.2, 1, 1])
    epochs = 1 + np.arange(len(history))
    for name, losses in zip(("convolutions", "dense"), history.T, strict=True):
        learning.semilogy(epochs, losses, label=name)
    learning.set(xlabel="epoch", title="Cross-entropy while learning, nats")
    learning.legend(frameon=False)

    table = confusion(images.test_labels, answers)
    wrong = table - np.diag(np.diag(table))
    counts.imshow(wrong, cmap="Reds", vmin=0, vmax=max(2, wrong.max()))
    for row, column in np.argwhere(table):
        right = row == column
        color = "0.6" if right else "black"
        counts.text(
            column, row, table[row, column], ha="center", va="center", color=color,
            fontsize=7,
        )  # fmt: skip
    counts.set(
        xticks=range(10), yticks=range(10), xlabel="read", ylabel="digit",
        title="Held-out digits",
    )  # fmt: skip

    misread = answers != images.test_labels
    first = np.argsort(~misread, kind="stable")[:6]
    figures.show_images(mistakes, images.test[first], images.shape, columns=3)
    pairs = [f"{images.test_labels[i]} read as {answers[i]}" for i in first]
    mistakes.set(title="Misread first", xlabel="\n".join(pairs))
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train both networks, measure and draw; return the numbers."""
    setting = command.begin(
        "images.digits", __doc__, argv, settings=Settings(), smoke=SMOKE
    )
    settings, rng, images = setting.settings, setting.rng, data.digits()
    print("Compiling; a first run takes longest ...", flush=True)
    networks = [convolutional(settings), dense(settings)]
    learn = compile_training(networks, settings, setting.mode)

    def step(batch, labels):
        return learn(shift(batch, rng), labels)

    examples = [as_maps(images.train), images.train_labels]
    history = train(
        step, examples, settings.epochs, settings.batch, rng, "digits", threads=None
    )

    answers = read(networks, images.test, setting.mode)
    right = (answers == images.test_labels).mean(axis=1)
    rows = [("network", "numbers learnt", "held-out digits read")]
    for name, network, share in zip(
        ("convolutions", "dense"), networks, right, strict=True
    ):
        rows.append((name, f"{count_params(network):,}", f"{share:.2%}"))
    command.print_table(rows)
    holds = print_claims(
        [
            Claim("convolutions read held-out digits", right[0], least=0.985),
            Claim("ahead of dense layers", right[0] - right[1], least=0),
        ]
    )
    draw(setting.folder / "digits.png", history, images, answers[0])
    print(f"See {setting.folder / 'digits.png'}")
    return {"convolutions": right[0], "dense": right[1], "holds": holds}


if __name__ == "__main__":
    command.run(main)
