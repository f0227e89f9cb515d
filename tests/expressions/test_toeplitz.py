"""Products with matrices of constant diagonals, by Fourier transforms."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors

from lasagne_next import expressions
from lasagne_next.expressions import settle
from lasagne_next.expressions.linear_maps import Circulant, Toeplitz
from lasagne_next.expressions.recognition import recognise
from lasagne_next.ops import CircularConvolution
from lasagne_next.params import collect_shared_vars
from tests.backends import MODES, compile_on

MAPS = {
    "circulant": (Circulant, (5, 5), 5),
    "circulant of even size": (Circulant, (6, 6), 6),
    "tall": (Toeplitz, (7, 3), 9),
    "wide": (Toeplitz, (2, 5), 6),
}


def transforms(*outputs):
    """Return whether convolutions round a circle are below these outputs."""
    nodes = [each.owner for each in ancestors(outputs) if each.owner]
    return any(isinstance(node.op, CircularConvolution) for node in nodes)


@pytest.mark.parametrize("name", MAPS)
def test_both_sides_and_the_transpose_equal_the_written_matrix(name):
    """Catches a shift by one, a vector read backwards, a wrong part of the circle."""
    kind, (n, m), length = MAPS[name]
    rng = np.random.default_rng(1)
    c = pt.vector("c", shape=(length,), dtype="float64")
    linear_map = kind(c, (n, m))
    x, y = rng.normal(size=(3, n)), rng.normal(size=(m, 2))
    outputs = [linear_map.build(), linear_map.transpose().build()]
    outputs += [linear_map.apply(pt.constant(x)), linear_map.apply_left(pt.constant(y))]
    entries = rng.normal(size=length)
    function = pytensor.function([c], outputs, mode="FAST_COMPILE")
    W, flipped, right, left = function(entries)
    for i in range(n):
        for j in range(m):
            place = (j - i) % n if kind is Circulant else j - i + n - 1
            assert W[i, j] == entries[place]
    np.testing.assert_array_equal(flipped, W.T)
    np.testing.assert_allclose(right, x @ W, atol=1e-12)
    np.testing.assert_allclose(left, W @ y, atol=1e-12)


def test_it_is_recognised_whoever_wrote_it():
    """Catches recognition of our own vectors only, and of tables that are neither."""
    c = pt.vector("c", shape=(9,))
    n = np.arange(4)
    round_it = (n - n[:, None]) % 4
    assert isinstance(recognise(c[round_it]), Circulant)
    assert isinstance(recognise(c[n - n[:, None] + 3]), Toeplitz)
    assert isinstance(recognise(c[n - n[:, None]]), Toeplitz)  # counted from the end
    assert isinstance(recognise(c[8 - round_it]), Circulant)
    found = recognise(c[n[:3] - n[:, None] + 4])
    assert (type(found), found.shape) == (Toeplitz, (4, 3))
    for other in (n + n[:, None], round_it[::-1], np.minimum(n, n[:, None])):
        assert not isinstance(recognise(c[other]), Circulant | Toeplitz)
    for table in (round_it, n - n[:, None], 8 - round_it, n[:3] - n[:, None] + 4):
        values = np.arange(9.0).astype(c.dtype)
        written = recognise(c[table]).build().eval({c: values}, mode="FAST_COMPILE")
        np.testing.assert_array_equal(written, values[table])


@pytest.mark.parametrize("spec", ["Circulant", "Toeplitz"])
def test_it_pays_for_large_matrices_only(spec):
    """Catches transforms for small matrices, and dense products of large ones."""
    for size, rows, pays in ((32, 64, False), (32, None, False), (512, 128, True),
                             (512, None, True), (1024, 8192, True)):  # fmt: skip
        W = settle(getattr(expressions, spec)()((size, size)))
        x = pt.tensor("x", shape=(rows, size), dtype=W.dtype)
        assert transforms(expressions.dot(x, W)) is pays, (size, rows)


@pytest.mark.parametrize("backend", ["python", "jax"])
def test_sizes_that_no_type_states_follow_from_the_table(backend):
    """Catches a length that is looked for in the vector, or in the rows, only."""
    if backend not in MODES:
        pytest.importorskip("jax")
    rng = np.random.default_rng(4)
    c = pytensor.shared(rng.normal(size=699))  # of unknown length, as its type says
    places = np.arange(400) - np.arange(300)[:, None] + 299
    x, other = pt.matrix("x", dtype="float64"), rng.normal(size=(3, 300))
    y = expressions.dot(x, c[places])
    assert transforms(y)
    run = compile_on(MODES[backend], [x], [y, pytensor.grad(y[:, 0].sum(), c)])
    product, gradient = run(other)
    np.testing.assert_allclose(product, other @ c.get_value()[places], atol=1e-10)
    wanted = np.zeros(699)
    wanted[places[:, 0]] = other.sum(axis=0)
    np.testing.assert_allclose(gradient, wanted, atol=1e-10)


@pytest.mark.parametrize("rows", [None, 3], ids=["unknown", "known"])
def test_a_layer_computes_the_same_on_every_backend(backend_mode, floatX64, rows):
    """Catches a backend without transforms, double precision, wrong gradients."""
    W = settle(expressions.Toeplitz()((301, 257)))
    V = settle(expressions.Circulant()((257, 257)))
    W, V = W.astype("float32"), V.astype("float32")
    x = pt.tensor("x", shape=(rows, 301), dtype="float32")
    leaves = [leaf for each in (W, V) for leaf in collect_shared_vars(each)]
    results = []
    for structured in (True, False):
        y = expressions.dot(expressions.dot(x, W, structured), V, structured)
        results += [y, *pytensor.grad((y**2).mean(), leaves)]
    assert transforms(*results[:1])
    function = compile_on(backend_mode, [x], results)
    data = np.random.default_rng(3).normal(size=(3, 301)).astype("float32")
    values = list(map(np.asarray, function(data)))
    assert values[0].dtype == "float32"
    for got, wanted in zip(values[:3], values[3:], strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5 * abs(wanted).max())
