"""Products with one-hot rows choose rows, and masks made by PyTensor are seen."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors
from pytensor.tensor.extra_ops import to_one_hot
from pytensor.tensor.math import Dot

from lasagne_next import expressions
from lasagne_next.expressions.linear_maps import Masked
from lasagne_next.expressions.recognition import recognise
from lasagne_next.utils import one_hot
from tests.backends import compile_on

N, M = 7, 3


def sizes_of_products(output):
    """Return the inner sizes of all products below an output."""
    owners = [each.owner for each in ancestors([output])]
    return [
        node.inputs[1].type.shape[0]
        for node in owners
        if node is not None and isinstance(node.op, Dot)
    ]


WAYS = {
    "one_hot": lambda i: one_hot(i, N),
    "to_one_hot": lambda i: to_one_hot(i, N, dtype="float64"),
    "comparison": lambda i: pt.eq(pt.arange(N)[None, :], i[:, None]).astype("float64"),
}
WEIGHTS = {
    "matrix": lambda u, v, w: w,
    "low rank": lambda u, v, w: pt.dot(u, v),
    "exponential": lambda u, v, w: pt.exp(w),
}


@pytest.mark.parametrize("rows", [None, 4], ids=["unknown", "known"])
@pytest.mark.parametrize("way", WAYS)
def test_values_and_gradients_equal_those_of_the_product(way, rows, floatX64):
    """Catches rows counted from the end, and a row for a place that is not there."""
    rng = np.random.default_rng(1)
    shapes = {"u": (N, 2), "v": (2, M), "w": (N, M)}
    leaves = [
        pytensor.shared(rng.normal(size=s), k, shape=s) for k, s in shapes.items()
    ]
    i = pt.tensor("i", dtype="int64", shape=(rows,))
    x, results = WAYS[way](i), []
    for structured in (True, False):
        for make in WEIGHTS.values():
            W = make(*leaves)
            y = expressions.dot(x, W, structured)
            results += [y, *pytensor.grad((y**2).sum(), leaves,
                                          disconnected_inputs="ignore")]  # fmt: skip
            if structured:
                assert N not in sizes_of_products(y) or (
                    rows is None and W is not leaves[2]
                )
    function = pytensor.function([i], results, mode="FAST_COMPILE")
    outside = [[0, 2, 6, 2]] + (
        [[1, -1, 7, 5]] if way != "to_one_hot" else [[1, -1, 3, -7]]
    )
    for places in outside:
        values = function(places)
        half = len(values) // 2
        for got, wanted in zip(values[:half], values[half:], strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_sequences_keep_their_axes_on_every_backend(backend_mode, floatX64):
    """Catches a lost axis, an upcast, and a choice that a backend lacks."""
    w = pytensor.shared(np.arange(21, dtype="float32").reshape(N, M), shape=(N, M))
    i = pt.tensor("i", dtype="int32", shape=(2, 5))
    y = expressions.dot(one_hot(i, N).astype("float32"), w)
    assert (y.ndim, y.dtype) == (3, "float32")
    assert not sizes_of_products(y)
    slope = pytensor.grad((y**2).sum(), w)
    places = np.array([[0, 1, 2, 3, 9], [6, 6, 5, 4, -1]], "int32")
    value, slope = map(np.asarray, compile_on(backend_mode, [i], [y, slope])(places))
    x = (places[..., None] == np.arange(N)).astype("float32")
    np.testing.assert_allclose(value, x @ w.get_value())
    wanted = 2 * np.einsum("bti,btj->ij", x, x @ w.get_value())
    np.testing.assert_allclose(slope, wanted)


def test_what_only_resembles_one_hot_rows_is_multiplied():
    """Catches a choice where rows hold other numbers, or the ones stand elsewhere."""
    i, w = pt.lvector("i"), pt.matrix("w", shape=(N, M))
    others = {
        "another start": pt.eq(i[:, None], pt.arange(1, N + 1)),
        "columns": pt.eq(i[None, :], pt.arange(N)[:, None]).T,
        "numbers": 2 * one_hot(i, N),
        "twos": pt.zeros((i.shape[0], N))[pt.arange(i.shape[0]), i].set(2),
        "ones": pt.ones((i.shape[0], N))[pt.arange(i.shape[0]), i].set(1),
        "one row": pt.zeros((i.shape[0], N))[0, i].set(1),
        "real places": pt.eq(pt.vector()[:, None], pt.arange(N)),
    }
    for name, x in others.items():
        y = expressions.dot(x.astype("float64"), w)
        assert sizes_of_products(y) == [N], name


@pytest.mark.parametrize("k", [-1, 0, 2])
def test_masks_made_by_pytensor_are_seen(k):
    """Catches a triangle that is multiplied with its zeros, or cut elsewhere."""
    w = pytensor.shared(np.ones((5, 7)), shape=(5, 7))
    for make, wanted in ((pt.tril, np.tril), (pt.triu, np.triu)):
        found = recognise(make(w, k))
        assert isinstance(found, Masked)
        np.testing.assert_array_equal(found.mask != 0, wanted(np.ones((5, 7)), k) != 0)


def test_a_mask_that_can_change_is_no_constant():
    """Catches a mask that is frozen at the value of a variable."""
    w, mask = pytensor.shared(np.ones((5, 7))), pytensor.shared(np.tri(5, 7))
    assert not isinstance(recognise(w * pt.ge(mask, 0.5)), Masked)
    assert not isinstance(recognise(w * pt.ge(w, 0.5)), Masked)
    unknown = pt.matrix("unknown")
    assert not isinstance(recognise(pt.tril(unknown)), Masked)


def test_a_large_triangle_is_multiplied_in_parts():
    """Catches a triangle that is recognised, and multiplied as a whole."""
    w = pytensor.shared(np.ones((1024, 1024)), shape=(1024, 1024))
    x = pt.tensor("x", shape=(4096, 1024))
    sizes = sizes_of_products(expressions.dot(x, pt.tril(w)))
    assert len(sizes) > 1
