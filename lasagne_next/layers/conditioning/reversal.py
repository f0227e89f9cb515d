"""Turning gradients round, for networks that compete."""

from __future__ import annotations

from lasagne_next.layers.base import Layer
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.ops import reverse_gradient

__all__ = ["GradientReversalLayer"]


class GradientReversalLayer(Layer):
    r"""Pass the input on, and multiply its gradient by :math:`-\lambda`.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    scale : number or symbolic scalar, default 1
        The factor :math:`\lambda`, to which no gradient flows. A shared variable can be
        changed while training: [1]_ lets it grow from 0 to 1.
    **kwargs
        `name`.

    Attributes
    ----------
    scale
        As given.

    Raises
    ------
    ValueError, TypeError
        If `scale` is neither a number nor a symbolic scalar.

    Notes
    -----
    Usually placed between shared features and a classifier of what they should not
    tell, such as the domain that an example comes from. The classifier learns to find
    it, and the features learn to hide it. :func:`lasagne_next.ops.reverse_gradient`
    does the same to an expression.

    References
    ----------
    .. [1] Yaroslav Ganin and others (2016): Domain-adversarial training of neural
       networks. JMLR 17, section 4.2. https://jmlr.org/papers/v17/15-239.html

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, GradientReversalLayer
    >>> features = DenseLayer((None, 7), num_units=5)
    >>> domain = DenseLayer(GradientReversalLayer(features, scale=0.1), num_units=2)
    >>> domain.output_shape
    (None, 2)
    """

    def __init__(self, incoming, scale=1, **kwargs):
        super().__init__(incoming, **kwargs)
        is_symbolic(self, "scale", scale)
        self.scale = scale

    def get_output_for(self, input, **kwargs):
        """Return the input itself, with another gradient, SHAPE of the input."""
        return reverse_gradient(input, self.scale)
