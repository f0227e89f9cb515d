"""Parameters that carry state from one training step to the next."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression, evaluate
from lasagne_next.expressions.checks import check_matrix
from lasagne_next.expressions.markers import carry_state, settle
from lasagne_next.expressions.norms import NEGLIGIBLE
from lasagne_next.init.base import check_number
from lasagne_next.params import create_param, set_tags
from lasagne_next.utils import match_dtype

__all__ = ["SpectralNorm", "exponential_average"]

MOST_STEPS = 100  # of the power iteration that finds the start


class SpectralNorm(ParameterExpression):
    r"""A matrix of a fixed largest singular value, :math:`W = c\, V / \sigma(V)`.

    The largest singular value :math:`\sigma = u^T V v` follows V by one step of power
    iteration in each training step. No gradient passes through u and v.

    Parameters
    ----------
    bound : number or None, default None
        The largest singular value c of W; None takes the one that V starts with, so
        that W starts as the draw. 1 makes the layer 1-Lipschitz, with about a quarter
        of the variance of a square Glorot draw.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of V. A variable or another expression is taken as V itself.

    Raises
    ------
    TypeError, ValueError
        If `bound` is not a positive number, or a parameter is no matrix.

    Notes
    -----
    The leaves are ``v``, SHAPE (n, m), ``bound``, a scalar, and the singular vectors
    ``left``, SHAPE (n,), and ``right``, SHAPE (m,). All but v are saved and not
    trained. Every function computes one step of the iteration from the singular vectors
    that are stored. Pass :func:`state_updates` of the parameters or the outputs to the
    function that trains, besides the updates of the rule, so that it stores the new
    ones. They start where the iteration has converged, so that W is right before
    training. A matrix of zeros gives zeros, with a finite gradient.

    Multiplying by W multiplies by V, and scales the result.

    References
    ----------
    Takeru Miyato, Toshiki Kataoka, Masanori Koyama and Yuichi Yoshida (2018): Spectral
    normalization for generative adversarial networks, algorithm 1.
    https://arxiv.org/abs/1802.05957

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> spec = expressions.SpectralNorm(bound=1, init=np.diag([4.0, 2.0, 1.0]))
    >>> np.diag(spec((3, 3)).eval(mode="FAST_COMPILE")).round(3).tolist()
    [1.0, 0.5, 0.25]
    """

    inner = "v"
    leaf_tags = {  # noqa: RUF012
        "left": {"trainable": False},
        "right": {"trainable": False},
        "bound": {"trainable": False},
    }

    def __init__(self, bound=None, init=initialisers.GlorotUniform()):  # noqa: B008
        if bound is not None:
            check_number(self, "bound", bound, above=0)
        self.bound, self.init = bound, init

    def check_shape(self, shape):
        """Raise ValueError unless `shape` is that of a matrix."""
        check_matrix(self, shape)

    def express(self, v, left, right, bound):
        """Return the scaled matrix, with the power iteration noted in its factor."""
        fixed = disconnected_grad(v)
        new_right = _unit(pt.dot(left, fixed), right)  # (m,)
        new_left = _unit(pt.dot(fixed, new_right), left)  # (n,)
        sigma = pt.dot(new_left, pt.dot(v, new_right))
        least = match_dtype(NEGLIGIBLE[v.dtype] ** 0.5, v.dtype)
        is_zero = disconnected_grad((sigma < least).astype(v.dtype))
        factor = bound / (sigma + is_zero)
        factor = carry_state(carry_state(factor, right, new_right), left, new_left)
        return v * factor

    def invert(self, value):
        """Take the value itself, and its leading singular vectors."""
        n, m = value.shape
        left, right = np.full(n, n**-0.5), random.get_rng().normal(size=m)
        right /= np.linalg.norm(right)
        sigma, before = 0.0, np.inf
        for _ in range(MOST_STEPS):
            if abs(sigma - before) <= 1e-7 * sigma:
                break
            left = _numpy_unit(value @ right, left)
            right = _numpy_unit(left @ value, right)
            sigma, before = np.linalg.norm(value @ right), sigma
        bound = np.asarray(self.bound or sigma or 1.0)
        return {"v": value, "left": left, "right": right, "bound": bound}

    def count_idle(self, shape):
        """Count one number, since the length of V has no effect."""
        return 1


def _unit(vector, otherwise):
    """Return a vector at length 1, or another one if it is zero."""
    squares = pt.sum(pt.sqr(vector))
    is_zero = pt.eq(squares, 0).astype(vector.dtype)
    return vector / pt.sqrt(squares + is_zero) + is_zero * otherwise


def _numpy_unit(vector, otherwise):
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else otherwise


def exponential_average(parameter, decay=0.999, name=None):
    r"""Follow another parameter by an exponential average.

    Each training step computes :math:`e' = d\, e + (1 - d)\, p`.

    Parameters
    ----------
    parameter : SharedVariable or expression
        What is averaged, of any shape.
    decay : number or symbolic scalar, default 0.999
        The share d that is kept at each step.
    name : str, optional
        Name of the leaf e.

    Returns
    -------
    TensorVariable
        The average, of the shape of `parameter`; it starts at its present value, and
        needs no correction for the start. The one leaf that it adds is not trainable,
        and no gradient reaches `parameter`. The update is among those of
        :func:`state_updates`.

    Notes
    -----
    For a whole network that is evaluated with averages, see
    :func:`lasagne_next.updates.apply_exponential_average`; this one is for a layer that
    uses the average of another one's parameter, as the target of a student.

    Examples
    --------
    >>> from lasagne_next import expressions, layers
    >>> student = layers.DenseLayer((None, 5), 3, name="student")
    >>> W = expressions.exponential_average(student.W, decay=0.99, name="teacher.W")
    >>> teacher = layers.DenseLayer((None, 5), 3, W=W, b=None)
    >>> teacher.get_params(trainable=True), list(expressions.state_updates(teacher.W))
    ([], [teacher.W])
    """
    value = evaluate(settle(parameter))
    average = create_param(value, value.shape, name=name)
    set_tags(average, trainable=False)
    decay = match_dtype(decay, value.dtype)
    one = match_dtype(1, value.dtype)
    return carry_state(average, average, decay * average + (one - decay) * parameter)
