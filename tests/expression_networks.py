"""Networks with every kind of parameter, for tests of saving, copying and pickling."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import expressions
from lasagne_next.layers import DenseLayer, DropoutLayer, InputLayer, Layer, MergeLayer
from lasagne_next.params import set_tags
from lasagne_next.random import RandomStream, draw_seed, get_rng


class PowerLayer(Layer):
    """Raises to an integer power held in a parameter."""

    def __init__(self, incoming, power, **kwargs):
        super().__init__(incoming, **kwargs)
        self.power = self.add_param(power, (), name="power")

    def get_output_for(self, input, **kwargs):
        return input**self.power


class BilinearLayer(MergeLayer):
    """Merges two inputs by weights held in a list."""

    def __init__(self, incomings, num_units, **kwargs):
        super().__init__(incomings, **kwargs)
        self.num_units = num_units
        self.weights = [
            self.add_param(draw(shape[1], num_units), (shape[1], num_units), f"W{i}")
            for i, shape in enumerate(self.input_shapes)
        ]

    def get_output_shape_for(self, input_shapes):
        return (input_shapes[0][0], self.num_units)

    def get_output_for(self, inputs, **kwargs):
        left, right = (pt.dot(x, w) for x, w in zip(inputs, self.weights, strict=True))
        return left * right


def draw(*shape):
    return get_rng().normal(size=shape)


def tied():
    code = DenseLayer(InputLayer((None, 7), name="in"), 5, name="code")
    return DenseLayer(code, 7, W=code.W.T, name="out")


def shared_weights():
    first = DenseLayer(InputLayer((None, 5)), 5, name="first")
    return DenseLayer(first, 5, W=first.W, name="second")


def low_rank():
    u, v = pytensor.shared(draw(7, 2)), pytensor.shared(draw(2, 5), name="v")
    return DenseLayer(InputLayer((None, 7)), 5, W=pt.dot(u, v), b=None, name="thin")


def masked():
    mask = pytensor.shared((draw(7, 5) > 0) * 1.0, name="mask")
    values = pytensor.shared(draw(7, 5), name="values")
    set_tags(mask, trainable=False)
    return DenseLayer(InputLayer((None, 7)), 5, W=mask * values, name="sparse")


def integer():
    return PowerLayer(DenseLayer(InputLayer((None, 7)), 3), np.array(2, "int32"))


def merged():
    left, right = InputLayer((None, 3)), InputLayer((None, 2))
    return BilinearLayer([DenseLayer(left, 7), right], 5, name="both")


def nameless():
    first = DenseLayer(InputLayer((None, 5)), 5)
    gain = pytensor.shared(draw(5))
    second = DenseLayer(DropoutLayer(first), 5, W=pt.exp(first.W) * gain)
    return DenseLayer(second, 5, W=first.W.T, b=first.b)


def same_names():
    first = DenseLayer(InputLayer((None, 5)), 5, name="same")
    second = DenseLayer(first, 5, name="same")
    W = pytensor.shared(draw(5, 5), name="same.W")
    return DenseLayer(second, 5, W=W, name="same")


def random_weights():
    mean, scale = pytensor.shared(draw(7, 5), name="mean"), pytensor.shared(0.5)
    noise = RandomStream(draw_seed()).normal((7, 5), dtype="float64")
    W = mean + scale * noise
    return DenseLayer(InputLayer((None, 7)), 5, W=W, name="bayes")


def one_expression_twice():
    W = pt.exp(pytensor.shared(draw(5, 5), name="log_W"))
    return DenseLayer(DenseLayer(InputLayer((None, 5)), 5, W=W, name="a"), 5, W=W)


def ready_made():
    below = DenseLayer(
        InputLayer((None, 7)), 5, W=expressions.SpectralNorm(), name="spectral"
    )
    below = DenseLayer(below, 5, W=expressions.Gaussian(), name="bayes")
    return DenseLayer(below, 3, W=expressions.LowRank(2), name="thin")


NETWORKS = {
    build.__name__: build
    for build in (
        tied,
        shared_weights,
        low_rank,
        masked,
        integer,
        merged,
        nameless,
        same_names,
        random_weights,
        one_expression_twice,
        ready_made,
    )
}
