"""See why noise of more variance hides smaller features, and what that does to samples.

White noise has no scale, and yet a level of noise belongs to a scale of features, as
pixels average it out (Dieleman 2022). For images with power S(f) = f^-a the best
denoiser keeps frequencies by S / (S + s^2): one half is kept where S = s^2, at a
frequency that goes as s^(-2/a). A linear layer, trained on noisy images, has the same
limits. A disc of n pixels is found in noise up to a level that grows as sqrt(n); a
detector that looks at single pixels gains almost nothing. And a sampler, going down
through the levels, fills in large features first and small ones last. A network too
small for all levels spends its capacity where the loss weighs most, and so on the scale
that one chooses.

    python -m recipes.diffusion.scales

Time: 13 s of one core. Our numbers: the cut-off goes as s^-0.999 and s^-0.666 for a = 2
and 3, the trained layer's is 0.5 % off; discs as n^0.496, by the brightest pixel as
n^0.144; all bands in order; small features have 4.9 times the error if much noise is in
focus, large ones 2.2 times if little is.

* Sander Dieleman (2022): Diffusion models are autoencoders.
  https://sander.ai/2022/01/31/diffusion.html
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from scipy.stats import norm, spearmanr

from lasagne_next.diffusion import noise_levels
from lasagne_next.init import Constant
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.data.fields import Field
from recipes.training import minimise


class Settings(NamedTuple):
    """Sizes."""

    side: int = 16
    examples: int = 30_000
    trials: int = 4000
    samples: int = 200


SMOKE = Settings(side=8, examples=3000, trials=1000, samples=50)
CLEAN, NOISY = pt.dmatrix("clean"), pt.dmatrix("noisy")


# Where a denoiser lets half through.


def cut_off(frequency, gain):
    """Return the frequency where a falling gain is one half."""
    order = np.argsort(frequency.ravel())
    f, g = frequency.ravel()[order], gain.ravel()[order]
    rings = np.round(f).astype(int)
    f = np.array([f[rings == k].mean() for k in np.unique(rings)[1:]])
    g = np.array([g[rings == k].mean() for k in np.unique(rings)[1:]])
    return np.exp(np.interp(0, -np.log(g / (1 - g)), np.log(f)))


def trained_gain(field, noise, settings, rng, mode):
    """Train a linear layer; return its gain at each frequency."""
    clean = field.draw(settings.examples, rng)
    noisy = clean + noise * rng.normal(size=clean.shape)
    network = DenseLayer(
        InputLayer((None, clean.shape[1])), clean.shape[1], Constant(0), None, None
    )
    loss = pt.sqr(get_output(network, NOISY) - CLEAN).mean()
    params = get_all_params(network, trainable=True)
    minimise(loss, params, {CLEAN: clean, NOISY: noisy}, mode, 60)
    W = network.W.get_value().reshape(-1, field.side, field.side)
    spectra = np.fft.fft2(W).reshape(len(W), -1)
    inputs = np.fft.fft2(np.eye(len(W)).reshape(W.shape)).reshape(len(W), -1)
    # How much of a wave comes out as the same wave.
    return (spectra * inputs.conj()).sum(axis=0).real.reshape(field.power.shape) / len(
        W
    )


def check_cut_off(settings, rng, mode):
    """Return the claims on frequency against level."""
    claims = []
    for fall in (2, 3):
        fine = Field(64, fall)
        noises = noise_levels(
            np.sqrt(fine.power.max()) / 3, np.sqrt(fine.power.max()) / 30, 8
        )
        cuts = [cut_off(fine.frequency, fine.wiener(s)[0]) for s in noises]
        slope = np.polyfit(np.log(noises), np.log(cuts), 1)[0]
        claims.append(
            near(
                f"best denoiser, a = {fall}: exponent", slope, -2 / fall, relative=0.05
            )
        )
    field = Field(settings.side, 2)
    top = np.sqrt(field.power.max())
    noises = top / np.array([2.0, 3.0, 5.0])
    gains = [trained_gain(field, s, settings, rng, mode) for s in noises]
    best = [field.wiener(s)[0] for s in noises]
    off = [
        cut_off(field.frequency, gain) / cut_off(field.frequency, wanted) - 1
        for gain, wanted in zip(gains, best, strict=True)
    ]
    claims.append(
        Claim(
            "trained layer: cut-off frequency off, relative",
            np.abs(off).max(),
            most=0.1,
        )
    )
    return claims, (noises, gains, best, field)


# How much noise a disc survives.


def check_evidence(settings, rng):
    """Return the claims on discs of n pixels in noise."""
    areas = np.array([4, 16, 64, 256])
    matched = areas**0.5 / (np.sqrt(2) * norm.ppf(0.75))  # where the AUC is 3/4

    def auc(area, noise, statistic):
        noises = noise * rng.normal(size=(2, settings.trials, area))
        absent, present = statistic(noises[0]), statistic(noises[1] + 1)
        ranks = np.argsort(np.argsort(np.concatenate([absent, present])))
        return (
            ranks[settings.trials :].mean() - (settings.trials - 1) / 2
        ) / settings.trials

    def threshold(area, statistic):
        low, high = 0.1, 100.0
        for _ in range(22):
            middle = (low * high) ** 0.5
            above = auc(area, middle, statistic) > 0.75
            low, high = (middle, high) if above else (low, middle)
        return low

    mean = [threshold(area, lambda x: x.mean(axis=1)) for area in areas]
    top = [threshold(area, lambda x: x.max(axis=1)) for area in areas]
    slopes = [np.polyfit(np.log(areas), np.log(each), 1)[0] for each in (mean, top)]
    return [
        near(
            "discs: noise survived by 256 pixels, of theory",
            mean[3] / matched[3],
            1,
            0.1,
        ),
        near("discs: exponent of the area", slopes[0], 0.5, 0.05),
        Claim("discs: exponent, by the brightest pixel", slopes[1], most=0.2),
        near("noise survived at 4 times the size", mean[3] / mean[1], 4, 0.4),
    ]


# In which order a sampler fills in frequencies.


def check_order(settings, rng):
    """Return the claims on the order, and pictures of the way."""
    field = Field(settings.side, 2)
    noises = noise_levels(60.0, 0.02, 120)
    x = noises[0] * rng.normal(size=(settings.samples, settings.side, settings.side))
    rings = np.round(field.frequency).astype(int)
    bands = np.arange(1, settings.side // 2 + 1)
    energy, shown = [], []
    for index, (now, then) in enumerate(pairwise(noises)):
        gain = field.wiener(now)[0]
        clean = field.filter(x, gain)
        ratio = then**2 / now**2
        noise = np.sqrt(then**2 * (1 - ratio)) * rng.normal(size=x.shape)
        x = ratio * x + (1 - ratio) * clean + noise
        power = np.square(np.abs(np.fft.fft2(clean))).mean(axis=0) / settings.side**2
        energy.append([power[rings == band].mean() for band in bands])
        if index % 17 == 0:
            shown.append(clean[0])
    energy = np.array(energy)
    half = (energy < energy[-1] / 2).sum(axis=0)
    off = energy[-1] / [field.power[rings == band].mean() for band in bands]
    return [
        Claim(
            "rank correlation of frequency and time",
            spearmanr(bands, half)[0],
            least=0.95,
        ),
        Claim("bands that wait for lower ones", (np.diff(half) >= 0).mean(), 1, 1),
        Claim(
            "spectrum of samples off the truth, relative",
            abs(off - 1).max(),
            most=0.1 if settings.samples > 100 else 0.4,
        ),
    ], np.array(shown)


# What a network learns that is not told the level, if small or large noise weighs more.


def check_weights(settings, rng, mode):
    """Return the claims on errors at low and at high frequencies."""
    field, noises = Field(8, 2), (0.3, 2.0)
    clean = field.draw(settings.examples // 2, rng)
    size, low, errors = clean.shape[1], field.frequency <= 2, {}
    given = {pt.dmatrix(): clean + s * rng.normal(size=clean.shape) for s in noises}
    for focus, weights in {"little": (1.0, 0.01), "much": (0.01, 1.0)}.items():
        network = DenseLayer(
            InputLayer((None, size)), size, W=Constant(0), b=None, nonlinearity=None
        )
        loss = sum(
            weight * pt.sqr(get_output(network, noisy) - CLEAN).mean()
            for noisy, weight in zip(given, weights, strict=True)
        )
        params = get_all_params(network, trainable=True)
        minimise(loss, params, {CLEAN: clean, **given}, mode, 200)
        W = network.W.get_value()
        for noise, noisy in zip(noises, given.values(), strict=True):
            wrong = np.fft.fft2((noisy @ W - clean).reshape(-1, 8, 8))
            spectrum = np.square(np.abs(wrong)).mean(axis=0)
            errors[focus, noise] = spectrum[low].mean(), spectrum[~low].mean()
    small = errors["much", 0.3][1] / errors["little", 0.3][1]
    large = errors["little", 2.0][0] / errors["much", 2.0][0]
    return [
        Claim(
            "error of small features, much : little noise in focus", small, least=1.5
        ),
        Claim(
            "error of large features, little : much noise in focus", large, least=1.5
        ),
    ]


def draw(path, gains, shown):
    """Write gains of trained layers, and a sample on its way."""
    noises, trained, best, field = gains
    figure = figures.new_figure(9, 5)
    top, bottom = figure.subplots(2, 1)
    order = np.argsort(field.frequency.ravel())
    for noise, gain, wanted in zip(noises, trained, best, strict=True):
        f = field.frequency.ravel()[order]
        top.plot(f, gain.ravel()[order], ".", label=f"trained, noise {noise:.2f}")
        top.plot(f, wanted.ravel()[order], color="black", linewidth=0.7)
    top.set(xlabel="frequency", ylabel="gain")
    top.legend(fontsize=8)
    flat = np.clip(shown.reshape(len(shown), -1) / 6 + 0.5, 0, 1)
    figures.show_images(bottom, flat, shown.shape[1:], len(shown))
    bottom.set_title("a sample, from much noise to none")
    figures.save_figure(figure, path)


def main(argv=None):
    """Train, detect, sample and draw; return what was claimed."""
    run = command.begin("diffusion.scales", __doc__, argv, Settings(), SMOKE)
    settings, rng = run.settings, run.rng
    mode = command.mode_of("python") if run.args.backend == "numba" else run.mode
    claims, gains = check_cut_off(settings, rng, mode)
    claims += check_evidence(settings, rng)
    order, shown = check_order(settings, rng)
    weights = check_weights(settings, rng, mode)
    holds = print_claims(claims + order + weights)
    draw(run.folder / "scales.png", gains, shown)
    print(f"See {run.folder / 'scales.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
