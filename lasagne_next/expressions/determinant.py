"""Matrices whose determinant is known from the way they are made."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import scipy.linalg
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter

from lasagne_next import init as initialisers
from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.expressions.checks import check_square
from lasagne_next.expressions.markers import _Mark

__all__ = ["LUInvertible", "log_abs_det", "mark_log_det"]


class _Determined(_Mark):
    """Inputs: a matrix, the logarithm of the size of its determinant."""


def is_log_det_mark(node):
    """Tell whether a node notes a determinant beside a matrix."""
    return isinstance(node.op, _Determined)


@node_rewriter([_Determined])
def remove_log_det(fgraph, node):
    """Replace a mark by the matrix."""
    return [node.inputs[0]]


optdb.register(
    "lasagne_next_remove_log_det",
    dfs_rewriter(remove_log_det),
    "fast_compile",
    "fast_run",
    "minimum_compile",
    "numba",
    "jax",
    position=-0.02,
)


def mark_log_det(value, log_det):
    """Note the logarithm of the size of the determinant beside a matrix.

    Parameters
    ----------
    value : TensorVariable, SHAPE (n, n)
        A matrix.
    log_det : TensorVariable, SHAPE ()
        What :func:`log_abs_det` shall return for it.

    Returns
    -------
    TensorVariable, SHAPE (n, n)
        Equal to `value`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.expressions import log_abs_det, mark_log_det
    >>> t = pt.vector("t")
    >>> total = t.sum()
    >>> log_abs_det(mark_log_det(pt.diag(pt.exp(t)), total)) is total
    True
    """
    return _Determined()(value, log_det)


def log_abs_det(W):
    r"""Return the logarithm of the size of a determinant, :math:`\log |\det W|`.

    Parameters
    ----------
    W : TensorVariable, SHAPE (n, n)
        A matrix, at best made by :class:`LUInvertible` or :class:`SPDCholesky`: then
        this is a sum of n numbers. For any other it costs a factorisation.

    Returns
    -------
    TensorVariable, SHAPE ()
        In nats.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> W = expressions.LUInvertible(init=np.diag([2.0, 3.0]))((2, 2))
    >>> round(float(np.exp(expressions.log_abs_det(W).eval(mode="FAST_COMPILE"))), 6)
    6.0
    """
    if W.owner is not None and isinstance(W.owner.op, _Determined):
        return W.owner.inputs[1]
    return pt.linalg.slogdet(W)[1]


class LUInvertible(ParameterExpression):
    r"""An invertible matrix of known determinant, :math:`W = P L (U + D)`.

    P is a fixed permutation, L lower triangular with ones on the diagonal, U strictly
    upper triangular, and D diagonal with entries :math:`\pm e^t` of fixed sign.

    Parameters
    ----------
    init : callable or array, default Orthogonal()
        W starts at this matrix exactly. A random rotation is the usual choice.

    Notes
    -----
    The leaves are ``lower`` and ``upper``, SHAPE (n, n), of which only the strict
    triangles are used, ``t``, SHAPE (n,), and, not trainable, ``sign``, SHAPE (n,), and
    ``order``, SHAPE (n,), of integers. :func:`log_abs_det` knows the determinant,
    :math:`\sum t`.

    References
    ----------
    Diederik Kingma and Prafulla Dhariwal (2018): Glow: generative flow with invertible
    1x1 convolutions, equation 10. https://arxiv.org/abs/1807.03039

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import expressions
    >>> start = np.array([[0.0, 2.0], [3.0, 1.0]])
    >>> W = expressions.LUInvertible(init=start)((2, 2))
    >>> W.eval(mode="FAST_COMPILE").round(6).tolist()
    [[0.0, 2.0], [3.0, 1.0]]
    """

    leaf_tags = {  # noqa: RUF012
        "sign": {"trainable": False},
        "order": {"trainable": False},
    }

    def __init__(self, init=initialisers.Orthogonal()):  # noqa: B008
        self.init = init

    def check_shape(self, shape):
        """Raise ValueError unless the matrix is square."""
        check_square(self, shape)

    def express(self, lower, upper, t, sign, order):
        """Return the product, with its log-determinant noted beside it."""
        eye = pt.eye(t.type.shape[0], dtype=t.dtype)
        left = pt.tril(lower, -1) + eye
        right = pt.triu(upper, 1) + pt.diag(sign * pt.exp(t))
        return mark_log_det(pt.dot(left[order], right), pt.sum(t))

    def invert(self, value):
        """Factorise the value; raise ValueError if it is singular."""
        permutation, lower, upper = scipy.linalg.lu(value)
        diagonal = np.diag(upper)
        if not np.all(abs(diagonal) > 0):
            raise ValueError(f"{self!r}: the value must be invertible, and it is not.")
        return {
            "lower": np.tril(lower, -1),
            "upper": np.triu(upper, 1),
            "t": np.log(abs(diagonal)),
            "sign": np.sign(diagonal),
            "order": permutation.argmax(axis=1).astype("int64"),
        }

    def count_free(self, shape):
        """Count the entries of W."""
        return shape[0] ** 2
