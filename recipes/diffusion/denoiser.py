"""A network that denoises at all levels of noise, for the recipes on diffusion."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import diffusion, nonlinearities, updates
from lasagne_next.layers import (
    ConcatLayer,
    DenseLayer,
    ElemwiseSumLayer,
    InputLayer,
    get_all_params,
    get_output,
)
from recipes import command
from recipes.checkpoint import Checkpoint
from recipes.training import steps

__all__ = ["Denoiser", "fit"]

WAVES = np.array([0.5, 1.0, 2.0])


class Denoiser:
    """A dense network from noisy points and levels of noise to clean points.

    Parameters
    ----------
    name : str
        In front of the names of its layers.
    size : int
        Numbers of a point.
    num_units : int
        Of each of the hidden layers.
    data_deviation : float, default 1
        Standard deviation of a number of the data.
    see_noise : bool, default True
        Whether the network gets the level of noise.
    bottleneck : int, optional
        Units of a narrow layer in the middle.
    depth : int, default 2
        Hidden layers with a connection around each but the first.
    """

    def __init__(
        self,
        name,
        size,
        num_units,
        data_deviation=1.0,
        see_noise=True,
        bottleneck=None,
        depth=2,
    ):
        self.name, self.data_deviation = name, data_deviation
        self.noisy = pt.fmatrix("noisy", shape=(None, size))
        self.noise = pt.fcol("noise")
        self.network = self._build(size, num_units, see_noise, bottleneck, depth)
        self.params = get_all_params(self.network, trainable=True)
        self.output = self._denoised(see_noise)
        self._evaluate = None

    def _build(self, size, num_units, see_noise, bottleneck, depth):
        self.inputs = [InputLayer((None, size))]
        if see_noise:
            self.inputs.append(InputLayer((None, 2 * len(WAVES) + 1)))
        layer = ConcatLayer(self.inputs) if see_noise else self.inputs[0]
        layer = DenseLayer(
            layer, num_units, nonlinearity=nonlinearities.silu, name=f"{self.name}.0"
        )
        for index in range(1, depth + 1):
            inner = layer
            if bottleneck is not None:
                inner = DenseLayer(inner, bottleneck, nonlinearity=None)
            inner = DenseLayer(
                inner,
                num_units,
                nonlinearity=nonlinearities.silu,
                name=f"{self.name}.{index}",
            )
            layer = (
                inner if bottleneck is not None else ElemwiseSumLayer([layer, inner])
            )
        return DenseLayer(layer, size, nonlinearity=None, name=f"{self.name}.out")

    def _denoised(self, see_noise):
        skip, out, into = diffusion.preconditioning(self.noise, self.data_deviation)
        values = {self.inputs[0]: self.noisy * into}
        if see_noise:
            log = pt.log(self.noise)  # (n, 1)
            waves = [f(log * np.float32(w)) for w in WAVES for f in (pt.sin, pt.cos)]
            values[self.inputs[1]] = pt.concatenate([log / 2, *waves], axis=1)
        return skip * self.noisy + out * get_output(self.network, values)

    def loss(self, clean):
        """Express the squared error in units of what the network must provide."""
        _, out, _ = diffusion.preconditioning(self.noise, self.data_deviation)
        return pt.sqr((self.output - clean) / out).mean()

    def __call__(self, x, noise):
        """Return denoised points, for one level or for one each."""
        if self._evaluate is None:
            mode = command.mode_of("python")
            inputs = [self.noisy, self.noise]
            trace = pt.zeros_like(self.noisy[:, 0])
            if self.noisy.type.shape[1] <= 4:
                trace = diffusion.jacobian_trace(self.output, self.noisy)
            self._evaluate = pytensor.function(inputs, self.output, mode=mode)
            self._trace = pytensor.function(inputs, [self.output, trace], mode=mode)
        return self._evaluate(*self.values(x, noise)).astype("float64")

    def with_trace(self, x, noise):
        """Return denoised points and the traces of the Jacobian."""
        self(x[:1], noise)
        clean, trace = self._trace(*self.values(x, noise))
        return clean.astype("float64"), trace.astype("float64")

    def values(self, x, noise):
        """Return points and a level for each, as compiled functions take them."""
        levels = np.broadcast_to(np.float32(noise), len(x))
        return np.float32(x), np.ascontiguousarray(levels[:, None])


def fit(models, draw, num_steps, noises, run, title="denoiser", rate=0.003, keep=None):
    """Train denoisers on fresh noise of random levels, side by side.

    Parameters
    ----------
    models : Denoiser or list of Denoiser
        All see the same points and noise.
    draw : callable
        Returns a batch of clean points.
    num_steps : int
        Of training.
    noises : tuple of float, (lowest, highest)
        Levels, spread evenly in their logarithm.
    run : recipes.command.Run
        Its generator and mode.
    title : str, default "denoiser"
        Of the progress bar.
    rate : float, default 0.003
        Of Adam; it falls to zero along a cosine.
    keep : path-like, optional
        File to continue from after an interruption, for recipes with ``--resume``.

    Returns
    -------
    numpy.ndarray, SHAPE (steps, models)
        All losses.
    """
    models = models if isinstance(models, list) else [models]
    clean, noisy = (models[0].noisy.type(each) for each in ("clean", "noisy"))
    noise = pt.fcol("noise")
    losses = []
    for model in models:
        given = {model.noisy: noisy, model.noise: noise}
        losses.append(pytensor.graph.clone_replace(model.loss(clean), given))
    params = [param for model in models for param in model.params]
    counter = updates.step_counter()
    falling = updates.cosine_schedule(counter, rate, num_steps)
    rule = updates.adam(sum(losses), params, learning_rate=falling)
    rule = updates.combine(rule, updates.advance(counter))
    step = pytensor.function([clean, noisy, noise], losses, updates=rule, mode=run.mode)
    if keep is not None:
        keep = Checkpoint(keep, list(rule), run.rng, run.args.resume)
    low, high = np.log(noises)

    def one_step():
        x = draw()
        # One level in each part of the range: losses differ less between batches.
        share = (np.arange(len(x)) + run.rng.uniform(size=len(x))) / len(x)
        level = np.exp(low + (high - low) * share)[:, None]
        spoilt = x + level * run.rng.normal(size=x.shape)
        return step(np.float32(x), np.float32(spoilt), np.float32(level))

    return steps(one_step, num_steps, title, checkpoint=keep)
