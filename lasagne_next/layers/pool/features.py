"""Groups of features: reduced to one number, or to their winner."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.layers.axes import resolve_axis
from lasagne_next.layers.base import Layer, describe
from lasagne_next.utils import int_types

__all__ = ["FeaturePoolLayer", "FeatureWTALayer"]


class _BaseGroupLayer(Layer):
    """Base: groups of neighbouring features along an axis of known size."""

    def _group(self, pool_size, axis):
        self.pool_size = pool_size
        self.axis = axis
        if not isinstance(pool_size, int_types):
            raise TypeError(
                f"{describe(self)}: pool_size must be an integer, got {pool_size!r}."
            )
        if pool_size < 1:
            raise ValueError(
                f"{describe(self)}: pool_size must be at least 1, got {pool_size}."
            )
        self._count_groups(self.input_shape)

    def _count_groups(self, shape):
        """Return the axis, counted from the front, and its number of groups."""
        axis = resolve_axis(self, "axis", self.axis, shape)
        size = shape[axis]
        if size is None:
            raise TypeError(
                f"{describe(self)}: the size of axis {axis} must be known, got input "
                f"shape {shape}. Declare it in the InputLayer."
            )
        if size % self.pool_size:
            raise ValueError(
                f"{describe(self)}: the number of features must be a multiple of "
                f"pool_size, got {size} features on axis {axis} (input shape {shape}) "
                f"and pool_size {self.pool_size}."
            )
        return axis, size // self.pool_size

    def _grouped(self, input):
        """Return the input with the axis split, (..., groups, pool_size, ...)."""
        axis, groups = self._count_groups(self.input_shape)
        sizes = [input.shape[each] for each in range(input.ndim)]
        sizes[axis : axis + 1] = [groups, self.pool_size]
        return input.reshape(sizes), axis + 1


class FeaturePoolLayer(_BaseGroupLayer):
    r"""Reduce groups of neighbouring features to one number each ("maxout").

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape, with a known size along `axis`.
    pool_size : int
        Number of features in a group.
    axis : int, default 1
        Where the features are; negative axes count from the end.
    pool_function : callable, default pytensor.tensor.max
        Called with the grouped input and ``axis=``, like ``pytensor.tensor.mean``.
    **kwargs
        `name`.

    Raises
    ------
    ValueError
        If the number of features is no multiple of `pool_size`.
    TypeError
        If that number is unknown, or `pool_size` or `axis` no integer.

    References
    ----------
    Ian Goodfellow et al. (2013): Maxout networks, section 3.
    https://arxiv.org/abs/1302.4389

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, FeaturePoolLayer
    >>> dense = DenseLayer((None, 5), num_units=12, nonlinearity=None)
    >>> FeaturePoolLayer(dense, pool_size=3).output_shape
    (None, 4)
    """

    def __init__(self, incoming, pool_size, axis=1, pool_function=pt.max, **kwargs):
        super().__init__(incoming, **kwargs)
        self._group(pool_size, axis)
        self.pool_function = pool_function

    def get_output_shape_for(self, input_shape):
        """Divide the number of features."""
        axis, groups = self._count_groups(input_shape)
        return (*input_shape[:axis], groups, *input_shape[axis + 1 :])

    def get_output_for(self, input, **kwargs):
        """Return one number a group."""
        grouped, axis = self._grouped(input)
        return self.pool_function(grouped, axis=axis)


class FeatureWTALayer(_BaseGroupLayer):
    r"""Keep the largest of each group of neighbouring features ("winner takes all").

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape, with a known size along `axis`.
    pool_size : int
        Number of features in a group.
    axis : int, default 1
        Where the features are; negative axes count from the end.
    **kwargs
        `name`.

    Raises
    ------
    ValueError, TypeError
        See :class:`FeaturePoolLayer`.

    Notes
    -----
    The others become 0. Of equal features the first is kept.

    References
    ----------
    Rupesh Srivastava et al. (2013): Compete to compute, section 3.
    https://papers.nips.cc/paper/5059-compete-to-compute

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import FeatureWTALayer, InputLayer, get_output
    >>> layer = FeatureWTALayer(InputLayer((None, 4)), pool_size=2)
    >>> out = get_output(layer, np.array([[3.0, 1.0, 2.0, 5.0]]))
    >>> out.eval(mode="FAST_COMPILE").tolist()
    [[3.0, 0.0, 0.0, 5.0]]
    """

    def __init__(self, incoming, pool_size, axis=1, **kwargs):
        super().__init__(incoming, **kwargs)
        self._group(pool_size, axis)

    def get_output_shape_for(self, input_shape):
        """Return the shape of the input."""
        self._count_groups(input_shape)
        return input_shape

    def get_output_for(self, input, **kwargs):
        """Return the input with zeros for all but the winners."""
        grouped, axis = self._grouped(input)
        winner = pt.argmax(grouped, axis=axis, keepdims=True)
        places = pt.arange(self.pool_size).reshape(
            [-1 if each == axis else 1 for each in range(grouped.ndim)]
        )
        kept = pt.switch(pt.eq(places, winner), grouped, pt.zeros((), grouped.dtype))
        return kept.reshape([input.shape[each] for each in range(input.ndim)])
