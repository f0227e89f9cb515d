"""Cells of layers, disturbed and normalised cells, both directions, carried states."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import expressions, layers
from lasagne_next.layers import (
    Cell,
    ConcatLayer,
    DenseLayer,
    EmbeddingLayer,
    GRUCell,
    GRULayer,
    InputLayer,
    LayerCell,
    LayerNormGRUCell,
    LayerNormLSTMCell,
    LSTMCell,
    LSTMLayer,
    Sampler,
    ScanLayer,
    StateLayer,
    VariationalDropoutCell,
    ZoneoutCell,
    bidirectional,
    carry_states,
    copy_network,
    get_all_layers,
    get_all_params,
    get_output,
    reset_states,
)
from lasagne_next.testing import check_gradients
from tests.backends import MODES, compile_on
from tests.reference import recurrent as reference

FAST = "FAST_COMPILE"
BATCH, STEPS, FEATURES, UNITS = 2, 5, 3, 7


def normal(*shape, seed=3):
    return np.random.default_rng(seed).normal(size=shape)


def fill(layer):
    for index, param in enumerate(layer.get_params()):
        param.set_value(normal(*param.get_value().shape, seed=index))


def evaluate(outputs, inputs=(), values=(), **kwargs):
    function = pytensor.function(list(inputs), outputs, mode=FAST, **kwargs)
    return function(*values)


def cell_of_layers(**options):
    x, h = InputLayer((None, FEATURES)), InputLayer((None, UNITS))
    new = DenseLayer(ConcatLayer([x, h]), UNITS, nonlinearity=pt.tanh, name="new")
    read = DenseLayer(new, 2, nonlinearity=None, name="read")
    return LayerCell(x, {"hid": (h, new)}, {"y": read, "twice": new}, **options)


class TestScanLayer:
    """The container, with cells of any kind."""

    def test_lstm_and_gru_are_their_cells_in_the_container(self, floatX64):
        """Catches a layer and a cell of the same name that compute other things."""
        x = normal(BATCH, STEPS, FEATURES)
        incoming = InputLayer(x.shape)
        pairs = []
        for layer, cell in [(LSTMLayer, LSTMCell), (GRULayer, GRUCell)]:
            one = layer(incoming, UNITS, name="l")
            inner = cell((None, FEATURES), UNITS, name="l")
            two = ScanLayer(incoming, inner)
            weights = [e.get_params(regularizable=True) for e in (one, inner)]
            for source, target in zip(*weights, strict=True):
                target.set_value(source.get_value())
            pairs += [one, two]
        outputs = evaluate(get_output(pairs, {incoming: x}))
        np.testing.assert_allclose(outputs[0], outputs[1])
        np.testing.assert_allclose(outputs[2], outputs[3])

    def test_outputs_besides_states_are_returned_masked_or_not(self, floatX64):
        """Catches an output of a masked step that is not that of the one before."""
        x = normal(BATCH, STEPS, FEATURES)
        mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]])
        incoming, keep = InputLayer((None, None, FEATURES)), InputLayer((None, None))
        cell = cell_of_layers()
        plain = ScanLayer(incoming, cell)
        masked = ScanLayer(incoming, cell, mask_input=keep)
        twice = StateLayer(masked, "twice", only_return_final=False)
        assert plain.output_shape == (None, None, 2)
        W, b, V, c = [each.get_value() for each in cell.get_params()]
        given = {incoming: x, keep: mask.astype(float)}
        got = evaluate(get_output([plain, masked, twice, StateLayer(plain)], given))
        for output, used in [(got[0], np.ones_like(mask)), (got[1], mask)]:
            h, y = np.zeros((BATCH, UNITS)), np.zeros((BATCH, 2))
            for t in range(STEPS):
                new = np.tanh(np.concatenate([x[:, t], h], axis=1) @ W + b)
                h = np.where(used[:, t, None], new, h)
                y = np.where(used[:, t, None], new @ V + c, y)
                np.testing.assert_allclose(output[:, t], y, rtol=1e-9)
            if used is mask:
                np.testing.assert_allclose(got[2][:, -1], h, rtol=1e-9)
            else:
                np.testing.assert_allclose(got[3], h, rtol=1e-9)

    def test_layers_and_parameters_inside_are_found(self):
        """Catches parameters that are not trained, and layers nobody can list."""
        incoming = InputLayer((None, STEPS, FEATURES))
        scan = ScanLayer(incoming, cell_of_layers(name="c"), name="s")
        names = ["s.hid_init", "new.W", "new.b", "read.W", "read.b"]
        assert [each.name for each in get_all_params(scan)] == names
        assert get_all_layers(scan) == [incoming, scan]
        found = [each.name for each in get_all_layers(scan, inner=True)]
        assert found[-2:] == ["c", "s"]
        assert {"new", "read"} <= set(found)
        twin = copy_network(scan, prefix="t.")
        wanted = [f"t.{name}" for name in names]
        assert [each.name for each in get_all_params(twin)] == wanted
        x = normal(BATCH, STEPS, FEATURES)
        one, two = evaluate(
            [get_output(each, {each.input_layers[0]: x}) for each in (scan, twin)]
        )
        np.testing.assert_array_equal(one, two)

    def test_constants_reach_every_step(self, floatX64):
        """Catches constants taken for sequences, and another order of inputs."""
        memory = normal(BATCH, 4, UNITS, seed=9)
        incoming = InputLayer((None, None, UNITS))
        source = InputLayer((None, 4, UNITS))
        layer = ScanLayer(incoming, Attention((None, UNITS)), constants=[source])
        x = normal(BATCH, STEPS, UNITS)
        output = evaluate([get_output(layer, {incoming: x, source: memory})])[0]
        h = np.zeros((BATCH, UNITS))
        for t in range(STEPS):
            scores = np.exp(np.einsum("nu,nmu->nm", h, memory))
            weights = scores / scores.sum(axis=1, keepdims=True)
            h = np.tanh(x[:, t] + np.einsum("nm,nmu->nu", weights, memory))
            np.testing.assert_allclose(output[:, t], h, rtol=1e-9)

    def test_what_does_not_fit_is_refused(self):
        """Catches a KeyError or a shape error from inside the loop."""
        incoming = InputLayer((None, None, FEATURES))
        cell = GRUCell((None, FEATURES), UNITS)
        with pytest.raises(
            TypeError, match="ScanLayer 's': cell must be a Cell, got 3"
        ):
            ScanLayer(incoming, 3, name="s")
        with pytest.raises(ValueError, match=r"must name states .*\(hid\), got 'hit'"):
            ScanLayer(incoming, cell, {"hit": 0})
        with pytest.raises(
            ValueError, match=r"'s': the elements .* got \[\(None, 4\)\]"
        ):
            ScanLayer((None, None, 4), cell, name="s")
        with pytest.raises(
            NotImplementedError, match="Cell 'c' must define state_shapes"
        ):
            ScanLayer(incoming, Cell((None, 3), name="c"))
        with pytest.raises(NotImplementedError, match="'c' must define step"):
            Cell((None, 3), name="c").step([], {}, None)
        broken = Attention((None, UNITS))
        broken.output_names = ("focus",)
        with pytest.raises(
            NotImplementedError, match="must define get_further_shapes_"
        ):
            ScanLayer((None, None, UNITS), broken).output_shape  # noqa: B018

    def test_layer_cells_are_checked(self):
        """Catches a state that changes its shape, and a placeholder that is none."""
        x, h = InputLayer((None, 3)), InputLayer((None, 5))
        new = DenseLayer(h, 4)
        with pytest.raises(ValueError, match=r"'c': state 'hid' must keep .*\(5,\)"):
            LayerCell(x, {"hid": (h, new)}, name="c")
        with pytest.raises(TypeError, match=r"'c': inputs, .* must be InputLayers"):
            LayerCell(new, {"hid": (h, h)}, name="c")
        with pytest.raises(ValueError, match="'c': states must name at least one"):
            LayerCell(x, {}, name="c")

    def test_a_state_must_keep_its_shape(self):
        """Catches a message of scan that names no layer."""
        cell = Attention((None, UNITS))
        cell.step = lambda inputs, states, context: {"hid": inputs[0][:, :3]}
        layer = ScanLayer((BATCH, 5, UNITS), cell, name="s")
        with pytest.raises(ValueError, match=r"must keep its shape, got \(2, 7\)"):
            get_output(layer, {None: pt.tensor(shape=(BATCH, 5, UNITS))})


class Attention(Cell):
    """Reads from a memory by the similarity with its state."""

    state_shapes, output_names = {"hid": (UNITS,)}, ("hid",)

    def step(self, inputs, states, context, **kwargs):
        (memory,) = context.constants  # (batch, places, units)
        scores = (states["hid"][:, None, :] * memory).sum(axis=2)
        weights = pt.special.softmax(scores, axis=1)  # (batch, places)
        read = (weights[:, :, None] * memory).sum(axis=1)  # (batch, units)
        return {"hid": pt.tanh(inputs[0] + read)}


class Hold(Cell):
    """Adds one to its state; returns what products would see, too."""

    state_shapes, output_names = {"hid": (UNITS,)}, ("hid", "seen")

    def get_further_shapes_for(self, input_shapes):
        return {"seen": (UNITS,)}

    def step(self, inputs, states, context, **kwargs):
        return {"hid": states["hid"] + 1, "seen": inputs[0]}


class TestDisturbedCells:
    """Variational dropout and zoneout."""

    def test_variational_masks_are_the_same_in_all_steps(self, floatX64):
        """Catches a mask for each step, masks not rescaled, or drawn at evaluation."""
        x = np.ones((200, STEPS, UNITS))
        cell = VariationalDropoutCell(Hold((None, UNITS)), p_input=0.3, p_state=0.4)
        incoming = InputLayer((None, None, UNITS))
        layer = ScanLayer(incoming, cell)
        seen = StateLayer(layer, "seen", only_return_final=False)
        outputs = get_output([layer, seen], {incoming: x})
        fixed = get_output([layer, seen], {incoming: x}, deterministic=True)
        hid, seen, exact, same = evaluate([*outputs, *fixed])
        np.testing.assert_array_equal(seen, seen[:, :1].repeat(STEPS, axis=1))
        assert set(seen.ravel().round(9)) == {0, round(1 / 0.7, 9)}
        assert abs((seen == 0).mean() - 0.3) < 0.05
        kept = hid[:, 1] > 1
        for t in range(1, STEPS):
            wanted = 1 + np.where(kept, hid[:, t - 1] / 0.6, 0)
            np.testing.assert_allclose(hid[:, t], wanted)
        assert abs(kept.mean() - 0.6) < 0.05
        np.testing.assert_array_equal(exact[0, :, 0], [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(same, x)

    def test_gated_cells_remember_what_products_do_not_see(self, floatX64):
        """Catches a GRU that forgets the units that are dropped."""
        gru = GRUCell((None, UNITS), UNITS)
        gru.nonlinearity_updategate = lambda x: 0 * x  # keeps everything
        cell = VariationalDropoutCell(gru, p_state=0.5)
        layer = ScanLayer((BATCH, STEPS, UNITS), cell, {"hid": np.ones((1, UNITS))})
        output = get_output(layer, {None: normal(BATCH, STEPS, UNITS)})
        np.testing.assert_array_equal(evaluate([output])[0], 1)

    def test_zoneout_keeps_old_values_or_mixes_them(self, floatX64):
        """Catches probabilities exchanged, and one draw for all steps."""
        x = np.ones((100, STEPS, UNITS))
        layer = ScanLayer(x.shape, ZoneoutCell(Hold((None, UNITS)), p=0.25))
        exact = get_output(layer, {None: x}, deterministic=True)
        noisy, fixed = evaluate([get_output(layer, {None: x}), exact])
        steps = np.diff(noisy, axis=1)
        assert set(steps.ravel()) == {0, 1}
        assert abs(steps.mean() - 0.75) < 0.04
        assert abs(steps - steps[:, :1]).max() == 1
        np.testing.assert_allclose(fixed[0, :, 0], 0.75 * np.arange(1, STEPS + 1))

    def test_probabilities_are_checked(self):
        """Catches a division by zero, and a state that is not there."""
        cell = GRUCell((None, 3), 5)
        with pytest.raises(ValueError, match=r"'z': p must be probabil.*got 1\.5"):
            ZoneoutCell(cell, 1.5, name="z")
        with pytest.raises(ValueError, match=r"p must name states .*hid\), got 'cell'"):
            ZoneoutCell(cell, {"cell": 0.5})
        with pytest.raises(ValueError, match=r"'v': p_input must be probab.*got 1"):
            VariationalDropoutCell(cell, p_input=1, name="v")
        with pytest.raises(TypeError, match="'v': cell must be a Cell, got None"):
            VariationalDropoutCell(None, name="v")


def standardised(x, epsilon):
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + epsilon)


def normalised_lstm_step(x, states, params):
    """One step of a layer-normalised LSTM for one example."""
    gates = ("ingate", "forgetgate", "cell", "outgate")

    def joined(start):
        return np.concatenate([params[start + gate] for gate in gates], axis=-1)

    total = standardised(x @ joined("W_in_to_"), 1e-5) * params["gain_in"]
    hidden = standardised(states["hid"] @ joined("W_hid_to_"), 1e-5)
    total = total + hidden * params["gain_hid"] + joined("b_")
    i, f, g, o = np.split(total, 4)
    cell = reference.sigmoid(f) * states["cell"] + reference.sigmoid(i) * np.tanh(g)
    shown = standardised(cell, 1e-5) * params["gain_cell"] + params["shift_cell"]
    return {"hid": reference.sigmoid(o) * np.tanh(shown), "cell": cell}


def normalised_gru_step(x, states, params):
    """One step of layer-normalised gated recurrent units for one example."""
    gates = ("updategate", "resetgate", "hidden_update")

    def product(vector, start, gain):
        parts = [vector @ params[start + gate] for gate in gates]
        both = standardised(np.concatenate(parts[:2]), 1e-5)
        return np.concatenate([both, standardised(parts[2], 1e-5)]) * params[gain]

    from_input = product(x, "W_in_to_", "gain_in")
    from_input += np.concatenate([params[f"b_{gate}"] for gate in gates])
    from_hidden = product(states["hid"], "W_hid_to_", "gain_hid")
    (u, r, c), (v, s, d) = np.split(from_input, 3), np.split(from_hidden, 3)
    update, reset = reference.sigmoid(u + v), reference.sigmoid(r + s)
    candidate = np.tanh(c + reset * d)
    return {"hid": (1 - update) * states["hid"] + update * candidate}


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (LayerNormLSTMCell, normalised_lstm_step),
        (LayerNormGRUCell, normalised_gru_step),
    ],
)
def test_normalised_cells_are_those_of_the_paper(kind, step, floatX64):
    """Catches statistics over examples, and gates normalised apart from each other."""
    x = normal(BATCH, STEPS, FEATURES)
    cell = kind((None, FEATURES), UNITS, name="c")
    layer = ScanLayer(x.shape, cell)
    fill(layer)
    params = {each.name.removeprefix("c."): each.get_value() for each in cell.params}
    starts = {
        name: np.repeat(getattr(layer, f"{name}_init").get_value(), BATCH, axis=0)
        for name in cell.state_shapes
    }
    wanted, _ = reference.run(step, x, starts, params)
    output = get_output(layer, {None: x})
    leaves = layer.get_params(trainable=True)
    loss = pt.sqr(output).sum()
    function = pytensor.function(
        [], [output, loss, *pytensor.grad(loss, leaves)], mode=FAST
    )
    np.testing.assert_allclose(function()[0], wanted["hid"], rtol=1e-9)

    def at(*points):
        for leaf, point in zip(leaves, points, strict=True):
            leaf.set_value(point)
        return function()[1:]

    check_gradients(kind.__name__, at, [each.get_value() for each in leaves])
    assert all(not each.name.endswith("gain") for each in cell.get_params())


class TestBothDirections:
    """The wrapper for both directions."""

    def test_features_are_put_side_by_side_or_added(self, floatX64):
        """Catches the time axis concatenated, and shared weights where none are."""
        x = normal(BATCH, STEPS, FEATURES)
        incoming = InputLayer(x.shape)
        both = bidirectional(GRULayer, incoming, UNITS, name="b")
        added = bidirectional(GRULayer, incoming, UNITS, merge="sum")
        last = bidirectional(GRULayer, incoming, UNITS, only_return_final=True)
        assert both.output_shape == (BATCH, STEPS, 2 * UNITS)
        assert last.output_shape == (BATCH, 2 * UNITS)
        assert added.output_shape == (BATCH, STEPS, UNITS)
        names = [each.name for each in both.input_layers]
        assert names == ["b.forwards", "b.backwards"]
        assert [each.backwards for each in both.input_layers] == [False, True]
        assert len(get_all_params(both)) == 20
        one, two, parts = evaluate(get_output([both, added, both.input_layers[0]], x))
        np.testing.assert_array_equal(one[..., :UNITS], parts)
        assert two.shape == added.output_shape

    def test_other_merges_are_refused(self):
        """Catches a typing error taken for a sum."""
        with pytest.raises(ValueError, match=r"merge must be one of .*'concat'"):
            bidirectional(GRULayer, (2, 5, 3), 7, merge="concatt")


class TestCarriedStates:
    """From call to call, and one step at a time."""

    def test_two_halves_give_the_whole(self, floatX64):
        """Catches a state that is not updated, or with the main output only."""
        x = normal(BATCH, 6, FEATURES)
        whole = LSTMLayer(x.shape, UNITS, name="l")
        fill(whole)
        half = copy_network(LSTMLayer(InputLayer((None, 3, FEATURES)), UNITS))
        for source, target in zip(whole.get_params(), half.get_params(), strict=True):
            target.set_value(source.get_value())
        states = carry_states(half, batch_size=BATCH)
        variable = pt.tensor("x", shape=(BATCH, 3, FEATURES))
        output = get_output(half, variable)
        updates = expressions.state_updates(output)
        assert set(updates) == set(states)
        last = get_output(StateLayer(half, "cell"), variable)
        assert set(expressions.state_updates(last)) == set(states)
        function = pytensor.function([variable], output, updates=updates, mode=FAST)
        got = np.concatenate([function(x[:, :3]), function(x[:, 3:])], axis=1)
        wanted = evaluate([get_output(whole, {None: x})])[0]
        np.testing.assert_allclose(got, wanted, rtol=1e-9)
        reset_states(half)
        np.testing.assert_allclose(function(x[:, :3]), wanted[:, :3], rtol=1e-9)

    def test_what_cannot_go_on_is_refused(self):
        """Catches states of the wrong size, and a future that is not there yet."""
        with pytest.raises(ValueError, match="'g': the number of examples must be kn"):
            carry_states(GRULayer((None, 5, 3), 7, name="g"))
        with pytest.raises(ValueError, match="'g': backwards must be False to carry"):
            carry_states(GRULayer((2, 5, 3), 7, backwards=True, name="g"))

    @pytest.mark.parametrize(
        "mode", ["python", pytest.param("numba", marks=pytest.mark.slow)]
    )
    def test_a_sampler_takes_the_steps_of_the_network(self, mode, floatX64):
        """Catches a state that restarts, and parameters that are copied."""
        symbols = InputLayer((None, None), pt.lmatrix("symbols"))
        embedding = EmbeddingLayer(symbols, 4, FEATURES)
        hidden = LSTMLayer(embedding, UNITS, only_return_final=False)
        logits = DenseLayer(hidden, 4, num_leading_axes=2, nonlinearity=None)
        sampler = Sampler(logits, batch_size=BATCH, mode=MODES[mode])
        fill(logits)
        drawn = np.random.default_rng(1).integers(0, 4, (BATCH, STEPS))
        wanted = evaluate([get_output(logits)], [symbols.input_var], [drawn])[0]
        for _ in range(2):
            for t in range(STEPS):
                np.testing.assert_allclose(
                    sampler(drawn[:, t]), wanted[:, t], rtol=1e-9
                )
            sampler.reset()
        path = sampler.feed_back(drawn[:, 0], STEPS, lambda out: out.argmax(axis=-1))
        fed = np.concatenate([drawn[:, :1], path[:, :-1]], axis=1)
        scores = evaluate([get_output(logits)], [symbols.input_var], [fed])[0]
        np.testing.assert_array_equal(path, scores.argmax(axis=-1))

    def test_a_sampler_needs_one_input_over_time(self):
        """Catches the first of several inputs taken for the sequence."""
        two = ConcatLayer([InputLayer((2, 5, 3)), InputLayer((2, 5, 3))])
        with pytest.raises(ValueError, match=r"exactly one InputLayer.*got InputLayer"):
            Sampler(GRULayer(two, 7))


@pytest.mark.skipif(len(MODES) < 3, reason="JAX is not installed")
def test_cells_run_on_jax_with_unknown_sizes(floatX64):
    """Catches random masks and carried outputs that JAX cannot trace."""
    incoming = InputLayer((None, None, FEATURES))
    keep = InputLayer((None, None))
    wrapped = ZoneoutCell(LayerNormLSTMCell((None, FEATURES), UNITS), 0.1)
    built = [
        ScanLayer(incoming, VariationalDropoutCell(wrapped), mask_input=keep),
        ScanLayer(incoming, cell_of_layers(), mask_input=keep, backwards=True),
    ]
    loss = sum(each.sum() for each in get_output(built))
    fixed = get_output(built, deterministic=True)
    params = get_all_params(built, trainable=True)
    inputs = [incoming.input_var, keep.input_var]
    x, mask = normal(BATCH, STEPS, FEATURES), np.ones((BATCH, STEPS))
    noisy = compile_on(MODES["jax"], inputs, pytensor.grad(loss, params))
    assert all(np.isfinite(np.asarray(each)).all() for each in noisy(x, mask))
    exact = compile_on(MODES["jax"], inputs, fixed)
    for one, two in zip(
        exact(x, mask), evaluate(fixed, inputs, [x, mask]), strict=True
    ):
        np.testing.assert_allclose(np.asarray(one), two, rtol=1e-9)


def test_an_encoder_hands_its_states_to_a_decoder(floatX64):
    """Catches states that are evaluated twice, or cut the gradient."""
    source, target = InputLayer((None, None, FEATURES)), InputLayer((None, None, 2))
    encoder = LSTMLayer(source, UNITS, only_return_final=True)
    states = {k: StateLayer(encoder, k) for k in ("hid", "cell")}
    decoder = LSTMLayer(target, UNITS, hid_init=states["hid"], cell_init=states["cell"])
    assert decoder.output_shape == (None, None, UNITS)
    assert layers.get_output_shape(decoder, {source: (2, 5, 3), target: (2, 4, 2)}) == (
        2,
        4,
        UNITS,
    )
    loss = get_output(decoder, {source: normal(2, 5, 3), target: normal(2, 4, 2)}).sum()
    slopes = evaluate(pytensor.grad(loss, get_all_params(encoder, trainable=True)))
    assert all(abs(each).max() > 0 for each in slopes)
