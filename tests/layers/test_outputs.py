"""Layers with several outputs: shapes, one evaluation, re-wiring, files, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import io
from lasagne_next.layers import (
    DenseLayer,
    ElemwiseSumLayer,
    InputLayer,
    Layer,
    MergeLayer,
    OutputLayer,
    SeveralOutputs,
    StateLayer,
    copy_network,
    get_all_layers,
    get_all_params,
    get_output,
    get_output_shape,
)
from lasagne_next.layers.recurrent import GRULayer
from lasagne_next.summary import summarize, to_dot
from lasagne_next.testing import check_layer
from tests.backends import MODES, compile_on

FAST = "FAST_COMPILE"


class ParityLayer(SeveralOutputs, Layer):
    """A product, of which odd columns come by name."""

    calls = 0

    def __init__(self, incoming, W=None, **kwargs):
        super().__init__(incoming, **kwargs)
        W = np.random.default_rng(2).normal(size=(3, 5)) if W is None else W
        self.W = self.add_param(W, (3, 5), name="W")

    def get_output_shapes_for(self, input_shape):
        return {"even": (input_shape[0], 3), "odd": (input_shape[0], 2), "sum": ()}

    def get_outputs_for(self, input, twice=False, **kwargs):
        type(self).calls += 1
        product = pt.dot(input, self.W) * (2 if twice else 1)
        return {"even": product[:, ::2], "odd": product[:, 1::2], "sum": product.sum()}


class SortedLayer(SeveralOutputs, MergeLayer):
    """The larger and the smaller of two inputs."""

    def get_output_shapes_for(self, input_shapes):
        return {"larger": input_shapes[0], "smaller": input_shapes[1]}

    def get_outputs_for(self, inputs, **kwargs):
        return {"larger": pt.maximum(*inputs), "smaller": pt.minimum(*inputs)}


def count_products(function):
    """Count the matrix products of a compiled graph."""
    kinds = ("Dot", "Dot22", "Gemm", "BatchedDot", "MatrixProduct")
    nodes = function.maker.fgraph.apply_nodes
    return sum(type(node.op).__name__ in kinds for node in nodes)


def test_all_outputs_come_from_one_evaluation(floatX64):
    """Catches a layer that is evaluated again for each layer that reads it."""
    l_in = InputLayer((None, 3))
    layer = ParityLayer(l_in)
    odd, again = OutputLayer(layer, "odd"), OutputLayer(layer, "odd")
    above = DenseLayer(layer, 7, name="above")  # reads the main output
    ParityLayer.calls = 0
    outputs = get_output([layer, odd, again, above, OutputLayer(layer, "sum")])
    assert ParityLayer.calls == 1
    assert outputs[1] is outputs[2]
    function = pytensor.function([l_in.input_var], outputs, mode=FAST)
    assert count_products(function) == 2  # the layer's, and that of the one above
    x = np.arange(6.0).reshape(2, 3)
    product = x @ layer.W.get_value()
    even, got, _, _, total = function(x)
    np.testing.assert_allclose(even, product[:, ::2])
    np.testing.assert_allclose(got, product[:, 1::2])
    np.testing.assert_allclose(total, product.sum())


def test_what_nobody_reads_is_not_computed(floatX64):
    """Catches outputs that are all compiled because they are named together."""
    x, y = pt.matrices("xy")
    layer = SortedLayer([InputLayer((2, 5), x), InputLayer((2, 5), y)])
    output = get_output(OutputLayer(layer, "smaller"))
    function = pytensor.function([x, y], output, mode=FAST)
    assert "maximum" not in str(function.maker.fgraph)


def test_shapes_are_those_of_the_output_that_is_read():
    """Catches the shape of the main output given for all."""
    layer = ParityLayer(InputLayer((None, 3)))
    odd, total = OutputLayer(layer, "odd"), OutputLayer(layer, "sum")
    assert layer.output_shapes == {"even": (None, 3), "odd": (None, 2), "sum": ()}
    assert layer.output_shape == (None, 3)
    assert (odd.input_shape, odd.output_shape, total.output_shape) == (
        (None, 2),
        (None, 2),
        (),
    )
    assert get_output_shape([odd, layer], (7, 3)) == [(7, 2), (7, 3)]
    assert DenseLayer(odd, 4).W.type.shape == (2, 4)


def test_layers_of_several_inputs_have_several_outputs_too():
    """Catches a map of shapes that is given the shape of one input."""
    check_layer(SortedLayer, [(None, 3), (None, 3)])
    layer = SortedLayer([(2, 5), (2, 5)])
    smaller = OutputLayer(layer, "smaller")
    summed = ElemwiseSumLayer([layer, smaller])
    assert layer.output_shapes["smaller"] == summed.output_shape == (2, 5)
    one, two = np.ones((2, 5)), np.full((2, 5), 2.0)
    total = get_output(summed, {layer: one, smaller: two})
    np.testing.assert_array_equal(total.eval(mode=FAST), one + two)


def test_an_own_layer_with_several_outputs_keeps_the_contract():
    """Catches a checker that knows layers with one output only."""
    check_layer(ParityLayer, (None, 3))

    class Misnamed(ParityLayer):
        def get_outputs_for(self, input, **kwargs):
            return {"even": input, "odds": input}

    with pytest.raises(AssertionError, match="must return what get_output_shapes_for"):
        check_layer(Misnamed, (None, 3))

    class Misshapen(ParityLayer):
        def get_output_shapes_for(self, input_shape):
            return {**super().get_output_shapes_for(input_shape), "odd": (None, 7)}

    with pytest.raises(AssertionError, match=r"static shape of 'odd', \(None, 2\)"):
        check_layer(Misshapen, (None, 3))


def test_the_layer_that_is_read_can_be_exchanged():
    """Catches shapes and names that were looked up once."""
    odd = OutputLayer(ParityLayer((None, 3)), "odd", name="o")
    odd.input_layer = ParityLayer((7, 3))
    assert odd.output_shape == (7, 2)
    odd.input_layer = GRULayer((None, 7, 3), 5, name="g")
    with pytest.raises(ValueError, match="'o': output must be one of hid, final_hid"):
        odd.output_shape  # noqa: B018


def test_networks_with_several_outputs_are_listed_copied_and_saved(tmp_path):
    """Catches a layer that hides from what walks through networks."""
    l_in = InputLayer((None, 3), name="in")
    layer = ParityLayer(l_in, name="p")
    network = DenseLayer(OutputLayer(layer, "odd", name="o"), 2, name="d")
    assert get_all_layers(network) == [l_in, layer, network.input_layer, network]
    assert get_all_params(network) == [layer.W, network.W, network.b]
    copied = copy_network(network)
    assert copied.input_layer.input_layer is not layer
    assert copied.output_shape == (None, 2)
    io.save(tmp_path / "network.npz", network)
    layer.W.set_value(0 * layer.W.get_value())
    assert io.load(tmp_path / "network.npz", network).is_complete
    assert layer.W.get_value().any()
    assert "p.odd" in summarize(network)
    assert '[label="odd"]' in to_dot(network)


def test_keywords_of_the_map_of_outputs_are_known():
    """Catches a warning of a keyword that the layer has."""
    odd = OutputLayer(ParityLayer((None, 3)), "odd")
    x = pt.matrix("x")
    get_output(odd, {None: x}, twice=True)
    with pytest.warns(UserWarning, match=r"twise \(perhaps you meant twice"):
        get_output(odd, {None: x}, twise=True)


def test_states_are_outputs_of_recurrent_layers(floatX64):
    """Catches two ways to the same state that lead to different numbers."""
    l_in = InputLayer((2, 7, 3))
    gru = GRULayer(l_in, 5)
    assert gru.output_shapes == {"hid": (2, 7, 5), "final_hid": (2, 5)}
    read, state = OutputLayer(gru, "final_hid"), StateLayer(gru)
    assert isinstance(state, OutputLayer)
    outputs = get_output([read, state])
    assert outputs[0] is outputs[1]


def test_single_precision_stays_single_on_all_backends(floatX32):
    """Catches an output that only the default backend computes."""
    l_in = InputLayer((None, 3))
    layer = ParityLayer(l_in, np.ones((3, 5), "float32"))
    outputs = get_output([OutputLayer(layer, name) for name in layer.output_shapes])
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for mode in MODES.values():
        even, odd, total = compile_on(mode, [l_in.input_var], outputs)(x)
        assert (even.shape, odd.shape, total) == ((2, 3), (2, 2), 75)
        assert even.dtype == "float32"


def test_what_has_no_such_output_is_refused():
    """Catches an error that names neither the layer nor what there is."""
    layer = ParityLayer((None, 3), name="p")
    with pytest.raises(
        ValueError, match="'o': output must be one of even, odd, sum of ParityLayer 'p'"
    ):
        OutputLayer(layer, "od", name="o")
    for incoming in (InputLayer((None, 3)), (None, 3)):
        with pytest.raises(TypeError, match="'o': incoming must be a layer with sev"):
            OutputLayer(incoming, "odd", name="o")
    odd = OutputLayer(layer, "odd", name="o")
    with pytest.raises(ValueError, match="'o': the input must be what ParityLayer 'p'"):
        get_output(odd, {layer: pt.matrix()})
    with pytest.raises(ValueError, match="'o': the input must be what ParityLayer 'p'"):
        get_output_shape(odd, {layer: (7, 3)})


def test_both_maps_must_be_defined():
    """Catches a NotImplementedError that asks for the maps of one output."""

    class Unfinished(SeveralOutputs, Layer):
        pass

    layer = Unfinished((None, 3), name="u")
    with pytest.raises(NotImplementedError, match="'u' must define get_output_shapes"):
        layer.output_shape  # noqa: B018
    with pytest.raises(NotImplementedError, match="'u' must define get_outputs_for"):
        layer.get_output_for(pt.matrix())


def test_a_class_that_replaces_the_map_of_one_output_is_asked_for_that():
    """Catches a sub-class whose own output is passed over."""

    class Doubled(ParityLayer):
        def get_output_for(self, input, **kwargs):
            return 2 * super().get_output_for(input, **kwargs)

    layer, x = Doubled((None, 3), name="d"), np.ones((2, 3))
    got = get_output(layer, {None: x}).eval(mode=FAST)
    np.testing.assert_allclose(got, 2 * x @ layer.W.get_value()[:, ::2])
    with pytest.raises(TypeError, match=r"got <Doubled 'd'>"):
        OutputLayer(layer, "odd")
