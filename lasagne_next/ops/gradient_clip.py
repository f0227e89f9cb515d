"""Identity that bounds the gradient passing through it."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.gradient import disconnected_type
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter

from lasagne_next.expressions.markers import _Mark
from lasagne_next.utils import match_dtype

__all__ = ["GradientClip", "clip_gradient"]


class GradientClip(_Mark):
    """Return the first input; keep its gradient between the second and the third.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import GradientClip
    >>> x = pt.vector("x")
    >>> GradientClip()(x, pt.constant(-1.0), pt.constant(1.0)).type == x.type
    True
    """

    def pullback(self, inputs, outputs, cotangents):
        """Clip the gradient of the value; no gradient flows to the bounds."""
        _, lower, upper = inputs
        clipped = pt.clip(cotangents[0], lower, upper)
        return [clipped, disconnected_type(), disconnected_type()]


@node_rewriter([GradientClip])
def remove_gradient_clip(fgraph, node):
    """Replace a bounded gradient, once it is taken, by the value."""
    return [node.inputs[0]]


optdb.register(
    "lasagne_next_remove_gradient_clip",
    dfs_rewriter(remove_gradient_clip),
    "fast_compile",
    "fast_run",
    "minimum_compile",
    "numba",
    "jax",
    position=-0.02,
)


def clip_gradient(x, lower, upper):
    r"""Pass a value on, and its gradient only as far as two bounds allow.

    Parameters
    ----------
    x : TensorVariable
        Any real expression.
    lower, upper : number or symbolic scalar
        What each element of the gradient is clipped to on its way back. The
        derivatives of the bounds are none.

    Returns
    -------
    TensorVariable
        Equal to `x`; costs nothing where no gradient is taken.

    Raises
    ------
    ValueError
        If both bounds are numbers and `lower` exceeds `upper`.

    References
    ----------
    Razvan Pascanu, Tomas Mikolov and Yoshua Bengio (2013): On the difficulty of
    training recurrent neural networks. ICML, section 3.2 bounds the norm instead.
    https://proceedings.mlr.press/v28/pascanu13.html

    Examples
    --------
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import clip_gradient
    >>> x = pt.vector("x", dtype="float64")
    >>> slope = pytensor.grad((7 * clip_gradient(x, -1, 1)).sum(), x)
    >>> slope.eval({x: [0.5, 3.0]}, mode="FAST_COMPILE").tolist()
    [1.0, 1.0]
    """
    numbers = [each for each in (lower, upper) if not hasattr(each, "type")]
    if len(numbers) == 2 and not lower <= upper:
        raise ValueError(
            f"clip_gradient: lower must be at most upper, got {lower!r} and {upper!r}."
        )
    bounds = [match_dtype(each, x.dtype) for each in (lower, upper)]
    return GradientClip()(x, *bounds)
