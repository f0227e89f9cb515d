"""Walking through the graph of layers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasagne_next.layers import InputLayer, Layer, MergeLayer, get_all_layers


class Merge(MergeLayer):
    """Has the shape of its first input."""

    def get_output_shape_for(self, input_shapes):
        """Return the first."""
        return input_shapes[0]


@pytest.fixture
def chain():
    l1 = InputLayer((10, 20))
    l2 = Layer(l1)
    return l1, l2, Layer(l2)


@pytest.fixture
def merged():
    l1 = InputLayer((10, 20))
    l2 = Layer(l1)
    l3 = Layer(l2)
    l4 = InputLayer((10, 20))
    l5 = Layer(l4)
    return l1, l2, l3, l4, l5, Merge([l3, l5])


def test_a_chain_is_listed_from_the_bottom(chain):
    """Catches an order that follows the question instead of the graph."""
    l1, l2, l3 = chain
    for question in (l3, [l3], [l1, l3], [l3, l2], (l2, l3, l1), iter([l3])):
        assert get_all_layers(question) == [l1, l2, l3]
    assert get_all_layers([l2, l1]) == [l1, l2]
    assert get_all_layers(l1) == [l1]
    assert get_all_layers([]) == []


def test_branches_are_listed_one_after_the_other(merged):
    """Catches breadth first, and branches from right to left."""
    l1, l2, l3, l4, l5, l6 = merged
    assert get_all_layers(l6) == [l1, l2, l3, l4, l5, l6]
    assert get_all_layers([l4, l6]) == [l4, l1, l2, l3, l5, l6]
    assert get_all_layers([l5, l6]) == [l4, l5, l1, l2, l3, l6]
    assert get_all_layers([l4, l2, l5, l6]) == [l4, l1, l2, l5, l3, l6]


def test_a_fork_is_listed_once():
    """Catches a layer listed for each layer above it."""
    l1 = InputLayer((10, 20))
    l2, l3 = Layer(l1), Layer(l1)
    l4 = Merge([l2, l3, l2])
    assert get_all_layers(l3) == [l1, l3]
    assert get_all_layers(l4) == [l1, l2, l3, l4]
    assert get_all_layers([l3, l4]) == [l1, l3, l2, l4]
    assert get_all_layers([l4, l4]) == [l1, l2, l3, l4]


def test_free_inputs_are_skipped():
    """Catches None among the layers."""
    free = Layer((None, 3))
    top = Merge([(None, 3), free])
    assert get_all_layers(top) == [free, top]


def test_layers_treated_as_inputs_are_listed_without_what_is_below(chain, merged):
    """Catches a cut that also removes the layer, or that hides another path."""
    l1, l2, l3 = chain
    assert get_all_layers(l3, treat_as_input=[l2]) == [l2, l3]
    assert get_all_layers([l1, l3], treat_as_input=[l2]) == [l1, l2, l3]
    assert get_all_layers(l3, treat_as_input=l2) == [l2, l3]
    assert get_all_layers(l3, treat_as_input={l2: "value", None: 0}) == [l2, l3]
    assert get_all_layers(l3, treat_as_input=[Layer((1,))]) == [l1, l2, l3]
    l1, l2, l3, l4, l5, l6 = merged
    assert get_all_layers([l6, l2], treat_as_input=[l6]) == [l6, l1, l2]
    assert get_all_layers(l6, treat_as_input=[l3]) == [l3, l4, l5, l6]
    assert get_all_layers(l6, treat_as_input=[l3, l5]) == [l3, l5, l6]


def test_a_skip_connection_leads_around_the_cut():
    """Catches everything below a cut dropped although another path needs it."""
    l1 = InputLayer((10, 20))
    l2 = Layer(l1)
    l3 = Layer(l2)
    l4 = Merge([l2, l3])
    l5 = Layer(l4)
    assert get_all_layers(l5, treat_as_input=[l3]) == [l1, l2, l3, l4, l5]
    assert get_all_layers(l5, treat_as_input=[l2]) == [l2, l3, l4, l5]
    assert get_all_layers(l5, treat_as_input=[l4]) == [l4, l5]


def test_anything_that_looks_like_a_layer_is_followed():
    """Catches isinstance in place of the two attributes."""

    class Lookalike:
        def __init__(self, **attributes):
            vars(self).update(attributes)

        def get_output_for(self, input):
            """Be a layer."""

    bottom = Lookalike()
    middle = Lookalike(input_layer=bottom)
    top = Lookalike(input_layers=[middle, None, bottom], input_layer="never read")
    assert get_all_layers(top) == [bottom, middle, top]


def test_depth_costs_no_recursion():
    """Catches a recursive walk."""
    layer = InputLayer((None, 3))
    for _ in range(5000):
        layer = Layer(layer)
    assert len(get_all_layers(layer)) == 5001


def test_many_paths_cost_no_more_than_many_layers():
    """Catches a walk along every path: there are two to the power of 200."""
    layer = InputLayer((None, 3))
    for _ in range(200):
        layer = Merge([layer, layer])
    assert len(get_all_layers(layer)) == 201


@pytest.mark.parametrize("wrong", [None, "net", [None], 3, [[Layer((1,))]]], ids=str)
def test_what_is_no_layer_is_refused(wrong):
    """Catches an AttributeError on something deep inside."""
    with pytest.raises(TypeError, match="layer must be a layer or an iterable of lay"):
        get_all_layers(wrong)


def reference_order(wanted, cut):
    """List layers by the definition, recursively."""
    order = []

    def place(layer):
        if layer in order:
            return
        if layer not in cut:
            below = getattr(layer, "input_layers", None)
            for each in below or [getattr(layer, "input_layer", None)]:
                if each is not None:
                    place(each)
        order.append(layer)

    for each in wanted:
        place(each)
    return order


@st.composite
def networks(draw, max_size=12):
    """Draw a graph of layers, bottom up, as a list."""
    layers = [InputLayer((None, 3), name="0")]
    for number in range(1, draw(st.integers(1, max_size))):
        below = draw(st.lists(st.sampled_from([*layers, None]), max_size=3))
        if not below:
            layers.append(InputLayer((None, 3), name=str(number)))
        elif len(below) == 1:
            layers.append(Layer(below[0] or (None, 3), name=str(number)))
        else:
            shapes = [(None, 3) if each is None else each for each in below]
            layers.append(Merge(shapes, name=str(number)))
    return layers


@given(st.data())
@settings(deadline=None, max_examples=200, derandomize=True)
def test_any_network_is_listed_as_the_definition_says(data):
    """Catches an iterative walk that differs from the recursive definition."""
    layers = data.draw(networks())
    wanted = data.draw(st.lists(st.sampled_from(layers), max_size=4))
    cut = data.draw(st.sets(st.sampled_from(layers), max_size=3))
    assert get_all_layers(wanted, cut) == reference_order(wanted, cut)
