"""Features that another layer stretches and shifts."""

from __future__ import annotations

import math

from lasagne_next import expressions, init
from lasagne_next.layers.axes import resolve_axes
from lasagne_next.layers.base import MergeLayer, describe
from lasagne_next.params import declare_unit_axes

__all__ = ["FiLMLayer"]


class FiLMLayer(MergeLayer):
    r"""Scale and shift features as a second input says (feature-wise affine).

    Computes :math:`y = (1 + \gamma) \odot x + \beta`, with
    :math:`\gamma = c W_\gamma + b_\gamma` and :math:`\beta = c W_\beta + b_\beta` for
    the conditioning c.

    Parameters
    ----------
    incomings : list of two layers or tuples
        The features x, of any shape, and the conditioning c. All axes of c but the last
        are leading axes of x: (batch, conditions) changes all positions of an example
        alike, (batch, time, conditions) each step in its own way.
    axes : int or tuple of int, default 1
        The axes of x along which :math:`\gamma` and :math:`\beta` differ, usually that
        of the features; they must have known sizes. Negative ones count from the end.
    W_scale, W_shift : parameter, default GlorotUniform(), SHAPE (conditions, features)
        :math:`W_\gamma` and :math:`W_\beta`; with several axes the second size is the
        product of theirs. ``init.Constant(0)`` starts as the identity.
    b_scale, b_shift : parameter or None, default Constant(0), SHAPE (features,)
        :math:`b_\gamma` and :math:`b_\beta`, not regularizable; None for none.
    **kwargs
        `name`.

    Attributes
    ----------
    axes : tuple of int
        Counted from the front.
    W_scale, W_shift, b_scale, b_shift
        As given or made.

    Raises
    ------
    ValueError
        If there are other than two inputs, the leading axes do not agree, an axis of
        `axes` is one of these, or a size that is needed is unknown.
    TypeError
        If `axes` are no integers.

    Notes
    -----
    Usually placed after normalisation and before a nonlinearity. The products use the
    structure of the weights (:func:`lasagne_next.expressions.dot`). As in section 7.2
    of [1]_, :math:`\gamma` is the difference from 1, so that features pass where the
    conditioning says nothing.

    References
    ----------
    .. [1] Ethan Perez and others (2018): FiLM: visual reasoning with a general
       conditioning layer, equations 1 and 2. https://arxiv.org/abs/1709.07871

    Examples
    --------
    >>> from lasagne_next.layers import FiLMLayer
    >>> maps, question = (None, 5, 28, 28), (None, 16)
    >>> layer = FiLMLayer([maps, question], name="film")
    >>> layer.output_shape, layer.W_scale.type.shape
    ((None, 5, 28, 28), (16, 5))
    """

    def __init__(
        self,
        incomings,
        axes=1,
        W_scale=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        W_shift=init.GlorotUniform(),  # noqa: B008
        b_scale=init.Constant(0),  # noqa: B008
        b_shift=init.Constant(0),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incomings, **kwargs)
        if len(self.input_shapes) != 2:
            raise ValueError(
                f"{describe(self)}: incomings must be two, features and conditioning, "
                f"got {len(self.input_shapes)} (input shapes {self.input_shapes})."
            )
        self.axes = resolve_axes(self, "axes", axes, self.input_shapes[0])
        self._check_shapes(self.input_shapes)
        shape = (self.input_shapes[1][-1], math.prod(self._sizes()))
        self.W_scale = self.add_param(W_scale, shape, "W_scale")
        self.b_scale = self._add_bias(b_scale, shape, "b_scale")
        self.W_shift = self.add_param(W_shift, shape, "W_shift")
        self.b_shift = self._add_bias(b_shift, shape, "b_shift")

    def _add_bias(self, spec, shape, name):
        if spec is None:
            return None
        return self.add_param(spec, shape[1:], name, regularizable=False)

    def _sizes(self):
        return [self.input_shapes[0][axis] for axis in self.axes]

    def _check_shapes(self, shapes):
        features, conditioning = shapes
        leading = len(conditioning) - 1
        pairs = zip(features, conditioning[:-1], strict=False)
        if leading < 1 or conditioning[-1] is None or leading > len(features):
            problem = (
                "be (batch, known size), or have more leading axes of the features"
            )
        elif not all(None in pair or pair[0] == pair[1] for pair in pairs):
            problem = "agree with the features along its leading axes"
        else:
            problem = None
        if problem:
            raise ValueError(
                f"{describe(self)}: the shape of the conditioning must {problem}, got "
                f"{conditioning} (input shape {features})."
            )
        if not self.axes or self.axes[0] < leading:
            raise ValueError(
                f"{describe(self)}: axes must be behind the {leading} leading axes of "
                f"the conditioning, got {self.axes!r} (input shape {features}, "
                f"conditioning {conditioning})."
            )
        if None in self._sizes():
            raise ValueError(
                f"{describe(self)}: the sizes of the axes {self.axes} must be known, "
                f"got input shape {features}. Declare them in the InputLayer."
            )

    def get_output_shape_for(self, input_shapes):
        """Return the shape of the features; what one input knows holds for both."""
        features, conditioning = input_shapes
        leading = len(conditioning) - 1
        known = [
            other if own is None else own
            for own, other in zip(features, conditioning[:-1], strict=False)
        ]
        return (*known, *features[leading:])

    def get_output_for(self, inputs, **kwargs):
        """Return the features scaled and shifted, SHAPE of the features."""
        features, conditioning = inputs
        scale = self._project(conditioning, self.W_scale, self.b_scale, features.ndim)
        shift = self._project(conditioning, self.W_shift, self.b_shift, features.ndim)
        return features * (1 + scale) + shift

    def _project(self, conditioning, W, b, ndim):
        """Return a linear map of the conditioning, spread over the features."""
        sizes, leading = self._sizes(), conditioning.ndim - 1
        number = math.prod(sizes)
        values = expressions.dot(conditioning, declare_unit_axes(W, (None, number)))
        if b is not None:
            values = values + declare_unit_axes(b, (number,))
        if len(sizes) > 1:
            values = values.reshape((*conditioning.shape[:leading], *sizes))
        places = iter(range(leading, leading + len(sizes)))
        pattern = [
            axis if axis < leading else next(places) if axis in self.axes else "x"
            for axis in range(ndim)
        ]
        return values.dimshuffle(pattern)
