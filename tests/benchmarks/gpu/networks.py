"""The networks: once of layers of the library, once of functions.

A network has a method ``build`` that returns (inputs, loss, parameters, arrays), and a
method ``loss(F, p, *arrays)``, the same for PyTorch and JAX: F is one of
:mod:`tests.benchmarks.gpu.functions`, p the parameters by name.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

CLASSES = 10
GATES = ("ingate", "forgetgate", "cell", "outgate")


class Network:
    """What all have in common."""

    def build(self):
        """Return input variables, loss, parameters and the arrays to feed."""
        import pytensor

        from lasagne_next import random
        from lasagne_next.layers import get_all_params

        pytensor.config.floatX = "float32"
        random.set_rng(np.random.default_rng(5))
        inputs, loss, output = self.expression()
        return inputs, loss, get_all_params(output, trainable=True), self.arrays()

    def start(self):
        """Return the parameters' values by name, and the arrays."""
        _, _, params, arrays = self.build()
        values = {each.name: each.get_value() for each in params}
        return self.joined(values), arrays

    def joined(self, values):
        """Return the parameters as an expert would keep them."""
        return values


class Classifier(Network):
    """Base of networks that end in classes."""

    output_options: ClassVar = {}

    def classify(self, network, l_in):
        """Return inputs, loss and the last layer."""
        import pytensor.tensor as pt

        from lasagne_next import layers, objectives

        labels = pt.ivector("labels")
        output = layers.DenseLayer(network, CLASSES, nonlinearity=None, name="out")
        logits = layers.get_output(output, **self.output_options)
        loss = objectives.categorical_crossentropy_from_logits(logits, labels).mean()
        return [l_in.input_var, labels], loss, output

    def arrays(self):
        """Return a batch and its labels."""
        rng = np.random.default_rng(3)
        x = rng.normal(size=self.shape).astype("float32")
        return x, rng.integers(0, CLASSES, self.shape[0]).astype("int32")


class Dense(Classifier):
    """Dense layers."""

    title = "784-800-800-10 classifier, batch 256"
    shape = (256, 784)

    def expression(self):
        """Stack two layers of 800 units."""
        from lasagne_next import layers

        l_in = network = layers.InputLayer((None, self.shape[1]))
        for index in range(2):
            network = layers.DenseLayer(network, 800, name=f"dense{index}")
        return self.classify(network, l_in)

    def loss(self, F, p, x, labels):
        """Return the loss by functions."""
        for index in range(2):
            x = F.relu(x @ p[f"dense{index}.W"] + p[f"dense{index}.b"])
        return F.crossentropy(x @ p["out.W"] + p["out.b"], labels)


class Residual(Classifier):
    """ResNet-20 of He and others (2015), section 4.2, with projections."""

    title = "ResNet-20, 3x32x32, batch 256"
    shape = (256, 3, 32, 32)
    output_options: ClassVar = {"batch_norm_update_averages": False}
    blocks = tuple(
        (f"{stage}{block}", width, 2 if block == 0 and stage > 0 else 1)
        for stage, width in enumerate((16, 32, 64))
        for block in range(3)
    )

    def expression(self):
        """Stack three stages of three blocks."""
        from lasagne_next import layers, nonlinearities

        def convolved(layer, width, size, stride, name):
            return layers.Conv2DLayer(
                layer,
                width,
                size,
                stride=stride,
                pad=size // 2,
                b=None,
                nonlinearity=None,
                flip_filters=False,
                name=name,
            )

        def normed(layer, name):
            return layers.BatchNormLayer(layer, name=name)

        def rectified(layer):
            return layers.NonlinearityLayer(layer, nonlinearities.rectify)

        l_in = layers.InputLayer((None, *self.shape[1:]))
        network = rectified(normed(convolved(l_in, 16, 3, 1, "first"), "norm"))
        for name, width, stride in self.blocks:
            h = convolved(network, width, 3, stride, f"conv{name}a")
            h = rectified(normed(h, f"norm{name}a"))
            h = normed(convolved(h, width, 3, 1, f"conv{name}b"), f"norm{name}b")
            if stride > 1:
                network = convolved(network, width, 1, stride, f"skip{name}")
            network = rectified(layers.ElemwiseSumLayer([network, h]))
        return self.classify(layers.GlobalPoolLayer(network), l_in)

    def loss(self, F, p, x, labels):
        """Return the loss by functions."""

        def normed(x, name):
            return F.batch_norm(x, p[f"{name}.gamma"], p[f"{name}.beta"])

        x = F.relu(normed(F.convolve(x, p["first.W"], 1), "norm"))
        for name, _, stride in self.blocks:
            h = F.convolve(x, p[f"conv{name}a.W"], stride)
            h = F.convolve(F.relu(normed(h, f"norm{name}a")), p[f"conv{name}b.W"], 1)
            if stride > 1:
                x = F.convolve(x, p[f"skip{name}.W"], stride)
            x = F.relu(x + normed(h, f"norm{name}b"))
        return F.crossentropy(x.mean((2, 3)) @ p["out.W"] + p["out.b"], labels)


class Recurrent(Network):
    """One LSTM without peepholes."""

    title = "LSTM, batch 64, 100 steps, 64 inputs, 128 units"
    shape, units = (64, 100, 64), 128

    def expression(self):
        """Return the mean square of all hidden states."""
        import pytensor.tensor as pt

        from lasagne_next import layers

        l_in = layers.InputLayer((None, *self.shape[1:]))
        lstm = layers.LSTMLayer(l_in, self.units, peepholes=False, name="lstm")
        return [l_in.input_var], pt.sqr(layers.get_output(lstm)).mean(), lstm

    def arrays(self):
        """Return a batch of sequences."""
        x = np.random.default_rng(3).normal(size=self.shape)
        return (x.astype("float32"),)

    def joined(self, values):
        """Return the gates side by side."""

        def side_by_side(kind):
            parts = [values[f"lstm.{kind}{gate}"] for gate in GATES]
            return np.concatenate(parts, axis=-1)

        return {
            "W_in": side_by_side("W_in_to_"),
            "W_hid": side_by_side("W_hid_to_"),
            "b": side_by_side("b_"),
        }

    def loss(self, F, p, x):
        """Return the loss by functions."""
        return (F.lstm(x, p["W_in"], p["W_hid"], p["b"]) ** 2).mean()


class Transformer(Network):
    """One block with the norms first."""

    title = "transformer block, batch 16, 256 steps, width 256, 8 heads"
    shape, heads = (16, 256, 256), 8

    def expression(self):
        """Return the mean square of a normed block."""
        import pytensor.tensor as pt

        from lasagne_next import layers

        l_in = layers.InputLayer((None, *self.shape[1:]))
        block = layers.transformer_block(l_in, self.heads, name="block")
        return [l_in.input_var], pt.sqr(layers.get_output(block)).mean(), block

    def arrays(self):
        """Return a batch of sequences."""
        x = np.random.default_rng(3).normal(size=self.shape)
        return (x.astype("float32"),)

    def loss(self, F, p, x):
        """Return the loss by functions."""

        def normed(x, name):
            return F.layer_norm(x, p[f"{name}.gamma"], p[f"{name}.beta"])

        def projected(x, part):
            y = x @ p[f"block_attention.W_{part}"]
            return y if part == "key" else y + p[f"block_attention.b_{part}"]

        h = normed(x, "block_attention_norm")
        parts = (F.heads(projected(h, each), self.heads) for each in
                 ("query", "key", "value"))  # fmt: skip
        x = x + projected(F.attention(*parts), "out")
        h = normed(x, "block_out_norm") @ p["block_hidden.W"] + p["block_hidden.b"]
        x = x + F.gelu(h) @ p["block_out.W"] + p["block_out.b"]
        return (x**2).mean()


class LowRank(Network):
    """A dense layer whose weight is a product, written out by nobody but PyTorch."""

    title = "dense layer of 2048 units, W of rank 32, batch 64"
    shape, rank = (64, 2048), 32

    def expression(self):
        """Return the mean square of the output."""
        import pytensor.tensor as pt

        from lasagne_next import expressions, layers

        l_in = layers.InputLayer((None, self.shape[1]))
        W = expressions.LowRank(rank=self.rank)
        layer = layers.DenseLayer(
            l_in, self.shape[1], W=W, nonlinearity=None, name="dense"
        )
        return [l_in.input_var], pt.sqr(layers.get_output(layer)).mean(), layer

    def arrays(self):
        """Return a batch."""
        x = np.random.default_rng(3).normal(size=self.shape)
        return (x.astype("float32"),)

    def joined(self, values):
        """Name the factors by their shapes."""
        left, right, b = (
            next(each for each in values.values() if each.shape == shape)
            for shape in (
                (self.shape[1], self.rank),
                (self.rank, self.shape[1]),
                (self.shape[1],),
            )
        )
        return {"U": left, "V": right, "b": b}

    def loss(self, F, p, x):
        """Return the loss by functions, the factors apart."""
        return ((x @ p["U"] @ p["V"] + p["b"]) ** 2).mean()


NETWORKS = {
    "classifier": Dense(),
    "resnet20": Residual(),
    "lstm": Recurrent(),
    "transformer": Transformer(),
    "low_rank": LowRank(),
}
