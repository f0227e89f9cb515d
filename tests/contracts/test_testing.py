"""The public checks find what they are for, and name each fault."""

from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from lasagne_next import expressions, init, testing, updates
from lasagne_next.layers import Layer
from lasagne_next.random import RandomStream, get_rng


class Scaled(Layer):
    """A layer that keeps the contract; the others break it in one place each."""

    def __init__(self, incoming, g=init.Normal(), **kwargs):  # noqa: B008
        super().__init__(incoming, **kwargs)
        self.g = self.add_param(g, (self.input_shape[1],), name="g")

    def get_output_for(self, input, **kwargs):
        return input * self.g


class NamelessParameter(Scaled):
    """Gives its parameter no name."""

    def __init__(self, incoming, g=init.Normal(), **kwargs):  # noqa: B008
        Layer.__init__(self, incoming, **kwargs)
        self.g = self.add_param(g, (self.input_shape[1],))


class VagueParameter(Scaled):
    """Ignores what it is given and makes a parameter of unknown shape."""

    def __init__(self, incoming, g=None, **kwargs):
        Layer.__init__(self, incoming, **kwargs)
        g = pytensor.shared(np.ones(4), name="checked.g")
        self.g = self.add_param(g, (4,), name="g")


class DeafParameter(Scaled):
    """Ignores what it is given for its parameter."""

    def __init__(self, incoming, g=None, **kwargs):
        super().__init__(incoming, init.Constant(2), **kwargs)


class ListedTags(Scaled):
    """Keeps tags in a list."""

    def __init__(self, incoming, **kwargs):
        super().__init__(incoming, **kwargs)
        self.params[self.g] = ["trainable"]


class WithoutKeywords(Scaled):
    """Accepts no further keywords."""

    def get_output_for(self, input):
        return input * self.g


class WrongShape(Scaled):
    """Drops columns that its shape map keeps."""

    def get_output_for(self, input, **kwargs):
        return (input * self.g)[:, :2]


class WrongShapeAtRunTime(Scaled):
    """Repeats rows that its shape map does not."""

    def get_output_for(self, input, **kwargs):
        return pt.repeat(input * self.g, pt.constant([2]), axis=0)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], input_shape[1])


class ListedShape(Scaled):
    """Returns its shape as a list."""

    def get_output_shape_for(self, input_shape):
        return list(input_shape)


class Counting(Scaled):
    """Counts its calls in itself."""

    def get_output_for(self, input, **kwargs):
        self.calls = getattr(self, "calls", 0) + 1
        return input * self.g


class Doubled(Scaled):
    """Multiplies by a number of double precision."""

    def get_output_for(self, input, **kwargs):
        return input * self.g * 0.3


class DoubledOutput(Scaled):
    """Puts out double precision."""

    def get_output_for(self, input, **kwargs):
        return (input * self.g).astype("float64")


class Disconnected(Scaled):
    """Lets no gradient through to its parameter."""

    def get_output_for(self, input, **kwargs):
        return input * disconnected_grad(self.g)


class WrongSlope(Scaled):
    """Lets half of the gradient through."""

    def get_output_for(self, input, **kwargs):
        return input * (self.g + disconnected_grad(self.g))


class Restless(Scaled):
    """Adds noise also when it is to be deterministic."""

    def __init__(self, incoming, **kwargs):
        super().__init__(incoming, **kwargs)
        self._noise = RandomStream(3)

    def get_output_for(self, input, **kwargs):
        return input * self.g + self._noise.normal((4,), dtype=input.dtype)


class Drawing(Scaled):
    """Draws a number from the package generator whenever it is evaluated."""

    def get_output_for(self, input, **kwargs):
        return input * self.g * np.float32(get_rng().normal())


class FrozenShape(Scaled):
    """Has the shape that it was built on, whatever it is asked."""

    def get_output_shape_for(self, input_shape):
        return self.input_shape


class Undefined(Scaled):
    """Has no value for negative numbers."""

    def get_output_for(self, input, **kwargs):
        return pt.sqrt(input) * self.g


class OtherKeyword(Scaled):
    """Takes its parameter under another name than it registers."""

    def __init__(self, incoming, gain=init.Normal(), name=None):  # noqa: B008
        super().__init__(incoming, gain, name=name)


class Unpicklable(Scaled):
    """Holds a function without a name."""

    def __init__(self, incoming, **kwargs):
        super().__init__(incoming, **kwargs)
        self.function = lambda x: x


BROKEN_LAYERS = {
    NamelessParameter: "every parameter must be called after its layer.*'checked'",
    VagueParameter: r"checked.g must have a static shape, got \(None,\)",
    DeafParameter: r"but \['g'\] were not asked for",
    ListedTags: r"the tags of checked.g must be a set of strings, got \['trainable'\]",
    WithoutKeywords: r"get_output_for must accept \*\*kwargs.*\(input\)",
    WrongShape: r"static shape of the output, \(None, 2\), got \(None, 4\)",
    WrongShapeAtRunTime: r"shape at run time, \(10, 4\), got \(5, 4\)",
    ListedShape: r"must be a tuple of integers and None, got \[None, 4\]",
    Counting: r"must not change the layer, but \['calls'\] changed",
    Doubled: "all must stay float32, but the compiled graph holds float64",
    DoubledOutput: "all must stay float32, but the compiled graph holds float64",
    Disconnected: r"must reach the leaves of all trainable parameters \['g'\]",
    WrongSlope: "gradient of the leaf of g must be as finite differences say",
    Restless: "a second deterministic pass: result 0 must agree",
    Drawing: "must not draw from the package generator. Seed a RandomStream",
    FrozenShape: r"the shape that it is given, got \(5, 4\) .* has \(2, 4\)",
    Undefined: r"(?s)the output must be finite numbers, got .*nan.* pass draw=",
    OtherKeyword: r"under the name that add_param registers.* no argument \['g'\]",
    Unpicklable: "must pickle, got .*lambda",
}


def test_a_layer_that_keeps_the_contract_passes():
    """Catches checks that refuse everything."""
    testing.check_layer(Scaled, (None, 4), modes=("FAST_COMPILE", "FAST_RUN"))


class Remembering(Scaled):
    """Uses a learnt size of noise and a frozen mean in training only."""

    def __init__(self, incoming, g=init.Normal(), m=init.Constant(1), **kwargs):  # noqa: B008
        super().__init__(incoming, g, **kwargs)
        self.m = self.add_param(m, (4,), name="m", trainable=False)

    def get_output_for(self, input, deterministic=False, **kwargs):
        if deterministic:
            return input
        return input + self.g - disconnected_grad(self.m)


def test_parameters_may_be_used_in_training_only_or_not_be_trained():
    """Catches a gradient asked for where none is wanted."""
    testing.check_layer(Remembering, (None, 4))


def test_a_layer_that_is_built_already_is_refused():
    """Catches "not callable", which says nothing about what to pass."""
    with pytest.raises(TypeError, match=r"factory must be a class .* got <Scaled>"):
        testing.check_layer(Scaled((None, 4)), (None, 4))


@pytest.mark.parametrize("kind", BROKEN_LAYERS, ids=lambda kind: kind.__name__)
def test_each_fault_of_a_layer_is_found_and_named(kind):
    """Catches a check that is never reached."""
    with pytest.raises(AssertionError, match=BROKEN_LAYERS[kind]) as caught:
        testing.check_layer(kind, (None, 4))
    assert str(caught.value).startswith(kind.__name__)
    assert len(caught.value.args) == 1


def listed(loss, params, rate=0.1):
    return dict(updates.sgd(loss, params, rate))


def forgetful(loss, params, rate=0.1):
    return updates.sgd(loss, params[:-1], rate)


def doubling(loss, params, rate=0.1):
    return OrderedDict((param, param.astype("float64")) for param in params)


def broadening(loss, params, rate=0.1):
    found = updates.sgd(loss, params, rate)
    found[params[1]] = found[params[1]][: pt.scalar(dtype="int64")]
    return found


def keyed_by_expressions(loss, params, rate=0.1):
    found = updates.sgd(loss, params, rate)
    found[params[0] + 1] = params[0]
    return found


def climbing(loss, params, rate=0.1):
    return updates.sgd(loss, params, -rate)


def forgetting_state(loss, params, rate=0.1):
    if isinstance(loss, list):
        return updates.sgd(loss, params, rate)
    return updates.momentum(loss, params, rate)


BROKEN_RULES = {
    listed: "the updates must be an OrderedDict, got dict",
    forgetful: r"every parameter needs an update, got no \[p2\]",
    doubling: "new value of p0 must be float32, got float64",
    broadening: r"new value of p1 must have the static shape \(5,\), got \(None,\)",
    keyed_by_expressions: "the keys must be shared variables, got Add",
    climbing: "the loss of a quadratic must fall, got 9 before and",
    forgetting_state: "must give as many updates, got 6 and 3",
}


@pytest.mark.parametrize("rule", BROKEN_RULES, ids=lambda rule: rule.__name__)
def test_each_fault_of_a_rule_is_found_and_named(rule):
    """Catches a check that is never reached."""
    with pytest.raises(AssertionError, match=BROKEN_RULES[rule]) as caught:
        testing.check_update(rule)
    assert str(caught.value).startswith(rule.__name__)


def floating_leaf(shape):
    value = np.full(shape, 0.5, pytensor.config.floatX)
    return pytensor.shared(value, shape=shape)


def vague_leaf(shape):
    leaf = pytensor.shared(np.ones(shape, pytensor.config.floatX))
    return pt.specify_shape(leaf, shape)


BROKEN_EXPRESSIONS = {
    "a constant": (
        lambda shape: pt.constant(np.ones(shape, pytensor.config.floatX)),
        "must depend on shared variables, found none",
    ),
    "an unknown shape": (
        lambda shape: floating_leaf(shape)[: pt.scalar(dtype="int64")],
        r"must have the static shape \(5, 3\), got \(None, 3\)",
    ),
    "a vague leaf": (
        vague_leaf,
        "leaves must have static shapes",
    ),
    "double precision": (
        lambda shape: floating_leaf(shape).astype("float64"),
        "the parameter must be float32, got float64",
    ),
    "a detour through double precision": (
        lambda shape: (floating_leaf(shape).astype("float64") * 2).astype(
            pytensor.config.floatX
        ),
        "the compiled graph holds float64",
    ),
    "no numbers": (
        lambda shape: floating_leaf(shape) * np.float32("nan"),
        "the value must be finite numbers",
    ),
    "a wrong slope": (
        lambda shape: (lambda w: w + disconnected_grad(w))(floating_leaf(shape)),
        "gradient of leaf .* must be as finite differences say",
    ),
}


@pytest.mark.parametrize("name", BROKEN_EXPRESSIONS)
def test_each_fault_of_an_expression_is_found_and_named(name):
    """Catches a check that is never reached."""
    spec, match = BROKEN_EXPRESSIONS[name]
    with pytest.raises(AssertionError, match=match):
        testing.check_expression(spec, (5, 3))


def test_expressions_and_initialisers_pass():
    """Catches checks that refuse what the package itself offers."""
    testing.check_expression(expressions.LowRank(2), (5, 3))
    testing.check_expression(init.GlorotUniform(), (5, 3))
    wrong = BROKEN_EXPRESSIONS["a wrong slope"][0]
    testing.check_expression(wrong, (5, 3), gradients=False)


class Cube(Op):
    """An Op that keeps the contract; the flags break it in one place each."""

    __props__ = ("fault",)

    def __init__(self, fault=None):
        self.fault = fault

    def __str__(self):
        return f"Cube({self.fault})"

    def make_node(self, x):
        shape = (9,) if self.fault == "type" else x.type.shape
        return Apply(self, [x], [pt.tensor(dtype=x.dtype, shape=shape)])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0] ** 3

    def infer_shape(self, *node_and_shapes):
        if self.fault == "no shape":
            raise NotImplementedError("no shape")
        (shape,) = node_and_shapes[-1]
        return [(shape[0] + 1,)] if self.fault == "shape" else [shape]

    def pullback(self, inputs, outputs, cotangents):
        factor = 2 if self.fault == "gradient" else 3
        return [cotangents[0] * factor * inputs[0] ** 2]

    def grad(self, inputs, cotangents):
        return self.pullback(inputs, None, cotangents)


def test_an_op_that_keeps_the_contract_passes():
    """Catches checks that refuse everything."""
    testing.check_op(Cube(), [np.linspace(-1, 2, 5)])
    testing.check_op(pt.tanh, [np.ones((2, 3))], modes=("FAST_RUN",))


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("type", r"the type of the output must be .* of shape \(5,\), got"),
        ("shape", r"infer_shape must say \(5,\), got \(6,\)"),
        ("no shape", "the shape must be known without computing the value"),
        ("gradient", "first derivative: the gradient of input 0 must be as finite"),
    ],
)
def test_each_fault_of_an_op_is_found_and_named(fault, match):
    """Catches a check that is never reached."""
    with pytest.raises(AssertionError, match=match):
        testing.check_op(Cube(fault), [np.linspace(-1, 2, 5)])


def test_gradients_of_another_shape_are_named():
    """Catches a sum over an axis that broadcasting hides."""
    with pytest.raises(AssertionError, match=r"of w must have shape \(3,\), got \(\)"):
        testing.check_gradients("f", lambda x: (x.sum(), 1.0), [np.ones(3)], ["w"])


def test_double_variables_are_found_inside_inner_graphs():
    """Catches a loop whose body computes in double precision."""
    x = pt.vector("x", dtype="float32")
    inner = OpFromGraph([x], [pt.exp(x.astype("float64")).astype("float32")])
    f = pytensor.function([x], inner(x), mode="FAST_COMPILE")
    assert testing.double_variables(f)
