"""The benchmarks can be run; what they measure is not looked at here."""

import importlib

import pytensor
import pytest

from lasagne_next import random
from tests.benchmarks.gpu import NETWORKS, peers
from tests.benchmarks.gpu.functions import JAX
from tests.benchmarks.tables import Row, load, picture, save, text
from tests.benchmarks.workloads import reports, workloads


def test_workloads_and_reports_are_found():
    """Catches a module that takes part in no table."""
    assert "classifier" in workloads()
    assert {"chains", "expressions"} <= set(reports())
    assert not set(workloads()) & set(reports())


@pytest.mark.parametrize("name", workloads())
def test_peers_exist(name):
    """Catches a peer that is misspelt, which looks like one that is not installed."""
    workload = workloads()[name]
    assert workload.title
    for target in workload.peers.values():
        module, function, *_ = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", NETWORKS)
def test_peers_on_a_gpu_exist(name, device):
    """Catches a network or peer that is misspelt; a CPU has no products in bfloat16."""
    chosen = peers(name, device)
    assert any("bfloat16" in peer for peer in chosen) == (device == "cuda")
    for target in chosen.values():
        module, function, network, *_ = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert network == name


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_find_their_parameters(name):
    """Catches a parameter that has another name in the functions than in the layers."""

    class Names(dict):
        def __getitem__(self, key):
            read.add(key)
            return super().__getitem__(key)

    jax = pytest.importorskip("jax")
    network, read = NETWORKS[name], set()
    before = random.get_rng()
    with pytensor.config.change_flags(floatX="float32"):
        values, arrays = network.start()
    random.set_rng(before)
    shapes = (jax.ShapeDtypeStruct(each.shape, each.dtype) for each in arrays)
    loss = jax.eval_shape(
        lambda *arrays: network.loss(JAX(), Names(values), *arrays), *shapes
    )
    assert loss.shape == ()
    assert loss.dtype == "float32"
    assert read == set(values)


def test_the_table_shows_all_rows(tmp_path):
    """Catches a table that drops peers which lose, or are not installed."""
    rows = [
        Row("one", cold=4.0, warm=2.0, step=1.0, spread=0.1, ratio=1.0, megabytes=99),
        Row("other", step=3.0, spread=0.2, ratio=3.0, megabytes=77),
        Row("absent", problem="not installed (torch)"),
    ]
    written = text({"a workload": rows})
    for part in ("a workload", "one", "4.00", "other", "3.00", "77", "not installed"):
        assert part in written
    pytest.importorskip("matplotlib")
    picture({"a workload": rows}, tmp_path / "table.svg")
    assert "other" in (tmp_path / "table.svg").read_text(encoding="utf-8")


def test_saved_figures_are_read_back(tmp_path):
    """Catches figures that are rounded, or reasons that are lost, on the way."""
    rows = [Row("one", step=1 / 3, ratio=1.0, megabytes=99), Row("two", problem="no")]
    save("a machine", {"a workload": rows}, tmp_path / "figures.json")
    assert load(tmp_path / "figures.json") == ("a machine", {"a workload": rows})
