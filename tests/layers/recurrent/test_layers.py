"""RecurrentLayer, LSTMLayer and GRULayer against loops, by every path."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import disconnected_grad
from pytensor.scan.op import Scan

import lasagne_next
from lasagne_next import expressions, init, layers, nonlinearities
from lasagne_next.layers import (
    Gate,
    GRULayer,
    InputLayer,
    LSTMLayer,
    RecurrentLayer,
    StateLayer,
    get_all_layers,
    get_all_params,
    get_output,
)
from lasagne_next.testing import double_variables
from tests.backends import MODES, compile_on
from tests.reference import recurrent as reference

FAST = "FAST_COMPILE"
BATCH, STEPS, FEATURES, UNITS = 2, 5, 3, 7
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], dtype="int32")

KINDS = {
    "plain": (RecurrentLayer, reference.plain_step, {"nonlinearity": pt.tanh}),
    "LSTM": (LSTMLayer, reference.lstm_step, {}),
    "GRU": (GRULayer, reference.gru_step, {}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def normal(*shape, seed=3):
    return np.random.default_rng(seed).normal(size=shape)


def values_of(layer):
    """Give all parameters random values and return them by their names."""
    for index, param in enumerate(layer.get_params()):
        param.set_value(
            normal(*param.get_value().shape, seed=index).astype(param.dtype)
        )
    names = [each for each in dir(layer) if each.startswith(("W_", "b"))]
    found = {name: getattr(layer, name) for name in names}
    return {k: v.get_value() for k, v in found.items() if hasattr(v, "get_value")}


def again(layer, incoming, **options):
    """Build the layer once more on the same parameters, with other options."""
    kind = type(layer)
    if kind is RecurrentLayer:
        weights = {"b": layer.b, "nonlinearity": layer.nonlinearity}
        weights |= {k: getattr(layer, k) for k in ("W_in_to_hid", "W_hid_to_hid")}
    else:
        weights = {
            name: Gate(
                getattr(layer, f"W_in_to_{name}"),
                getattr(layer, f"W_hid_to_{name}"),
                getattr(layer, f"W_cell_to_{name}", None),
                getattr(layer, f"b_{name}"),
                pt.tanh if name in ("cell", "hidden_update") else pt.sigmoid,
            )
            for name in layer.gate_names
        }
    starts = {f"{k}_init": getattr(layer, f"{k}_init") for k in layer.state_shapes}
    return kind(incoming, layer.num_units, **{**weights, **starts, **options})


@kinds
def test_values_are_those_of_a_loop_by_every_path(kind, floatX64):
    """Catches gates exchanged, a mask or direction ignored, paths that disagree."""
    cls, step, options = KINDS[kind]
    known = InputLayer((BATCH, STEPS, FEATURES))
    unknown = InputLayer((None, None, FEATURES), known.input_var)
    mask = InputLayer((None, None), pt.imatrix("mask"))
    layer = cls(unknown, UNITS, **options)
    params = values_of(layer)
    built = {
        (): layer,
        ("backwards",): again(layer, unknown, backwards=True),
        ("precompute",): again(layer, unknown, precompute_input=False),
        ("unroll",): again(layer, known, unroll_scan=True),
        ("unroll", "backwards", "mask"): again(
            layer, known, unroll_scan=True, backwards=True, mask_input=mask
        ),
        ("mask",): again(layer, unknown, mask_input=mask),
        ("mask", "backwards", "final"): again(
            layer, known, mask_input=mask, backwards=True, only_return_final=True
        ),
        ("final", "unroll", "precompute"): again(
            layer, known, only_return_final=True, unroll_scan=True,
            precompute_input=False,
        ),
    }  # fmt: skip
    outputs = get_output(list(built.values()))
    inputs = [known.input_var, mask.input_var]
    function = pytensor.function(inputs, outputs, mode=FAST, on_unused_input="ignore")
    x = normal(BATCH, STEPS, FEATURES)
    starts = {
        name: np.repeat(getattr(layer, f"{name}_init").get_value(), BATCH, axis=0)
        for name in layer.state_shapes
    }
    for (case, each), got in zip(built.items(), function(x, MASK), strict=True):
        masked = MASK if "mask" in case else None
        values, last = reference.run(
            step, x, starts, params, masked, "backwards" in case
        )
        wanted = last if "final" in case else values
        np.testing.assert_allclose(got, wanted["hid"], rtol=1e-9, err_msg=str(case))
        known_sizes = [size or got.shape[i] for i, size in enumerate(each.output_shape)]
        assert got.shape == tuple(known_sizes)


def gradients_of(layer, params, inputs):
    loss = pt.sqr(get_output(layer) + 0.5).sum()
    return pytensor.grad(loss, [*params, *inputs])


@kinds
def test_gradients_are_equal_by_every_path(kind, floatX64):
    """Catches a path whose gradient is cut, and clipping that depends on the path."""
    cls, _, options = KINDS[kind]
    incoming = InputLayer((BATCH, STEPS, FEATURES))
    layer = cls(incoming, UNITS, learn_init=True, **options)
    values_of(layer)
    params = get_all_params(layer, trainable=True)
    clipped = [
        again(layer, incoming, learn_init=True, grad_clipping=0.1, **each)
        for each in ({}, {"unroll_scan": True}, {"precompute_input": False})
    ]
    unclipped = again(layer, incoming, learn_init=True, unroll_scan=True)
    groups = [
        gradients_of(each, params, [incoming.input_var])
        for each in (layer, unclipped, *clipped)
    ]
    function = pytensor.function(
        [incoming.input_var], [each for group in groups for each in group], mode=FAST
    )
    results = function(normal(BATCH, STEPS, FEATURES))
    size = len(groups[0])
    whole, same, *bounded = [results[i : i + size] for i in range(0, 5 * size, size)]
    for index, wanted in enumerate(whole):
        np.testing.assert_allclose(same[index], wanted, rtol=1e-8, atol=1e-10)
        for each in bounded[1:]:
            np.testing.assert_allclose(each[index], bounded[0][index], rtol=1e-8)
    assert max(abs(a - b).max() for a, b in zip(whole, bounded[0], strict=True)) > 0.1


def test_truncated_gradients_go_back_that_many_steps(floatX64):
    """Catches gradients of all steps, or of one too many."""
    x, steps = normal(BATCH, STEPS, FEATURES), 2
    layer = RecurrentLayer((BATCH, STEPS, FEATURES), UNITS, nonlinearity=pt.tanh)
    values_of(layer)
    short = again(layer, (BATCH, STEPS, FEATURES), gradient_steps=steps)
    hidden, total = pt.tile(layer.hid_init, (BATCH, 1)), 0
    for t in range(STEPS):
        if t == STEPS - steps:
            hidden, total = disconnected_grad(hidden), 0
        hidden = x[:, t] @ layer.W_in_to_hid + hidden @ layer.W_hid_to_hid + layer.b
        hidden = pt.tanh(hidden)
        total += pt.sqr(hidden).sum()
    params = layer.get_params(trainable=True)
    wanted = pytensor.grad(total, params)
    got = pytensor.grad(pt.sqr(get_output(short, {None: x})).sum(), params)
    results = pytensor.function([], [*wanted, *got], mode=FAST)()
    for one, other in zip(results[:3], results[3:], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9)


def check_backends(names, built, variables):
    """Compare values and gradients of layers on several backends."""
    params = get_all_params(built, trainable=True)
    for index, param in enumerate(params):
        param.set_value(normal(*param.get_value().shape, seed=index).astype("float32"))
    outputs = get_output(built)
    loss = sum(pt.sqr(each + 0.5).sum() for each in outputs)
    results = {}
    with pytensor.config.change_flags(floatX="float64"):
        wanted = [*outputs, *pytensor.grad(loss, params)]
        for name in names:
            function = compile_on(MODES[name], variables, wanted)
            assert not double_variables(function), name
            results[name] = [
                function(normal(n, t, FEATURES).astype("float32"), MASK[:n, :t])
                for n, t in ((2, 5), (1, 3))
            ]
    for name, calls in results.items():
        for call, other in zip(calls, results["python"], strict=True):
            for one, two in zip(call, other, strict=True):
                assert np.asarray(one).dtype == "float32"
                np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4, err_msg=name)


def unknown_inputs():
    """Return inputs and masks of unknown sizes."""
    incoming = InputLayer((None, None, FEATURES), pt.ftensor3("x"))
    mask = InputLayer((None, None), pt.imatrix("mask"))
    return incoming, mask, [incoming.input_var, mask.input_var]


@pytest.mark.skipif(len(MODES) < 3, reason="JAX is not installed")
def test_all_layers_agree_on_jax_with_unknown_sizes(floatX32):
    """Catches sizes that JAX cannot trace, upcasts, and other numbers anywhere."""
    incoming, mask, variables = unknown_inputs()
    built = [
        RecurrentLayer(incoming, 2, nonlinearity=pt.tanh, gradient_steps=2),
        LSTMLayer(incoming, 4, mask_input=mask, backwards=True, learn_init=True),
        GRULayer(incoming, 3, only_return_final=True, grad_clipping=0.5),
    ]
    check_backends(["python", "jax"], built, variables)


@pytest.mark.slow
def test_a_masked_loop_agrees_on_numba_with_unknown_sizes(floatX32):
    """Catches a loop that Numba compiles to something else; one, as it takes long."""
    incoming, mask, variables = unknown_inputs()
    layer = RecurrentLayer(
        incoming, 2, nonlinearity=pt.tanh, mask_input=mask, backwards=True
    )
    check_backends(["python", "numba"], [layer], variables)


@pytest.mark.slow
def test_all_layers_agree_on_numba_with_unknown_sizes(floatX32):
    """Catches a gate or a truncation that Numba compiles to something else."""
    incoming, mask, variables = unknown_inputs()
    built = [
        RecurrentLayer(incoming, 2, nonlinearity=pt.tanh, gradient_steps=2),
        LSTMLayer(incoming, 4, mask_input=mask, backwards=True, learn_init=True),
        GRULayer(incoming, 3, only_return_final=True, grad_clipping=0.5),
    ]
    check_backends(["python", "numba"], built, variables)


class TestParameters:
    """Order, names, tags and kinds of parameters."""

    def test_names_and_order_are_those_of_saved_files(self):
        """Catches another order: old files would load in the wrong place."""
        lstm = LSTMLayer((None, 5, 3), 7, name="l")
        gates = ("ingate", "forgetgate", "cell", "outgate")
        wanted = [
            start + gate
            for gate in gates
            for start in ("W_in_to_", "W_hid_to_", "b_")
        ]  # fmt: skip
        wanted += [f"W_cell_to_{gate}" for gate in gates if gate != "cell"]
        wanted += ["cell_init", "hid_init"]
        assert [each.name for each in lstm.get_params()] == [f"l.{n}" for n in wanted]
        gru = GRULayer((None, 5, 3), 7)
        gates = ("updategate", "resetgate", "hidden_update")
        wanted = [s + g for g in gates for s in ("W_in_to_", "W_hid_to_", "b_")]
        assert [each.name for each in gru.get_params()] == [*wanted, "hid_init"]
        plain = RecurrentLayer((None, 5, 3), 7, name="r")
        wanted = ["hid_init", "input_to_hidden.W", "input_to_hidden.b"]
        wanted = [f"r.{name}" for name in [*wanted, "hidden_to_hidden.W"]]
        assert [each.name for each in plain.get_params()] == wanted
        assert RecurrentLayer((None, 5, 3), 7, name=None).b.name == "input_to_hidden.b"

    @pytest.mark.parametrize(
        ("cls", "options", "trainable", "free"),
        [
            (LSTMLayer, {}, 15, 6),
            (LSTMLayer, {"peepholes": False, "learn_init": True}, 14, 6),
            (GRULayer, {}, 9, 4),
            (GRULayer, {"learn_init": True}, 10, 4),
            (RecurrentLayer, {}, 3, 2),
        ],
    )
    def test_tags_are_counted(self, cls, options, trainable, free):
        """Catches initial states that are penalised, or trained unasked."""
        layer = cls((None, 5, 3), 7, **options)
        assert len(layer.get_params(trainable=True)) == trainable
        assert len(layer.get_params(regularizable=False)) == free

    def test_equal_seeds_give_equal_layers_whatever_the_options(self):
        """Catches initialisers drawn in an order that depends on options."""
        values = []
        for options in ({}, {"unroll_scan": True}, {"backwards": True}):
            lasagne_next.random.set_rng(np.random.default_rng(5))
            layer = LSTMLayer((2, 5, 3), 7, **options)
            values.append([each.get_value() for each in layer.get_params()])
        for one in values[1:]:
            for a, b in zip(one, values[0], strict=True):
                np.testing.assert_array_equal(a, b)

    def test_weights_may_be_expressions_and_are_used_by_their_parts(self, floatX64):
        """Catches a low-rank weight that is multiplied out, or read by value."""
        u, v = (pytensor.shared(normal(*s), shape=s) for s in ((64, 1), (1, 64)))
        plain = GRULayer((BATCH, STEPS, 64), 64)
        values_of(plain)
        low = Gate(plain.W_in_to_updategate, pt.dot(u, v), None, plain.b_updategate)
        layer = again(plain, (BATCH, STEPS, 64), updategate=low)
        dense = again(layer, (BATCH, STEPS, 64))
        dense.W_hid_to_updategate = pytensor.shared(u.get_value() @ v.get_value())
        x = normal(BATCH, STEPS, 64)
        outputs = [get_output(each, {None: x}) for each in (layer, dense)]
        gradient = pytensor.grad(outputs[0].sum(), [u, v])
        got = pytensor.function([], [*outputs, *gradient], mode=FAST)
        one, other, *slopes = got()
        np.testing.assert_allclose(one, other, rtol=1e-9)
        assert all(abs(each).max() > 0 for each in slopes)
        assert layer.get_params()[2:4] != [u, v]
        assert u in layer.get_params(trainable=True)

    def test_parameters_can_be_exchanged(self):
        """Catches a cell that goes on with the old weight."""
        layer = LSTMLayer((None, 5, 3), 7, name="l")
        new = layers.replace_param(layer, "W_hid_to_cell", expressions.Orthogonal(),
                                   strict=False)  # fmt: skip
        assert layer.W_hid_to_cell is new
        assert layer.get_params(unwrap_shared=False).count(new) == 1

    def test_orthogonal_weights_are_computed_once(self):
        """Catches a decomposition in each step."""
        W = expressions.Orthogonal()
        layer = RecurrentLayer((None, None, 3), 7, W_hid_to_hid=W)
        function = pytensor.function(
            [], get_output(layer, {None: normal(2, 5, 3)}), mode=FAST
        )
        nodes = function.maker.fgraph.apply_nodes
        (scan,) = [node for node in nodes if isinstance(node.op, Scan)]
        inner = {type(node.op).__name__ for node in scan.op.fgraph.apply_nodes}
        assert inner <= {"Dot", "Dot22", "Elemwise", "DimShuffle"}


class TestInitialStates:
    """Where states start, and how to read them."""

    def test_layers_arrays_and_expressions_give_initial_states(self, floatX64):
        """Catches rows that are exchanged, and a state used for one example only."""
        x, start = normal(BATCH, STEPS, FEATURES), normal(BATCH, UNITS, seed=8)
        incoming = InputLayer((BATCH, STEPS, FEATURES))
        given = InputLayer((None, UNITS))
        first = GRULayer(incoming, UNITS, hid_init=given, name="g")
        params = values_of(first)
        assert get_all_layers(first) == [incoming, given, first]
        assert first.hid_init_incoming_index == 1
        assert first.hid_init is given
        symbolic = pt.dmatrix("start")
        others = [
            again(first, incoming, hid_init=spec)
            for spec in (start, symbolic, symbolic * 1)
        ]
        outputs = get_output([first, *others], {incoming: x, given: start})
        function = pytensor.function([symbolic], outputs, mode=FAST)
        wanted, _ = reference.run(reference.gru_step, x, {"hid": start}, params)
        for got in function(start):
            np.testing.assert_allclose(got, wanted["hid"], rtol=1e-9)

    def test_states_are_read_in_the_same_pass(self, floatX64):
        """Catches the state of another run, and the first instead of the last one."""
        x = normal(BATCH, STEPS, FEATURES)
        incoming = InputLayer((None, None, FEATURES))
        lstm = LSTMLayer(incoming, UNITS, backwards=True)
        params = values_of(lstm)
        built = [
            StateLayer(lstm, "cell"),
            StateLayer(lstm),
            StateLayer(lstm, "cell", only_return_final=False),
            StateLayer(
                again(lstm, incoming, only_return_final=True, backwards=True), "cell"
            ),
        ]
        starts = {
            name: np.repeat(getattr(lstm, f"{name}_init").get_value(), BATCH, axis=0)
            for name in ("hid", "cell")
        }
        outputs = get_output(built, {incoming: x})
        function = pytensor.function([], outputs, mode=FAST)
        values, last = reference.run(
            reference.lstm_step, x, starts, params, backwards=True
        )
        wanted = [last["cell"], last["hid"], values["cell"], last["cell"]]
        for layer, got, each in zip(built, function(), wanted, strict=True):
            np.testing.assert_allclose(got, each, rtol=1e-9)
            assert len(layer.output_shape) == got.ndim

    def test_what_has_no_such_state_is_refused(self):
        """Catches a KeyError without the layer's name."""
        incoming = InputLayer((None, None, 3))
        with pytest.raises(
            TypeError, match="StateLayer 's': incoming must be a recurr"
        ):
            StateLayer(incoming, name="s")
        gru = GRULayer(incoming, 7, name="g")
        with pytest.raises(ValueError, match=r"must be one of hid of .*'g', got 'cel'"):
            StateLayer(gru, "cel")
        final = GRULayer(incoming, 7, only_return_final=True)
        with pytest.raises(ValueError, match="only_return_final must be True over"):
            StateLayer(final, only_return_final=False)
        state = StateLayer(gru, name="s")
        with pytest.raises(
            ValueError, match="'s': the input must be what GRULayer 'g'"
        ):
            get_output(state, {gru: pt.tensor3()})


class TestArguments:
    """What is refused, and how the message reads."""

    @kinds
    def test_inputs_need_time_and_known_features(self, kind):
        """Catches an obscure TypeError for two-dimensional inputs."""
        cls = KINDS[kind][0]
        with pytest.raises(
            ValueError, match=r"'l': the input must have at least 3 axes .*\(None, 3\)"
        ):
            cls((None, 3), 7, name="l")
        with pytest.raises(ValueError, match=r"'l.* got .*None"):
            cls((2, 5, None), 7, name="l")

    @kinds
    def test_options_must_fit_each_other(self, kind):
        """Catches a loop without a length, and truncation that is ignored."""
        cls = KINDS[kind][0]
        with pytest.raises(ValueError, match="'l': the number of time steps must be"):
            cls((2, None, 3), 7, unroll_scan=True, name="l")
        with pytest.raises(ValueError, match="'l': gradient_steps must be -1 when"):
            cls((2, 5, 3), 7, unroll_scan=True, gradient_steps=3, name="l")
        with pytest.raises(
            ValueError, match=r"'l': gradient_steps must be a pos.*got 0"
        ):
            cls((2, 5, 3), 7, gradient_steps=0, name="l")
        with pytest.raises(
            ValueError, match=r"'l': mask_input must have .*\(2, 5, 3\)"
        ):
            cls((2, 5, 3), 7, mask_input=(2, 5, 3), name="l")
        with pytest.raises(ValueError, match=r"'l': hid_init must have .*\(2, 4\)"):
            cls((2, 5, 3), 7, hid_init=InputLayer((2, 4)), name="l")

    def test_gates_are_checked(self):
        """Catches an AttributeError for a gate without peepholes."""
        with pytest.raises(ValueError, match="'l': ingate must have W_cell when peep"):
            LSTMLayer((2, 5, 3), 7, ingate=Gate(W_cell=None), name="l")
        with pytest.raises(TypeError, match="'l': resetgate must be a Gate, got None"):
            GRULayer((2, 5, 3), 7, resetgate=None, name="l")
        assert not hasattr(Gate(W_cell=None), "W_cell")
        assert Gate(nonlinearity=None).nonlinearity is nonlinearities.identity
        assert repr(Gate(None, b=None)) == "Gate(W_in=None, b=None)"

    def test_gates_may_lack_biases(self, floatX64):
        """Catches None added to a tensor."""
        gate = Gate(b=None)
        some = LSTMLayer((2, 5, 3), 7, ingate=gate, forgetgate=gate)
        assert some.b_ingate is None
        assert len(some.get_params(regularizable=False)) == 4
        none = GRULayer((2, 5, 3), 1, gate, gate, Gate(b=None, W_cell=None))
        x = normal(2, 5, 3)
        function = pytensor.function([], get_output([some, none], {None: x}), mode=FAST)
        assert [each.shape for each in function()] == [(2, 5, 7), (2, 5, 1)]


def test_a_pass_through_lstm_returns_its_input(floatX64):
    """Catches gates exchanged in another way than the reference would."""
    open_gate = Gate(init.Constant(0), init.Constant(0), b=init.Constant(1),
                     nonlinearity=None)  # fmt: skip
    closed = Gate(init.Constant(0), init.Constant(0), b=init.Constant(0),
                  nonlinearity=None)  # fmt: skip
    cell = Gate(np.eye(3), init.Constant(0), None, nonlinearity=None)
    layer = LSTMLayer(
        (2, 5, 3), 3, open_gate, closed, cell, open_gate, None, peepholes=False
    )
    x = normal(2, 5, 3)
    output = get_output(layer, {None: x}).eval(mode=FAST)
    np.testing.assert_allclose(output, x)
