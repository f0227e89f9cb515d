"""Saving and loading: names, values, what fails and what it leaves behind."""

import errno
import json
import os
import pathlib
import pickle
import stat
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from lasagne_next import io, updates
from lasagne_next.layers import (
    DenseLayer,
    DropoutLayer,
    InputLayer,
    Layer,
    get_all_param_values,
    get_all_params,
)
from tests.expression_networks import NETWORKS, nameless, same_names, tied

ENDINGS = [".npz", ".safetensors"]


@pytest.fixture(params=ENDINGS)
def path(request, tmp_path):
    return tmp_path / f"network{request.param}"


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def build(request):
    return request.param


def equal(network, values):
    now = get_all_param_values(network)
    return all(np.array_equal(a, b) for a, b in zip(now, values, strict=True))


def momentum(network):
    """Make updates with a velocity per parameter, named badly, and a step counter."""
    updates = OrderedDict()
    for param in get_all_params(network, trainable=True):
        velocity = pytensor.shared(param.get_value() * 0, name="velocity")
        updates[velocity] = 0.9 * velocity - param
        updates[param] = param + updates[velocity]
    step = pytensor.shared(np.array(0, "int32"))
    updates[step] = step + 1
    return updates


# Names


def test_names_cover_every_leaf_once_in_order(build):
    """Catches leaves lost under a common name, or listed once per use."""
    network = build()
    named = io.named_params(network)
    assert list(named.values()) == get_all_params(network)
    assert all(isinstance(name, str) and name for name in named)


def test_networks_built_alike_have_the_same_names(build):
    """Catches names made of counters of the process or of identities."""
    assert list(io.named_params(build())) == list(io.named_params(build()))


def test_a_name_of_its_own_is_the_key():
    """Catches structural keys where a name would do."""
    assert list(io.named_params(tied())) == ["code.W", "code.b", "out.b"]


def test_layers_without_a_name_are_numbered_within_their_class():
    """Catches keys such as W, which change when a second layer is added."""
    assert list(io.named_params(nameless())) == [
        "DenseLayer0.W",
        "DenseLayer0.b",
        "DenseLayer1.W:leaf1",
        "DenseLayer1.b",
    ]


def test_names_used_twice_give_way_to_places():
    """Catches the second of two equal names overwriting the first."""
    assert list(io.named_params(same_names())) == [
        "DenseLayer0.W",
        "DenseLayer0.b",
        "DenseLayer1.W",
        "DenseLayer1.b",
        "DenseLayer2.W",
        "DenseLayer2.b",
    ]


def test_a_layer_without_parameters_in_between_changes_no_name():
    """Catches numbering by position in the whole network."""
    below = DenseLayer(InputLayer((None, 5)), 3)
    plain, dropped = DenseLayer(below, 2), DenseLayer(DropoutLayer(below), 2)
    assert list(io.named_params(plain)) == list(io.named_params(dropped))


def test_a_name_that_looks_like_a_place_does_not_collide():
    """Catches structural keys that are not checked against names."""
    W = pytensor.shared(np.ones((3, 2)), name="DenseLayer0.W")
    network = DenseLayer(DenseLayer((None, 5), 3), 2, W=W, b=None, name="top")
    named = io.named_params(network)
    assert list(named) == ["DenseLayer0.W_", "DenseLayer0.b", "DenseLayer0.W"]
    assert named["DenseLayer0.W"] is W


@pytest.mark.parametrize("name", ["", "a\0b", "updates:W"])
def test_names_that_cannot_be_keys_are_not_used(name):
    """Catches names that a zip file cuts off, or that read as state."""
    layer = DenseLayer((None, 3), 2, W=pytensor.shared(np.ones((3, 2)), name=name))
    assert list(io.named_params(layer)) == ["DenseLayer0.W", "DenseLayer0.b"]


def test_parameters_in_no_attribute_are_called_by_name_or_position():
    """Catches labels that rely on attributes."""

    class Odd(Layer):
        def __init__(self, incoming, **kwargs):
            super().__init__(incoming, **kwargs)
            self.weights = [
                self.add_param(np.ones(2), (2,), name=name) for name in ("a", None, "a")
            ]

    assert list(io.named_params(Odd((None, 2)))) == [
        "Odd0.param0",
        "Odd0.param1",
        "Odd0.param2",
    ]
    assert list(io.named_params(Odd((None, 2), name="odd")))[1] == "odd.param1"


def test_the_first_attribute_that_holds_a_parameter_names_it():
    """Catches labels that depend on an alias made later."""
    layer = DenseLayer((None, 3), 2)
    layer.weights = layer.W
    assert list(io.named_params(layer)) == ["DenseLayer0.W", "DenseLayer0.b"]


def test_several_outputs_are_named_together():
    """Catches layers below two outputs being counted twice."""
    below = DenseLayer(InputLayer((None, 5)), 3, name="below")
    heads = [DenseLayer(below, 2, name=name) for name in ("left", "right")]
    assert len(io.named_params(heads)) == 6


# Values


def test_values_survive_between_networks_built_alike(build, path):
    """Catches lost, doubled, mixed up or cast values, and files of another format."""
    saved, loaded = build(), build()
    values = get_all_param_values(saved)
    io.save(path, saved)
    assert not equal(loaded, values)
    report = io.load(path, loaded)
    assert equal(loaded, values)
    assert report.is_complete
    assert report.loaded == list(io.named_params(loaded))


def test_sharing_is_saved_as_leaves_once(path):
    """Catches expressions saved as values, and shared weights saved per layer."""
    io.save(path, tied())
    shapes = {name: value.shape for name, value in io.load_values(path).items()}
    assert shapes == {"code.W": (7, 5), "code.b": (5,), "out.b": (7,)}


def test_fixed_leaves_are_saved_and_generator_states_are_not(path):
    """Catches saving what is trainable only, or all shared variables there are."""
    io.save(path, NETWORKS["masked"]())
    assert "mask" in io.load_values(path)
    io.save(path, NETWORKS["random_weights"]())
    assert set(io.load_values(path)) == {"mean", "bayes.W:leaf1", "bayes.b"}


def test_named_values_are_copies():
    """Catches values that change when the network is trained on."""
    network = tied()
    values = io.named_values(network)
    values["code.W"][:] = 0
    assert network.input_layer.W.get_value().any()


def test_values_are_cast_to_the_type_of_the_parameter(path, floatX32):
    """Catches parameters that silently become double precision."""
    layer = DenseLayer((None, 2), 3, name="l")
    io.save_values(path, {"l.W": np.full((2, 3), 0.1), "l.b": np.arange(3)})
    io.load(path, layer)
    assert layer.W.get_value().dtype == layer.b.get_value().dtype == "float32"
    assert layer.b.get_value().tolist() == [0, 1, 2]


def test_fractions_do_not_become_integers(path):
    """Catches a cast that cuts off what follows the point."""
    network = NETWORKS["integer"]()
    values = io.named_values(network) | {"PowerLayer0.power": np.array(2.5)}
    io.save_values(path, values)
    with pytest.raises(
        ValueError, match=r"wrong type: PowerLayer0.power must be int32"
    ):
        io.load(path, network)
    assert network.power.get_value() == 2


def test_scalars_and_empty_arrays_keep_their_shape(path):
    """Catches arrays of shape () that come back as (1,)."""
    io.save_values(path, {"a": 1.5, "b": np.zeros((0, 3)), "c": np.bool_(True)})
    shapes = {name: value.shape for name, value in io.load_values(path).items()}
    assert shapes == {"a": (), "b": (0, 3), "c": ()}


def test_the_memory_order_of_an_array_does_not_matter(path):
    """Catches transposed arrays written as they lie in memory."""
    value = np.arange(6.0).reshape(2, 3)
    io.save_values(path, {"T": value.T, "F": np.asfortranarray(value)})
    loaded = io.load_values(path)
    assert np.array_equal(loaded["T"], value.T)
    assert np.array_equal(loaded["F"], value)


@settings(max_examples=50, deadline=None)
@given(
    values=st.dictionaries(
        st.text(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
            min_size=1,
            max_size=20,
        ),
        numpy_strategies.arrays(
            st.sampled_from(["float32", "float64", "int8", "int64", "uint16", "bool"]),
            numpy_strategies.array_shapes(min_dims=0, max_dims=3, max_side=3),
        ),
        max_size=4,
    ),
    ending=st.sampled_from(ENDINGS),
)
def test_any_named_arrays_come_back(values, ending, tmp_path_factory):
    """Catches names with slashes, dots, quotes or keywords, and lost bits."""
    path = tmp_path_factory.mktemp("any") / f"values{ending}"
    io.save_values(path, values)
    loaded = io.load_values(path)
    assert set(loaded) == set(values)
    for name, value in values.items():
        assert loaded[name].dtype == value.dtype
        assert loaded[name].shape == value.shape
        assert loaded[name].tobytes() == value.tobytes()


def test_others_read_our_files_and_we_read_theirs(tmp_path):
    """Catches entries that only this library understands."""
    layer = DenseLayer((None, 2), 3, name="l")
    ours, theirs = tmp_path / "ours.npz", tmp_path / "theirs.npz"
    io.save(ours, layer)
    with np.load(ours) as archive:
        np.savez_compressed(theirs, **{name: archive[name] * 2 for name in archive})
    before = layer.W.get_value()
    io.load(theirs, layer)
    assert np.array_equal(layer.W.get_value(), 2 * before)
    path = tmp_path / "net.safetensors"
    io.save(path, layer)
    values = safetensors.numpy.load_file(path)
    assert set(values) == {"l.W", "l.b"}
    safetensors.numpy.save_file(values, path, metadata={"format": "pt"})
    assert io.load(path, layer).is_complete


def test_equal_values_give_equal_files(path):
    """Catches dates and random names inside files."""
    network = tied()
    io.save(path, network)
    first = path.read_bytes()
    os.utime(path, (0, 0))
    io.save(path, network)
    assert path.read_bytes() == first
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            years = {entry.date_time[0] for entry in archive.infolist()}
        assert years == {1980}


def test_deep_networks_are_no_problem(path):
    """Catches recursion over layers."""
    network = InputLayer((None, 2))
    for _ in range(3000):
        network = DenseLayer(network, 2)
    io.save(path, network)
    assert len(io.load(path, network).loaded) == 6000


# Update state


def test_state_is_named_after_the_parameter_that_reads_it():
    """Catches keys that shift when a parameter is frozen."""
    network = nameless()
    updates = momentum(network)
    named = io.named_params(network, updates)
    assert list(named)[4:] == [
        "updates:DenseLayer0.W:velocity",
        "updates:DenseLayer0.b:velocity",
        "updates:DenseLayer1.W:leaf1:velocity",
        "updates:DenseLayer1.b:velocity",
        "updates:0",
    ]
    network.input_layer.params[network.input_layer.b] = set()
    fewer = io.named_params(network, momentum(network))
    assert set(fewer) == set(named) - {"updates:DenseLayer1.b:velocity"}


def test_state_without_names_is_numbered_for_each_parameter():
    """Catches anonymous state that collides."""
    layer = DenseLayer((None, 2), 3, name="l")
    updates = OrderedDict()
    for param in layer.get_params():
        states = [pytensor.shared(param.get_value()) for _ in range(2)]
        updates |= {state: state + param for state in states}
        updates[param] = param - states[0] / states[1]
    named = io.named_params(layer, updates)
    assert list(named)[2:] == [
        "updates:l.W:0",
        "updates:l.W:1",
        "updates:l.b:0",
        "updates:l.b:1",
    ]


def test_state_goes_by_the_rest_of_its_name():
    """Catches the parameter's name said twice."""
    layer = DenseLayer((None, 2), 3, b=None, name="l")
    state = pytensor.shared(np.ones((2, 3)), name="l.W.velocity")
    updates = {state: 0.9 * state, layer.W: layer.W - state}
    assert "updates:l.W:velocity" in io.named_params(layer, updates)
    assert "updates:l.W:velocity" in io.named_params(layer, list(updates.items()))


def test_averages_are_named_after_the_parameter_that_they_follow():
    """Catches averages of networks without names that are known by position only."""
    network = nameless()
    params = get_all_params(network, trainable=True)
    made = updates.sgd(sum(pt.sum(pt.sqr(param)) for param in params), params, 0.1)
    averages = updates.parameter_averages(params)
    made = updates.apply_polyak_average(made, averages)
    names = {state: name for name, state in io.named_params(network, made).items()}
    for param in params:
        assert names[averages[param]].startswith(f"updates:{names[param]}:")


def test_new_values_may_be_numbers():
    """Catches a search for state that takes every new value for an expression."""
    layer = DenseLayer((None, 2), 3, name="l")
    count = pytensor.shared(0.0, name="count")
    assert "updates:count" in io.named_params(layer, {count: 1.0, layer.b: 0.0})


def test_state_of_several_parameters_goes_by_its_own_name():
    """Catches a step counter credited to one parameter."""
    layer = DenseLayer((None, 2), 3, name="l")
    step, mean = pytensor.shared(0.0, name="step"), pytensor.shared(0.0, name="mean")
    updates = {param: param - step for param in layer.get_params()}
    updates |= {step: step + 1, mean: mean + layer.W.sum()}
    assert list(io.named_params(layer, updates))[2:] == ["updates:step", "updates:mean"]


def test_state_survives_with_the_network(build, path):
    """Catches state that is saved but not loaded, or loaded in another order."""
    saved, loaded = build(), build()
    old, new = momentum(saved), momentum(loaded)
    for index, state in enumerate(io.named_params(saved, old).values()):
        state.set_value(np.full_like(state.get_value(), index))
    io.save(path, saved, updates=old)
    io.load(path, loaded, updates=new)
    for index, state in enumerate(io.named_params(loaded, new).values()):
        assert np.all(state.get_value() == index)


@pytest.mark.parametrize("rule", ["adam", "rprop", "nesterov_momentum", "averaged"])
def test_the_state_of_our_update_rules_survives(rule, path):
    """Catches states of the real rules that collide or that no name is given to."""

    def prepare():
        network = nameless()
        params = get_all_params(network, trainable=True)
        loss = sum(pt.sum(pt.sqr(param)) for param in params)
        rates = {"nesterov_momentum": [0.1]}.get(rule, [])
        make = getattr(updates, "adam" if rule == "averaged" else rule)
        made = make(loss, params, *rates)
        if rule == "averaged":
            averages = updates.parameter_averages(params)
            made = updates.apply_polyak_average(made, averages)
        return network, made

    (saved, old), (loaded, new) = prepare(), prepare()
    named = io.named_params(saved, old)
    assert set(old) <= set(named.values())
    for index, state in enumerate(named.values()):
        state.set_value(np.full_like(state.get_value(), index))
    io.save(path, saved, old)
    assert io.load(path, loaded, new).is_complete
    for a, b in zip(old, new, strict=True):
        assert np.array_equal(a.get_value(), b.get_value())


def test_saved_state_is_left_aside_without_updates(path):
    """Catches a checkpoint of a training that cannot be used for predictions."""
    network = tied()
    io.save(path, network, updates=momentum(network))
    report = io.load(path, tied())
    assert report.is_complete
    assert len(report.loaded) == 3


def test_missing_state_is_reported(path):
    """Catches a training that goes on from velocities of zero unnoticed."""
    network = tied()
    io.save(path, network)
    with pytest.raises(ValueError, match=r"missing: updates:code.W:velocity"):
        io.load(path, network, updates=momentum(network))


def test_generator_states_in_updates_are_left_out():
    """Catches an attempt to save a generator as an array."""
    layer = DenseLayer((None, 2), 3, name="l")
    state = pt.random.shared_rng(np.random.default_rng(1))
    next_state, _ = state.normal(size=(2,))
    assert len(io.named_params(layer, {state: next_state})) == 2


def test_training_goes_on_as_if_never_interrupted(path):
    """Catches state that is saved but is not what the updates use."""
    inputs = np.linspace(-1, 1, 14).reshape(2, 7)

    def prepare():
        network = tied()
        x = network.input_layer.input_layer.input_var
        loss = pt.sqr(network.get_output_for(network.input_layer.get_output_for(x)) - x)
        params = get_all_params(network, trainable=True)
        updates = OrderedDict()
        for param, slope in zip(params, pt.grad(loss.mean(), params), strict=True):
            velocity = pytensor.shared(param.get_value() * 0)
            updates[velocity] = 0.9 * velocity - 0.1 * slope
            updates[param] = param + updates[velocity]
        return (
            network,
            updates,
            pytensor.function([x], loss.mean(), updates=updates, mode="FAST_COMPILE"),
        )

    network, updates, train = prepare()
    for _ in range(3):
        train(inputs)
    io.save(path, network, updates)
    resumed, resumed_updates, resumed_train = prepare()
    io.load(path, resumed, resumed_updates)
    assert [train(inputs) for _ in range(3)] == [
        resumed_train(inputs) for _ in range(3)
    ]


# What does not fit


def values_that_do_not_fit():
    return {
        "code.W": np.ones((7, 4)),
        "code.b": np.ones(5, "complex64"),
        "out.bias": np.ones(7),
    }


def test_a_strict_load_that_fails_changes_nothing_and_tells_all(path):
    """Catches a report of the first problem only, and half-loaded networks."""
    network = tied()
    before = get_all_param_values(network)
    io.save_values(path, values_that_do_not_fit())
    with pytest.raises(ValueError, match="do not fit the network") as caught:
        io.load(path, network)
    assert equal(network, before)
    message = str(caught.value)
    assert str(path) in message
    assert "strict=False" in message
    for line in (
        "missing: out.b",
        "unexpected: out.bias Did you mean 'out.b'?",
        "wrong shape: code.W must be (7, 5), got (7, 4)",
        "wrong type: code.b must be float64, got complex64",
    ):
        assert line in message.splitlines()[-1] or f"  {line}" in message.splitlines()


def test_a_lenient_load_sets_what_fits_and_reports_the_rest():
    """Catches a lenient load that raises, or that forces what does not fit."""
    network = tied()
    before = network.input_layer.W.get_value()
    values = values_that_do_not_fit() | {"out.b": np.arange(7)}
    report = io.set_named_values(network, values, strict=False)
    assert report == io.LoadReport(
        loaded=["out.b"],
        unexpected=["out.bias"],
        misshapen={"code.W": ((7, 5), (7, 4))},
        mistyped={"code.b": ("float64", "complex64")},
    )
    assert not report.is_complete
    assert network.b.get_value().tolist() == list(range(7))
    assert np.array_equal(network.input_layer.W.get_value(), before)
    assert str(report).startswith("Loaded 1 of 3 values.\n  unexpected: out.bias")


def test_a_strict_assignment_that_fails_changes_nothing():
    """Catches values set one by one."""
    network = tied()
    before = get_all_param_values(network)
    values = io.named_values(network) | {"out.b": np.ones(3)}
    values["code.W"] *= 2
    with pytest.raises(ValueError, match=r"set_named_values: .*\n.*out.b must be \(7,"):
        io.set_named_values(network, values)
    assert equal(network, before)


def test_a_file_of_another_network_is_worth_a_warning(path):
    """Catches a lenient load that does nothing and says nothing."""
    io.save_values(path, {"x": 1.0})
    with pytest.warns(UserWarning, match="none of the values"):
        assert io.load(path, tied(), strict=False).loaded == []


def test_long_reports_are_cut():
    """Catches error messages of thousands of names."""
    layer = DenseLayer((None, 2), 3)
    values = {f"x{i}": 1.0 for i in range(500)}
    with pytest.raises(ValueError, match=r"x9; and 490 more$"):
        io.set_named_values(layer, values)


@pytest.mark.parametrize("function", [io.named_params, io.named_values])
def test_something_that_is_no_network_is_refused(function):
    """Catches an AttributeError from deep inside."""
    with pytest.raises(TypeError, match="layer must be a layer or an iterable of"):
        function("network.npz")


# Files that cannot be written


def debris(path):
    return [each.name for each in path.parent.iterdir() if each != path]


def test_a_failing_save_leaves_the_old_file_and_no_debris(path, monkeypatch):
    """Catches writing into the file itself, and forgotten temporary files."""
    io.save_values(path, {"old": 1.0})
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(OSError, match=r"^save: cannot write .*: No space left on dev"):
        io.save_values(path, {"new": 2.0})
    assert path.read_bytes() == before
    assert debris(path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_save_leaves_the_old_file_and_no_debris(error, path):
    """Catches clean-up that knows OSError only."""
    path.write_text("old")

    def write():
        with io.replacing(path) as temporary:
            pathlib.Path(temporary).write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert debris(path) == []


def test_errors_of_the_block_that_writes_are_not_renamed(tmp_path):
    """Catches a failed download reported as a failed save."""
    with (
        pytest.raises(ConnectionError, match=r"^no network$"),
        io.replacing(tmp_path / "data.gz"),
    ):
        raise ConnectionError("no network")


def test_a_failing_rename_is_explained_and_leaves_no_debris(path, monkeypatch):
    """Catches errors after the last byte was written."""

    def refuse(*args):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"cannot write .*: Operation not permi"):
        io.save_values(path, {"a": 1.0})
    assert debris(path) == []


def test_a_file_is_on_disk_before_it_gets_its_name(path, monkeypatch):
    """Catches an empty file after a power cut."""
    events = []
    flush, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("flush"), flush(fd)))
    monkeypatch.setattr(
        os, "replace", lambda *names: (events.append("rename"), rename(*names))
    )
    io.save_values(path, {"a": 1.0})
    assert events[:2] == ["flush", "rename"]


def test_a_missing_directory_is_named(tmp_path):
    """Catches the name of a temporary file in the message."""
    path = os.path.join(str(tmp_path), "nowhere", "net.npz")
    with pytest.raises(
        FileNotFoundError, match=r"cannot write .*: there is no directo"
    ):
        io.save(path, tied())


def test_a_directory_in_place_of_the_file_is_named(path):
    """Catches an attempt to replace a directory."""
    path.mkdir()
    with pytest.raises(IsADirectoryError, match=r"cannot write .*: it is a directory"):
        io.save(path, tied())
    assert debris(path) == []


def test_a_read_only_directory_is_explained(path, monkeypatch):
    """Catches a bare PermissionError; root may write anywhere, so it is simulated."""

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", "secret")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError, match=r"cannot write '.*': Permission denied"):
        io.save(path, tied())


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_the_old_file_or_the_usual_ones(path):
    """Catches private temporary files that become the file."""
    (path.parent / "usual").touch()
    usual = stat.S_IMODE((path.parent / "usual").stat().st_mode)
    io.save_values(path, {"a": 1.0})
    assert stat.S_IMODE(path.stat().st_mode) == usual
    path.chmod(0o604)
    io.save_values(path, {"a": 2.0})
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_stays_a_link(tmp_path):
    """Catches a link to a big disk replaced by a file on a small one."""
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "net.npz", tmp_path / "disk" / "net.npz"
    link.symlink_to(target)
    io.save_values(link, {"a": 1.0})
    assert link.is_symlink()
    assert target.exists()


def test_a_file_in_the_working_directory_needs_no_directory(tmp_path, monkeypatch):
    """Catches an empty directory name taken for a missing directory."""
    monkeypatch.chdir(tmp_path)
    io.save_values("a.npz", {"a": 1.0})
    assert io.load_values("a.npz")["a"] == 1.0


@pytest.mark.parametrize("name", ["net", "net.npy", "net.safetensor", "net.pkl"])
@pytest.mark.parametrize("function", ["save", "load"])
def test_an_unknown_ending_lists_the_known_ones(function, name, tmp_path):
    """Catches a file in a format that nobody chose."""
    with pytest.raises(ValueError, match=f"{function}: path must end with .npz or .sa"):
        getattr(io, function)(tmp_path / name, tied())
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_ending_is_suggested(tmp_path):
    """Catches a hint that is not there."""
    with pytest.raises(ValueError, match=r"Did you mean '.npz'?"):
        io.save(tmp_path / "net.npy", tied())


def test_capital_endings_are_the_same(tmp_path):
    """Catches NET.NPZ refused."""
    io.save_values(tmp_path / "NET.NPZ", {"a": 1.0})
    assert io.load_values(tmp_path / "NET.NPZ")["a"] == 1.0


@pytest.mark.parametrize("function", ["save", "load"])
def test_swapped_arguments_are_noticed(function):
    """Catches a confusing complaint about a layer without a file system path."""
    with pytest.raises(TypeError, match=f"{function}: path must be the name of a file"):
        getattr(io, function)(tied(), tied())


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"": 1.0}, ValueError, "save: names must be non-empty strings"),
        ({"a\0b": 1.0}, ValueError, "without null characters, got 'a.x00b'"),
        ({3: 1.0}, ValueError, "save: names must be non-empty strings .*, got 3"),
        (
            {"a": "text"},
            TypeError,
            "save: 'a' must be an array of numbers, got type <U",
        ),
        (
            {"a": [None]},
            TypeError,
            "save: 'a' must be an array of numbers, got type ob",
        ),
    ],
)
def test_what_is_no_named_number_is_refused(values, error, message, path):
    """Catches pickled objects in files, and names that a file would change."""
    with pytest.raises(error, match=message):
        io.save_values(path, values)
    assert not path.exists()


def test_types_that_safetensors_lacks_are_named(tmp_path):
    """Catches an error of the library below, after the file was begun."""
    path = tmp_path / "a.safetensors"
    with pytest.raises(
        TypeError, match=r"save: 'z' has the type complex128, .* .npz fi"
    ):
        io.save_values(path, {"z": 1j})
    assert list(tmp_path.iterdir()) == []
    io.save_values(tmp_path / "a.npz", {"z": 1j})


def test_safetensors_that_cannot_write_is_explained(tmp_path, monkeypatch):
    """Catches errors of its own kind that nobody expects from a save."""

    def fail(*args, **kwargs):
        raise safetensors.SafetensorError("I/O error: disk full")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(OSError, match=r"cannot write .*: I/O error: disk full"):
        io.save_values(tmp_path / "a.safetensors", {"a": 1.0})


def test_leaves_that_are_no_tensors_are_named(path):
    """Catches an attempt to make an array of anything."""

    class Texts(Layer):
        def __init__(self, incoming):
            super().__init__(incoming, name="texts")
            self.params[pytensor.shared("text", name="motto")] = set()

    with pytest.raises(TypeError, match="save: 'motto' must be a tensor, got motto of"):
        io.save(path, Texts((None, 2)))


def test_safetensors_is_optional(tmp_path, monkeypatch):
    """Catches an import at the top, and a message without the remedy."""
    path = tmp_path / "a.safetensors"
    io.save_values(path, {"a": 1.0})
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for attempt in (lambda: io.save_values(path, {}), lambda: io.load_values(path)):
        with pytest.raises(ImportError, match="pip install safetensors"):
            attempt()
    assert debris(path) == []


# Files that cannot be read


def test_a_missing_file_is_named(path):
    """Catches errors that differ between the formats."""
    with pytest.raises(FileNotFoundError, match=r"^load: there is no file '.*'\.$"):
        io.load(path, tied())


def test_a_directory_cannot_be_read(path):
    """Catches errors that differ between the formats."""
    path.mkdir()
    with pytest.raises(OSError, match=r"^load: cannot read '.*': "):
        io.load(path, tied())


def test_every_truncated_file_is_refused(path):
    """Catches a file cut short that is read as a shorter one, or any other error."""
    network = tied()
    before = get_all_param_values(network)
    io.save(path, network)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"load: .* is not a valid .* file"):
            io.load(path, network, strict=False)
    assert equal(network, before)


@pytest.mark.parametrize("content", [b"garbage" * 50, b"PK\3\4" + b"\0" * 99])
def test_files_of_another_kind_are_refused(content, path):
    """Catches errors of the libraries below."""
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"load: .* is not a valid .* file"):
        io.load_values(path)


def test_flipped_bits_in_npz_are_noticed(tmp_path):
    """Catches a checksum that is not checked."""
    path = tmp_path / "a.npz"
    io.save_values(path, {"a": np.arange(100.0)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"is not a valid .npz file .* damaged: Bad CRC"
    ):
        io.load_values(path)


def test_pickles_are_never_opened(tmp_path):
    """Catches files that run code when they are loaded."""
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"is not a valid .npz file of numbers"):
        io.load_values(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"is not a valid .npz file of numbers"):
        io.load_values(path)


def test_other_files_inside_npz_are_skipped(tmp_path):
    """Catches a note inside an archive that is taken for an array."""
    path = tmp_path / "a.npz"
    io.save_values(path, {"a": 1.0})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README", "hello")
    assert list(io.load_values(path)) == ["a"]


def test_bfloat16_is_widened_or_explained(tmp_path):
    """Catches a KeyError on 'BF16', and values of a type that parameters refuse."""
    header = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    encoded = json.dumps(header).encode()
    path = tmp_path / "half.safetensors"
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"\0\0\x80\x3f")
    try:
        np.dtype("bfloat16")
    except TypeError:  # numpy does not know the type
        with pytest.raises(ValueError, match=r"'w' of .* has the type BF16.*float32"):
            io.load_values(path)
    else:
        value = io.load_values(path)["w"]
        assert (value.dtype, value.tolist()) == (np.float32, [0.0, 1.0])
