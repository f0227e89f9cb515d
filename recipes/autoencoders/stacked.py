"""Train a deep sigmoid network that plain gradient descent cannot, by denoising first.

Before rectifiers and good starts, deep networks of sigmoid units did not learn: with
small random weights the gradient fades from layer to layer. Vincent et al. (2010)
trained one layer after another as a denoising autoencoder, each on the codes of the one
below, and the whole network afterwards, which then worked. Dieleman (2022) recalls it
as where denoising comes from. Here are four layers of 200 sigmoid units on digits, by
gradient descent without momentum, with and without. The corruption is masking: pixels
are set to zero with a probability that is measured too, as for Gaussian and
salt-and-pepper noise.

    python -m recipes.autoencoders.stacked

Time: 30 s of one core, 20 s of it compilation at the first run. Our numbers: 97.8 % of
held-out digits with pretraining, 8.1 % without.

* Pascal Vincent et al. (2010): Stacked denoising autoencoders. JMLR 11.
  https://jmlr.org/papers/v11/vincent10a.html
* Sander Dieleman (2022): Diffusion models are autoencoders.
  https://sander.ai/2022/01/31/diffusion.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import nonlinearities, objectives, updates
from lasagne_next.init import Normal
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    GaussianNoiseLayer,
    InputLayer,
    get_all_layers,
    get_all_params,
    get_output,
)
from lasagne_next.random import RandomStream
from recipes import command, data, figures
from recipes.claims import Claim, near, print_claims
from recipes.training import train


class Settings(NamedTuple):
    """Sizes and training."""

    units: int = 200
    pretraining: int = 30
    epochs: int = 150


SMOKE = Settings(units=16, pretraining=3, epochs=1)
DEPTH, CORRUPTION = 4, 0.25
IMAGE, LABEL = pt.fmatrix("image"), pt.lvector("label")
SIGMOID = nonlinearities.sigmoid


def build(name, num_units):
    """Return a deep network of sigmoid units with small random weights."""
    network = InputLayer((None, 64), IMAGE)
    for index in range(DEPTH):
        network = DenseLayer(
            network,
            num_units,
            W=Normal(0.05),
            nonlinearity=SIGMOID,
            name=f"{name}.{index}",
        )
    return DenseLayer(network, 10, W=Normal(0.05), nonlinearity=None, name=name)


def pretrain(layer, codes, settings, run):
    """Train one layer as a denoiser with tied weights; return losses and new codes."""
    num_inputs = codes.shape[1]
    l_in = InputLayer((None, num_inputs), IMAGE)
    corrupted = DropoutLayer(l_in, CORRUPTION, rescale=False)
    code = DenseLayer(
        corrupted, settings.units, W=layer.W, b=layer.b, nonlinearity=SIGMOID
    )
    restored = DenseLayer(code, num_inputs, W=layer.W.T, nonlinearity=SIGMOID)
    loss = (
        objectives.binary_crossentropy(get_output(restored), IMAGE).sum(axis=1).mean()
    )
    # What cannot be restored: the entropy of values between 0 and 1 themselves.
    params = get_all_params(restored, trainable=True)
    rule = updates.adam(loss, params, learning_rate=0.003)
    step = pytensor.function([IMAGE], [loss], updates=rule, mode=run.mode)
    losses = train(step, [codes], settings.pretraining, 50, run.rng, title=layer.name)[
        :, 0
    ]
    clean = get_output(code, deterministic=True)
    encode = pytensor.function([IMAGE], clean, mode=command.mode_of("python"))
    p = np.clip(codes, 1e-6, 1 - 1e-6)
    floor = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=1).mean()
    return (losses[0] - floor, losses[-1] - floor), np.float32(encode(codes))


def check_corruption(images, rng):
    """Return the claims on how much the corruptions corrupt."""
    x = pt.fmatrix("x")
    ones = InputLayer((None, 64), x)
    masked = get_output(DropoutLayer(ones, CORRUPTION, rescale=False))
    noisy = get_output(GaussianNoiseLayer(ones, sigma=0.5))
    stream = RandomStream(seed=5)
    hit = stream.bernoulli_mask(x.shape, CORRUPTION)
    salt = stream.bernoulli_mask(x.shape, 0.5)
    spoilt = hit * salt + (1 - hit) * x
    corrupt = pytensor.function(
        [x], [masked, noisy, spoilt], mode=command.mode_of("python")
    )
    half = np.full((4000, 64), 0.5, "float32")
    masked, noisy, spoilt = corrupt(half)
    return [
        near("masking: share of pixels at 0", (masked == 0).mean(), CORRUPTION, 0.01),
        near("noise: deviation", (noisy - half).std(), 0.5, 0.01),
        near(
            "salt and pepper: share of pixels hit",
            (spoilt != 0.5).mean(),
            CORRUPTION,
            0.01,
        ),
        near("of these, salt", spoilt[spoilt != 0.5].mean(), 0.5, 0.02),
    ]


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Pretrain one network, train both, compare; return what was claimed."""
    run = command.begin("autoencoders.stacked", __doc__, argv, Settings(), SMOKE)
    settings, images = run.settings, data.digits()
    claims = check_corruption(images, run.rng)
    networks = {name: build(name, settings.units) for name in ("random", "pretrained")}
    codes, falls = images.train, []
    for layer in get_all_layers(networks["pretrained"])[1:-1]:
        (first, last), codes = pretrain(layer, codes, settings, run)
        falls.append(1 - last / first)
    for index, fall in enumerate(falls):
        claims.append(
            Claim(f"layer {index + 1}: fall of the denoiser's loss", fall, least=0.3)
        )

    scores = get_output(list(networks.values()))
    losses = [
        objectives.categorical_crossentropy_from_logits(each, LABEL).mean()
        for each in scores
    ]
    params = get_all_params(list(networks.values()), trainable=True)
    rule = updates.sgd(pt.add(*losses), params, learning_rate=0.1)
    step = pytensor.function([IMAGE, LABEL], losses, updates=rule, mode=run.mode)
    seen = [images.train, images.train_labels]
    history = train(step, seen, settings.epochs, 10, run.rng, title="all layers")
    classify = pytensor.function([IMAGE], scores, mode=command.mode_of("python"))
    random, pretrained = (
        float((each.argmax(axis=1) == images.test_labels).mean())
        for each in classify(images.test)
    )
    claims.append(Claim("accuracy with pretraining", pretrained, least=0.92))
    claims.append(Claim("accuracy without", random, most=0.6))
    holds = print_claims(claims)
    figure = figures.new_figure(5, 3.5)
    axes = figure.subplots()
    for name, losses in zip(networks, history.T, strict=True):
        axes.plot(losses, label=name)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    figures.save_figure(figure, run.folder / "stacked.png")
    print(f"See {run.folder / 'stacked.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
