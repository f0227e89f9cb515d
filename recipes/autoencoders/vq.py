"""Quantise a source by learnt codes, and meet the best that is possible.

In a VQ-VAE (van den Oord et al. 2017) the bottleneck replaces a vector by the nearest
of some codes. How well can that be done? For a normal number and 2, 4, 8 or 16 codes,
Lloyd (1982) and Max (1960) say so, and no code of that rate comes below D(R) = 2^-2R.
The codes are learnt by gradient descent on the squared error to the nearest one. They
are written as a cumulative sum of positive steps, so that they stay in order. Rounding
has no gradient; the straight-through estimator hands the decoder's gradient to the
encoder.

    python -m recipes.autoencoders.vq

Time: 3 s. Our numbers: losses 0.3638, 0.1181, 0.0349 and 0.0096 with 2, 4, 8 and 16
codes, where Max has 0.3634, 0.1175, 0.0345 and 0.0095.

* Aäron van den Oord, Oriol Vinyals and Koray Kavukcuoglu (2017): Neural discrete
  representation learning, section 3. https://arxiv.org/abs/1711.00937
* Joel Max (1960): Quantizing for minimum distortion. IRE Transactions 6(1), table I.
* Sander Dieleman (2022): Diffusion models are autoencoders.
  https://sander.ai/2022/01/31/diffusion.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from recipes import command, figures
from recipes.claims import Claim, near, print_claims
from recipes.training import minimise


class Settings(NamedTuple):
    """How many examples there are."""

    examples: int = 200_000
    vectors: int = 20_000


SMOKE = Settings(examples=20_000, vectors=3000)
LLOYD_MAX = {2: 0.3634, 4: 0.1175, 8: 0.0345, 16: 0.0095}
X = pt.dmatrix("x")


def nearest(x, codes):
    """Return the codes nearest to points, and the squared distances."""
    squares = pt.sqr(codes).sum(axis=1) - 2 * x @ codes.T  # (n, codes)
    index = pt.argmin(squares, axis=1)
    chosen = codes[index]
    return chosen, pt.sqr(x - chosen).sum(axis=1)


def ordered(number):
    """Return codes on a line, from lowest to highest, SHAPE (number, 1), and leaves."""
    low = pytensor.shared(-1.5, name="lowest")
    steps = pytensor.shared(
        np.full(number - 1, np.log(np.expm1(3 / number))), name="steps"
    )
    rises = pt.cumsum(pt.softplus(steps))
    return pt.concatenate([low[None], low + rises])[:, None], [low, steps]


def learn_line(number, x, mode):
    """Learn codes for normal numbers; return them and what they lose."""
    codes, leaves = ordered(number)
    _, lost = nearest(X, codes)
    minimise(lost.mean(), leaves, {X: x}, mode)
    lost = float(minimise(lost.mean(), leaves, {X: x}, mode))  # once more, from there
    return codes.eval(mode=mode)[:, 0], lost


def learn_vectors(number, x, rng, mode):
    """Learn codes for normal vectors, from examples; return them and the loss each."""
    start = x[rng.choice(len(x), number, replace=False)]
    codes = pytensor.shared(start, name="codes", shape=start.shape)
    _, lost = nearest(X, codes)
    lost = minimise(lost.mean() / x.shape[1], [codes], {X: x}, mode)
    return codes.get_value(), lost


def check_straight_through(rng, mode):
    """Compare the gradient at the encoder with that at the decoder."""
    codes = pt.constant(rng.normal(size=(5, 3)))
    value, weights = rng.normal(size=(7, 3)), rng.normal(size=(3, 4))
    chosen, _ = nearest(X, codes)
    passed = X + disconnected_grad(chosen - X)
    loss = pt.tanh(passed @ weights).sum()
    at_code = pt.dmatrix("at code")
    decoder = pt.grad(pt.tanh(at_code @ weights).sum(), at_code)
    outputs = [pt.grad(loss, X), chosen, passed]
    slope, chosen, passed = pytensor.function([X], outputs, mode=mode)(value)
    wanted = pytensor.function([at_code], decoder, mode=mode)(chosen)
    return [
        Claim(
            "gradient at the encoder off the decoder's",
            abs(slope - wanted).max(),
            most=1e-12,
        ),
        Claim("what is passed on off the code", abs(passed - chosen).max(), most=1e-12),
    ]


def main(argv=None):
    """Learn codes, compare and draw; return what was claimed."""
    run = command.begin("autoencoders.vq", __doc__, argv, Settings(), SMOKE)
    # The nearest code is an index; compiling that takes longer than learning.
    mode = command.mode_of("python") if run.args.backend == "numba" else run.mode
    claims, rng, found = check_straight_through(run.rng, mode), run.rng, {}
    x = rng.normal(size=(run.settings.examples, 1))
    for number, best in LLOYD_MAX.items():
        found[number], lost = learn_line(number, x, mode)
        claims.append(near(f"{number} codes: loss", lost, best, relative=0.05))
        claims.append(
            Claim(f"{number} codes: above D(R)", lost - number**-2.0, least=0)
        )
        steps = np.diff(found[number])
        claims.append(Claim(f"{number} codes: smallest step", steps.min(), least=1e-6))
    size, number = 8, 32
    vectors = rng.normal(size=(run.settings.vectors, size))
    codes, lost = learn_vectors(number, vectors, rng, mode)
    used = np.bincount(
        pytensor.function(
            [X], pt.argmin(pt.sqr(X[:, None] - codes).sum(axis=2), axis=1), mode=mode
        )(vectors),
        minlength=number,
    )
    share = used[used > 0] / used.sum()
    claims.append(
        Claim("8 numbers, 32 codes: loss each", lost, number ** (-2 / size), 0.75)
    )
    claims.append(
        Claim("codes in use, perplexity", np.exp(-share @ np.log(share)), least=24)
    )
    claims.append(Claim("dead codes", (used == 0).mean(), most=0.1))
    holds = print_claims(claims)
    figure = figures.new_figure(6, 3)
    axes = figure.subplots()
    for height, codes in enumerate(found.values()):
        axes.plot(codes, np.full(len(codes), height), "o")
    axes.set(yticks=range(4), yticklabels=[f"{n} codes" for n in found], xlabel="x")
    figures.save_figure(figure, run.folder / "vq.png")
    print(f"See {run.folder / 'vq.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
