"""Attention in several heads."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next import expressions, init
from lasagne_next.expressions.attention import weighted_average
from lasagne_next.layers.attention.positions import check_sequence
from lasagne_next.layers.axes import draw_size
from lasagne_next.layers.base import MergeLayer, describe
from lasagne_next.layers.scalars import is_symbolic
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import int_types, match_dtype

__all__ = ["MultiHeadAttentionLayer"]


class MultiHeadAttentionLayer(MergeLayer):
    r"""Let each step of a sequence look at the steps of the same or another one.

    Head h computes :math:`A_h = \mathrm{softmax}(s\, Q_h K_h^T + B_h)\, V_h` with
    :math:`Q_h = X W^Q_h + b^Q_h`, and values likewise from the context. Keys have no
    bias: it would add the same to all scores of a query, and change nothing. The output
    is :math:`[A_1, ..., A_H]\, W^O + b^O`.

    Parameters
    ----------
    incoming : Layer or tuple
        The sequence X that asks, of shape (batch, time, features).
    num_heads : int
        Number of heads.
    context : Layer or tuple, optional
        The sequence that is looked at, of shape (batch, context time, context
        features); by default `incoming` itself (self-attention).
    mask_input : Layer or tuple, optional
        Of shape (batch, context time): nonzero where the context counts. For a mask of
        each query, of shape (batch, time, context time).
    num_units : int, optional
        Features of the output; by default those of `incoming`.
    head_size : int, optional
        Features of a head; by default `num_units` divided by `num_heads`.
    causal : bool, default False
        Whether a step sees only the steps up to itself.
    W_query, W_key, W_value : parameter, default GlorotUniform()
        Weights of the projections, SHAPE (features, num_heads * head_size), the heads
        side by side. Products use their structure
        (:func:`lasagne_next.expressions.dot`).
    W_out : parameter, default GlorotUniform(), SHAPE (num_heads * head_size, num_units)
        Weights of the output.
    b_query, b_value, b_out : parameter or None, default Constant(0)
        Biases, SHAPE (columns of the weights,), not regularizable; None to do without.
    position_bias : parameter, optional, SHAPE (2 * max_distance + 1, num_heads)
        A number for each distance, added to the scores: row `max_distance` + d is for
        keys d steps later than the query [2]_.
    position_keys : parameter, optional, SHAPE (2 * max_distance + 1, head_size)
        A vector for each distance, with which the queries are multiplied, and the
        result added to the scores [3]_. All heads share them.
    max_distance : int, default 16
        Larger distances count as this one. Not used without the two above.
    dropout : number or symbolic scalar, default 0
        Probability of dropping a weight of attention while training.
    scale : number or symbolic scalar, optional
        The factor s; by default one over the root of `head_size`.
    **kwargs
        `name`.

    Attributes
    ----------
    num_heads, num_units, head_size, causal, max_distance, dropout, scale
        As given or made, as are the parameters.

    Raises
    ------
    ValueError
        If a shape or a size does not fit.
    TypeError
        If `dropout` is neither a number nor a symbolic scalar.

    Notes
    -----
    The output has the shape (batch, time, num_units). A step for which nothing counts
    gets the bias of the output alone.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, section 3.2.2.
       https://arxiv.org/abs/1706.03762
    .. [2] Colin Raffel and others (2020): Exploring the limits of transfer learning,
       section 2.1. https://arxiv.org/abs/1910.10683
    .. [3] Peter Shaw, Jakob Uszkoreit and Ashish Vaswani (2018): Self-attention with
       relative position representations, equation 4. https://arxiv.org/abs/1803.02155

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, MultiHeadAttentionLayer
    >>> sequence, other = InputLayer((None, 20, 64)), InputLayer((None, None, 32))
    >>> MultiHeadAttentionLayer(sequence, num_heads=8, causal=True).output_shape
    (None, 20, 64)
    >>> MultiHeadAttentionLayer(sequence, num_heads=8, context=other).W_key.type.shape
    (32, 64)
    """

    def __init__(
        self,
        incoming,
        num_heads,
        context=None,
        mask_input=None,
        num_units=None,
        head_size=None,
        causal=False,
        W_query=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        W_key=init.GlorotUniform(),  # noqa: B008
        W_value=init.GlorotUniform(),  # noqa: B008
        W_out=init.GlorotUniform(),  # noqa: B008
        b_query=init.Constant(0),  # noqa: B008
        b_value=init.Constant(0),  # noqa: B008
        b_out=init.Constant(0),  # noqa: B008
        position_bias=None,
        position_keys=None,
        max_distance=16,
        dropout=0,
        scale=None,
        **kwargs,
    ):
        others = [each for each in (context, mask_input) if each is not None]
        super().__init__([incoming, *others], **kwargs)
        self._srng = RandomStream(draw_seed())
        self._has_context, self._has_mask = context is not None, mask_input is not None
        self.num_heads, self.causal, self.max_distance = num_heads, causal, max_distance
        self.dropout, self.scale = dropout, scale
        self._check_inputs()
        features = self.input_shapes[0][2]
        self.num_units = features if num_units is None else num_units
        self.head_size = self._divided() if head_size is None else head_size
        width = num_heads * self.head_size
        seen = self.input_shapes[int(self._has_context)][2]
        for part, W, b, rows, columns in (
            ("query", W_query, b_query, features, width),
            ("key", W_key, None, seen, width),
            ("value", W_value, b_value, seen, width),
            ("out", W_out, b_out, width, self.num_units),
        ):
            self._add_projection(part, W, b, rows, columns)
        self.position_bias, self.position_keys = position_bias, position_keys
        distances = 2 * max_distance + 1
        if position_bias is not None:
            shape = (distances, num_heads)
            self.position_bias = self.add_param(position_bias, shape, "position_bias")
        if position_keys is not None:
            shape = (distances, self.head_size)
            self.position_keys = self.add_param(position_keys, shape, "position_keys")

    def _add_projection(self, part, W, b, rows, columns):
        setattr(self, f"W_{part}", self.add_param(W, (rows, columns), f"W_{part}"))
        if b is not None:
            b = self.add_param(b, (columns,), f"b_{part}", regularizable=False)
        if part != "key":
            setattr(self, f"b_{part}", b)

    def _check_inputs(self):
        check_sequence(self, self.input_shapes[0])
        if self._has_context:
            check_sequence(self, self.input_shapes[1], "the context")
        if self._has_mask and len(self.input_shapes[-1]) not in (2, 3):
            raise ValueError(
                f"{describe(self)}: the mask must have 2 axes (batch, context time) or "
                f"3 (batch, time, context time), got shape {self.input_shapes[-1]}."
            )
        if not is_symbolic(self, "dropout", self.dropout) and not 0 <= self.dropout < 1:
            raise ValueError(
                f"{describe(self)}: dropout must be at least 0 and below 1, got "
                f"{self.dropout!r}. It is the probability of dropping."
            )
        if self.scale is not None:
            is_symbolic(self, "scale", self.scale)
        for argument in ("num_heads", "max_distance"):
            value = getattr(self, argument)
            if not isinstance(value, int_types) or value < 1:
                raise ValueError(
                    f"{describe(self)}: {argument} must be a positive integer, got "
                    f"{value!r}."
                )

    def _divided(self):
        if self.num_units % self.num_heads:
            raise ValueError(
                f"{describe(self)}: num_heads must be a divisor of num_units, "
                f"{self.num_units}, got {self.num_heads!r}. Or give head_size."
            )
        return self.num_units // self.num_heads

    def get_output_shape_for(self, input_shapes):
        """Replace the number of features by the number of units."""
        return (*input_shapes[0][:2], self.num_units)

    def get_output_for(self, inputs, deterministic=False, structured=True, **kwargs):
        """Return what the steps found, SHAPE (batch, time, num_units)."""
        input, context = inputs[0], inputs[int(self._has_context)]
        mask = inputs[-1] if self._has_mask else None
        query = self._heads(input, "query", structured)
        key = self._heads(context, "key", structured)
        value = self._heads(context, "value", structured)
        mask, bias = self._mask_and_bias(query, key, mask)
        scale = self.head_size**-0.5 if self.scale is None else self.scale
        if self.position_keys is not None:
            places = expressions.positions(query, 2), expressions.positions(key, 2)
            scaled = query * match_dtype(scale, query.dtype)
            scores = expressions.relative_scores(scaled, self.position_keys, *places)
            bias = scores if bias is None else bias + scores
        if self._drops(deterministic):
            weights = expressions.attention_weights(query, key, mask, bias, scale)
            found = weighted_average(self._dropped(weights), value)
        else:
            found = expressions.attention(query, key, value, mask, bias, scale)
        # (batch, heads, time, head_size)
        found = found.transpose(0, 2, 1, 3)  # (batch, time, heads, head_size)
        sizes = input.shape[0], input.shape[1], self.num_heads * self.head_size
        return self._project(found.reshape(sizes), "out", structured)

    def _project(self, input, part, structured):
        W, b = getattr(self, f"W_{part}"), getattr(self, f"b_{part}", None)
        product = expressions.dot(input, W, structured)
        return product if b is None else product + b

    def _heads(self, input, part, structured):
        """Project, and move the heads to an axis of their own in front of the time."""
        projected = self._project(input, part, structured)
        sizes = input.shape[0], input.shape[1], self.num_heads, self.head_size
        return projected.reshape(sizes).transpose(0, 2, 1, 3)

    def _mask_and_bias(self, query, key, mask):
        """Return what is allowed and what to add to the scores, None for nothing."""
        bias = None
        if self.causal or self.position_bias is not None:
            places = expressions.positions(query, 2), expressions.positions(key, 2)
        if self.position_bias is not None:
            bias = expressions.relative_bias(self.position_bias, *places)
            bias = bias[None]  # (1, heads, time, context time)
        if mask is not None:
            pattern = (0, "x", "x", 1) if mask.ndim == 2 else (0, "x", 1, 2)
            mask = mask.dimshuffle(*pattern)
        if self.causal:
            past = expressions.causal_mask(*places)[None, None]
            mask = past if mask is None else past & pt.neq(mask, 0)
        return mask, bias

    def _drops(self, deterministic):
        none = not is_symbolic(self, "dropout", self.dropout) and self.dropout == 0
        return not (deterministic or none)

    def _dropped(self, weights):
        keep = 1 - match_dtype(self.dropout, weights.dtype)
        mask = self._srng.bernoulli_mask(draw_size(weights), keep, weights.dtype)
        return weights * (mask / keep)
