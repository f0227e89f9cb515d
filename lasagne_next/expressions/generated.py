"""Parameters that another network computes."""

from __future__ import annotations

import math

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.tensor.type import TensorType

from lasagne_next.expressions.base import ParameterExpression
from lasagne_next.params import leaf_tags, static_shape

__all__ = ["Generated"]


class Generated(ParameterExpression):
    """A parameter that an expression computes, brought into the right shape.

    Parameters
    ----------
    source : TensorVariable
        Any expression with as many elements as the parameter has, such as the output of
        a network for one example (:func:`lasagne_next.layers.get_output`).

    Raises
    ------
    TypeError
        If `source` is no expression.
    ValueError
        If the size of the source is known and not that of the parameter.

    Notes
    -----
    The leaves are those of `source`. Several parameters may share a source by taking
    slices of it. For the parameter to start with the variance :math:`s^2`, the last
    layer of the generator should have weights of variance :math:`s^2 / (k E[z^2])` for
    its k inputs z, and no bias [1]_.

    References
    ----------
    .. [1] Oscar Chang, Lampros Flokas and Hod Lipson (2020): Principled weight
       initialization for hypernetworks, section 4 (hyperfan-in).
       https://openreview.net/forum?id=H1lma24tPB

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import expressions, layers
    >>> code = layers.InputLayer((1, 4), pt.matrix("code"))
    >>> generator = layers.DenseLayer(code, num_units=15, nonlinearity=None, name="g")
    >>> W = expressions.Generated(layers.get_output(generator))
    >>> layers.DenseLayer((None, 5), 3, W=W, b=None).get_params()
    [g.W, g.b]
    """

    def __init__(self, source):
        if not isinstance(source, Variable) or not isinstance(source.type, TensorType):
            raise TypeError(
                f"Generated: source must be an expression, got {source!r} of type "
                f"{type(source).__name__}."
            )
        self.source = source

    def check_shape(self, shape):
        """Raise ValueError if the known size of the source is another."""
        known = static_shape(self.source)
        if None not in known and math.prod(known) != math.prod(shape):
            raise ValueError(
                f"{self!r}: source must have {math.prod(shape)} elements for the shape "
                f"{tuple(shape)}, got the shape {known}."
            )

    def __call__(self, shape, name=None):
        """Return the source in the given shape."""
        self.check_shape(shape)
        return pt.reshape(self.source, tuple(shape))

    def count_free(self, shape):
        """Count the trainable leaves of the source."""
        return sum(
            leaf.get_value(borrow=True).size
            for leaf, tags in leaf_tags(self.source, {"trainable"})
            if "trainable" in tags
        )
