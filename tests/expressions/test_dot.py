"""The structure-aware product: equal to the plain one, cheaper where it should be."""

import functools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.graph.traversal import ancestors
from pytensor.tensor.math import Dot

from lasagne_next import expressions, layers
from lasagne_next.expressions.linear_maps import Dense
from lasagne_next.expressions.recognition import recognise
from lasagne_next.params import collect_shared_vars, set_tags, static_shape

N, M = 60, 48


def shared(*shape, dtype="float64"):
    """Make a shared variable of random numbers and, on purpose, unknown shape."""
    rng = np.random.default_rng(sum(shape) + 1)
    return pytensor.shared(rng.normal(size=shape).astype(dtype))


def frozen(variable):
    return set_tags(variable, trainable=False)


def reflection(seed):
    v = shared(N, 1) * (1 + seed)
    return pt.eye(N) - 2 * pt.dot(v, v.T) / pt.sum(v**2)


ORDER = np.random.default_rng(5).permutation(N)
BLOCK_TRIANGLE = np.kron(np.tri(4).T, np.ones((N // 4, M // 4)))


def regular():
    return shared(N, N) + 10 * pt.eye(N)


def rotation(shape):
    """Make an orthogonal parameter away from its start, where it is the base."""
    W = expressions.Orthogonal()(shape)
    s, _ = collect_shared_vars(W)
    s.set_value(np.random.default_rng(6).normal(0, 0.1, s.get_value().shape))
    return W


def normed(V):
    return V * shared(M) / pt.sqrt(pt.sum(V**2, axis=0))


def shared_factor(W):
    return W - 2 * W.owner.inputs[1]


STRUCTURED = {
    "product": lambda: pt.dot(shared(N, 4), shared(4, M)),
    "matmul": lambda: shared(N, 4) @ shared(4, M),
    "three factors": lambda: pt.dot(pt.dot(shared(N, 5), shared(5, 4)), shared(4, M)),
    "gram": lambda: pt.dot(shared(N, 4), shared(N, 4).T),
    "transposed": lambda: pt.dot(shared(M, 4), shared(4, N)).T,
    "columns scaled": lambda: pt.dot(shared(N, 4), shared(4, M)) * shared(M),
    "rows scaled": lambda: shared(N)[:, None] * pt.dot(shared(N, 4), shared(4, M)),
    "divided": lambda: pt.dot(shared(N, 4), shared(4, M)) / (2 + shared(M) ** 2),
    "negated": lambda: -pt.dot(shared(N, 4), shared(4, M)),
    "adapter": lambda: frozen(shared(N, M)) + pt.dot(shared(N, 4), shared(4, M)),
    "difference": lambda: frozen(shared(N, M)) - pt.dot(shared(N, 4), shared(4, M)),
    "diagonal plus": lambda: pt.diag(shared(N)) + pt.dot(shared(N, 3), shared(3, N)),
    "reflection": lambda: reflection(0),
    "two reflections": lambda: pt.dot(reflection(0), reflection(1)),
    "Kronecker": lambda: pt.linalg.kron(shared(10, 8), shared(6, 6)),
    "blocks": lambda: pt.linalg.block_diag(shared(30, 24), shared(30, 24)),
    "rows chosen": lambda: pt.dot(shared(9, 4), shared(4, M))[np.arange(N) % 9],
    "monarch": lambda: expressions.Monarch(4)((N, M)),
    "product of a Kronecker": lambda: pt.dot(
        pt.linalg.kron(shared(10, 2), shared(6, 3)), shared(6, M)
    ),
}
# What pays for larger matrices or few rows only.
SOMETIMES = {
    "reordered rows": lambda: pt.dot(shared(N, 4), shared(4, M))[ORDER],
    "reordered leaf": lambda: shared(N, M)[ORDER],
    "columns chosen": lambda: pt.dot(shared(N, 4), shared(4, M))[:, ORDER[ORDER < M]],
    "columns repeated": lambda: shared(N, 5)[:, np.arange(M) % 5],
    "reversed": lambda: pt.dot(shared(N, 4), shared(4, M))[::-1, ::-1],
    "part of rows": lambda: pt.dot(shared(N + 7, 4), shared(4, M))[3:-4],
    "stack of blocks": lambda: expressions.BlockDiagonal(4)((N, M)),
    "product of blocks": lambda: (
        pt.dot(
            pt.linalg.block_diag(shared(30, 24), shared(30, 24)),
            expressions.Monarch(4)((M, N)),
        ).T
    ),
    "solution": lambda: pt.linalg.solve(regular(), shared(N, M), b_ndim=2),
    "transposed solution": lambda: pt.linalg.solve(regular(), shared(N, M), b_ndim=2).T,
    "triangular solution": lambda: pt.linalg.solve_triangular(
        regular(), shared(N, M), lower=True, b_ndim=2
    ),
    "rotation": lambda: rotation((N, M)),
    "wide rotation": lambda: rotation((M, N)),
    "block triangle": lambda: pt.constant(BLOCK_TRIANGLE) * shared(N, M),
    "band": lambda: shared(N, M) * pt.constant(np.tri(N, M, 5) - np.tri(N, M, -5)),
    "masked product": lambda: (
        pt.constant(BLOCK_TRIANGLE) * pt.dot(shared(N, 4), shared(4, M))
    ),
    "scaled identity": lambda: pt.eye(N) * 3.0 - 2 * pt.dot(shared(N, 3), shared(3, N)),
    "columns normed": lambda: normed(pt.dot(shared(N, 4), shared(4, M))),
    "terms that share a factor": lambda: shared_factor(
        pt.dot(shared(N, N), shared(N, M))
    ),
}
PLAIN = {
    "leaf": lambda: shared(N, M),
    "function": lambda: pt.exp(shared(N, M)),
    "full rank": lambda: pt.dot(shared(N, 59), shared(59, M)),
    "columns of a leaf scaled": lambda: shared(N, M) * shared(M),
    "masked": lambda: pt.constant(np.tri(N, M)) * shared(N, M),
    "sum of two leaves": lambda: shared(N, M) + shared(N, M),
    "one column": lambda: pt.dot(shared(N, 4), shared(4, 1)),
}
CASES = {**STRUCTURED, **SOMETIMES, **PLAIN}


def matches_plain_product(x, x_value, W, **kwargs):
    """Compare value and leaf gradients with those of the plain product."""
    leaves = collect_shared_vars(W)
    results = []
    for structured in (True, False):
        y = expressions.dot(x, W, structured, **kwargs)
        weights = np.random.default_rng(4).normal(size=static_shape(W)[1])
        loss = (pt.sqr(y) * weights).sum()
        results += [y, *pytensor.grad(loss, leaves)]
    values = pytensor.function([x], results, mode="FAST_COMPILE")(x_value)
    half = len(values) // 2
    for one, other in zip(values[:half], values[half:], strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * abs(other).max())


@pytest.mark.parametrize("batch", [None, 7], ids=["unknown", "known"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_value_and_gradients_equal_those_of_the_plain_product(case, batch):
    """Catches a wrong identity, a lost factor, and a gradient that is cut."""
    W = case()
    inputs = static_shape(W)[0] or N
    x = pt.tensor("x", dtype="float64", shape=(batch, inputs))
    x_value = np.random.default_rng(1).normal(size=(7, inputs))
    matches_plain_product(x, x_value, W)


@pytest.mark.parametrize("case", STRUCTURED.values(), ids=list(STRUCTURED))
@pytest.mark.parametrize("batch", [None, 8], ids=["unknown", "known"])
def test_structure_is_used(case, batch):
    """Catches a form that is recognised but never chosen."""
    assert not isinstance(recognise(case()).best_for(batch), Dense)


@pytest.mark.parametrize("case", PLAIN.values(), ids=list(PLAIN))
def test_without_gain_the_plain_product_is_kept(case):
    """Catches a form that is slower than the plain product for some batch size."""
    W = case()
    x = pt.matrix("x")
    y = expressions.dot(x, W)
    assert isinstance(y.owner.op, Dot)
    assert y.owner.inputs[0] is x


@pytest.mark.parametrize(
    ("rank", "batch", "pays"),
    [(263, 8192, False), (240, 8192, True), (400, 64, True), (510, 8192, False)],
)
def test_low_rank_pays_up_to_the_rank_of_the_inequality(rank, batch, pays):
    """Catches a cost model that forgets the batch: B n m / (B (n + m) - n m) = 264."""
    W = pt.dot(shared(512, rank), shared(rank, 512))
    assert isinstance(recognise(W).best_for(batch), Dense) != (pays or rank == 263)


SLOW = pytest.mark.slow
LARGE, FEW = 1024, 16  # sizes of matrices and numbers of rows where structure pays
BLOCKS = np.kron(np.tri(4).T, np.ones((LARGE // 4, LARGE // 4)))


def large(*shape):
    """Stand for a leaf of a size that need not be computed."""
    return pt.tensor(dtype="float32", shape=shape or (LARGE, LARGE))


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda: large()[np.random.default_rng(1).permutation(LARGE)], FEW),
        (lambda: large()[:, ::-1], FEW),
        (lambda: expressions.BlockDiagonal(8)((LARGE, LARGE)), None),
        (lambda: pt.linalg.solve(large(), large(), b_ndim=2), FEW),
        (lambda: expressions.Orthogonal()((LARGE, LARGE)), FEW),
        pytest.param(
            lambda: expressions.Orthogonal()((LARGE // 2, LARGE)), FEW, marks=SLOW
        ),
        (lambda: pt.constant(BLOCKS, dtype="float32") * large(), 8 * LARGE),
        (lambda: expressions.WeightNorm()((LARGE, LARGE)), FEW),
        (lambda: expressions.SPDCholesky()((LARGE, LARGE)), FEW),
        pytest.param(
            lambda: expressions.LUInvertible()((LARGE, LARGE)), FEW, marks=SLOW
        ),
    ],
    ids=[
        "reordered",
        "reversed",
        "stack of blocks",
        "solution",
        "rotation",
        "wide rotation",
        "block triangle",
        "columns scaled",
        "product of triangles",
        "product of triangles, reordered",
    ],
)
def test_structure_of_large_matrices_is_used_where_it_pays(make, rows):
    """Catches a structure that is known but never chosen, and one always chosen."""
    found = recognise(make())
    assert not isinstance(found.best_for(rows), Dense)
    if rows == FEW:
        assert isinstance(found.best_for(2**20), Dense)
        assert isinstance(found.best_for(None), Dense)


def test_uses_count_like_rows():
    """Catches a weight that is applied in every time step of a recurrence for free."""
    W = pt.dot(shared(N, 40), shared(40, M))
    x = pt.tensor("x", dtype="float64", shape=(2, N))
    assert len(_dots(expressions.dot(x, W))) == 2
    assert expressions.dot(x, W).owner.inputs[0] is not x
    assert expressions.dot(x, W, uses=10_000).owner.inputs[0] is x


def test_a_frozen_base_is_cheap_to_keep_apart():
    """Catches a cost model that lets the base learn: then keeping it apart costs."""
    u, v = shared(512, 16), shared(16, 512)
    base = shared(512, 512)
    assert isinstance(recognise(base + pt.dot(u, v)).best_for(2**14), Dense)
    found = recognise(frozen(base) + pt.dot(u, v)).best_for(2**14)
    assert not isinstance(found, Dense)


def test_the_best_order_of_a_chain_is_found():
    """Catches multiplication from left to right whatever the sizes."""
    thin = pt.dot(pt.dot(shared(100, 90), shared(90, 2)), shared(2, 80))
    y = expressions.dot(pt.tensor("x", dtype="float64", shape=(1000, 100)), thin)
    inner_sizes = sorted(static_shape(each.owner.inputs[0])[1] for each in _dots(y))
    assert inner_sizes == [2, 90, 100]  # (100 x 90)(90 x 2) first, then x, then 2


@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_any_number_of_leading_axes(axes):
    """Catches a structure that only knows matrices."""
    shape = (3, 5, 2, N)[-axes:]
    for W in (STRUCTURED["product"](), STRUCTURED["Kronecker"]()):
        x = pt.tensor("x", dtype="float64", shape=(*[None] * (axes - 1), N))
        value = np.random.default_rng(2).normal(size=shape)
        matches_plain_product(x, value, W)


def test_materialised_on_demand():
    """Catches a weight that disappears although its gradient is asked for."""
    layer = layers.DenseLayer((None, N), M, W=STRUCTURED["product"]())
    x = pt.matrix("x")
    whole = layers.get_output(layer, {None: x}, structured=False)
    assert pytensor.grad(whole.sum(), layer.W).ndim == 2
    with pytest.raises(pytensor.gradient.DisconnectedInputError):
        pytensor.grad(layers.get_output(layer, {None: x}).sum(), layer.W)


def test_nested_structure_in_a_tied_decoder():
    """Catches transposes, scales and products that hide the thin factors."""
    low_rank = expressions.LowRank(4)
    W = expressions.WeightNorm(init=low_rank)
    encoder = layers.DenseLayer((None, N), M, W=W, nonlinearity=None, name="encoder")
    decoder = layers.DenseLayer(encoder, N, W=encoder.W.T, b=None, nonlinearity=None)
    x = pt.matrix("x")
    params = layers.get_all_params(decoder, trainable=True)
    results = []
    for structured in (True, False):
        y = layers.get_output(decoder, {None: x}, structured=structured)
        results += [y, *pytensor.grad(pt.sqr(y).sum(), params)]
    values = pytensor.function([x], results, mode="FAST_COMPILE")(
        np.random.default_rng(3).normal(size=(5, N))
    )
    half = len(values) // 2
    for one, other in zip(values[:half], values[half:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)
    assert not isinstance(recognise(decoder.W).best_for(8), Dense)


def test_single_precision_stays_single(backend_mode, floatX64):
    """Catches constants of double precision in scales, signs and identities."""
    x = pt.tensor("x", dtype="float32", shape=(None, N))
    with pytensor.config.change_flags(floatX="float32"):
        weights = [
            expressions.LowRankPlus(3)((N, M)),
            expressions.Monarch(4)((N, M)),
            expressions.Kronecker((10, 8))((N, M)),
            expressions.BlockDiagonal(2)((N, M)),
            -expressions.LowRank(3)((N, M)),
        ]
    outputs = [expressions.dot(x, W) for W in weights]
    leaves = collect_shared_vars(weights)
    gradients = pytensor.grad(
        sum(y.sum() for y in outputs), leaves, disconnected_inputs="ignore"
    )
    function = pytensor.function([x], [*outputs, *gradients], mode=backend_mode)
    x_value = np.random.default_rng(1).normal(size=(5, N)).astype("float32")
    results = [np.asarray(each) for each in function(x_value)]
    assert {each.dtype for each in results} == {np.dtype("float32")}
    for got, W in zip(results, weights, strict=False):
        expected = x_value @ W.eval(mode="FAST_COMPILE")
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [3, None], ids=["known", "unknown"])
def test_take_equals_indexing(count):
    """Catches rows of the wrong factor."""
    W = STRUCTURED["three factors"]()
    indices = pt.tensor("i", dtype="int64", shape=(count,))
    rows, plain = expressions.take(W, indices), W[indices]
    function = pytensor.function([indices], [rows, plain], mode="FAST_COMPILE")
    np.testing.assert_allclose(*function(np.array([5, 0, 5])), rtol=1e-12)
    assert (rows.owner.op == plain.owner.op) == (count is None)


def random_expressions():
    """Strategy: nested expressions of a 12 x 12 matrix."""
    leaf = st.sampled_from([(12, 12), (12, 2), (12, 5)]).map(
        lambda shape: shared(*shape) if shape[0] == shape[1] else _gram(shape)
    )

    def wrap(children):
        return st.one_of(
            st.tuples(children, children).map(lambda pair: pt.dot(*pair)),
            st.tuples(children, children).map(lambda pair: pair[0] + pair[1]),
            st.tuples(children, children).map(lambda pair: pair[0] - pair[1]),
            children.map(lambda W: W.T),
            children.map(lambda W: W * shared(12)),
            children.map(lambda W: shared(12)[:, None] * W),
            children.map(lambda W: W / 3.0),
            children.map(lambda W: pt.eye(12) - W),
            children.map(lambda W: pt.diag(shared(12)) + W),
        )

    return st.recursive(leaf, wrap, max_leaves=4)


def _gram(shape):
    return pt.dot(shared(*shape), shared(*shape).T)


@settings(max_examples=30, deadline=None)
@given(W=random_expressions(), batch=st.sampled_from([None, 1, 3, 1000]))
def test_random_expressions_equal_the_plain_product(W, batch):
    """Catches interplay of structures that no single case has."""
    x = pt.tensor("x", dtype="float64", shape=(batch, 12))
    value = np.random.default_rng(1).normal(size=(batch or 3, 12))
    matches_plain_product(x, value, W)


def squared(W):
    for _ in range(40):
        W = pt.dot(W, W) / 10
    return W


def orthogonalised(W):
    """Iterate as Newton and Schulz, which uses each step three times."""
    W = W / pt.sqrt(pt.sum(W**2))
    for _ in range(12):
        W = 1.5 * W - 0.5 * pt.dot(W, pt.dot(W.T, W))
    return W


def scaled(W):
    for _ in range(1600):  # two Python calls each, of 3000
        W = W * 0.999
    return W


def chained(W):
    return functools.reduce(pt.dot, [W / 4] * 150)


@pytest.mark.parametrize("make", [squared, orthogonalised])
def test_parts_used_many_times_are_looked_at_once(make):
    """Catches a tree unfolded from a graph: four to the power of twelve products."""
    x, value = pt.matrix("x", dtype="float64"), np.ones((3, 12))
    matches_plain_product(x, value, make(shared(12, 12)))
    matches_plain_product(x, value, pt.dot(make(shared(12, 12)), shared(12, 12)))


@pytest.mark.parametrize("make", [scaled, chained])
def test_long_chains_cost_no_more_than_they_are_long(make):
    """Catches a recursion, and a choice among all ways to put brackets."""
    W, x = make(shared(12, 12)), pt.matrix("x", dtype="float64")
    y = expressions.dot(x, W)
    assert y.type.ndim == 2
    assert len(list(ancestors([y]))) < len(list(ancestors([W]))) + 200


def _dots(y):
    return {
        each
        for each in ancestors([y])
        if each.owner is not None and isinstance(each.owner.op, Dot)
    }
