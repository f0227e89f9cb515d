"""Where parameter expressions had their limits, and where they still have some.

The post that introduced them names limits: all shared variables inside an expression
count as parameters, so that what is learnt and what is not cannot mix; all of them get
the same tags; and if that bites, one writes a layer of one's own, which is "very easy".
Here variables have tags of their own. This program sets the traps (a mask in a shared
variable, a penalty on weight-normalised weights), shows the way out of each, and writes
the layers by hand too, in under 25 lines each: outputs and gradients agree. It also
lists what is accepted as a parameter and what is refused, with which words.

    python -m recipes.parameters.limits

Time: 2 s. Our numbers: layers by hand take 11 and 10 lines, and differ from expressions
by 5e-15.

* Sander Dieleman and Jan Schlüter (2015): New Lasagne feature: arbitrary expressions as
  layer parameters. https://sander.ai/2015/11/10/arbitrary-expressions-as-params.html
* Tim Salimans and Diederik Kingma (2016): Weight normalization.
  https://arxiv.org/abs/1602.07868
"""

import inspect
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt

from lasagne_next import init, regularization, updates
from lasagne_next.layers import (
    DenseLayer,
    InputLayer,
    Layer,
    count_params,
    get_all_params,
    get_output,
)
from lasagne_next.params import set_tags
from recipes import command, figures
from recipes.claims import Claim, print_claims


class Settings(NamedTuple):
    """Sizes."""

    inputs: int = 30
    units: int = 20


SMOKE = Settings(inputs=5, units=3)


def shared(value, name):
    """Make a shared variable that knows its shape."""
    return pytensor.shared(np.asarray(value), name=name, shape=np.shape(value))


def dense(settings, W):
    """Return a linear layer without bias."""
    l_in = InputLayer((None, settings.inputs))
    return DenseLayer(l_in, settings.units, W=W, b=None, nonlinearity=None, name="l")


# What is accepted as a parameter, and what is refused.


def check_kinds(settings):
    """Return the claims on what a layer takes for W."""
    shape = settings.inputs, settings.units
    value = init.GlorotUniform()(shape)
    kinds = {
        "initialiser": init.Normal(0.1),
        "array": value,
        "shared variable": shared(value, "W"),
        "expression": pt.exp(shared(value, "w")),
        "function of the shape": lambda shape: np.ones(shape),
        "expression of unknown shape": pt.exp(pytensor.shared(value, name="w")),
    }
    wrong = {
        "too few axes": shared(value[0], "vector"),
        "transposed": shared(value, "w").T,
        "one row too many": pt.dot(
            shared(np.ones((shape[0] + 1, 2)), "u"), shared(np.ones((2, shape[1])), "v")
        ),
    }
    taken = [dense(settings, W).W.ndim == 2 for W in kinds.values()]
    refused = 0
    for W in wrong.values():
        try:
            dense(settings, W)
        except (ValueError, TypeError) as error:
            refused += str(shape[0]) in str(error) and "'l'" in str(error)
    return [
        Claim("kinds of parameters accepted", sum(taken), len(kinds), len(kinds)),
        Claim(
            "wrong shapes refused by name and shape", refused, len(wrong), len(wrong)
        ),
    ]


# A layer with a mask, by expression and by hand.


class MaskedDenseLayer(Layer):
    """A linear layer whose weights are multiplied by a mask."""

    def __init__(self, incoming, num_units, mask, W, **kwargs):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        shape = self.input_shape[1], num_units
        self.W = self.add_param(W, shape, name="W")
        self.mask = self.add_param(mask, shape, name="mask", trainable=False)

    def get_output_shape_for(self, input_shape):
        """Return (batch, num_units)."""
        return input_shape[0], self.num_units

    def get_output_for(self, input, **kwargs):
        """Multiply by what the mask leaves."""
        return pt.dot(input, self.mask * self.W)


class WeightNormDenseLayer(Layer):
    """A linear layer whose weights are directions times lengths."""

    def __init__(self, incoming, num_units, V, g, **kwargs):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.V = self.add_param(V, (self.input_shape[1], num_units), name="V")
        self.g = self.add_param(g, (num_units,), name="g", regularizable=False)

    def get_output_shape_for(self, input_shape):
        """Return (batch, num_units)."""
        return input_shape[0], self.num_units

    def get_output_for(self, input, **kwargs):
        """Scale the outputs instead of the weights."""
        return pt.dot(input, self.V) * self.g / pt.sqrt(pt.sqr(self.V).sum(axis=0))


def lines_of(layer):
    """Count the lines of a class, without blank ones and docstrings."""
    lines = [line.strip() for line in inspect.getsource(layer).splitlines()]
    return sum(bool(line) and not line.startswith('"""') for line in lines)


def compare(expression, by_hand, leaves, x, mode):
    """Return the largest difference of outputs and of gradients of two layers."""
    results = []
    for layer, params in ((expression, leaves), (by_hand, by_hand.get_params())):
        output = get_output(layer, pt.constant(x))
        trained = [p for p in params if p.name != "mask"]
        slopes = pt.grad(pt.sqr(output).sum(), trained)
        results.append(pytensor.function([], [output, *slopes], mode=mode)())
    return max(abs(a - b).max() for a, b in zip(*results, strict=True))


def check_mask(settings, rng, mode):
    """Return the claims on the mask."""
    shape = settings.inputs, settings.units
    mask = np.float64(rng.random(shape) < 0.5)
    V = shared(rng.normal(size=shape), "V")
    trap = dense(settings, shared(mask, "mask") * V)
    constant = dense(settings, mask * V)
    frozen_mask = set_tags(shared(mask, "mask"), trainable=False)
    frozen = dense(settings, frozen_mask * V)
    x = rng.normal(size=(7, settings.inputs))
    rule = updates.sgd(
        pt.sqr(get_output(frozen, pt.constant(x))).sum(),
        get_all_params(frozen, trainable=True),
        0.01,
    )
    pytensor.function([], [], updates=rule, mode=mode)()
    by_hand = MaskedDenseLayer(
        InputLayer((None, shape[0])), shape[1], mask, V.get_value()
    )
    size = V.get_value().size
    apart = compare(frozen, by_hand, [V], x, mode)
    learnt = len(get_all_params(frozen, trainable=True))
    return [
        Claim(
            "trap: a shared mask would be trained",
            len(trap.get_params(trainable=True)),
            2,
            2,
        ),
        Claim("constant mask: parameters", len(constant.get_params()), 1, 1),
        Claim("frozen mask: trained", learnt, 1, 1),
        Claim(
            "frozen mask: counted as trained",
            count_params(frozen, trainable=True),
            size,
            size,
        ),
        Claim("frozen mask: saved", len(frozen.get_params()), 2, 2),
        Claim("frozen mask: moved by", abs(frozen_mask.get_value() - mask).max(), 0, 0),
        Claim("masked layer by hand: lines", lines_of(MaskedDenseLayer), most=25),
        Claim("it differs by", apart, most=1e-6),
    ]


def check_tags(settings, rng, mode):
    """Return the claims on penalties."""
    shape = settings.inputs, settings.units
    V, g = shared(rng.normal(size=shape), "V"), shared(rng.normal(size=shape[1]), "g")
    layer = dense(settings, g * V / pt.sqrt(pt.sqr(V).sum(axis=0)))

    def penalty():
        cost = regularization.regularize_network_params(layer, regularization.l2)
        return float(pytensor.function([], cost, mode=mode)())

    of_v, of_g = (float(np.square(p.get_value()).sum()) for p in (V, g))
    both = penalty()
    set_tags(g, regularizable=False)
    one = penalty()
    x = rng.normal(size=(7, settings.inputs))
    by_hand = WeightNormDenseLayer(
        InputLayer((None, shape[0])), shape[1], V.get_value(), g.get_value()
    )
    return [
        Claim(
            "default: penalty off that on V and g", abs(both - of_v - of_g), most=1e-6
        ),
        Claim("tagged: penalty off that on V", abs(one - of_v), most=1e-6),
        Claim("tagged: both are trained", len(layer.get_params(trainable=True)), 2, 2),
        Claim("weight norm by hand: lines", lines_of(WeightNormDenseLayer), most=25),
        Claim("it differs by", compare(layer, by_hand, [V, g], x, mode), most=1e-6),
    ]


def main(argv=None):
    """Set the traps and check; return what was claimed."""
    run = command.begin("parameters.limits", __doc__, argv, Settings(), SMOKE)
    quick = command.mode_of("python") if run.args.backend == "numba" else run.mode
    claims = check_kinds(run.settings)
    mask = check_mask(run.settings, run.rng, quick)
    tags = check_tags(run.settings, run.rng, quick)
    claims += [*mask, *(each._replace(text=f"norm: {each.text}") for each in tags)]
    holds = print_claims(claims)
    figure = figures.new_figure(4, 3)
    axes = figure.subplots()
    axes.barh(
        ["mask", "weight norm"],
        [lines_of(MaskedDenseLayer), lines_of(WeightNormDenseLayer)],
    )
    axes.set(title="lines of a layer by hand; an expression takes one")
    figures.save_figure(figure, run.folder / "limits.png")
    return {"holds": holds}


if __name__ == "__main__":
    command.run(main)
