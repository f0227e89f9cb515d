"""A block of attention and dense layers, with shortcuts."""

from __future__ import annotations

from pytensor.graph.basic import Variable

from lasagne_next import nonlinearities
from lasagne_next.layers.attention.multi_head import MultiHeadAttentionLayer
from lasagne_next.layers.dense import DenseLayer
from lasagne_next.layers.merge import ElemwiseSumLayer
from lasagne_next.layers.noise import DropoutLayer
from lasagne_next.layers.normalization import LayerNormLayer

__all__ = ["transformer_block"]


def transformer_block(
    incoming,
    num_heads,
    num_hidden=None,
    context=None,
    mask_input=None,
    context_mask=None,
    causal=False,
    pre_norm=True,
    dropout=0,
    nonlinearity=nonlinearities.gelu,
    norm=LayerNormLayer,
    attention=MultiHeadAttentionLayer,
    name=None,
):
    r"""Stack attention and two dense layers, each with a norm and a shortcut.

    Each part computes :math:`x + f(\mathrm{norm}(x))`, or
    :math:`\mathrm{norm}(x + f(x))` as in [1]_, where f is self-attention, then
    attention to the context if there is one, then two dense layers at each step.

    Parameters
    ----------
    incoming : Layer
        Of shape (batch, time, features).
    num_heads : int
        Number of heads, a divisor of the number of features.
    num_hidden : int, optional
        Units of the first dense layer; by default four times the features.
    context : Layer, optional
        A sequence that is looked at too, such as the output of an encoder.
    mask_input, context_mask : Layer, optional
        Masks of `incoming` and `context`, of shape (batch, time): nonzero where
        something is.
    causal : bool, default False
        Whether self-attention sees only the past.
    pre_norm : bool, default True
        Whether the norm comes first within the branch, which trains without a warm-up
        of the learning rate [2]_. Then one more norm belongs on top of all blocks.
    dropout : number or symbolic scalar, default 0
        Probability of dropping an element of each branch.
    nonlinearity : callable, default gelu
        Of the first dense layer.
    norm : callable, default LayerNormLayer
        ``norm(layer, name=...)`` makes a norm, such as :class:`RMSNormLayer`.
    attention : callable, default MultiHeadAttentionLayer
        ``attention(layer, num_heads, context=..., mask_input=..., causal=...,
        name=...)``. Use ``functools.partial`` to give it more arguments.
    name : str, optional
        The layers are called "<name>_attention", "<name>_context", "<name>_hidden" and
        "<name>_out", and their norms "<name>_attention_norm" and so on.

    Returns
    -------
    Layer
        The last layer of the block, with the shape of `incoming`.

    References
    ----------
    .. [1] Ashish Vaswani and others (2017): Attention is all you need, section 3.1.
       https://arxiv.org/abs/1706.03762
    .. [2] Ruibin Xiong and others (2020): On layer normalization in the transformer
       architecture, section 3. https://arxiv.org/abs/2002.04745

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, count_params, transformer_block
    >>> block = transformer_block(InputLayer((None, 20, 64)), num_heads=8)
    >>> block.output_shape, count_params(block)
    ((None, 20, 64), 49920)
    """
    drops = isinstance(dropout, Variable) or dropout != 0

    def named(part):
        return None if name is None else f"{name}_{part}"

    def attend(layer, part, **more):
        return attention(layer, num_heads, name=named(part), **more)

    def dense(layer, part):
        features = layer.output_shape[-1]
        units = 4 * features if num_hidden is None else num_hidden
        layer = DenseLayer(
            layer,
            units,
            nonlinearity=nonlinearity,
            num_leading_axes=-1,
            name=named("hidden"),
        )
        return DenseLayer(
            layer, features, nonlinearity=None, num_leading_axes=-1, name=named(part)
        )

    def added(layer, part, function, **more):
        normed = norm(layer, name=named(f"{part}_norm")) if pre_norm else layer
        branch = function(normed, part, **more)
        if drops:
            branch = DropoutLayer(branch, p=dropout, name=named(f"{part}_dropout"))
        layer = ElemwiseSumLayer([layer, branch], name=named(f"{part}_sum"))
        return layer if pre_norm else norm(layer, name=named(f"{part}_norm"))

    layer = added(incoming, "attention", attend, mask_input=mask_input, causal=causal)
    if context is not None:
        layer = added(
            layer, "context", attend, context=context, mask_input=context_mask
        )
    return added(layer, "out", dense)
