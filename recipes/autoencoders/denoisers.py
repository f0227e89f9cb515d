"""A denoising autoencoder of one layer, and what a linear reader makes of its code."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import updates
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    GaussianNoiseLayer,
    InputLayer,
    Layer,
    get_all_params,
    get_output,
)
from lasagne_next.random import RandomStream, draw_seed
from recipes import command
from recipes.training import train

__all__ = ["KINDS", "Denoiser", "SaltAndPepperLayer", "cross_entropy", "read"]

KINDS = ("noise", "masking", "salt and pepper")


class SaltAndPepperLayer(Layer):
    """Set random pixels to 0 or 1 while training.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    p : number or symbolic scalar
        Share of the pixels that are hit.
    **kwargs
        `name`.

    Examples
    --------
    >>> layer = SaltAndPepperLayer((None, 5), p=0.5)
    >>> layer.output_shape
    (None, 5)
    """

    def __init__(self, incoming, p, **kwargs):
        super().__init__(incoming, **kwargs)
        self.p = p
        self._stream = RandomStream(draw_seed())

    def get_output_for(self, input, deterministic=False, **kwargs):
        """Replace what is hit."""
        if deterministic:
            return input
        # One draw says both whether and by what.
        draw = self._stream.uniform(input.shape, dtype=input.dtype)
        return pt.switch(draw < self.p, draw < self.p / 2, input).astype(input.dtype)


def cross_entropy(p, x):
    """Express -(x log p + (1 - x) log(1 - p)), for p that is a sigmoid.

    Parameters
    ----------
    p, x : TensorVariable
        Predictions and pixels, of the same shape.

    Returns
    -------
    TensorVariable
        Of that shape, in nats.

    Notes
    -----
    `lasagne_next.objectives` is safer. This one runs by whole arrays in Python mode, in
    which tests run recipes; for Numba and JAX, PyTensor makes it stable.

    Examples
    --------
    >>> p = cross_entropy(pt.constant([0.5, 1.0]), pt.constant([0.0, 1.0]))
    >>> p[:1].eval(mode="FAST_COMPILE").round(3)
    array([0.693])
    """
    return -(x * pt.log(p) + (1 - x) * pt.log(1 - p))


class Denoiser:
    """A denoising autoencoder with tied weights, and all kinds of corruption.

    Parameters
    ----------
    num_pixels, num_units : int
        Sizes.
    mode : str or Mode
        What computes.
    learning_rate : float, default 0.003
        Of Adam.

    Examples
    --------
    >>> denoiser = Denoiser(6, 3, command.mode_of("python"))
    >>> denoiser.set_corruption("noise", 0.5)
    >>> images = np.ones((20, 6), "float32")
    >>> losses = denoiser.fit(images, 2, 10, np.random.default_rng(1), "example")
    >>> denoiser.encode(images).shape
    (20, 3)
    """

    def __init__(self, num_pixels, num_units, mode, learning_rate=0.003):
        image = pt.fmatrix("image")
        self.levels = {
            kind: pytensor.shared(np.float32(0), name=kind) for kind in KINDS
        }
        layer = InputLayer((None, num_pixels), image)
        layer = DropoutLayer(layer, self.levels["masking"], rescale=False)
        layer = GaussianNoiseLayer(layer, self.levels["noise"])
        corrupted = SaltAndPepperLayer(layer, self.levels["salt and pepper"])
        code = DenseLayer(corrupted, num_units, nonlinearity=pt.sigmoid, name="code")
        restored = DenseLayer(code, num_pixels, W=code.W.T, nonlinearity=pt.sigmoid)
        self.code = code
        loss = cross_entropy(get_output(restored), image).sum(axis=1).mean()
        params = get_all_params(restored, trainable=True)
        rule = updates.adam(loss, params, learning_rate=learning_rate)
        quick = command.mode_of("python")
        self._step = pytensor.function([image], [loss], updates=rule, mode=mode)
        self._corrupt = pytensor.function([image], get_output(corrupted), mode=quick)
        outputs = get_output([code, restored], deterministic=True)
        self._restore = pytensor.function([image], outputs, mode=quick)
        self._state = [v for v in rule if v not in params]
        self._zeros = [np.zeros_like(v.get_value()) for v in self._state]

    def set_corruption(self, kind=None, level=0.0):
        """Choose the only kind of corruption and its level."""
        for name, variable in self.levels.items():
            variable.set_value(np.float32(level if name == kind else 0))

    def restart(self, rng):
        """Draw new weights and forget what the update rule knows."""
        shape = self.code.W.get_value().shape
        limit = (6 / sum(shape)) ** 0.5
        self.code.W.set_value(np.float32(rng.uniform(-limit, limit, shape)))
        for layer_bias in self._biases():
            layer_bias.set_value(np.zeros_like(layer_bias.get_value()))
        for variable, value in zip(self._state, self._zeros, strict=True):
            variable.set_value(value)

    def _biases(self):
        params = [v for v in self._step.get_shared() if v.name and v.ndim == 1]
        return [v for v in params if v.name.endswith(".b")]

    def fit(self, images, epochs, batch_size, rng, title):
        """Train; return the losses of the epochs."""
        return train(self._step, [images], epochs, batch_size, rng, title)[:, 0]

    def corrupt(self, images):
        """Return images with the corruption that is set."""
        return self._corrupt(images)

    def encode(self, images):
        """Return the codes of images as they are."""
        return self._restore(images)[0]

    def restore(self, images):
        """Return images as they come out, without corruption."""
        return self._restore(images)[1]


def read(codes, labels, test_codes, test_labels, penalty=1.0):
    """Measure how well a linear reader, by least squares, tells labels from codes.

    Parameters
    ----------
    codes, test_codes : numpy.ndarray, SHAPE (n, units)
        To learn from, and held out.
    labels, test_labels : numpy.ndarray, SHAPE (n,)
        What they belong to, from 0.
    penalty : float, default 1
        On the squared weights.

    Returns
    -------
    float
        Share of mistakes on those held out.

    Examples
    --------
    >>> codes, labels = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([0, 0, 1, 1])
    >>> read(codes, labels, codes, labels, penalty=0.01)
    0.0
    """
    codes, test_codes = (
        np.hstack([each, np.ones((len(each), 1))]) for each in (codes, test_codes)
    )
    wanted = np.eye(labels.max() + 1)[labels]
    square = codes.T @ codes + penalty * np.eye(codes.shape[1])
    answers = (test_codes @ np.linalg.solve(square, codes.T @ wanted)).argmax(axis=1)
    return float((answers != test_labels).mean())
