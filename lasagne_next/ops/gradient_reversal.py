"""Identity that turns the gradient passing through it round."""

from __future__ import annotations

from pytensor.compile.mode import optdb
from pytensor.gradient import disconnected_type
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter

from lasagne_next.expressions.markers import _Mark
from lasagne_next.utils import match_dtype

__all__ = ["GradientReversal", "reverse_gradient"]


class GradientReversal(_Mark):
    """Return the first input; multiply its gradient by minus the second.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import GradientReversal
    >>> x = pt.vector("x")
    >>> GradientReversal()(x, pt.constant(1.0)).type == x.type
    True
    """

    def pullback(self, inputs, outputs, cotangents):
        """Scale and turn the gradient of the value; none flows to the scale."""
        return [-inputs[1] * cotangents[0], disconnected_type()]


@node_rewriter([GradientReversal])
def remove_gradient_reversal(fgraph, node):
    """Replace a value whose gradient is taken by the value itself."""
    return [node.inputs[0]]


optdb.register(
    "lasagne_next_remove_gradient_reversal",
    dfs_rewriter(remove_gradient_reversal),
    "fast_compile",
    "fast_run",
    "minimum_compile",
    "numba",
    "jax",
    position=-0.02,
)


def reverse_gradient(x, scale=1):
    r"""Pass a value on, and its gradient with the opposite sign.

    Parameters
    ----------
    x : TensorVariable
        Any real expression.
    scale : number or symbolic scalar, default 1
        The gradient is multiplied by minus this, :math:`-\lambda`, on its way back. No
        gradient flows to it.

    Returns
    -------
    TensorVariable
        Equal to `x`; costs nothing where no gradient is taken.

    Raises
    ------
    ValueError
        If `scale` has axes.

    References
    ----------
    Yaroslav Ganin and others (2016): Domain-adversarial training of neural networks.
    JMLR 17, equations 16 and 17. https://jmlr.org/papers/v17/15-239.html

    Examples
    --------
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import reverse_gradient
    >>> x = pt.vector("x", dtype="float64")
    >>> slope = pytensor.grad((7 * reverse_gradient(x, 0.5)).sum(), x)
    >>> slope.eval({x: [1.0, 3.0]}, mode="FAST_COMPILE").tolist()
    [-3.5, -3.5]
    """
    scale = match_dtype(scale, x.dtype)
    if scale.ndim:
        raise ValueError(
            f"reverse_gradient: scale must be a number or a symbolic scalar, got "
            f"{scale!r} with {scale.ndim} axes."
        )
    return GradientReversal()(x, scale)
