"""Parameters that carry state from one training step to the next."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt

from lasagne_next import init as initialisers
from lasagne_next import random
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_matrix
from lasagne_next.expressions.markers import carry_state
from lasagne_next.params import create_param, set_tags
from lasagne_next.utils import match_dtype

__all__ = ["SpectralNorm", "exponential_average"]

WARM_UP = 15


class SpectralNorm(ParameterExpression):
    r"""A matrix of a fixed largest singular value, :math:`W = c\, V / \sigma(V)`.

    The largest singular value :math:`\sigma = u^T V v` follows V by one step of power
    iteration in each training step.

    Parameters
    ----------
    bound : number or None, default None
        The largest singular value c of W; None takes the one that V starts with, so
        that W starts as the draw. 1 makes the layer 1-Lipschitz.
    init : callable, array, SharedVariable or expression, default GlorotUniform()
        Start of V. A variable or another expression is taken as V itself.

    Notes
    -----
    The leaves are ``v``, SHAPE (n, m), and the singular vectors ``left``, SHAPE (n,),
    and ``right``, SHAPE (m,), which are saved but not trained. Pass
    :func:`state_updates` of the parameters to the function that trains, besides the
    updates of the rule. Functions without them use the vectors as they are. The vectors
    start from 15 iterations, so that W is right before the first step.

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
        if bound is not None and not bound > 0:
            raise ValueError(f"SpectralNorm: bound must be positive, got {bound!r}.")
        self.bound, self.init = bound, init

    def check_shape(self, shape):
        """Raise ValueError unless `shape` is that of a matrix."""
        check_matrix(self, shape)

    def express(self, v, left, right, bound):
        """Return the scaled matrix, with the power iteration noted beside it."""
        sigma = pt.dot(left, pt.dot(v, right))
        W = v * (bound / sigma)
        new_right = _unit(pt.dot(left, v))  # (m,)
        new_left = _unit(pt.dot(v, new_right))  # (n,)
        return carry_state(carry_state(W, right, new_right), left, new_left)

    def invert(self, value):
        """Take the value itself, and its leading singular vectors."""
        right = random.get_rng().normal(size=value.shape[1])
        for _ in range(WARM_UP):
            left = value @ right
            left = left / max(np.linalg.norm(left), 1e-30)
            right = left @ value
            right = right / max(np.linalg.norm(right), 1e-30)
        bound = left @ value @ right if self.bound is None else self.bound
        return {"v": value, "left": left, "right": right, "bound": np.asarray(bound)}

    def count_free(self, shape):
        """Count the entries of V; its length is free of consequence."""
        return math.prod(shape) - 1


def _unit(vector):
    squares = pt.sum(pt.sqr(vector))
    one = match_dtype(1, vector.dtype)
    return vector / pt.sqrt(pt.switch(squares > 0, squares, one))


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
    value = np.asarray(parameter.eval(mode="FAST_COMPILE"))
    average = create_param(value, value.shape, name=name)
    set_tags(average, trainable=False)
    decay = match_dtype(decay, value.dtype)
    one = match_dtype(1, value.dtype)
    return carry_state(average, average, decay * average + (one - decay) * parameter)
