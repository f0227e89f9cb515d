"""Lower the noise while a denoiser learns, or give parts of it noise of their own.

Much noise teaches large features, little noise small ones; a code should have both.
Geras and Sutton (2015) lower the noise during training, so that large features come
first and small ones join them. Chandra and Sharma (2014) let the progress of learning
say when. Geras and Sutton (2017) split the code instead: each part sees its own level
of noise, and one decoder adds up what all parts say. The weights of the parts are
slices of one matrix here, and the decoder's are its transpose. All are compared with
denoisers of one level, by what a linear reader makes of the code of drawn digits, for
the same number of units, epochs and seeds. A diffusion model goes on from there: one
network for all levels.

    python -m recipes.autoencoders.schedules

Time: 95 s of one core. Our numbers: 7.3 % of held-out digits are misread from the code
of the best single level, 0.4. Nothing else comes near: 9.3 % with the schedule, 9.6 %
with the adaptive one, which end at the least noise, worst of the single levels with
11.5 %, and 12.4 % with parts, of which each is small. The claims do not reproduce here.

* Krzysztof Geras and Charles Sutton (2015): Scheduled denoising autoencoders.
  https://arxiv.org/abs/1406.3269
* B. Chandra and Rajesh Kumar Sharma (2014): Adaptive noise schedule for denoising
  autoencoder. ICONIP. https://doi.org/10.1007/978-3-319-12637-1_67
* Krzysztof Geras and Charles Sutton (2017): Composite denoising autoencoders.
  https://doi.org/10.1007/978-3-319-46128-1_43
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import init, updates
from lasagne_next.layers import (
    ConcatLayer,
    DenseLayer,
    GaussianNoiseLayer,
    InputLayer,
    get_all_params,
    get_output,
)
from recipes import command, figures
from recipes.autoencoders.denoisers import Denoiser, cross_entropy, read
from recipes.claims import Claim, print_claims
from recipes.data.glyphs import glyphs
from recipes.training import train


class Settings(NamedTuple):
    """Sizes and training."""

    examples: int = 3000
    units: int = 198
    epochs: int = 36
    seeds: int = 5


SMOKE = Settings(400, 30, 10, 1)
HIGH, LOW = 0.7, 0.1
FIXED = (0.7, 0.4, 0.1)
PARTS = (0.8, 0.4, 0.1)  # noise of the parts of the composite


# One level after another.


def fit_fixed(level):
    """Return a function that trains at one level."""

    def fit(denoiser, images, settings, rng, title):
        denoiser.set_corruption("noise", level)
        denoiser.fit(images, settings.epochs, 50, rng, title)
        return np.full(settings.epochs, level)

    return fit


def fit_scheduled(denoiser, images, settings, rng, title):
    """Lower the noise by as much in each epoch."""
    levels = np.linspace(HIGH, LOW, settings.epochs)
    for level in levels:
        denoiser.set_corruption("noise", level)
        denoiser.fit(images, 1, 50, rng, title)
    return levels


def fit_adaptive(denoiser, images, settings, rng, title):
    """Lower the noise to 0.85 of itself whenever an epoch gains less than 1 %."""
    level, last, levels = HIGH, np.inf, []
    for _ in range(settings.epochs):
        denoiser.set_corruption("noise", level)
        (loss,) = denoiser.fit(images, 1, 50, rng, title)
        levels.append(level)
        if loss > 0.99 * last and level > LOW:
            level, last = max(LOW, 0.85 * level), np.inf
        else:
            last = loss
    return np.array(levels)


RULES = {
    **{f"noise {level:g}": fit_fixed(level) for level in FIXED},
    "scheduled": fit_scheduled,
    "adaptive": fit_adaptive,
}


# All levels at once, each with a part of the code.


def composite(image, num_units):
    """Return the code layer and the restored image's, of parts with own noise."""
    l_in = InputLayer((None, 196), image)
    value = np.float32(init.GlorotUniform()((196, num_units)))
    W = pytensor.shared(value, name="W", shape=value.shape)
    size, parts = num_units // len(PARTS), []
    for index, level in enumerate(PARTS):
        part = W[:, index * size : (index + 1) * size]
        noisy = GaussianNoiseLayer(l_in, level)
        parts.append(DenseLayer(noisy, size, W=part, nonlinearity=pt.sigmoid))
    # The codes side by side times the transpose: each part adds what it has to say.
    code = ConcatLayer(parts)
    return code, DenseLayer(code, 196, W=W.T, nonlinearity=pt.sigmoid)


def fit_composites(images, run):
    """Train a composite for each seed; return mistakes and the last one's weights."""
    settings, found = run.settings, []
    image = pt.fmatrix("image")
    code, restored = composite(image, settings.units)
    loss = cross_entropy(get_output(restored), image).sum(axis=1).mean()
    params = get_all_params(restored, trainable=True)
    rule = updates.adam(loss, params, learning_rate=0.003)
    step = pytensor.function([image], [loss], updates=rule, mode=run.mode)
    clean = get_output(code, deterministic=True)
    encode = pytensor.function([image], clean, mode=command.mode_of("python"))
    start = [(v, v.get_value()) for v in rule]
    W = next(v for v in params if v.ndim == 2)
    for seed in range(settings.seeds):
        for variable, value in start:
            variable.set_value(value)
        W.set_value(np.float32(init.GlorotUniform()(W.get_value().shape)))
        title = f"composite, seed {seed + 1}"
        train(step, [images.train], settings.epochs, 50, run.rng, title)
        found.append(mistakes(encode, images))
    return np.array(found), W.get_value()


def mistakes(encode, images):
    """Return the share of digits misread from the code."""
    codes = encode(images.train), encode(images.test)
    return read(codes[0], images.train_labels, codes[1], images.test_labels)


def check(run, images):
    """Train by each rule and seed; return claims, mistakes, levels and weights."""
    settings, rng = run.settings, run.rng
    denoiser = Denoiser(196, settings.units, run.mode)
    wrong, levels, weights = {}, {}, {}
    for name, fit in RULES.items():
        found = []
        for seed in range(settings.seeds):
            denoiser.restart(rng)
            title = f"{name}, seed {seed + 1}"
            levels[name] = fit(denoiser, images.train, settings, rng, title)
            found.append(mistakes(denoiser.encode, images))
        wrong[name] = np.array(found)
        weights[name] = denoiser.code.W.get_value()
    wrong["composite"], weights["composite"] = fit_composites(images, run)
    rows = [("noise", "digits misread")]
    rows += [(k, f"{v.mean():.2%} ± {v.std():.2%}") for k, v in wrong.items()]
    command.print_table(rows)
    print()
    fixed = min((wrong[f"noise {s:g}"] for s in FIXED), key=np.mean)
    claims = [Claim("misread, best single level", fixed.mean(), most=0.12)]
    for name in ("scheduled", "adaptive", "composite"):
        gain = (fixed - wrong[name]).mean()
        claims.append(
            Claim(f"{name}: fewer misread than best single", gain, least=0.003)
        )
    wanted = np.linspace(HIGH, LOW, settings.epochs)
    off = abs(levels["scheduled"] - wanted).max()
    rise = np.diff(levels["adaptive"]).max()
    return [
        *claims,
        Claim("scheduled: noise off the schedule", off, most=1e-12),
        Claim("adaptive: largest rise of the noise", rise, most=0),
    ], wrong, levels, weights  # fmt: skip


def draw(path, wrong, levels, weights):
    """Write mistakes, levels, and what units look for."""
    figure = figures.new_figure(11, 5.5)
    top, bottom = figure.subfigures(2, 1)
    chart, axes = top.subplots(1, 2)
    names = list(wrong)
    chart.barh(names, [each.mean() for each in wrong.values()],
               xerr=[each.std() for each in wrong.values()])  # fmt: skip
    chart.set(title="Digits misread from the code")
    chart.invert_yaxis()
    for name, each in levels.items():
        axes.plot(each, label=name)
    axes.set(title="Noise", xlabel="epoch")
    axes.legend(frameon=False)
    for panel, name in zip(bottom.subplots(1, len(names)), names, strict=True):
        W = weights[name].T
        figures.show_images(
            panel, W[:: max(1, len(W) // 16)][:16], (14, 14), 4, signed=True
        )
        panel.set_title(name, fontsize=9)
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train all, read and draw; return what was claimed."""
    run = command.begin("autoencoders.schedules", __doc__, argv, Settings(), SMOKE)
    images = glyphs(run.settings.examples, run.settings.examples // 3, side=14)
    claims, *results = check(run, images)
    holds = print_claims(claims)
    draw(run.folder / "schedules.png", *results)
    print(f"See {run.folder / 'schedules.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
