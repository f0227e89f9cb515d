"""Generate by spoiling and restoring again and again, and by a network that does both.

A denoiser that gives a distribution P(x | noisy x) defines a chain: spoil x, draw from
P, spoil again. If P is right, the chain settles at the distribution of the data (Bengio
et al. 2013), checked here on eight normal distributions in a ring. A learnt P may be
wrong where training never went. Walking back should mend it: during training, chains
leave the data for a few steps, and P must find the way back. Here it does harm: P is a
mixture of four normal distributions, good enough without, and an origin three steps
ago is harder to tell.

A generative stochastic network (Bengio et al. 2014) lets the chain pass through layers
of hidden units that keep a state. Up it goes by W1 and W2, down by their transposes,
six steps long, and gradients pass through all of them. Both draw digits in black and
white here; which chain is nearer to the data?

    python -m recipes.autoencoders.chains

Time: 200 s of one core at the first run, much of it compilation. Our numbers: all eight
modes are reached from one, 0.6 % of the points lie beyond 4 deviations, and 14.6 % with
walking back. Chains of digits come by 9 of the ten in 200 steps; the deep one ends 0.94
times as far from held-out digits. Both draw them blurred, as 30 % of the pixels are
spoilt in each step.

* Yoshua Bengio, Li Yao, Guillaume Alain and Pascal Vincent (2013): Generalized
  denoising auto-encoders as generative models, algorithm 1.
  https://arxiv.org/abs/1305.6663
* Yoshua Bengio, Éric Thibodeau-Laufer, Guillaume Alain and Jason Yosinski (2014): Deep
  generative stochastic networks trainable by backprop. https://arxiv.org/abs/1306.1091
* Sander Dieleman (2022): Diffusion models are autoencoders.
  https://sander.ai/2022/01/31/diffusion.html
"""

from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from scipy.spatial.distance import cdist

from lasagne_next import updates
from lasagne_next.layers import DenseLayer, InputLayer, get_all_params, get_output
from lasagne_next.random import RandomStream, draw_seed
from recipes import command, figures
from recipes.autoencoders.denoisers import cross_entropy
from recipes.claims import Claim, print_claims
from recipes.data.glyphs import glyphs
from recipes.data.mixtures import RING
from recipes.training import train


class Settings(NamedTuple):
    """Sizes and training."""

    units: int = 64
    examples: int = 40_000
    epochs: int = 30
    chains: int = 2000
    moves: int = 500
    hidden: int = 120
    glyphs: int = 2000
    glyph_epochs: int = 40


SMOKE = Settings(24, 4000, 5, 60, 20, 24, 200, 6)
NOISE, WALK, PARTS = 0.4, 3, 4
SPOILT, UNROLLED = 0.3, 6  # share of pixels drawn anew; steps of the deep chain


def sliced_distance(a, b, rng, number=100):
    """Return the mean distance of transport between points, along random directions."""
    directions = rng.normal(size=(a.shape[1], number))
    directions /= np.linalg.norm(directions, axis=0)
    return abs(np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)).mean()


# A chain in the plane.


class PlaneDenoiser:
    """A network from noisy points to mixtures of normal distributions of clean ones."""

    def __init__(self, name, num_units):
        layer = InputLayer((None, 2))
        for index in range(2):
            layer = DenseLayer(
                layer, num_units, nonlinearity=pt.tanh, name=f"{name}.{index}"
            )
        self.network = DenseLayer(layer, 4 * PARTS, nonlinearity=None, name=name)
        self.stream = RandomStream(draw_seed())

    def normal(self, like):
        """Draw noise, SHAPE of `like`."""
        return self.stream.normal(like.shape, dtype=like.dtype)

    def losses(self, x, walk):
        """Return -log P(x | noisy), for chains that leave x for some steps."""
        at, losses = x, []
        for _ in range(walk):
            log_shares, means, rho = self.predict(at)
            squares = pt.sqr(x[:, None] - means).sum(axis=2)  # (n, parts)
            log_p = log_shares - squares * pt.exp(-2 * rho) / 2 - 2 * rho
            losses.append(-pt.logsumexp(log_p, axis=1))
            at = disconnected_grad(self.draw(log_shares, means, rho))
        return pt.stack(losses).mean() + np.float32(np.log(2 * np.pi))

    def predict(self, x):
        """Spoil points; return log shares, means and log deviations of the parts."""
        output = get_output(self.network, x + np.float32(NOISE) * self.normal(x))
        means = output[:, : 2 * PARTS].reshape((-1, PARTS, 2))
        log_shares = pt.special.log_softmax(output[:, 3 * PARTS :], axis=1)
        return log_shares, means, output[:, 2 * PARTS : 3 * PARTS]

    def draw(self, log_shares, means, rho):
        """Draw clean points from the mixtures."""
        u = self.stream.uniform(log_shares.shape, dtype=log_shares.dtype)
        part = pt.argmax(log_shares - pt.log(-pt.log(u + np.float32(1e-9))), axis=1)
        rows = pt.arange(part.shape[0])
        mean = means[rows, part]  # (n, 2)
        return mean + pt.exp(rho[rows, part])[:, None] * self.normal(mean)

    def move(self, x):
        """Spoil and restore."""
        return self.draw(*self.predict(x))


def run_chain(move, start, number):
    """Move points again and again."""
    for _ in range(number):
        start = move(start)
    return start


def check_plane(run):
    """Train with and without walking back; return claims and where chains end."""
    settings, rng, x = run.settings, run.rng, pt.fmatrix("x")
    models = {
        name: PlaneDenoiser(name, settings.units)
        for name in ("walking back", "one step")
    }
    walks = {"walking back": WALK, "one step": 1}
    losses = [model.losses(x, walks[name]) for name, model in models.items()]
    networks = [model.network for model in models.values()]
    counter = updates.step_counter()
    total = settings.epochs * settings.examples // 100
    rate = updates.cosine_schedule(counter, 0.003, total)
    params = get_all_params(networks, trainable=True)
    rule = updates.adam(pt.add(*losses), params, learning_rate=rate)
    rule = updates.combine(rule, updates.advance(counter))
    step = pytensor.function([x], losses, updates=rule, mode=run.mode)
    seen = np.float32(RING.draw(settings.examples, rng))
    train(step, [seen], settings.epochs, 100, rng, "ring")
    claims, ends, far = [], {}, {}
    start = np.repeat(np.float32(RING.means[:1]), settings.chains, axis=0)
    fresh = RING.draw(settings.chains, rng)
    for name, model in models.items():
        move = pytensor.function([x], model.move(x), mode=command.mode_of("python"))
        ends[name] = run_chain(move, start, settings.moves)
        mode, distance = RING.nearest(ends[name])
        shares = np.bincount(mode[distance < 4], minlength=8) / settings.chains
        far[name] = (distance > 4).mean()
        claims.append(
            Claim(f"{name}: modes reached from one", (shares > 0.02).sum(), 8, 8)
        )
        off = sliced_distance(ends[name], fresh, rng)
        claims.append(Claim(f"{name}: transport to the data", off, most=0.1))
        claims.append(Claim(f"{name}: share beyond 4 deviations", far[name], most=0.1))
    ratio = far["one step"] / max(far["walking back"], 1 / settings.chains)
    claims.append(Claim("that share, one step : walking back", ratio, least=2))
    return claims, ends


# Digits, by a chain without hidden state and by one with.


class Network:
    """Two layers of hidden units above bits, whose weights lead both ways.

    Parameters
    ----------
    num_pixels, num_units : int
        Sizes.
    deep : bool
        Whether there is a second layer. Without, this is a denoising autoencoder.
    """

    def __init__(self, num_pixels, num_units, deep):
        self.stream, self.deep = RandomStream(draw_seed()), deep
        self.up = DenseLayer(
            InputLayer((None, num_pixels)), num_units, nonlinearity=None
        )
        self.down = DenseLayer(
            InputLayer((None, num_units)), num_pixels, W=self.up.W.T, nonlinearity=None
        )
        self.layers = [self.up, self.down]
        if deep:
            self.higher = DenseLayer(
                InputLayer((None, num_units)), num_units, nonlinearity=None
            )
            self.back = DenseLayer(
                InputLayer((None, num_units)),
                num_units,
                W=self.higher.W.T,
                b=None,
                nonlinearity=None,
            )
            self.layers += [self.higher, self.back]

    def bits(self, p):
        """Draw bits that are 1 with probability p; nothing is learnt through them."""
        drawn = self.stream.uniform(p.shape, dtype=p.dtype) < p
        return disconnected_grad(pt.switch(drawn, np.float32(1), np.float32(0)))

    def noisy(self, inputs):
        """Return hidden units: tanh with noise before and after."""
        inputs = inputs + np.float32(0.5) * self.stream.normal(
            inputs.shape, dtype=inputs.dtype
        )
        h = pt.tanh(inputs)
        return h + np.float32(0.5) * self.stream.normal(h.shape, dtype=h.dtype)

    def move(self, x, top):
        """Spoil bits and go up and down; return log-odds of bits, and the top layer."""
        hit = self.bits(pt.ones_like(x) * np.float32(SPOILT))
        x = pt.switch(hit > 0, self.bits(pt.ones_like(x) * np.float32(0.5)), x)
        inputs = get_output(self.up, x)
        if not self.deep:
            return get_output(self.down, pt.tanh(inputs)), top
        h = self.noisy(inputs + get_output(self.back, top))
        top = self.noisy(get_output(self.higher, h))
        return get_output(self.down, h), top

    def loss(self, x):
        """Return -log p(x), mean over the steps of a chain that starts at x."""
        at, top = x, pt.zeros((x.shape[0], self.up.num_units), dtype=x.dtype)
        losses = []
        for _ in range(UNROLLED):
            log_odds, top = self.move(at, top)
            loss = cross_entropy(pt.sigmoid(log_odds), x)
            losses.append(loss.sum(axis=1).mean())
            at = self.bits(pt.sigmoid(log_odds))
        return pt.stack(losses).mean()


def check_digits(run):
    """Train both chains; return claims, and images of one chain of each."""
    settings, rng, x = run.settings, run.rng, pt.fmatrix("x")
    images = glyphs(settings.glyphs, settings.glyphs // 3, side=14)
    seen, unseen = (np.float32(each > 0.5) for each in (images.train, images.test))
    networks = {
        name: Network(seen.shape[1], settings.hidden, name == "deep")
        for name in ("denoiser", "deep")
    }
    losses = [network.loss(x) for network in networks.values()]
    params = get_all_params(
        [each for n in networks.values() for each in n.layers], trainable=True
    )
    rule = updates.adam(pt.add(*losses), params, learning_rate=0.003)
    step = pytensor.function([x], losses, updates=rule, mode=run.mode)
    history = train(step, [seen], settings.glyph_epochs, 50, rng, "digits")
    claims, off, films = [], {}, {}
    number = len(unseen)
    for index, (name, network) in enumerate(networks.items()):
        top = pt.fmatrix("top")
        log_odds, new_top = network.move(x, top)
        p = pt.sigmoid(log_odds)
        outputs = [network.bits(p), p, new_top]
        move = pytensor.function(
            [x, top], outputs, mode=command.mode_of("python"), on_unused_input="ignore"
        )
        at, state = seen[:number], np.zeros((number, settings.hidden), "float32")
        film, classes = [], []
        for moment in range(200 if settings.moves > 100 else 20):
            at, p, state = move(at, state)
            film.append(p[0])
            if moment % 4 == 0:
                near = cdist(at[:40], seen, "sqeuclidean").argmin(axis=1)
                classes.append(images.train_labels[near])
        off[name] = sliced_distance(p, unseen, rng)
        films[name] = np.array(film)
        kinds = np.mean([len(np.unique(chain)) for chain in np.transpose(classes)])
        claims.append(Claim(f"{name}: digits that a chain comes by", kinds, least=5))
        fall = 1 - history[-1, index] / (seen.shape[1] * np.log(2))
        claims.append(Claim(f"{name}: loss below that of coins, part", fall, least=0.6))
    claims.append(
        Claim(
            "transport to the data, deep : denoiser",
            off["deep"] / off["denoiser"],
            most=1,
        )
    )
    return claims, films


def draw(path, ends, films):
    """Write where chains ended, and one chain of digits of each kind."""
    figure = figures.new_figure(10, 5.5)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.2, 1])
    for axes, (name, points) in zip(top.subplots(1, 2), ends.items(), strict=True):
        axes.plot(*points.T, ".", markersize=2)
        axes.set(title=f"Ends of chains, {name}", aspect="equal", xlim=(-3.2, 3.2),
                 ylim=(-3.2, 3.2))  # fmt: skip
    for axes, (name, film) in zip(bottom.subplots(2, 1), films.items(), strict=True):
        every = max(1, len(film) // 50)
        figures.show_images(axes, film[::every][:50], (14, 14), 25)
        axes.set_title(f"One chain of digits, {name}", fontsize=9)
    figures.save_figure(figure, path)


@pytensor.config.change_flags(floatX="float32")
def main(argv=None):
    """Train, run chains and draw; return what was claimed."""
    run = command.begin("autoencoders.chains", __doc__, argv, Settings(), SMOKE)
    claims, ends = check_plane(run)
    more, films = check_digits(run)
    holds = print_claims(claims + more)
    draw(run.folder / "chains.png", ends, films)
    print(f"See {run.folder / 'chains.png'}")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
