"""Connectionist temporal classification."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.objectives import ctc_greedy_decode, ctc_loss
from lasagne_next.ops import CTC
from tests.backends import MODES, compile_on
from tests.reference import ctc as reference

BATCH, TIME, CLASSES, LABELS = 7, 5, 3, 3
STEPS = np.array([5, 5, 4, 3, 5, 2, 0], "int32")
# The labels at hand, then: none, too many, a repetition without room, what is no label.
ROWS = [[1], [2, 1], [2, 2], [], [1, 2, 1], [1, 1], []]
COUNTS = np.array([len(row) for row in ROWS], "int32")
FILLED = np.array([[*row, 7, -3, 1][:LABELS] for row in ROWS], "int32")


def logits(dtype="float64"):
    return np.random.default_rng(3).normal(size=(BATCH, TIME, CLASSES)).astype(dtype)


def graph(dtype="float64", blank=0, zero_infinity=False):
    """Return the inputs, and the loss and its gradient, of unknown sizes."""
    x = pt.tensor3("x", dtype=dtype, shape=(None, None, None))
    labels = pt.imatrix("labels")
    steps, counts = pt.ivector("steps"), pt.ivector("counts")
    loss = ctc_loss(x, labels, steps, counts, blank, zero_infinity)
    finite = pt.switch(pt.isinf(loss), pt.zeros_like(loss), loss)
    factors = pt.cumsum(pt.ones_like(loss))
    gradient = pytensor.grad((factors * finite).sum(), x)
    return [x, labels, steps, counts], [loss, gradient]


def wanted(x, rows=ROWS, blank=0):
    """Enumerate all paths of each example."""
    cases = zip(x, STEPS, rows, strict=True)
    return np.array([reference.loss(each[:n], row, blank) for each, n, row in cases])


def test_it_is_the_sum_over_all_paths():
    """Catches lost paths, repetitions merged through blanks, padding that counts."""
    run = compile_on(MODES["python"], *graph())
    x = logits()
    loss, gradient = run(x, FILLED, STEPS, COUNTS)
    np.testing.assert_allclose(loss, wanted(x), rtol=1e-10, atol=1e-12)
    assert np.isinf(loss).tolist() == [False] * 5 + [True, False]
    slopes, step = np.zeros_like(x), 1e-6
    for place in np.ndindex(*x.shape[1:]):
        shift = np.zeros(x.shape[1:])
        shift[place] = step
        both = [run(x + sign * shift, FILLED, STEPS, COUNTS)[0] for sign in (1, -1)]
        both = [np.where(np.isinf(each), 0, each) for each in both]
        slopes[(slice(None), *place)] = (both[0] - both[1]) / (2 * step)
    slopes *= np.arange(1, BATCH + 1)[:, None, None]
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


@pytest.mark.parametrize("backend", ["numba", "jax"])
def test_other_backends_compute_the_same(backend):
    """Catches sizes that cannot be traced, double precision, and lost numbers."""
    if backend not in MODES:
        pytest.importorskip("jax")
    x = logits("float32")
    run = compile_on(MODES[backend], *graph("float32"))
    python = compile_on(MODES["python"], *graph("float32"))
    arrays = x, FILLED, STEPS, COUNTS
    for value, other in zip(run(*arrays), python(*arrays), strict=True):
        assert value.dtype == other.dtype == "float32"
        np.testing.assert_allclose(value, other, atol=1e-5)
    # No kernel may look for labels behind the last one, or before the first.
    for counts in (COUNTS + 90, COUNTS - 4):
        loss, gradient = run(x, FILLED, STEPS, counts)
        assert np.isposinf(loss).all()
        assert not np.any(gradient)
    with pytest.raises(ValueError, match="CTC: the sizes of the operands do not fit"):
        run(x, FILLED[:3], STEPS, COUNTS)
    x[:2, 1], x[3:5, 2, 1] = np.nan, np.nan
    lost = np.isnan(run(x, FILLED, STEPS, COUNTS)[0]).tolist()
    assert lost == [True, True, False, True, True, False, False]


def test_lengths_may_be_masks_or_left_out():
    """Catches a mask that is read as lengths, and defaults that leave steps out."""
    x, rows = logits()[:2], FILLED[[1, 4]]
    steps, counts = [5, 4], [2, 3]
    masks = [np.arange(5) < np.c_[steps], np.arange(3) < np.c_[counts]]
    given = [ctc_loss(x, rows, np.array(steps), np.array(counts)), ctc_loss(x, rows)]
    given += [ctc_loss(x, rows, *masks), ctc_loss(x, rows, [5, 5], [3, 3])]
    given += [ctc_loss(x[:, :, ::-1], 2 - rows, *masks, blank=-1)]
    by_lengths, plain, by_masks, full, last = pytensor.function(
        [], given, mode="FAST_COMPILE"
    )()
    np.testing.assert_allclose(by_masks, by_lengths)
    np.testing.assert_allclose(last, by_lengths)
    np.testing.assert_allclose(plain, full)
    assert not np.allclose(plain, by_lengths)


def test_losses_of_impossible_labels_are_infinite_or_zero():
    """Catches a blank or a number beyond the classes that is read as some class."""
    x = pytensor.shared(logits()[:4], shape=(4, TIME, CLASSES))
    rows = np.array([[1, 0], [3, 1], [-1, 1], [2, 1]])
    losses = [ctc_loss(x, rows), ctc_loss(x, rows, zero_infinity=True)]
    gradient = pytensor.grad(losses[0].sum(), x)
    plain, zeroed, slopes = pytensor.function(
        [], [*losses, gradient], mode="FAST_COMPILE"
    )()
    assert np.isinf(plain).tolist() == [True, True, True, False]
    np.testing.assert_array_equal(zeroed, np.where(np.isinf(plain), 0, plain))
    assert np.isfinite(slopes).all()
    assert not slopes[:3].any()


def test_an_excluded_class_leaves_the_loss_finite():
    """Catches the difference of two infinities for a logit of minus infinity."""
    x = logits()[:1]
    x[0, 1, 2] = -np.inf
    loss = ctc_loss(x, [[1, 2]])
    expected = reference.loss(x[0], [1, 2], 0)
    np.testing.assert_allclose(loss.eval(mode="FAST_COMPILE"), expected)


def test_single_precision_does_for_long_sequences():
    """Catches logarithms that grow until the differences between paths are lost."""
    rng = np.random.default_rng(5)
    x = 3 * rng.normal(size=(2, 900, 11))
    rows = rng.integers(1, 11, size=(2, 60)).astype("int32")
    lengths = np.array([900, 700], "int32"), np.array([60, 47], "int32")
    results = []
    for dtype in ("float32", "float64"):
        run = compile_on(MODES["python"], *graph(dtype))
        results.append(run(x.astype(dtype), rows, *lengths))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=5e-5)


def test_it_is_the_loss_of_pytorch():
    """Catches another convention for the order of axes or for what is normalised."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(logits(), requires_grad=True)
    loss = torch.nn.functional.ctc_loss(
        torch.log_softmax(x, 2).transpose(0, 1)[:, :6],
        torch.tensor(np.clip(FILLED[:6], 0, 2)),
        torch.tensor(STEPS[:6]),
        torch.tensor(COUNTS[:6]),
        reduction="none",
        zero_infinity=True,
    )
    (loss * torch.arange(1, 7)).sum().backward()
    run = compile_on(MODES["python"], *graph(zero_infinity=True))
    value, gradient = run(logits(), FILLED, STEPS, COUNTS)
    np.testing.assert_allclose(value[:6], loss.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradient[:6], x.grad.numpy()[:6], atol=1e-6)


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "numba" else [])
        for name in MODES
    ],
)
def test_the_best_path_is_reduced(backend):
    """Catches repetitions merged through a blank, and labels read beyond the end."""
    paths = np.array([[1, 1, 0, 1, 2], [0, 2, 2, 2, 1], [1, 2, 1, 1, 1], [0] * 5])
    lengths = np.array([5, 4, 3, 5], "int32")
    x, n = pt.ftensor3(shape=(None, None, None)), pt.ivector()
    for blank in (0, 2) if backend == "python" else (0,):
        run = compile_on(MODES[backend], [x, n], ctc_greedy_decode(x, n, blank))
        labels, counts = run(np.eye(3, dtype="float32")[paths], lengths)
        assert labels.dtype == counts.dtype == "int32"
        for row, count, path, length in zip(
            labels, counts, paths, lengths, strict=True
        ):
            expected = reference.reduced(path[:length], blank)
            assert row.tolist() == expected + [blank] * (5 - len(expected))
            assert count == len(expected)


X = np.zeros((2, 5, 3))


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (TypeError, r"logits must have 3 axes .*, got shape \(5, 3\)", (X[0], [[1]])),
        (TypeError, r"labels must have 2 axes .*, got shape \(1,\)", (X, [1])),
        (TypeError, "labels must be integers, got type float64", (X, [[1.0], [2.0]])),
        (ValueError, r"labels must have 2 entries along axis 0, got", (X, [[1]])),
        (ValueError, "input_lengths must have 2 entries", (X, [[1], [1]], [5])),
        (
            ValueError,
            "input_lengths must have 5 entries along axis 1",
            (X, [[1], [1]], np.ones((2, 3))),
        ),
        (
            TypeError,
            "input_lengths must have 1 axes",
            (X, [[1], [1]], np.zeros((2, 5, 1))),
        ),
        (
            TypeError,
            "label_lengths must be integers, got type float64",
            (X, [[1], [1]], None, np.ones(2)),
        ),
        (
            ValueError,
            r"blank must be the number of a class, .* got 3 \(logits of shape \(2, 5",
            (X, [[1], [1]], None, None, 3),
        ),
        (
            TypeError,
            "blank must be an integer, got 0.5",
            (X, [[1], [1]], None, None, 0.5),
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(error, message, arguments):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=f"ctc_loss: {message}"):
        ctc_loss(*arguments)


def test_the_decoder_names_itself():
    """Catches a message about another function."""
    with pytest.raises(TypeError, match="ctc_greedy_decode: logits must have 3 axes"):
        ctc_greedy_decode(X[0])


def test_the_operation_wants_whole_numbers_of_one_type():
    """Catches a kernel that reads other numbers as if they were these."""
    x, n = pt.tensor3(), pt.ivector()
    with pytest.raises(TypeError, match="CTC: labels must have 2 axes and the type in"):
        CTC(0)(x, pt.lmatrix(), n, n)
    with pytest.raises(TypeError, match="CTC: logs must have 3 axes"):
        CTC(0)(pt.matrix(), pt.imatrix(), n, n)
    assert CTC(0) == CTC(False) != CTC(1)


def test_probabilities_of_classes_have_no_derivative():
    """Catches a gradient that is silently left out."""
    x = pt.tensor3()
    _, given = CTC(0)(x, pt.imatrix(), pt.ivector(), pt.ivector())
    with pytest.raises(pytensor.gradient.NullTypeGradError, match="first output only"):
        pytensor.grad(given.sum(), x)
