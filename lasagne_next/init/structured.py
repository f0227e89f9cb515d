"""Start values that form a sparse, an orthogonal or an identity matrix."""

from __future__ import annotations

import math

import numpy as np

from lasagne_next.init.base import Initializer, check_number, check_rank, check_shape
from lasagne_next.init.fans import check_gain
from lasagne_next.random import get_rng
from lasagne_next.utils import floatX

__all__ = ["Identity", "Orthogonal", "Sparse"]


class Sparse(Initializer):
    """A matrix with few values that are not zero, as many in each column.

    Parameters
    ----------
    sparsity : float, default 0.1
        Share of each column that is *not* zero: ``int(sparsity * rows)`` entries.
    std : float, default 0.01
        Standard deviation of those, which are normally distributed with mean 0.

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If `sparsity` is outside [0, 1] or `std` is negative.
    RuntimeError
        When called with a shape of other than two axes.

    References
    ----------
    James Martens (2010): Deep learning via Hessian-free optimization, section 5.
    https://icml.cc/Conferences/2010/papers/458.pdf

    Examples
    --------
    >>> from lasagne_next.init import Sparse
    >>> (Sparse(sparsity=0.4)((5, 3)) != 0).sum(axis=0).tolist()
    [2, 2, 2]
    """

    def __init__(self, sparsity=0.1, std=0.01):
        self.sparsity = check_number(self, "sparsity", sparsity, lowest=0, highest=1)
        self.std = check_number(self, "std", std, lowest=0)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape, lowest_rank=2)
        check_rank(self, shape, len(shape) == 2, "2 axes")
        rng, (rows, columns) = get_rng(), shape
        count = int(self.sparsity * rows)
        values = floatX(np.zeros(shape))
        for column in range(columns):
            order = np.arange(rows)
            rng.shuffle(order)
            values[order[:count], column] = rng.normal(0.0, self.std, size=count)
        return values


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows, or columns where there are fewer.

    All axes but the first are taken together. The matrix is the orthogonal factor
    U V' of a Gaussian matrix U S V', so that all rotations are equally likely.

    Parameters
    ----------
    gain : float or 'relu', default 1.0
        Factor; 'relu' stands for sqrt(2).

    Raises
    ------
    TypeError
        If `gain` is not a number.
    ValueError
        If `gain` is an unknown word.
    RuntimeError
        When called with fewer than two axes.

    References
    ----------
    Andrew Saxe, James McClelland and Surya Ganguli (2014): Exact solutions to the
    nonlinear dynamics of learning in deep linear neural networks.
    https://arxiv.org/abs/1312.6120

    Examples
    --------
    >>> from lasagne_next.init import Orthogonal
    >>> W = Orthogonal()((2, 5))
    >>> abs((W @ W.T).round(6)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain=1.0):
        self.gain = check_gain(self, gain)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape, lowest_rank=2)
        draw = get_rng().normal(size=(shape[0], math.prod(shape[1:])))
        # Unlike U or V alone, their product does not depend on the signs that the
        # linear algebra library at hand gives to singular vectors.
        u, _, v = np.linalg.svd(draw, full_matrices=False)
        return floatX(self.gain * (u @ v).reshape(shape))


class Identity(Initializer):
    """Weights that pass their input through.

    A matrix gets ones on its diagonal; filters (outputs, inputs, ...) get, for output
    i and input i, a one in the middle of the filter. All else is zero.

    Parameters
    ----------
    gain : float, default 1.0
        What stands in place of the ones.

    Raises
    ------
    TypeError
        If `gain` is not a number.
    RuntimeError
        When called with fewer than two axes.

    Notes
    -----
    Suits recurrent weights of rectifier units, and filters of odd size with padding
    'same'. The middle of a filter of even size n is at n // 2.

    References
    ----------
    Quoc Le, Navdeep Jaitly and Geoffrey Hinton (2015): A simple way to initialize
    recurrent networks of rectified linear units. https://arxiv.org/abs/1504.00941

    Examples
    --------
    >>> from lasagne_next.init import Identity
    >>> Identity(2.0)((2, 3)).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

    def __init__(self, gain=1.0):
        self.gain = check_number(self, "gain", gain)

    def sample(self, shape):
        """Return an array of the given shape."""
        shape = check_shape(self, shape, lowest_rank=2)
        values = floatX(np.zeros(shape))
        diagonal = np.arange(min(shape[:2]))
        values[(diagonal, diagonal, *(size // 2 for size in shape[2:]))] = self.gain
        return values
