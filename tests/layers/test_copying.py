"""Copying networks: what is new, what is shared, what is left alone."""

import functools
from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import nonlinearities
from lasagne_next.expressions import state_updates
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    InputLayer,
    Layer,
    get_all_layers,
    get_all_param_values,
    get_all_params,
    get_output,
)
from lasagne_next.layers.helper import copy_network
from lasagne_next.params import collect_shared_vars, get_tags, set_tags
from lasagne_next.random import RandomStream
from tests.expression_networks import (
    NETWORKS,
    masked,
    merged,
    nameless,
    random_weights,
    ready_made,
    tied,
)


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    return request.param()


def snapshot(network):
    """Give all that a copy must not change: attributes, parameters, values."""
    return [
        (layer, dict(vars(layer)), list(layer.params.items()))
        for layer in get_all_layers(network)
    ], [value.tobytes() for value in get_all_param_values(network)]


def evaluate(*expressions, inputs=()):
    given = {each: np.ones([size or 2 for size in each.type.shape]) for each in inputs}
    function = pytensor.function(
        list(given), expressions, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    return function(*given.values())


def inputs_of(network):
    return [
        each.input_var
        for each in get_all_layers(network)
        if isinstance(each, InputLayer)
    ]


@pytest.mark.parametrize("share_params", [True, False])
def test_the_original_stays_as_it_was(network, share_params):
    """Catches layers re-wired, renamed or re-registered in place."""
    before = snapshot(network)
    copy_network(network, share_params=share_params, prefix="copy.")
    assert snapshot(network) == before


@pytest.mark.parametrize("share_params", [True, False])
def test_all_layers_are_new_and_alike(network, share_params):
    """Catches layers that belong to both networks, and lost attributes."""
    copy = copy_network(network, share_params=share_params)
    pairs = list(zip(get_all_layers(network), get_all_layers(copy), strict=True))
    for old, new in pairs:
        assert new is not old
        assert type(new) is type(old)
        assert new.name == old.name
        assert new.output_shape == old.output_shape
        assert set(vars(new)) - {"_epoch"} == set(vars(old)) - {"_epoch"}
        assert list(new.params.values()) == list(old.params.values())
        tags = zip(new.params.values(), old.params.values(), strict=True)
        assert all(mine is not yours for mine, yours in tags)


def test_shared_parameters_are_the_very_same(network):
    """Catches expressions that are rebuilt without need."""
    copy = copy_network(network, share_params=True)
    for old, new in zip(get_all_layers(network), get_all_layers(copy), strict=True):
        assert list(new.params) == list(old.params)


def test_fresh_parameters_start_equal_and_are_independent(network):
    """Catches values that alias each other, and lost sharing, tags and names."""
    copy = copy_network(network)
    old, new = get_all_params(network), get_all_params(copy)
    assert len(new) == len(old)
    assert not set(new) & set(old)
    for a, b in zip(old, new, strict=True):
        assert (a.name, a.type, get_tags(a)) == (b.name, b.type, get_tags(b))
        assert np.array_equal(a.get_value(), b.get_value())
        memory = a.get_value(borrow=True), b.get_value(borrow=True)
        assert not np.shares_memory(*memory)
        before = a.get_value()
        b.set_value(b.get_value() * 0)
        assert np.array_equal(a.get_value(), before)
        a.set_value(before)
    for tag in ("trainable", "regularizable"):
        places = [old.index(each) for each in get_all_params(network, **{tag: True})]
        assert [new[i] for i in places] == get_all_params(copy, **{tag: True})


def test_attributes_hold_the_parameters_of_the_copy(network):
    """Catches a layer that computes with the weights of the original."""
    copy = copy_network(network)
    for layer in get_all_layers(copy):
        held = [layer.W] if hasattr(layer, "W") else getattr(layer, "weights", [])
        assert set(held) <= set(layer.params)


def test_copies_compute_the_same_until_their_weights_change():
    """Catches copies that compute with weights of the original, or are not equal."""
    networks = [tied(), masked(), merged(), nameless()]
    copies = [copy_network(each) for each in networks]
    outputs = [get_output(each, deterministic=True) for each in [*networks, *copies]]
    compute = pytensor.function(
        [var for each in networks for var in inputs_of(each)],
        outputs,
        mode="FAST_COMPILE",
    )
    rng = np.random.default_rng(3)
    arguments = [
        rng.normal(size=(2, var.type.shape[1]))
        for each in networks
        for var in inputs_of(each)
    ]
    results = compute(*arguments)
    for old, new in zip(results[:4], results[4:], strict=True):
        assert np.array_equal(old, new)
    for copy in copies:
        for param in get_all_params(copy):
            param.set_value(param.get_value() * 0 + 1)
    changed = compute(*arguments)
    for before, old, new in zip(results[:4], changed[:4], changed[4:], strict=True):
        assert np.array_equal(before, old)
        assert not np.array_equal(old, new)


def test_what_is_tied_in_the_original_is_tied_among_the_copies():
    """Catches a decoder tied to the encoder of the original."""
    copy = copy_network(tied())
    code = copy.input_layer
    assert copy.W.owner.inputs == [code.W]
    assert get_all_params(copy) == [code.W, code.b, copy.b]


def test_a_network_can_be_applied_to_another_input():
    """Catches shapes and variables of the old input in the copy."""
    network = tied()
    other = InputLayer((3, 7), name="other")
    twin = copy_network(
        network, replace={get_all_layers(network)[0]: other}, share_params=True
    )
    assert get_all_layers(twin)[0] is other
    assert twin.output_shape == (3, 7)
    assert get_all_params([network, twin]) == get_all_params(network)
    x = np.random.default_rng(0).normal(size=(3, 7))
    old = get_output(network, pt.constant(x))
    new = pytensor.graph.clone_replace(get_output(twin), {other.input_var: x})
    a, b = evaluate(old, new)
    assert np.array_equal(a, b)


def test_the_layers_below_a_replaced_one_are_not_copied():
    """Catches a decoder that drags its encoder along."""
    network = tied()
    decoder = copy_network(network, replace={network.input_layer: InputLayer((2, 5))})
    assert [type(each) for each in get_all_layers(decoder)] == [InputLayer, DenseLayer]
    assert [each.name for each in get_all_params(decoder)] == ["code.W", "out.b"]


def test_what_only_a_replaced_layer_needed_is_not_even_begun():
    """Catches copies of a large body that are thrown away."""
    made = []

    class Counted(Layer):
        def __new__(cls, *args, **kwargs):
            made.append(cls)
            return super().__new__(cls)

    body = Counted(Counted(InputLayer((None, 5))))
    head = DenseLayer(body, 2)
    made.clear()
    copy_network(head, replace={body: InputLayer((None, 5))})
    assert made == []
    copy_network(head)
    assert len(made) == 2


def test_a_replaced_layer_that_is_asked_for_is_returned():
    """Catches a KeyError where nothing is left to copy."""
    network, new = tied(), InputLayer((None, 7))
    assert copy_network(network, replace={network: new}) is new


def test_several_layers_are_copied_together():
    """Catches a body copied once for each head."""
    body = DenseLayer(InputLayer((None, 5)), 3)
    heads = [DenseLayer(body, 2), DenseLayer(body, 7)]
    left, right = copy_network(heads)
    assert left.input_layer is right.input_layer
    assert left.input_layer is not body
    assert copy_network([]) == []
    assert isinstance(copy_network([body]), list)


def test_inputs_of_the_copy_read_the_same_variable():
    """Catches a target network that needs a second feed of the same data."""
    network = tied()
    assert inputs_of(copy_network(network)) == inputs_of(network)


def test_names_get_the_prefix():
    """Catches renamed originals, and expressions that keep the old name."""
    exponential = pt.exp(pytensor.shared(np.ones((5, 3)), name="log_W"))
    layer = DenseLayer(InputLayer((None, 5), name="in"), 3, W=exponential, name="l")
    copy = copy_network(layer, prefix="target.")
    assert [each.name for each in get_all_layers(copy)] == ["target.in", "target.l"]
    assert copy.W.name == "target.l.W"
    assert [p.name for p in get_all_params(copy)] == ["target.log_W", "target.l.b"]
    twin = copy_network(layer, share_params=True, prefix="twin.")
    assert twin.name == "twin.l"
    assert twin.b.name == layer.b.name == "l.b"
    assert copy_network(nameless(), prefix="p.").name is None


def test_names_and_tags_inside_expressions_are_kept():
    """Catches anonymous variables in place of those that the user named."""
    inner = pt.exp(pytensor.shared(np.ones((5, 3))))
    inner.name, inner.tag.note = "inner", "mine"
    copy = copy_network(DenseLayer((None, 5), 3, W=inner.T.T), prefix="copy.")
    (new,) = copy.W.owner.inputs[0].owner.inputs
    assert new is not inner
    assert (new.name, new.tag.note) == ("inner", "mine")


def test_deep_networks_are_copied_without_recursion():
    """Catches one level of recursion a layer, and quadratic work."""
    network = InputLayer((None, 2))
    for _ in range(5000):
        network = DenseLayer(network, 2)
    copy = copy_network(network)
    assert len(get_all_layers(copy)) == 5001
    assert copy.output_shape == (None, 2)
    for layer in get_all_layers(copy)[1:]:
        assert layer.W in layer.params


def test_deep_expressions_are_copied_without_recursion():
    """Catches recursion inside expressions."""
    W = pytensor.shared(np.ones((2, 2)))
    for _ in range(3000):
        W = W * 1.0
    copy = copy_network(DenseLayer(InputLayer((None, 2)), 2, W=W))
    assert len(get_all_params(copy)) == 2


# What layers may hold


class Holder(Layer):
    """Holds parameters and layers in every way that a user may think of."""

    def __init__(self, incoming, friend, **kwargs):
        super().__init__(incoming, **kwargs)
        size = self.input_shape[1]
        self.V = self.add_param(np.ones((size, size)), (size, size), name="V")
        self.both = [self.V, {"V": self.V, "friend": friend}, (friend, 3)]
        self.set = {friend, "word"}
        self.normed = self.V / self.V.sum()
        self.scope = SimpleNamespace(V=self.V, me=self, words=["a"])
        self.scope.circle = self.scope
        self.step = self.compute
        self.part = functools.partial(self.compute, scale=self.V.sum())
        self.function = nonlinearities.tanh
        self.parser = nonlinearities.ScaledTanH(2.0)
        self.sizes = [size]
        self.twice = (self.sizes, self.sizes)

    def compute(self, input, scale=1):
        return pt.dot(input, self.V) * scale

    def get_output_for(self, input, **kwargs):
        return self.step(input)


@pytest.fixture
def holder():
    friend = DenseLayer(InputLayer((None, 5)), 2, name="friend")
    return Holder(InputLayer((None, 3)), friend, name="holder")


def test_parameters_in_containers_and_objects_follow(holder):
    """Catches lists, dicts and objects that still hold the original's parameters."""
    copy = copy_network(holder)
    V = next(iter(copy.params))
    assert V is not holder.V
    assert copy.V is copy.both[0] is copy.both[1]["V"] is copy.scope.V is V
    assert copy.scope.me is copy
    assert copy.scope.circle is copy.scope is not holder.scope
    assert get_all_params(copy)[0] in pytensor.graph.traversal.ancestors([copy.normed])
    scale = copy.part.keywords["scale"]
    assert V in pytensor.graph.traversal.ancestors([scale])
    assert holder.scope.me is holder


def test_methods_are_bound_to_the_copy(holder):
    """Catches a stored method that computes with the original's parameters."""
    copy = copy_network(holder)
    assert copy.step.__self__ is copy.part.func.__self__ is copy
    assert get_all_params(copy)[0] in pytensor.graph.traversal.ancestors(
        [get_output(copy)]
    )


def test_layers_outside_the_wiring_are_copied_too(holder):
    """Catches a sub-network in an attribute that both networks train."""
    copy = copy_network(holder)
    friend = copy.both[1]["friend"]
    assert friend.name == "friend"
    assert friend is copy.both[2][0]
    assert friend is not holder.both[2][0]
    assert friend.W is not holder.both[2][0].W
    assert copy.set == {friend, "word"}


def test_containers_are_not_shared_and_other_objects_are(holder):
    """Catches a list that changes in both, and copies of what need not be copied."""
    copy = copy_network(holder, share_params=True)
    assert copy.sizes == holder.sizes
    assert copy.sizes is not holder.sizes
    assert copy.twice[0] is copy.twice[1] is copy.sizes
    assert copy.get_output_kwargs is not holder.get_output_kwargs
    assert copy.function is holder.function
    assert copy.parser is holder.parser
    assert copy.scope.words is not holder.scope.words


def test_noise_is_independent():
    """Catches two networks that drop the same units."""
    network = DropoutLayer(InputLayer((2, 50)), p=0.5)
    copy = copy_network(network)
    old, new = evaluate(*get_output([network, copy]), inputs=inputs_of(network))
    assert not np.array_equal(old, new)
    assert isinstance(copy._srng, RandomStream)
    assert copy._srng.seed != network._srng.seed


def test_random_weights_are_drawn_for_each_copy():
    """Catches copies that draw the same weights, and draws that never change."""
    network = random_weights()
    copy = copy_network(network)
    draw = pytensor.function([], [network.W, copy.W], mode="FAST_COMPILE")
    first, second = draw(), draw()
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], second[1])
    twin = copy_network(network, share_params=True)
    assert twin.W is network.W


def test_default_updates_act_on_the_copy():
    """Catches a counter of the copy that counts the original, or does not count."""
    count = pytensor.shared(0.0, name="count")
    with pytest.warns(DeprecationWarning, match="default_update is deprecated"):
        count.default_update = count + 1
    layer = DenseLayer((None, 2), 2, W=count * np.ones((2, 2)), b=None)
    copy = copy_network(layer)
    (new,) = copy.get_params()
    evaluate(copy.W)
    assert (count.get_value(), new.get_value()) == (0, 1)


def test_state_that_an_expression_carries_belongs_to_the_copy():
    """Catches power iterations of the copy that overwrite the original's vectors."""
    network = ready_made()
    copy = copy_network(network, prefix="copy.")
    updates = state_updates(get_all_params(copy, unwrap_shared=False))
    assert [state.name for state in updates] == [
        "copy.spectral.W.left",
        "copy.spectral.W.right",
    ]
    assert set(updates) <= set(get_all_params(copy))
    assert not set(collect_shared_vars(updates.values())) & set(get_all_params(network))


def test_shared_variables_that_are_no_parameters_belong_to_both():
    """Catches a dropout probability that has to be set twice."""
    p = pytensor.shared(0.5)
    copy = copy_network(DropoutLayer(InputLayer((None, 3)), p=p))
    assert copy.p is p


def test_own_tags_of_a_leaf_can_be_changed_in_the_copy_alone():
    """Catches tags in one object that belongs to both leaves."""
    network = masked()
    copy = copy_network(network)
    set_tags(get_all_params(copy)[0], trainable=True)
    assert get_tags(get_all_params(network)[0]) == {"trainable": False}


# What is refused


def test_only_layers_of_the_network_can_be_replaced():
    """Catches a mistaken key that is silently ignored."""
    with pytest.raises(ValueError, match="replace must name layers of the network, g"):
        copy_network(tied(), replace={InputLayer((None, 7), name="x"): tied()})


@pytest.mark.parametrize("wrong", [pt.matrix("x"), (None, 7), None])
def test_a_replacement_must_be_a_layer(wrong):
    """Catches an expression wired in as a layer."""
    network = tied()
    with pytest.raises(TypeError, match="copy_network: replace must map layers to la"):
        copy_network(network, replace={network.input_layer: wrong})
    with pytest.raises(TypeError, match=r"InputLayer\(shape, input_var=expression\)"):
        copy_network(network, replace={"code": network})


def test_something_that_is_no_network_is_refused():
    """Catches an AttributeError from deep inside."""
    with pytest.raises(TypeError, match="layer must be a layer or an iterable of"):
        copy_network("network")


def test_shapes_that_no_longer_fit_are_noticed_at_once():
    """Catches an error that appears when the output is built."""

    class Picky(Layer):
        def get_output_shape_for(self, input_shape):
            if input_shape[1] != 7:
                raise ValueError(f"wants 7, got {input_shape[1]}")
            return input_shape

    below = InputLayer((None, 7))
    with pytest.raises(ValueError, match="wants 7, got 8"):
        copy_network(Picky(below), replace={below: InputLayer((None, 8))})
