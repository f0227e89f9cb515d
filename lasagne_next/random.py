"""The source of randomness: one generator for initial values and for noise.

Initialisers draw from the package generator, and every noise layer seeds a symbolic
stream from it when the layer is built. Setting the generator once therefore
reproduces a whole run on one backend.
"""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytensor.tensor as pt

from lasagne_next.utils import match_dtype

__all__ = ["RandomStream", "get_rng", "set_rng"]

_SEED_LIMIT = 2147462579

_generator = np.random


def get_rng():
    """Return the package generator.

    Returns
    -------
    numpy.random.Generator, numpy.random.RandomState or the module numpy.random
        The object given to :func:`set_rng`, or the module ``numpy.random`` when none
        was given, so that ``numpy.random.seed`` seeds the library too.

    Examples
    --------
    >>> import lasagne_next
    >>> lasagne_next.random.get_rng().normal(size=3).shape
    (3,)
    """
    return _generator


def set_rng(new_rng):
    """Make `new_rng` the package generator.

    Parameters
    ----------
    new_rng : numpy.random.Generator, numpy.random.RandomState or module numpy.random
        The generator to draw all initial values and all seeds from.

    Raises
    ------
    TypeError
        If `new_rng` lacks the methods of a numpy generator; a bare integer is no
        generator: write ``numpy.random.default_rng(integer)``.

    Examples
    --------
    >>> import numpy as np
    >>> import lasagne_next
    >>> lasagne_next.random.set_rng(np.random.default_rng(1))
    >>> lasagne_next.init.Normal().sample((2, 3)).shape
    (2, 3)
    """
    global _generator
    needed = ("normal", "uniform", "shuffle")
    if not all(callable(getattr(new_rng, name, None)) for name in needed):
        raise TypeError(
            "set_rng: new_rng must be a numpy Generator, a RandomState or the module "
            f"numpy.random, got {new_rng!r}. For a seed, pass "
            "numpy.random.default_rng(seed)."
        )
    _generator = new_rng


def draw_seed():
    """Draw a seed for a symbolic stream; consumes one number of the package generator.

    Returns
    -------
    int
        Between 1 and 2147462578.
    """
    rng = get_rng()
    draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
    return int(draw(1, _SEED_LIMIT))


_observers = []


@contextlib.contextmanager
def observed_draws():
    """Collect the draws that any stream makes inside a ``with`` block, in order."""
    draws = []
    _observers.append(draws)
    try:
        yield draws
    finally:
        _observers.pop()


class RandomStream:
    """A seeded source of symbolic random draws.

    Each draw has a generator state of its own, which a compiled function advances by
    itself (its `default_update`), so that no updates need to be passed and every call
    of the function sees fresh numbers.

    Parameters
    ----------
    seed : int
        Two streams of the same seed give the same draws on one backend.

    Notes
    -----
    The numbers of one seed differ between JAX and the other backends.

    Examples
    --------
    >>> from lasagne_next.random import RandomStream
    >>> noise = RandomStream(7).uniform((2, 3), dtype="float32")
    >>> noise.type.shape, noise.dtype
    ((2, 3), 'float32')
    """

    def __init__(self, seed):
        self.seed = seed
        self._seeds = np.random.SeedSequence(seed)

    def _draw(self, method, *args, size, dtype):
        # A spawned child seed gives each draw an independent generator.
        (child,) = self._seeds.spawn(1)
        state = pt.random.shared_rng(np.random.default_rng(child), borrow=True)
        next_state, draw = getattr(state, method)(*args, size=size, dtype=dtype)
        with warnings.catch_warnings():
            # PyTensor would rather see updates passed to each function (since 3.0).
            warnings.simplefilter("ignore", DeprecationWarning)
            state.default_update = next_state
        for draws in _observers:
            draws.append(draw)
        return draw

    def uniform(self, size, low=0.0, high=1.0, dtype=None):
        """Return a draw from the uniform distribution on [low, high).

        Parameters
        ----------
        size : tuple of int or symbolic integer vector
            Shape of the draw.
        low, high : number or symbolic scalar
            The interval.
        dtype : str, optional
            ``config.floatX`` by default.

        Returns
        -------
        TensorVariable
            Of shape `size`.
        """
        low, high = match_dtype(low, dtype), match_dtype(high, dtype)
        return self._draw("uniform", low, high, size=size, dtype=dtype)

    def normal(self, size, mean=0.0, std=1.0, dtype=None):
        """Return a draw from the normal distribution.

        Parameters
        ----------
        size : tuple of int or symbolic integer vector
            Shape of the draw.
        mean, std : number or symbolic scalar
            Mean and standard deviation.
        dtype : str, optional
            ``config.floatX`` by default.

        Returns
        -------
        TensorVariable
            Of shape `size`.
        """
        mean, std = match_dtype(mean, dtype), match_dtype(std, dtype)
        return self._draw("normal", mean, std, size=size, dtype=dtype)

    def bernoulli_mask(self, size, probability, dtype=None):
        """Return a tensor of ones, each with the given probability, and zeros.

        Parameters
        ----------
        size : tuple of int or symbolic integer vector
            Shape of the mask.
        probability : number or symbolic scalar
            Probability of a one.
        dtype : str, optional
            Type of the mask, ``config.floatX`` by default.

        Returns
        -------
        TensorVariable
            Of shape `size`.

        Notes
        -----
        Thresholds a single precision uniform draw, which every backend generates
        several times faster than its own Bernoulli variables.
        """
        draw = self.uniform(size, dtype="float32")
        return match_dtype(draw < match_dtype(probability, "float32"), dtype)
