"""Start values: statistics, shapes, seeds, refusals."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytensor
import pytest
from scipy import stats

import lasagne_next
from lasagne_next import init

CLASSES = [
    each
    for name in init.__all__
    if inspect.isclass(each := getattr(init, name))
    and each not in (init.Initializer, init.Glorot, init.He)
]
DRAWN = [each for each in CLASSES if each not in (init.Constant, init.Identity)]
GENERATORS = {
    "Generator": lambda: np.random.default_rng(5),
    "RandomState": lambda: np.random.RandomState(5),
}


def by_name(each):
    return each.__name__


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_class_needs_no_argument_and_returns_floatX(cls, dtype):
    """Catches a draw that keeps numpy's double precision, or a wrong shape."""
    with pytensor.config.change_flags(floatX=dtype):
        values = cls()((12, 23))
    assert values.shape == (12, 23)
    assert values.dtype == dtype
    assert isinstance(values, np.ndarray)


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
def test_call_and_sample_agree(cls):
    """Catches a __call__ that does something of its own."""
    samples = []
    for method in ("__call__", "sample"):
        lasagne_next.random.set_rng(np.random.default_rng(3))
        samples.append(getattr(cls(), method)((5, 7)))
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize("cls", DRAWN, ids=by_name)
@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
def test_one_seed_gives_one_sample(cls, generator):
    """Catches a draw from any other generator than the package's."""
    samples = []
    for _ in range(2):
        lasagne_next.random.set_rng(generator())
        samples.append(cls()((12, 23)))
    samples.append(cls()((12, 23)))
    np.testing.assert_array_equal(samples[0], samples[1])
    assert not np.array_equal(samples[1], samples[2])


@pytest.mark.parametrize("cls", DRAWN, ids=by_name)
def test_the_module_numpy_random_is_a_generator_too(cls):
    """Catches methods that only a Generator has."""
    lasagne_next.random.set_rng(np.random)
    state = np.random.get_state()
    try:
        np.random.seed(4)
        first = cls()((12, 23))
        np.random.seed(4)
        np.testing.assert_array_equal(first, cls()((12, 23)))
    finally:
        np.random.set_state(state)


# With n draws the sample standard deviation has a relative error of about
# 1 / sqrt(2 n), and the mean an error of std / sqrt(n): five of those are allowed.
STATISTICS = [
    (init.Normal(), (100, 200), 0.0, 0.01),
    (init.Normal(std=0.5, mean=3.0), (100, 200), 3.0, 0.5),
    (init.Uniform(), (100, 200), 0.0, 0.01 / math.sqrt(3)),
    (init.Uniform((1.0, 4.0)), (100, 200), 2.5, 3 / math.sqrt(12)),
    (init.Uniform(std=0.2, mean=-1.0), (100, 200), -1.0, 0.2),
    (init.TruncatedNormal(), (100, 200), 0.0, 0.01),
    (init.TruncatedNormal(std=2.0, mean=1.0, bound=1.0), (100, 200), 1.0, 2.0),
    (init.TruncatedNormal(bound=10.0), (100, 200), 0.0, 0.01),
    (init.GlorotNormal(), (100, 100), 0.0, 0.1),
    (init.GlorotNormal(), (50, 50, 2), 0.0, 0.1),
    (init.GlorotNormal(gain=10.0), (100, 100), 0.0, 1.0),
    (init.GlorotNormal(gain="relu"), (100, 100), 0.0, 0.1 * math.sqrt(2)),
    (init.GlorotNormal(c01b=True), (25, 2, 2, 25), 0.0, 0.1),
    (init.GlorotNormal(c01b=True), (20, 2, 2, 30), 0.0, 0.1),
    (init.GlorotUniform(), (150, 450), 0.0, 0.1 / math.sqrt(3)),
    (init.Glorot(init.TruncatedNormal), (100, 100), 0.0, 0.1),
    (init.HeNormal(), (100, 100), 0.0, 0.1),
    (init.HeNormal(), (100, 70), 0.0, 0.1),
    (init.HeNormal(), (50, 50, 2), 0.0, 0.1),
    (init.HeNormal(), (70, 25, 2, 2), 0.0, 0.1),
    (init.HeNormal(c01b=True), (25, 2, 2, 70), 0.0, 0.1),
    (init.HeNormal(gain="relu"), (200, 70), 0.0, 0.1),
    (init.HeNormal(fan_in=4), (30, 200), 0.0, 0.5),
    (init.HeUniform(), (300, 200), 0.0, 0.1 / math.sqrt(3)),
    (init.LeCunNormal(), (100, 70), 0.0, 0.1),
    (init.LeCunUniform(), (100, 70), 0.0, 0.1),
]


@pytest.mark.parametrize(("initializer", "shape", "mean", "std"), STATISTICS, ids=str)
def test_mean_and_standard_deviation(initializer, shape, mean, std):
    """Catches swapped fans, a missing receptive field, a wrong interval."""
    values = initializer(shape)
    assert values.shape == shape
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(values.size)
    assert values.std() == pytest.approx(std, rel=5 / math.sqrt(2 * values.size))


def test_uniform_reaches_both_ends_and_no_further():
    """Catches an interval that is right in its spread only by accident."""
    values = init.GlorotUniform()((150, 450))
    assert -0.1 <= values.min() < -0.0999
    assert 0.0999 < values.max() <= 0.1
    assert init.Uniform(0.3).range == (-0.3, 0.3)
    assert init.Uniform((1, 2)).range == (1, 2)
    assert init.Uniform(std=1.0, mean=2.0).range == pytest.approx(
        (2 - math.sqrt(3), 2 + math.sqrt(3))
    )


def test_truncated_normal_has_the_distribution_of_its_name():
    """Catches clipping instead of cutting, and a cut at the wrong place."""
    values = init.TruncatedNormal(std=1.0, bound=1.5)((100, 50)).ravel()
    uncut = 1 / stats.truncnorm(-1.5, 1.5).std()
    expected = stats.truncnorm(-1.5, 1.5, scale=uncut)
    assert stats.kstest(values, expected.cdf).pvalue > 0.001
    assert abs(values).max() <= 1.5 * uncut


def test_constant_broadcasts_its_value():
    """Catches a value that is only ever a number."""
    np.testing.assert_array_equal(init.Constant(2)((3, 2)), np.full((3, 2), 2.0))
    np.testing.assert_array_equal(
        init.Constant(np.array([1, 2, 3]))((2, 3)), [[1, 2, 3], [1, 2, 3]]
    )
    assert init.Constant(1.5)(()).shape == ()
    assert init.Constant().val == 0.0


@pytest.mark.parametrize(("rows", "sparsity"), [(10, 0.3), (7, 0.5), (3, 0.0)])
def test_sparse_fills_as_many_entries_of_each_column(rows, sparsity):
    """Catches counting over the whole matrix, and the same rows in all columns."""
    values = init.Sparse(sparsity=sparsity, std=1.0)((rows, 50))
    filled = values != 0
    np.testing.assert_array_equal(filled.sum(axis=0), int(sparsity * rows))
    if sparsity:
        assert filled.any(axis=1).all()


def test_sparse_entries_have_the_standard_deviation_asked_for():
    """Catches values scaled by the share that is filled."""
    values = init.Sparse(sparsity=0.5, std=0.3)((100, 200))
    entries = values[values != 0]
    assert entries.std() == pytest.approx(0.3, rel=5 / math.sqrt(2 * entries.size))


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (5, 5), (2, 3, 5), (7, 1, 2)])
@pytest.mark.parametrize(("gain", "factor"), [(1.0, 1.0), ("relu", 2.0), (0.5, 0.25)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape, gain, factor):
    """Catches the wrong factor for tall shapes, and a squared gain."""
    W = init.Orthogonal(gain=gain)(shape)
    assert W.shape == shape
    flat = W.reshape(shape[0], -1)
    gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(gram, factor * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_favours_no_direction():
    """Catches signs fixed by the decomposition: then some entry has a mean."""
    draws = np.stack([init.Orthogonal()((5, 3)) for _ in range(2000)])
    # An entry has variance 1/5; five standard errors of its mean.
    assert abs(draws.mean(axis=0)).max() < 5 / math.sqrt(5 * 2000)


def test_identity_passes_its_input_through():
    """Catches a one in the corner of the filter, and a gain that is ignored."""
    np.testing.assert_array_equal(init.Identity()((3, 2)), [[1, 0], [0, 1], [0, 0]])
    filters = init.Identity(2.0)((2, 3, 5, 7))
    assert filters[0, 0, 2, 3] == filters[1, 1, 2, 3] == 2.0
    assert filters.sum() == 4.0


def test_fans_can_be_stated():
    """Catches a stated fan that is ignored or applied to the other side."""
    assert init.GlorotNormal(fan_in=2).std_for((3, 6)) == pytest.approx(0.5)
    assert init.GlorotNormal(fan_out=2).std_for((6, 3)) == pytest.approx(0.5)
    assert init.GlorotNormal(fan_in=2).std_for((6, 3, 1)) == pytest.approx(0.5)
    assert init.GlorotNormal(fan_in=1, fan_out=1).std_for((6, 3)) == 1.0
    assert init.HeNormal(fan_in=25).std_for((6, 3)) == 0.2


def test_a_layer_can_supply_fans_which_the_user_can_override():
    """Catches an original that changes, and a user's fan that is overwritten."""
    original = init.HeUniform(gain="relu")
    supplied = original.with_fans(fan_in=8, fan_out=3)
    assert type(supplied) is init.HeUniform
    assert supplied.std_for((5, 7)) == pytest.approx(0.5)
    assert original.fan_in is None
    stated = init.GlorotUniform(fan_in=1).with_fans(fan_in=9, fan_out=1)
    assert (stated.fan_in, stated.fan_out) == (1, 1)
    with pytest.raises(ValueError, match="fan_in must be greater than 0, got 0"):
        original.with_fans(0, 1)


def test_attributes_hold_what_was_given():
    """Catches an attribute renamed: saved scripts read them."""
    assert vars(init.Normal(0.1, 2.0)) == {"std": 0.1, "mean": 2.0}
    glorot = init.GlorotUniform("relu", True)
    assert (glorot.initializer, glorot.c01b) == (init.Uniform, True)
    assert glorot.gain == math.sqrt(2)
    assert init.HeNormal(2.0).initializer is init.Normal
    assert vars(init.Sparse(0.2, 0.5)) == {"sparsity": 0.2, "std": 0.5}
    assert init.Orthogonal("relu").gain == math.sqrt(2)


@pytest.mark.parametrize(
    ("initializer", "text"),
    [
        (init.GlorotUniform(), "GlorotUniform(gain=1.0)"),
        (
            init.HeNormal(2.0, c01b=True, fan_in=3),
            "HeNormal(gain=2.0, c01b=True, fan_in=3)",
        ),
        (init.Glorot(init.Normal), "Glorot(initializer=Normal, gain=1.0)"),
        (init.Normal(), "Normal(std=0.01, mean=0.0)"),
        (init.Uniform(2), "Uniform(range=(-2, 2))"),
        (init.Constant(), "Constant(val=0.0)"),
        (init.LeCunNormal(), "LeCunNormal()"),
        (init.Identity(), "Identity(gain=1.0)"),
    ],
    ids=str,
)
def test_representation_can_be_pasted(initializer, text):
    """Catches an address in the documentation of a default argument."""
    assert repr(initializer) == text


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["deepcopy", "pickle"],
)
def test_copies_draw_the_same(cls, copied):
    """Catches state that does not survive, such as a function made on the spot."""
    original = cls()
    other = copied(original)
    assert vars(other) == vars(original)
    samples = []
    for each in (original, other):
        lasagne_next.random.set_rng(np.random.default_rng(3))
        samples.append(each((5, 7)))
    np.testing.assert_array_equal(*samples)


def test_base_has_no_sample():
    """Catches a base that returns None, which fails much later."""
    with pytest.raises(NotImplementedError, match="sample must be implemented"):
        init.Initializer()((2, 3))
    with pytest.raises(NotImplementedError, match="std_for must be implemented"):
        init.fans._FanScaled(init.Normal, 1.0, False, None)((2, 3))


@pytest.mark.parametrize(
    "initializer",
    [
        init.GlorotNormal(),
        init.GlorotUniform(),
        init.HeNormal(),
        init.HeUniform(),
        init.LeCunNormal(),
        init.Orthogonal(),
        init.Sparse(),
        init.Identity(),
    ],
    ids=str,
)
def test_a_vector_is_refused(initializer):
    """Catches a fan made up for a shape that has none."""
    with pytest.raises(RuntimeError, match=r"must have at least 2 axes, got \(100,\)"):
        initializer((100,))


@pytest.mark.parametrize("cls", [init.GlorotNormal, init.GlorotUniform, init.HeNormal])
@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 5, 7, 1)], ids=str)
def test_c01b_needs_four_axes(cls, shape):
    """Catches the fifth axis taken as outputs."""
    with pytest.raises(RuntimeError, match="must have 4 axes for c01b=True, got"):
        cls(c01b=True)(shape)


def test_sparse_refuses_filters():
    """Catches filters of which only the first two axes are filled."""
    with pytest.raises(RuntimeError, match=r"must have 2 axes, got \(2, 3, 5\)"):
        init.Sparse()((2, 3, 5))


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
@pytest.mark.parametrize("shape", [(0, 3), (None, 3), (2.0, 3)], ids=str)
def test_sizes_are_positive_integers(cls, shape):
    """Catches an empty parameter, or a failure deep inside numpy."""
    with pytest.raises(ValueError, match="shape must be positive integers, got"):
        cls()(shape)


def test_an_integer_is_a_shape():
    """Catches a refusal of what numpy accepts."""
    assert init.Normal()(7).shape == (7,)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: init.Normal(std=-1), ValueError, "std must be at least 0, got -1"),
        (lambda: init.Normal(mean="a"), TypeError, "mean must be a number, got 'a'"),
        (lambda: init.Normal(mean=np.nan), ValueError, "mean must be a finite number"),
        (lambda: init.Uniform((1, 2, 3)), ValueError, "a number or a pair, got"),
        (lambda: init.Uniform("a"), TypeError, "range must be a number, got 'a'"),
        (lambda: init.Uniform(std=-1), ValueError, "std must be at least 0"),
        (
            lambda: init.TruncatedNormal(bound=0),
            ValueError,
            "bound must be greater than 0, got 0",
        ),
        (lambda: init.Sparse(1.5), ValueError, "sparsity must be at most 1, got 1.5"),
        (
            lambda: init.HeNormal("rely"),
            ValueError,
            "a number or 'relu', got 'rely'. Did you mean 'relu'?",
        ),
        (lambda: init.Orthogonal("x"), ValueError, "a number or 'relu', got 'x'"),
        (lambda: init.Orthogonal(None), TypeError, "gain must be a number, got None"),
        (lambda: init.HeNormal(fan_in=0), ValueError, "fan_in must be greater than 0"),
        (
            lambda: init.GlorotNormal(fan_out=-1),
            ValueError,
            "fan_out must be greater than 0, got -1",
        ),
        (lambda: init.Constant("a"), TypeError, "val must be a number or an array"),
        (lambda: init.Identity([1]), TypeError, "gain must be a number"),
    ],
)
def test_bad_arguments_are_refused_when_given(make, error, match):
    """Catches an error that comes only when the parameter is made."""
    with pytest.raises(error, match=match):
        make()
