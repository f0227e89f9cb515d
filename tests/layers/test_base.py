"""What every layer is: wiring, shapes, parameters."""

import copy
import pickle
from collections import OrderedDict
from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import init
from lasagne_next.layers import DenseLayer, InputLayer, Layer, MergeLayer, get_output
from lasagne_next.layers.base import describe


def shared(name, *shape):
    return pytensor.shared(np.ones(shape), name=name)


class Join(MergeLayer):
    """Adds up the last sizes, and joins along the last axis."""

    def get_output_shape_for(self, input_shapes):
        """Add up."""
        sizes = [shape[-1] for shape in input_shapes]
        total = None if None in sizes else sum(sizes)
        return (*input_shapes[0][:-1], total)

    def get_output_for(self, inputs, **kwargs):
        """Join."""
        return pt.concatenate(inputs, axis=-1)


class TestWiring:
    """A layer is a node of a graph."""

    def test_a_layer_on_a_layer_knows_it_and_its_shape(self):
        """Catches an attribute renamed: old custom layers read them all."""
        below = Mock(output_shape=(None, 3))
        layer = Layer(below, name="l")
        assert layer.input_layer is below
        assert layer.input_shape is below.output_shape
        assert layer.output_shape == (None, 3)
        assert layer.name == "l"
        assert layer.params == OrderedDict()
        assert isinstance(layer.params, OrderedDict)
        assert layer.get_output_kwargs == []

    def test_a_layer_on_a_shape_has_no_layer_below(self):
        """Catches a shape wrapped in a hidden input layer."""
        layer = Layer((None, 20))
        assert layer.input_layer is None
        assert layer.input_shape == (None, 20)
        assert layer.name is None

    def test_a_merge_layer_takes_layers_and_shapes(self):
        """Catches a shape iterated over as if it were a list of layers."""
        below = Mock(output_shape=(None, 3))
        layer = MergeLayer(iter([below, (2, 5), below]), name="m")
        assert layer.input_layers == [below, None, below]
        assert layer.input_shapes == [(None, 3), (2, 5), (None, 3)]
        assert layer.name == "m"
        assert layer.get_output_kwargs == []

    def test_a_stand_in_for_a_layer_needs_no_real_shape(self):
        """Catches a check that only real shapes survive."""
        below = [Mock(), Mock()]
        assert MergeLayer(below).input_shapes == [each.output_shape for each in below]
        assert Layer(below[0]).input_shape is below[0].output_shape

    def test_each_kind_has_only_its_own_attributes(self):
        """Catches hasattr, the test between the kinds, becoming true for all."""
        single, merge = Layer((None, 3)), MergeLayer([(None, 3)])
        entry = InputLayer((None, 3))
        for name in ("input_layer", "input_shape"):
            assert hasattr(single, name)
            assert not hasattr(merge, name)
            assert not hasattr(entry, name)
            assert name in dir(single)
            assert name not in dir(merge)
            assert name not in dir(entry)
        for name in ("input_layers", "input_shapes"):
            assert hasattr(merge, name)
            assert not hasattr(single, name)
            assert not hasattr(entry, name)
            assert name in dir(merge)
            assert name not in dir(entry)
        with pytest.raises(AttributeError, match="MergeLayer has no input_layer"):
            merge.input_layer  # noqa: B018
        assert not hasattr(entry, "get_output_kwargs")

    @pytest.mark.parametrize("shape", [(0,), (None, 0), (3, -1), (-3, None)])
    def test_known_sizes_must_be_positive(self, shape):
        """Catches an empty input, which fails in the first product."""
        for build in (Layer, InputLayer, lambda s, **kw: MergeLayer([(1,), s], **kw)):
            with pytest.raises(ValueError, match=r"'l': .*must have positive sizes"):
                build(shape, name="l")

    @pytest.mark.parametrize("shape", [(2.0,), (None, "3"), (pt.iscalar(), 3)])
    def test_sizes_must_be_integers(self, shape):
        """Catches 784 / 2, which is a float and fails without a name."""
        for build in (Layer, InputLayer):
            with pytest.raises(TypeError, match=r"'l': .*must have integers as"):
                build(shape, name="l")

    @pytest.mark.parametrize("incoming", [[None, 3], 3, None, "layer"], ids=repr)
    def test_anything_else_below_is_refused(self, incoming):
        """Catches a list taken for a shape: only tuples are shapes."""
        for build in (Layer, lambda x, **kw: MergeLayer([(1,), x], **kw)):
            with pytest.raises(TypeError, match="'l': incoming must be a layer or a"):
                build(incoming, name="l")

    def test_layers_say_what_they_are(self):
        """Catches messages full of addresses."""
        assert repr(Layer((3,), name="l")) == "<Layer 'l'>"
        assert repr(MergeLayer([(3,)])) == "<MergeLayer>"
        assert describe(DenseLayer((None, 3), 2, name="d")) == "DenseLayer 'd'"


class TestShapes:
    """The shape map."""

    def test_the_shape_map_is_the_identity_by_default(self):
        """Catches a copy or a check in the default."""
        shape = Mock()
        assert Layer((None, 3)).get_output_shape_for(shape) is shape

    def test_the_output_shape_is_computed_at_each_access(self):
        """Catches a shape remembered while the layer's attributes change."""
        layer = DenseLayer((None, 3), 2)
        layer.get_output_shape_for = Mock(side_effect=[(None, 5), (None, 7)])
        assert layer.output_shape == (None, 5)
        assert layer.output_shape == (None, 7)
        layer.get_output_shape_for.assert_called_with((None, 3))

    def test_the_output_shape_cannot_be_assigned(self):
        """Catches an assignment that later accesses ignore."""
        with pytest.raises(AttributeError):
            Layer((None, 3)).output_shape = (None, 5)

    @pytest.mark.parametrize("base", [Layer, MergeLayer])
    def test_a_symbolic_size_is_refused(self, base):
        """Catches x.shape[0] in a shape map, which breaks all layers above."""

        class Symbolic(base):
            def get_output_shape_for(self, shape):
                """Return what it must not."""
                return (3, pt.iscalar("n"))

        layer = Symbolic((None, 3) if base is Layer else [(None, 3)], name="l")
        with pytest.raises(ValueError, match=r"Symbolic 'l' .*symbolic output shape"):
            layer.output_shape  # noqa: B018

    def test_an_error_in_a_shape_map_names_the_layer(self):
        """Catches a bare IndexError from a network of a hundred layers."""

        class Broken(Layer):
            def get_output_shape_for(self, input_shape):
                """Raise."""
                raise self.error("wrong")

        for error in (IndexError, AttributeError):
            broken = Broken((None, 3), name="deep")
            broken.error = error
            with pytest.raises(error) as caught:
                Layer(broken)
            note = "while handling Broken 'deep' with input shape (None, 3)"
            assert note in caught.value.__notes__

    @pytest.mark.parametrize("method", ["get_output_for", "get_output_shape_for"])
    def test_bases_define_no_maps_of_their_own(self, method):
        """Catches a default that silently returns None."""
        merge = MergeLayer([(None, 3)], name="m")
        with pytest.raises(NotImplementedError, match=f"'m' must define {method}"):
            getattr(merge, method)([Mock()])
        with pytest.raises(NotImplementedError, match="'l' must define get_output_for"):
            Layer((3,), name="l").get_output_for(Mock(), deterministic=True)


class TestRewiring:
    """Replacing the layer below, as for surgery on a trained network."""

    def test_shapes_follow_to_the_top(self):
        """Catches the shape of construction time kept for ever."""
        bottom = Layer(InputLayer((None, 3)))
        middle = Layer(bottom)
        top = Join([middle, (None, 2), bottom])
        assert top.output_shape == (None, 8)
        bottom.input_layer = InputLayer((7, 5))
        assert middle.input_shape == (7, 5)
        assert top.input_shapes == [(7, 5), (None, 2), (7, 5)]
        assert top.output_shape == (7, 12)

    def test_the_expression_follows_too(self):
        """Catches wiring kept in two places."""
        old, new = InputLayer((None, 3)), InputLayer((None, 3))
        layer = DenseLayer(old, 2, nonlinearity=None, W=init.Constant(1))
        layer.input_layer = new
        output = get_output(layer, {new: np.ones((1, 3))})
        assert output.eval(mode="FAST_COMPILE").tolist() == [[3, 3]]

    def test_a_merge_layer_takes_a_new_list(self):
        """Catches a new list that changes the layers but not the shapes."""
        a, b, c = (InputLayer((None, size)) for size in (2, 3, 5))
        top = Layer(Join([a, b]))
        top.input_layer.input_layers = (c, b)
        assert top.input_layer.input_layers == [c, b]
        assert top.output_shape == (None, 8)
        with pytest.raises(ValueError, match="must have 2 elements, got 1"):
            top.input_layer.input_layers = [c]

    def test_shapes_may_be_assigned_where_no_layer_gives_them(self):
        """Catches an assignment that is lost, or that contradicts the layer below."""
        free, on_layer = Layer((None, 3)), Layer(InputLayer((None, 3)), name="l")
        above = Layer(free)
        free.input_shape = (None, 5)
        assert above.output_shape == (None, 5)
        on_layer.input_shape = (None, 3)
        with pytest.raises(ValueError, match=r"'l': input_shape must be \(None, 3\)"):
            on_layer.input_shape = (None, 7)
        merge = Join([(None, 2), (None, 3)])
        merge.input_shapes = [(None, 5), (None, 7)]
        assert merge.output_shape == (None, 12)

    def test_a_misfit_is_reported_at_each_access(self):
        """Catches an error raised once, after which a stale shape is returned."""

        class Even(Layer):
            def get_output_shape_for(self, input_shape):
                """Halve."""
                if input_shape[-1] % 2:
                    raise ValueError("odd")
                return (*input_shape[:-1], input_shape[-1] // 2)

        even = Even(InputLayer((None, 4)))
        top = Layer(even)
        even.input_layer = InputLayer((None, 3))
        for _ in range(2):
            with pytest.raises(ValueError, match="odd"):
                top.output_shape  # noqa: B018
        even.input_layer = InputLayer((None, 6))
        assert top.output_shape == (None, 3)

    def test_a_circle_is_refused(self):
        """Catches a loop without end in every function on networks."""
        first = Layer(InputLayer((None, 3)), name="first")
        second = Join([first, (None, 2)], name="second")
        with pytest.raises(ValueError, match="'first': input_layer must not depend on"):
            first.input_layer = Layer(second)
        with pytest.raises(ValueError, match="'second': input_layers must not depend"):
            second.input_layers = [first, second]
        assert second.output_shape == (None, 5)

    @pytest.mark.parametrize("wrong", [(None, 3), "layer"], ids=repr)
    def test_what_is_no_layer_is_refused(self, wrong):
        """Catches a shape tuple stored as a layer."""
        layer = Layer(InputLayer((None, 3)), name="l")
        with pytest.raises(TypeError, match="'l': incoming must be a layer or a shape"):
            layer.input_layer = wrong
        assert layer.output_shape == (None, 3)

    def test_asking_is_linear_and_needs_no_recursion(self):
        """Catches shapes worked out anew for everything below at each access."""
        calls = []

        class Counting(Layer):
            def get_output_shape_for(self, input_shape):
                """Count."""
                calls.append(self)
                return input_shape

        bottom = top = Counting(InputLayer((None, 3)))
        for _ in range(3000):
            top = Counting(top)
        assert len(calls) < 3100
        bottom.input_layer = InputLayer((5, 3))
        calls.clear()
        assert top.output_shape == (5, 3)
        assert len(calls) < 3100

    @pytest.mark.parametrize(
        "copied",
        [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
        ids=["deepcopy", "pickle"],
    )
    def test_copies_stand_on_their_own(self, copied):
        """Catches a copy that still looks at the original, or at a stale shape."""
        bottom = Layer(InputLayer((None, 3)))
        top = Join([Layer(bottom), bottom])
        other = copied(top)
        bottom.input_layer = InputLayer((None, 5))
        assert other.output_shape == (None, 6)
        assert top.output_shape == (None, 10)
        other.input_layers[1].input_layer = InputLayer((None, 7))
        assert other.output_shape == (None, 14)
        assert copied(top).output_shape == (None, 10)


class TestParameters:
    """Registering and listing."""

    def test_no_parameters_at_first(self):
        """Catches a class attribute shared by all layers."""
        layer = Layer((None, 3))
        layer.add_param(shared("w"), ())
        assert Layer((None, 3)).get_params() == []
        assert Layer((None, 3)).get_params(trainable=True) == []

    def test_tags_are_stored_as_given(self):
        """Catches tags of value False stored, and defaults forgotten."""
        layer = Layer((None, 3))
        a = layer.add_param(shared("a"), ())
        b = layer.add_param(shared("b"), (), trainable=False, mine=True, other=False)
        c = layer.add_param(shared("c"), (), regularizable=False, odd=3)
        assert layer.params == {
            a: {"trainable", "regularizable"},
            b: {"regularizable", "mine"},
            c: {"trainable", "odd"},
        }
        assert list(layer.params) == layer.get_params() == [a, b, c]

    def test_filters_combine(self):
        """Catches `or` between the tags."""
        layer = Layer((None, 3))
        a = layer.add_param(shared("a"), (), one=True, two=False)
        b = layer.add_param(shared("b"), (), one=True, two=True)
        c = layer.add_param(shared("c"), (), two=True)
        assert layer.get_params(one=True) == [a, b]
        assert layer.get_params(one=False) == [c]
        assert layer.get_params(one=True, two=True) == [b]
        assert layer.get_params(one=True, two=False) == [a]
        assert layer.get_params(one=False, two=False) == []
        assert layer.get_params(three=True) == []
        assert layer.get_params(three=False) == [a, b, c]

    def test_expressions_are_unwrapped_from_left_to_right(self):
        """Catches the expression itself in the list, or a leaf twice."""
        x, y, z = shared("x"), shared("y"), shared("z")
        layer = Layer((None, 3))
        W1 = layer.add_param(x**2 + pt.log(y), (), one=True)
        W2 = layer.add_param(pt.matrix(), (10, 10), one=True)
        W3 = layer.add_param(z.T * x, (), two=True)
        assert list(layer.params) == [W1, W2, W3]
        assert layer.get_params() == [x, y, z]
        assert layer.get_params(one=True) == [x, y]
        assert layer.get_params(two=True) == [z, x]
        assert layer.get_params(unwrap_shared=False) == [W1, W2, W3]
        assert layer.get_params(unwrap_shared=False, one=True) == [W1, W2]

    @pytest.mark.parametrize(
        ("layer_name", "name", "expected"),
        [("l", "W", "l.W"), (None, "W", "W"), ("l", None, None), (None, None, None)],
    )
    def test_names_have_the_layer_as_prefix(self, layer_name, name, expected):
        """Catches "None.W" and "l.None"."""
        layer = Layer((None, 3), name=layer_name)
        for spec in (init.Constant(0), np.zeros(3), lambda shape: shared(None, *shape)):
            assert layer.add_param(spec, (3,), name=name).name == expected
        assert layer.add_param(shared("mine", 3), (3,), name=name).name == "mine"

    def test_registering_again_replaces_the_tags(self):
        """Catches two entries for one variable."""
        layer, w = Layer((None, 3)), shared("w")
        layer.add_param(w, (), name="a")
        layer.add_param(w, (), name="b", trainable=False)
        assert layer.params == {w: {"regularizable"}}

    def test_what_is_refused_is_named_and_not_registered(self):
        """Catches a layer left half-built, and a message without a name."""
        layer = Layer((None, 3), name="l")
        with pytest.raises(ValueError, match=r"Layer 'l': parameter W must have shape"):
            layer.add_param(np.ones((2, 3)), (3, 2), name="W")
        with pytest.raises(ValueError, match="Layer 'l': parameter must have 1 axes"):
            layer.add_param(pt.matrix(), (3,))
        with pytest.raises(TypeError, match="Layer 'l': parameter W must be a number"):
            layer.add_param("W", (3,), name="W")
        assert not layer.params
