"""Expressions and shapes of whole networks."""

import functools
import warnings
from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    InputLayer,
    Layer,
    MergeLayer,
    get_all_layers,
    get_output,
    get_output_shape,
)
from tests.layers.test_helper_traversal import Merge, networks

FAST = "FAST_COMPILE"


def stand_in(layer, **attributes):
    """Give an object of which only the attributes of a layer are known."""
    mock = Mock(layer, output_shape=(None,), get_output_kwargs=[])
    for name, value in attributes.items():
        setattr(mock, name, value)
    return mock


@pytest.fixture
def chain():
    """Give stand-ins for three layers on top of each other."""
    l1 = stand_in(InputLayer((None,)))
    l2 = stand_in(Layer(l1), input_layer=l1)
    return l1, l2, stand_in(Layer(l2), input_layer=l2)


@pytest.fixture
def merged():
    """Give stand-ins for two chains that are merged."""
    l1 = [stand_in(InputLayer((None,))) for _ in range(2)]
    l2 = [stand_in(Layer(each), input_layer=each) for each in l1]
    return l1, l2, stand_in(Merge(l2), input_layers=l2)


class Recording(Layer):
    """Returns what it was called with."""

    def get_output_for(self, *args, **kwargs):
        """Return all arguments."""
        return args, kwargs


class TestGetOutput:
    """Expressions."""

    def test_input_layers_give_their_variables(self, chain):
        """Catches a variable copied or renamed on the way."""
        l1, l2, l3 = chain
        for nothing in (None, {}):
            assert get_output(l3, nothing) is l3.get_output_for.return_value
            l3.get_output_for.assert_called_with(l2.get_output_for.return_value)
            l2.get_output_for.assert_called_with(l1.input_var)
        assert get_output(l1) is l1.input_var

    def test_the_keywords_are_passed_on_exactly(self, chain):
        """Catches keywords added, such as deterministic=False."""
        l1, l2, l3 = chain
        word = object()
        l3.get_output_kwargs = ["word"]
        assert get_output(l3, word=word) is l3.get_output_for.return_value
        l3.get_output_for.assert_called_with(l2.get_output_for.return_value, word=word)
        l2.get_output_for.assert_called_with(l1.input_var, word=word)
        assert get_output(Recording((1,)), {None: 0})[1] == {}

    def test_one_input_replaces_that_of_the_only_input_layer(self, chain):
        """Catches a given expression that is copied."""
        l1, l2, l3 = chain
        x = pt.matrix()
        assert get_output(l3, x) is l3.get_output_for.return_value
        l2.get_output_for.assert_called_with(x)
        assert get_output(l1, x) is x

    @pytest.mark.parametrize(
        "data", [[[1, 2, 3]], np.ones((2, 3))], ids=["list", "array"]
    )
    def test_arrays_become_constants(self, data):
        """Catches a nested list taken for several inputs."""
        layer = Recording(InputLayer((None, 3)))
        for given_data in (data, {layer.input_layer: data}):
            (value,), _ = get_output(layer, given_data)
            assert isinstance(value, pt.TensorConstant)
            np.testing.assert_array_equal(value.data, data)
        assert isinstance(get_output(layer, {layer: data}), pt.TensorConstant)

    def test_inner_layers_can_be_given(self, chain):
        """Catches a given layer that is evaluated all the same."""
        _, l2, l3 = chain
        x = pt.matrix()
        assert get_output(l3, {l2: x}) is l3.get_output_for.return_value
        l3.get_output_for.assert_called_with(x)
        assert l2.get_output_for.call_count == 0
        assert get_output(l3, {l3: x}) is x
        assert l3.get_output_for.call_count == 1

    def test_what_is_below_a_given_layer_is_not_touched(self):
        """Catches input variables read although nothing needs them."""

        class Untouchable(InputLayer):
            @property
            def input_var(self):
                """Fail."""
                raise RuntimeError

            @input_var.setter
            def input_var(self, value):
                pass

        below = Recording(Untouchable((None, 3)))
        top = Recording(below)
        x = pt.matrix()
        assert get_output(top, {below: x}) == ((x,), {})

    def test_a_merge_layer_gets_a_list(self, merged):
        """Catches inputs passed as separate arguments."""
        l1, l2, l3 = merged
        get_output(l3)
        l3.get_output_for.assert_called_with(
            [each.get_output_for.return_value for each in l2]
        )
        x = pt.matrix()
        get_output(l3, {l1[0]: x, l2[1]: x})
        l2[0].get_output_for.assert_called_with(x)
        l3.get_output_for.assert_called_with([l2[0].get_output_for.return_value, x])
        assert l2[1].get_output_for.call_count == 1

    def test_several_layers_give_a_list_that_shares_its_parts(self):
        """Catches noise drawn anew for each layer asked for."""
        l_in = InputLayer((None, 3))
        noisy = DropoutLayer(l_in)
        dense = DenseLayer(noisy, 2, W=np.ones((3, 2)), nonlinearity=None)
        outputs = get_output(iter([noisy, dense, noisy]), np.ones((1, 3)))
        assert isinstance(outputs, list)
        first, total, again = pytensor.function([], outputs, mode=FAST)()
        np.testing.assert_array_equal(first, again)
        np.testing.assert_allclose(total, [[first.sum()] * 2])
        assert get_output([]) == []
        assert get_output((l_in,)) == [l_in.input_var]
        assert get_output(noisy) is not get_output(noisy)

    def test_free_layers_take_the_input_under_none(self):
        """Catches None read as "no input"; merge layers take it too."""
        x = pt.matrix()
        assert get_output(Recording((None, 3)), {None: x}) == ((x,), {})

        class RecordingMerge(MergeLayer):
            def get_output_for(self, inputs, **kwargs):
                """Return the inputs."""
                return inputs

        l_in = InputLayer((None, 3))
        merge = RecordingMerge([(None, 3), l_in, (None, 3)])
        assert get_output(merge, {None: x}) == [x, l_in.input_var, x]

    @pytest.mark.parametrize("inputs", [None, {}, "matrix"], ids=str)
    def test_free_layers_without_an_input_are_refused(self, inputs):
        """Catches a plain input that is silently ignored."""
        inputs = pt.matrix() if inputs == "matrix" else inputs
        for layer in (Layer((None, 3), name="l"), Merge([(None, 3)] * 2, name="l")):
            with pytest.raises(ValueError, match="built from a shape tuple"):
                get_output(layer, inputs)

    def test_a_free_layer_is_named(self):
        """Catches a message that leaves open which of many layers it is."""
        with pytest.raises(ValueError, match="DenseLayer 'l' was built from a shape"):
            get_output(DenseLayer((None, 3), 2, name="l"))

    def test_one_input_for_several_input_layers_is_refused(self, merged):
        """Catches one expression used for all of them."""
        with pytest.raises(ValueError, match="network has 2 input layers"):
            get_output(merged[-1], pt.matrix())
        layers = [InputLayer((3,), name=name) for name in "ab"]
        match = r"\(InputLayer 'a', InputLayer 'b'\)"
        with pytest.raises(ValueError, match=match):
            get_output(layers, pt.matrix())

    @pytest.mark.parametrize("key", ["input", 0, pt.vector(), Layer], ids=str)
    def test_keys_must_be_layers(self, key):
        """Catches a value under a layer's name, which nobody reads."""
        layer = InputLayer((None, 3))
        with pytest.raises(TypeError, match=r"get_output: the keys .* must be"):
            get_output(layer, {key: pt.matrix()})
        with pytest.raises(TypeError, match=r"output_shape: the keys .* must be"):
            get_output_shape(layer, {key: (2, 3)})

    def test_each_layer_is_evaluated_once(self):
        """Catches a network evaluated along every path."""
        calls = []

        class Counting(Layer):
            def get_output_for(self, input, **kwargs):
                """Count."""
                calls.append(self)
                return input

        bottom = Counting(InputLayer((None, 3)))

        class Sum(Merge):
            def get_output_for(self, inputs, **kwargs):
                """Add up."""
                return sum(inputs)

        get_output(Sum([Counting(bottom), bottom, bottom]))
        assert len(calls) == 2

    def test_an_error_names_the_layer(self):
        """Catches a TypeError from a chain of a hundred layers."""

        class Broken(Layer):
            def get_output_for(self, input, **kwargs):
                """Fail."""
                return input[object()]

        layer = Layer(Broken(InputLayer((None, 3)), name="deep"))
        with pytest.raises(Exception) as caught:  # noqa: PT011
            get_output(layer)
        assert "Broken 'deep' with input shape (None, 3)" in caught.value.__notes__[-1]

    def test_five_thousand_layers_need_no_recursion(self):
        """Catches a recursive evaluation."""

        class Same(Layer):
            def get_output_for(self, input, **kwargs):
                """Return the input."""
                return input

        layer = InputLayer((None, 3))
        for _ in range(5000):
            layer = Same(layer)
        assert (
            get_output(layer, deterministic=True) is get_all_layers(layer)[0].input_var
        )
        assert get_output_shape(layer, (7, 3)) == (7, 3)


class WithWords(Layer):
    """Knows two keywords, and passes a third on."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.get_output_kwargs = ["passed_on"]

    def get_output_for(self, input, keyword=1, *, other=2, **kwargs):
        """Return the input."""
        return input


class TestKeywords:
    """One warning for all keywords that nobody knows."""

    @pytest.mark.parametrize(
        "words", ["deterministic", "keyword", "other", "passed_on", "keyword other"]
    )
    def test_known_keywords_give_no_warning(self, words, recwarn):
        """Catches a warning for keyword-only or passed-on words."""
        get_output(WithWords(InputLayer((3,))), **dict.fromkeys(words.split(), 1))
        assert not recwarn.list

    def test_unknown_keywords_give_one_warning_with_hints(self):
        """Catches a misspelt `deterministic`, which leaves the noise on."""
        layer = WithWords(InputLayer((3,)))
        with pytest.warns(UserWarning, match="unused keyword arguments") as caught:
            get_output(layer, determnistic=True, kewyord=1, kwargs=1, keyword=1)
        assert len(caught) == 1
        text = str(caught[0].message)
        assert "perhaps you meant deterministic" in text
        assert "perhaps you meant keyword" in text
        assert text.count("\n") == 3
        assert caught[0].filename == __file__

    def test_words_of_layers_that_are_not_evaluated_do_not_count(self):
        """Catches a keyword accepted because a layer below a given one knows it."""
        below = WithWords(InputLayer((3,)))
        top = Recording(below)
        with pytest.warns(UserWarning, match="keyword"):
            get_output(top, {below: pt.vector()}, keyword=1)

    def test_layers_whose_signature_cannot_be_read_are_skipped(self):
        """Catches a failure, and their list of words forgotten."""

        class Opaque:
            __signature__ = "not a signature"

            def __call__(self, input, **kwargs):
                return input

        layer = Layer(InputLayer((3,)))
        layer.get_output_for = Opaque()
        layer.get_output_kwargs = ["secret"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            get_output(layer, secret=1)
        with pytest.warns(UserWarning, match="public"):
            get_output(layer, public=1)

    def test_a_partial_function_is_read_through(self):
        """Catches an instance's own map ignored."""
        layer = Layer(InputLayer((3,)))
        layer.get_output_for = functools.partial(lambda x, y, word=1: x, y=2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            get_output(layer, word=2)


class TestGetOutputShape:
    """Shapes."""

    def test_no_shapes_given_returns_the_attribute_itself(self, chain):
        """Catches shapes worked out although the layers know them."""
        l3 = chain[-1]
        for nothing in (None, {}):
            assert get_output_shape(l3, nothing) is l3.output_shape
            assert get_output_shape([l3, l3], nothing) == [l3.output_shape] * 2
        assert l3.get_output_shape_for.call_count == 0
        assert get_output_shape([]) == []

    def test_a_tuple_is_the_shape_of_the_only_input_layer(self, chain):
        """Catches a tuple taken for several shapes."""
        _, l2, l3 = chain
        assert get_output_shape(l3, (7,)) is l3.get_output_shape_for.return_value
        l2.get_output_shape_for.assert_called_with((7,))
        l3.get_output_shape_for.assert_called_with(l2.get_output_shape_for.return_value)

    def test_shapes_of_inner_layers_can_be_given(self, chain):
        """Catches a copy, or a given layer evaluated."""
        _, l2, l3 = chain
        shape = (None, 5)
        assert get_output_shape(l3, {l3: shape}) is shape
        get_output_shape(l3, {l2: shape})
        l3.get_output_shape_for.assert_called_with(shape)
        assert l2.get_output_shape_for.call_count == 0

    def test_the_other_inputs_keep_their_shapes(self, merged):
        """Catches a merge layer that needs all shapes."""
        l1, l2, l3 = merged
        l1[1].shape = (None, 7)
        get_output_shape(l3, {l1[0]: (2, 7)})
        l2[0].get_output_shape_for.assert_called_with((2, 7))
        l2[1].get_output_shape_for.assert_called_with((None, 7))
        l3.get_output_shape_for.assert_called_with(
            [each.get_output_shape_for.return_value for each in l2]
        )

    def test_free_layers_take_the_shape_under_none_or_keep_theirs(self):
        """Catches a failure where the layer was built with a shape."""
        free = DenseLayer((None, 3), 2)
        assert get_output_shape(free, {None: (7, 3)}) == (7, 2)
        merge = Merge([(None, 3), free])
        assert get_output_shape(merge, {None: (7, 3)}) == (7, 3)
        assert get_output_shape(merge, {free: (5, 2)}) == (None, 3)

    def test_one_shape_for_several_input_layers_is_refused(self, merged):
        """Catches one shape used for all of them."""
        with pytest.raises(ValueError, match="network has 2 input layers"):
            get_output_shape(merged[-1], (7,))
        with pytest.raises(ValueError, match=r"network has 0 input layers \(none\)"):
            get_output_shape(Layer((None, 3)), (7, 3))

    def test_an_error_names_the_layer(self):
        """Catches an error from deep inside without a place."""
        layer = Layer(Merge([InputLayer((3,))], name="deep"))
        layer.input_layer.get_output_shape_for = lambda shapes: shapes[3]
        with pytest.raises(IndexError) as caught:
            get_output_shape(layer, (3,))
        assert "Merge 'deep'" in caught.value.__notes__[-1]


@given(st.data())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_any_network_evaluates_as_the_recursive_definition_says(data):
    """Catches inputs in the wrong order, or a layer given that is still evaluated."""
    layers = data.draw(networks())
    for layer in layers:
        if not isinstance(layer, InputLayer):
            layer.get_output_for = functools.partial(
                lambda name, x: (name, x), layer.name
            )
    x = pt.matrix("x")
    given_layers = data.draw(st.sets(st.sampled_from(layers), max_size=2))
    inputs = {layer: pt.matrix(layer.name) for layer in given_layers} | {None: x}

    def reference(layer):
        if layer in inputs:
            return inputs[layer]
        if isinstance(layer, InputLayer):
            return layer.input_var
        if isinstance(layer, MergeLayer):
            return layer.name, [
                x if b is None else reference(b) for b in layer.input_layers
            ]
        below = layer.input_layer
        return layer.name, x if below is None else reference(below)

    wanted = data.draw(st.lists(st.sampled_from(layers), max_size=3))
    assert get_output(wanted, inputs) == [reference(layer) for layer in wanted]
