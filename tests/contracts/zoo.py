"""One line a public class: what the contract of layers and update rules is run over."""

from functools import partial

import pytensor.tensor as pt

from lasagne_next import layers, updates
from lasagne_next.init import Constant, GlorotUniform, Normal
from lasagne_next.layers import DenseLayer

# What has no output map of its own: the bases, and the input.
# Cells have none either: they are tested by what runs them.
BASES = {layers.Layer, layers.MergeLayer, layers.InputLayer}

FLAT, MAPS, STEPS = (None, 7), (None, 3, 5, 2), (None, 3, 2)
SEQUENCES, IMAGES, VOLUMES = (None, 3, 7), (None, 4, 7, 5), (None, 2, 3, 5, 4)
SEQUENCE = (None, 7, 6)


def inverse(incoming, name=None):
    """Return a decoder that mirrors an encoder on the way."""

    def weights(shape):
        return GlorotUniform()(shape).astype(incoming.input_var.dtype)

    encoder = DenseLayer(incoming, 3, W=weights, b=None, nonlinearity=pt.tanh)
    return layers.InverseLayer(encoder, encoder, name=name)


def weights_like(incoming):
    """Return an initialiser that draws numbers of the type of an input."""
    dtype = incoming.input_var.dtype
    return lambda shape: GlorotUniform()(shape).astype(dtype)


def plain_recurrence(incoming, name=None, **params):
    """Return a recurrent layer, whose weights belong to layers inside."""
    weights = weights_like(incoming)
    return layers.RecurrentLayer(
        incoming, 3, weights, weights, b=None, nonlinearity=pt.tanh, name=name, **params
    )


def custom_recurrence(incoming, name=None, **params):
    """Return a recurrence over maps, with a mask."""
    weights = weights_like(incoming)

    def network(channels):
        below = layers.InputLayer((None, channels, 2))
        return layers.NINLayer(below, 3, W=weights, b=None, nonlinearity=None)

    return layers.CustomRecurrentLayer(
        incoming, network(5), network(3), nonlinearity=pt.tanh, name=name, **params
    )


def gated(layer, gates, incoming, name=None, **params):
    """Return a layer of gates, each parameter of which is given by its own name."""
    made = {}
    for gate, W_cell, nonlinearity in gates:
        specs = {
            start.strip("_to"): params.pop(f"{start}{gate}")
            for start in ("W_in_to_", "W_hid_to_", "W_cell_to_", "b_")
            if f"{start}{gate}" in params
        }
        specs.setdefault("W_cell", W_cell)
        made[gate] = layers.Gate(**specs, nonlinearity=nonlinearity)
    return layer(incoming, num_units=3, name=name, **made, **params)


def lstm(incoming, **kwargs):
    """Return an LSTM."""
    sigmoid, normal = pt.sigmoid, Normal(0.1)
    gates = [(gate, normal, sigmoid) for gate in ("ingate", "forgetgate", "outgate")]
    return gated(
        layers.LSTMLayer, [*gates, ("cell", None, pt.tanh)], incoming, **kwargs
    )


def gru(incoming, **kwargs):
    """Return gated recurrent units."""
    gates = [(gate, None, pt.sigmoid) for gate in ("updategate", "resetgate")]
    gates.append(("hidden_update", None, pt.tanh))
    return gated(layers.GRULayer, gates, incoming, **kwargs)


class Smoother(layers.Cell):
    """A cell that mixes what comes with what was."""

    state_shapes, output_names = {"hid": (5, 2)}, ("hid",)

    def __init__(self, incoming, rate, **kwargs):
        super().__init__(incoming, **kwargs)
        self.rate = self.add_param(rate, (5, 1), name="rate", regularizable=False)

    def step(self, inputs, states, context, **kwargs):
        return {"hid": inputs[0] + pt.tanh(self.rate * states["hid"])}


def scanned(incoming, name=None, hid_init=None):
    """Return a cell run backwards."""
    cell = Smoother((None, 5, 2), weights_like(incoming))
    initials = {"hid": hid_init or Constant(0)}
    return layers.ScanLayer(incoming, cell, initials, backwards=True, name=name)


def last_state(incoming, name=None):
    """Return the last state of a recurrence."""
    cell = Smoother((None, 5, 2), weights_like(incoming))
    start = Constant(0)((1, 5, 2)).astype(incoming.input_var.dtype)
    scan = layers.ScanLayer(incoming, cell, {"hid": start})
    return layers.StateLayer(scan, name=name)


def divergence(incomings, name=None):
    """Return an output that is not the main one."""
    return layers.OutputLayer(layers.GaussianSampleLayer(incomings), "kl", name=name)


def one_state(incoming, name=None):
    """Return an output of a recurrence, read by its name."""
    return layers.OutputLayer(last_state(incoming).input_layer, "hid", name=name)


def attention_with_all(incomings, name=None, **params):
    """Return attention to a context, with everything that may be left out."""
    incoming, context = incomings
    if not params:
        normal = Normal(1)
        params = {"position_bias": normal, "position_keys": normal}
    return layers.MultiHeadAttentionLayer(
        incoming,
        num_heads=3,
        context=context,
        num_units=4,
        head_size=2,
        max_distance=2,
        scale=0.5,
        name=name,
        **params,
    )


def moved(kind, incomings, **kwargs):
    """Return a layer that reads an image where another input says."""
    return kind(*incomings, **kwargs)


def halves(x):
    """Return every other column."""
    return x[:, ::2] * 2


def lookups(generator, shape):
    """Draw numbers of rows."""
    return generator.integers(0, 11, shape)


# Name: (factory, shape or shapes of the input).
LAYERS = {
    "BatchNormLayer": (layers.BatchNormLayer, MAPS),
    "BatchNormLayer, two axes": (
        partial(layers.BatchNormLayer, axes=(0, -1)),
        MAPS,
    ),
    "BiasLayer": (layers.BiasLayer, MAPS),
    "BiasLayer, one axis": (partial(layers.BiasLayer, shared_axes=(0, 2)), MAPS),
    "ConcatLayer": (layers.ConcatLayer, [(None, 3, 2), (None, 5, 2)]),
    "ConcatLayer, cropped": (
        partial(layers.ConcatLayer, cropping=[None, None, "center"]),
        [(None, 3, 7), (None, 5, 2)],
    ),
    "CustomRecurrentLayer": (custom_recurrence, MAPS),
    "Conv1DLayer": (
        partial(
            layers.Conv1DLayer, num_filters=2, filter_size=2, pad="causal", dilation=3
        ),
        SEQUENCES,
    ),
    "Conv2DLayer": (
        partial(layers.Conv2DLayer, num_filters=6, filter_size=(3, 2), num_groups=2),
        IMAGES,
    ),
    "Conv2DLayer, untied": (
        partial(
            layers.Conv2DLayer,
            num_filters=3,
            filter_size=2,
            stride=(2, 1),
            pad="same",
            untie_biases=True,
        ),
        IMAGES,
    ),
    "Conv3DLayer": (
        partial(layers.Conv3DLayer, num_filters=3, filter_size=2, flip_filters=False),
        VOLUMES,
    ),
    "DenseLayer": (partial(DenseLayer, num_units=5), MAPS),
    "DenseLayer, two axes": (
        partial(DenseLayer, num_units=2, num_leading_axes=2, nonlinearity=None),
        MAPS,
    ),
    "DepthwiseConv1DLayer": (
        partial(layers.DepthwiseConv1DLayer, filter_size=3),
        SEQUENCES,
    ),
    "DepthwiseConv2DLayer": (
        partial(layers.DepthwiseConv2DLayer, filter_size=(3, 2), depth_multiplier=2),
        IMAGES,
    ),
    "DilatedConv2DLayer": (
        partial(
            layers.DilatedConv2DLayer, num_filters=3, filter_size=2, dilation=(3, 2)
        ),
        IMAGES,
    ),
    "DimshuffleLayer": (
        partial(layers.DimshuffleLayer, pattern=(0, 2, "x", 3, 1)),
        MAPS,
    ),
    "DropoutLayer": (partial(layers.DropoutLayer, p=0.3), MAPS),
    "DropoutLayer, channels": (partial(layers.DropoutLayer, shared_axes=(2, 3)), MAPS),
    "ElemwiseMergeLayer": (
        partial(layers.ElemwiseMergeLayer, merge_function=pt.mul),
        [FLAT, FLAT],
    ),
    "ElemwiseSumLayer": (
        partial(layers.ElemwiseSumLayer, coeffs=[2, -0.5]),
        [MAPS, MAPS],
    ),
    "EmbeddingLayer": (
        partial(layers.EmbeddingLayer, input_size=11, output_size=3),
        FLAT,
    ),
    "ExpressionLayer": (
        partial(layers.ExpressionLayer, function=halves, output_shape="auto"),
        FLAT,
    ),
    "FeaturePoolLayer": (partial(layers.FeaturePoolLayer, pool_size=2), IMAGES),
    "FeatureWTALayer": (
        partial(layers.FeatureWTALayer, pool_size=5, axis=-1),
        IMAGES,
    ),
    "FiLMLayer": (layers.FiLMLayer, [MAPS, (None, 4)]),
    "FiLMLayer, each step": (
        partial(layers.FiLMLayer, axes=(2, 3)),
        [MAPS, (None, 3, 4)],
    ),
    "FlattenLayer": (partial(layers.FlattenLayer, outdim=3), MAPS),
    "GRULayer": (gru, STEPS),
    "GatedActivationLayer": (layers.GatedActivationLayer, IMAGES),
    "GatedActivationLayer, linear": (
        partial(layers.GatedActivationLayer, axis=-1, nonlinearity=None),
        (None, 3, 6),
    ),
    "GaussianNoiseLayer": (layers.GaussianNoiseLayer, MAPS),
    "GaussianSampleLayer": (layers.GaussianSampleLayer, [MAPS, MAPS]),
    "GradientReversalLayer": (
        partial(layers.GradientReversalLayer, scale=0.3),
        FLAT,
    ),
    "GroupNormLayer": (partial(layers.GroupNormLayer, num_groups=3), (None, 6, 5, 2)),
    "InstanceNormLayer": (layers.InstanceNormLayer, MAPS),
    "GlobalPoolLayer": (layers.GlobalPoolLayer, IMAGES),
    "InverseLayer": (inverse, FLAT),
    "LayerNormLayer": (layers.LayerNormLayer, MAPS),
    "LayerNormLayer, two axes": (partial(layers.LayerNormLayer, axes=(1, -1)), MAPS),
    "LocalResponseNormalization2DLayer": (
        partial(layers.LocalResponseNormalization2DLayer, alpha=0.1, n=3),
        MAPS,
    ),
    "LocallyConnected2DLayer": (
        partial(layers.LocallyConnected2DLayer, num_filters=3, filter_size=(3, 2)),
        IMAGES,
    ),
    "LocallyConnected2DLayer, channelwise": (
        partial(
            layers.LocallyConnected2DLayer,
            num_filters=4,
            filter_size=2,
            channelwise=True,
            flip_filters=False,
        ),
        IMAGES,
    ),
    "MaxPool1DLayer": (
        partial(layers.MaxPool1DLayer, pool_size=3, stride=2, pad=1),
        SEQUENCES,
    ),
    "MaxPool2DLayer": (partial(layers.MaxPool2DLayer, pool_size=(3, 2)), IMAGES),
    "MaxPool3DLayer": (
        partial(layers.MaxPool3DLayer, pool_size=2, ignore_border=False),
        VOLUMES,
    ),
    "LSTMLayer": (lstm, STEPS),
    "MultiHeadAttentionLayer": (
        partial(layers.MultiHeadAttentionLayer, num_heads=2, causal=True),
        SEQUENCE,
    ),
    "MultiHeadAttentionLayer, relative": (attention_with_all, [SEQUENCE, (None, 3, 5)]),
    "NINLayer": (partial(layers.NINLayer, num_units=5), MAPS),
    "NINLayer, untied": (
        partial(layers.NINLayer, num_units=5, untie_biases=True),
        MAPS,
    ),
    "NonlinearityLayer": (layers.NonlinearityLayer, MAPS),
    "OutputLayer": (one_state, MAPS),
    "OutputLayer, divergence": (divergence, [MAPS, MAPS]),
    "PadLayer": (partial(layers.PadLayer, width=[1, (0, 2)], val=0.5), MAPS),
    "ParametricRectifierLayer": (layers.ParametricRectifierLayer, MAPS),
    "ParametricRectifierLayer, one slope": (
        partial(layers.ParametricRectifierLayer, shared_axes="all"),
        MAPS,
    ),
    "PositionEmbeddingLayer": (
        partial(layers.PositionEmbeddingLayer, num_positions=9),
        SEQUENCE,
    ),
    "PositionEncodingLayer": (layers.PositionEncodingLayer, SEQUENCE),
    "RMSNormLayer": (layers.RMSNormLayer, MAPS),
    "PixelShuffleLayer": (
        partial(layers.PixelShuffleLayer, scale_factor=(2, 1)),
        IMAGES,
    ),
    "PixelUnshuffleLayer": (
        partial(layers.PixelUnshuffleLayer, scale_factor=(3, 5, 2)),
        VOLUMES,
    ),
    "Pool1DLayer": (
        partial(layers.Pool1DLayer, pool_size=2, dilation=3, mode="average_exc_pad"),
        SEQUENCES,
    ),
    "Pool2DLayer": (
        partial(layers.Pool2DLayer, pool_size=3, pad=1, mode="average_inc_pad"),
        IMAGES,
    ),
    "Pool3DLayer": (
        partial(layers.Pool3DLayer, pool_size=(2, 3, 2), stride=1),
        VOLUMES,
    ),
    "RandomizedRectifierLayer": (layers.RandomizedRectifierLayer, MAPS),
    "RecurrentLayer": (plain_recurrence, MAPS),
    "ReshapeLayer": (partial(layers.ReshapeLayer, shape=([0], [2], -1)), MAPS),
    "ScaleLayer": (layers.ScaleLayer, MAPS),
    "ScanLayer": (scanned, MAPS),
    "SeparableConv1DLayer": (
        partial(layers.SeparableConv1DLayer, num_filters=2, filter_size=3, stride=2),
        SEQUENCES,
    ),
    "SeparableConv2DLayer": (
        partial(layers.SeparableConv2DLayer, num_filters=3, filter_size=2),
        IMAGES,
    ),
    "SliceLayer": (partial(layers.SliceLayer, indices=slice(1, -1), axis=2), MAPS),
    "SliceLayer, one index": (partial(layers.SliceLayer, indices=-1, axis=1), MAPS),
    "SpatialPyramidPoolingLayer": (
        partial(layers.SpatialPyramidPoolingLayer, pool_dims=[2, 1]),
        IMAGES,
    ),
    "StandardizationLayer": (layers.StandardizationLayer, MAPS),
    "StandardizationLayer, features": (
        partial(layers.StandardizationLayer, axes="features"),
        MAPS,
    ),
    "TPSTransformerLayer": (
        partial(moved, layers.TPSTransformerLayer, control_points=4),
        [MAPS, (None, 8)],
    ),
    "TimeEmbeddingLayer": (partial(layers.TimeEmbeddingLayer, num_units=6), (None,)),
    "TimeEmbeddingLayer, learnt": (
        partial(layers.TimeEmbeddingLayer, num_units=4, learnable=True),
        FLAT,
    ),
    "TransformerLayer": (
        partial(moved, layers.TransformerLayer, downsample_factor=(2, 0.4)),
        [MAPS, (None, 6)],
    ),
    "TransposedConv1DLayer": (
        partial(
            layers.TransposedConv1DLayer, num_filters=2, filter_size=3, stride=2, crop=1
        ),
        SEQUENCES,
    ),
    "TransposedConv2DLayer": (
        partial(
            layers.TransposedConv2DLayer,
            num_filters=6,
            filter_size=2,
            stride=2,
            num_groups=2,
            output_size=(15, 10),
        ),
        IMAGES,
    ),
    "TransposedConv3DLayer": (
        partial(layers.TransposedConv3DLayer, num_filters=3, filter_size=2),
        VOLUMES,
    ),
    "Upscale1DLayer": (
        partial(layers.Upscale1DLayer, scale_factor=2, mode="linear"),
        SEQUENCES,
    ),
    "Upscale2DLayer": (partial(layers.Upscale2DLayer, scale_factor=(1, 2)), IMAGES),
    "Upscale3DLayer": (
        partial(layers.Upscale3DLayer, scale_factor=(3, 1, 2), mode="dilate"),
        VOLUMES,
    ),
    "StateLayer": (last_state, MAPS),
    "VectorQuantizationLayer": (
        partial(layers.VectorQuantizationLayer, num_codes=11),
        MAPS,
    ),
    "VectorQuantizationLayer, averaged": (
        partial(layers.VectorQuantizationLayer, num_codes=4, axis=-1, decay=0.9),
        SEQUENCES,
    ),
}

DRAWS = {"EmbeddingLayer": lookups}

# Layers whose gradient is not the slope, on purpose.
OTHER_GRADIENTS = {"GradientReversalLayer", "VectorQuantizationLayer"}

# Name: hyper-parameters with which fifty steps lower a quadratic.
RULES = {
    "adabelief": {"learning_rate": 0.01},
    "adadelta": {},
    "adagrad": {"learning_rate": 0.1},
    "adam": {"learning_rate": 0.01},
    "adamax": {"learning_rate": 0.01},
    "adamw": {"learning_rate": 0.01},
    "amsgrad": {"learning_rate": 0.01},
    "lamb": {"learning_rate": 0.01},
    "lion": {"learning_rate": 0.01},
    "momentum": {"learning_rate": 0.01},
    "nadam": {"learning_rate": 0.01},
    "nesterov_momentum": {"learning_rate": 0.01},
    "radam": {"learning_rate": 0.01},
    "rmsprop": {"learning_rate": 0.01},
    "rprop": {},
    "sgd": {"learning_rate": 0.1},
}


# What takes long to compile on Numba: loops over time, whose own tests compile them,
# and layers that are made of the same operations as others here.
LONG_ON_NUMBA = {
    *layers.recurrent.__all__,
    "OutputLayer",
    "StateLayer",
    "Conv1DLayer",
    "Conv2DLayer, untied",
    "Conv3DLayer",
    "DepthwiseConv1DLayer",
    "FeaturePoolLayer",
    "FeatureWTALayer",
    "GroupNormLayer",
    "InstanceNormLayer",
    "LayerNormLayer",
    "LocalResponseNormalization2DLayer",
    "LocallyConnected2DLayer",
    "MaxPool1DLayer",
    "MaxPool3DLayer",
    "MaxPool2DLayer",
    "MultiHeadAttentionLayer",
    "Pool1DLayer",
    "Pool3DLayer",
    "SeparableConv1DLayer",
    "SpatialPyramidPoolingLayer",
    "StandardizationLayer",
    "TPSTransformerLayer",
    "TimeEmbeddingLayer, learnt",
    "TransformerLayer",
    "TransposedConv1DLayer",
    "TransposedConv3DLayer",
    "Upscale1DLayer",
    "Upscale3DLayer",
    "VectorQuantizationLayer",
}


def is_long_on_numba(name):
    """Tell whether a layer of the zoo is compiled on Numba in slow runs only."""
    return name in LONG_ON_NUMBA or name.split(",")[0] in LONG_ON_NUMBA


def has_another_gradient(name):
    """Tell whether the gradient of a layer of the zoo is not the slope, on purpose."""
    return name.split(",")[0] in OTHER_GRADIENTS


def public_layers():
    """Return the names of the layer classes that users build networks of."""
    kinds = {name: getattr(layers, name) for name in layers.__all__}
    return {
        kind.__name__
        for kind in kinds.values()
        if isinstance(kind, type) and issubclass(kind, layers.Layer)
        if kind not in BASES and not issubclass(kind, layers.Cell)
    }


def public_rules():
    """Return the names of the update rules, told by their first arguments."""
    kinds = {name: getattr(updates, name) for name in updates.__all__}
    return {
        name
        for name, rule in kinds.items()
        if rule.__module__.rpartition(".")[2] in ("adaptive", "classic", "decay")
        or rule.__module__.endswith("moments")
        if not name.startswith("apply_")
    }
