"""Cross-entropies: any axis of classes, options, edges, how predictions were made."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import DisconnectedInputError
from pytensor.graph.traversal import ancestors

from lasagne_next import objectives as ob
from lasagne_next.nonlinearities import sigmoid, softmax
from tests.reference import objectives as reference


def evaluate(outputs, **values):
    """Evaluate on the Python linker; values are given by names of inputs."""
    inputs = [v for v in ancestors(outputs) if v.owner is None and v.name in values]
    function = pytensor.function(inputs, outputs, mode="FAST_COMPILE")
    return function(*(values[v.name] for v in inputs))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_classes_lie_along_any_axis(axis):
    """Catches labels that meet another axis than that of the classes."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5, 7))
    classes_last = np.moveaxis(logits, axis, -1)
    labels = rng.integers(0, classes_last.shape[-1], size=classes_last.shape[:-1])
    soft = reference.over_rows(max, classes_last)[..., None] - classes_last
    soft = soft / soft.sum(axis=-1, keepdims=True)
    x, t, q = pt.tensor4("x"), pt.ltensor3("t"), pt.tensor4("q")
    losses = evaluate(
        [
            ob.categorical_crossentropy_from_logits(x, t, axis=axis),
            ob.categorical_crossentropy_from_logits(x, q, axis=axis),
            ob.categorical_crossentropy(softmax(x, axis), t, axis=axis),
            ob.categorical_crossentropy(pt.tensor_copy(softmax(x, axis)), t, axis=axis),
            ob.kullback_leibler(softmax(x, axis), softmax(x, axis), axis=axis),
        ],
        x=logits,
        t=labels,
        q=np.moveaxis(soft, -1, axis),
    )
    by_label = reference.crossentropy_from_logits(classes_last, labels)
    np.testing.assert_allclose(losses[0], by_label)
    by_value = reference.crossentropy_from_logits(classes_last, soft)
    np.testing.assert_allclose(losses[1], by_value)
    np.testing.assert_allclose(losses[2], by_label)
    np.testing.assert_allclose(losses[3], by_label)
    np.testing.assert_allclose(losses[4], 0, atol=1e-12)


def test_means_over_labels_that_count():
    """Catches a mean that divides by ignored labels, or weighs by squared weights."""
    rng = np.random.default_rng(0)
    logits, weights = rng.normal(size=(5, 3)), np.array([0.5, 2.0, 1.0])
    labels = np.array([0, -1, 1, 2, -1])
    x, t = pt.matrix("x"), pt.lvector("t")
    loss = ob.categorical_crossentropy_from_logits(x, t, ignore_label=-1)
    plain = ob.label_weights(t, ignore_label=-1)
    weighted = ob.label_weights(t, class_weights=weights, ignore_label=-1)
    means = evaluate(
        [ob.aggregate(loss, w, mode="normalized_sum") for w in (plain, weighted)],
        x=logits,
        t=labels,
    )
    kept = labels >= 0
    losses = reference.crossentropy_from_logits(logits[kept], labels[kept])
    np.testing.assert_allclose(means[0], losses.mean())
    np.testing.assert_allclose(
        means[1], np.average(losses, weights=weights[labels[kept]])
    )


@pytest.mark.parametrize("ignored", [-1, 0, 255])
def test_ignored_labels_have_no_loss_and_no_gradient(ignored):
    """Catches an ignored label that is a class too, or that indexes out of bounds."""
    labels = np.array([2, ignored, 1, ignored])
    x, t = pt.matrix("x"), pt.lvector("t")
    loss = ob.categorical_crossentropy_from_logits(
        x, t, ignore_label=ignored, label_smoothing=0.1
    )
    losses, gradient = evaluate(
        [loss, pt.grad(loss.sum(), x)],
        x=np.random.default_rng(0).normal(size=(4, 3)),
        t=labels,
    )
    np.testing.assert_array_equal(losses == 0, labels == ignored)
    np.testing.assert_array_equal((gradient == 0).all(axis=1), labels == ignored)


@pytest.mark.parametrize("label", [3, -1, 255])
def test_a_label_that_names_no_class_has_infinite_loss(label):
    """Catches wrong labels that pass for a loss of zero or for the last class."""
    x = pt.tensor("x", shape=(None, 3))
    outputs = [
        ob.categorical_crossentropy_from_logits(x, [0, label]),
        ob.categorical_crossentropy(softmax(x), [0, label]),
    ]
    for loss in evaluate(outputs, x=np.zeros((2, 3))):
        np.testing.assert_allclose(loss, [np.log(3), np.inf])


def test_excluded_classes_do_not_spoil_the_others():
    """Catches zero times minus infinity for classes that a mask has excluded."""
    x = pt.matrix("x")
    by_label = ob.categorical_crossentropy_from_logits(x, [0, 1])
    by_value = ob.categorical_crossentropy_from_logits(x, [[1, 0, 0], [0, 0.5, 0.5]])
    losses = evaluate(
        [
            by_label,
            by_value,
            pt.grad(by_label.sum(), x),
            pt.grad(by_value.sum(), x),
        ],
        x=np.array([[0.0, 0.0, -np.inf], [-np.inf, 0.0, 0.0]]),
    )
    half = [[-0.5, 0.5, 0.0], [0.0, -0.5, 0.5]]
    np.testing.assert_allclose(losses[0], np.log(2) * np.ones(2))
    np.testing.assert_allclose(losses[1], np.log(2) * np.ones(2))
    np.testing.assert_allclose(losses[2], half, atol=1e-12)
    np.testing.assert_allclose(losses[3], [[-0.5, 0.5, 0], [0, 0, 0]], atol=1e-12)


def test_probabilities_of_zero_and_one_that_are_right_have_no_loss():
    """Catches zero times log(0), the NaN of saturated predictions."""
    p = pt.matrix("p")
    binary = ob.binary_crossentropy(p, [[0.0, 1.0], [1.0, 0.0]])
    classes = ob.categorical_crossentropy(p, [1, 0])
    one_hot = ob.categorical_crossentropy(p, [[0, 1], [1, 0]])
    divergence = ob.kullback_leibler(p, [[0, 1], [1, 0]])
    losses = [binary, classes, one_hot, divergence]
    results = evaluate(
        losses + [pt.grad(loss.sum(), p) for loss in losses],
        p=np.array([[0.0, 1.0], [1.0, 0.0]]),
    )
    for loss in results[:4]:
        np.testing.assert_array_equal(loss, 0)
    for gradient in results[4:]:
        assert np.isfinite(gradient).all()


def test_probabilities_are_not_clipped():
    """Catches a finite loss of an impossible event."""
    p = pt.matrix("p")
    outputs = [
        ob.binary_crossentropy(p, [[1.0, 0.0]]),
        ob.categorical_crossentropy(p, [0]),
        ob.categorical_crossentropy(p, [[1.0, 0.0]]),
    ]
    with np.errstate(divide="ignore"):
        for loss in evaluate(outputs, p=np.array([[0.0, 1.0]])):
            np.testing.assert_array_equal(loss, np.inf)


VIEWS = {
    "itself": lambda p: p,
    "reshape": lambda p: p.reshape((-1, 1, 3)),
    "dimshuffle": lambda p: p.dimshuffle(0, "x", 1),
    "slice": lambda p: p[1:],
    "rows": lambda p: p[[0, 3, 2]],
    "mask": lambda p: p[np.array([True, False, True, True, False])],
    "reshape and slice": lambda p: p.reshape((5, 3, 1))[:, :, 0][::2],
    "specify_shape": lambda p: pt.specify_shape(p, (5, 3)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_losses_of_saturated_sigmoid_and_softmax_are_finite(view):
    """Catches the logarithm of a probability that was rounded to zero."""
    x = pt.matrix("x")
    logits = np.array([[800.0, 0, -800], [0, 0, 0], [-800, 0, 5], [1, 2, 3], [9, 9, 9]])
    p, q = view(softmax(x)), view(sigmoid(x))
    binary = ob.binary_crossentropy(q, pt.ones_like(q))
    shape = [size or 1 for size in (q.type.shape[1:-1])]
    labels = pt.zeros((q.shape[0], *shape), dtype="int64") + 2
    classes = ob.categorical_crossentropy(p, labels)
    hinge = ob.binary_hinge_loss(q, pt.ones_like(q), log_odds=False)
    losses = [binary, classes, hinge]
    results = evaluate(
        [*losses, *(pt.grad(loss.sum(), x) for loss in losses), view(x)], x=logits
    )
    for result in results:
        assert np.isfinite(result).all()
    seen = results[-1]
    np.testing.assert_allclose(results[0], reference.binary_from_logits(seen, 1.0))
    by_row = [-reference.log_softmax(row)[2] for row in seen.reshape(-1, 3)]
    np.testing.assert_allclose(results[1].ravel(), by_row)
    np.testing.assert_allclose(results[2], np.maximum(0, 1 - seen))


def test_other_functions_are_not_seen_through():
    """Catches a product or a sum after the softmax that is dropped."""
    x = pt.matrix("x")
    half = evaluate(
        [
            ob.categorical_crossentropy(0.5 * softmax(x), [0]),
            ob.binary_crossentropy(0.5 * sigmoid(x), [[1, 1]]),
        ],
        x=np.zeros((1, 2)),
    )
    np.testing.assert_allclose(half[0], np.log(4))
    np.testing.assert_allclose(half[1], np.log([[4, 4]]))


def test_a_copy_keeps_the_loss_a_function_of_the_predictions():
    """Catches a remedy in the documentation that does not work."""
    x = pt.matrix("x")
    for p, loss in (
        (softmax(x), lambda p: ob.categorical_crossentropy(p, [0])),
        (sigmoid(x), lambda p: ob.binary_crossentropy(p, [[1, 0]])),
    ):
        with pytest.raises(DisconnectedInputError):
            pt.grad(loss(p).sum(), p)
        gradient = pt.grad(loss(pt.tensor_copy(p)).sum(), p)
        (value,) = evaluate([gradient], x=np.zeros((1, 2)))
        assert value[0, 0] == pytest.approx(-2)


def test_options_can_be_expressions(floatX64):
    """Catches a learnt weight or a scheduled smoothing that must be a number."""
    x, weights, share = pt.fmatrix("x"), pt.vector("w"), pt.scalar("s")
    categorical = ob.categorical_crossentropy_from_logits(
        x, [0, 2], class_weights=weights, label_smoothing=share
    )
    binary = ob.binary_crossentropy_from_logits(
        x, pt.ones_like(x), class_weights=(share, weights[1]), label_smoothing=share
    )
    assert categorical.dtype == binary.dtype == "float32"
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]])
    results = evaluate(
        [categorical, binary],
        x=logits.astype("float32"),
        w=np.array([1.0, 2.0, 3.0]),
        s=0.3,
    )
    expected = reference.crossentropy_from_logits(
        logits, np.array([0, 2]), [1, 2, 3], None, 0.3
    )
    np.testing.assert_allclose(results[0], expected, rtol=1e-5)
    expected = reference.binary_from_logits(logits, 1.0, (0.3, 2.0), None, 0.3)
    np.testing.assert_allclose(results[1], expected, rtol=1e-5)


LOGITS = pt.tensor("logits", shape=(None, 3))
LABELS = pt.lvector("labels")


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda f: f(LOGITS, pt.lscalar()),
            TypeError,
            r"rank mismatch .* shape \(\) and predictions of shape \(None, 3\)",
        ),
        (lambda f: f(LOGITS, pt.ltensor3()), TypeError, "rank mismatch"),
        (lambda f: f(LOGITS, pt.vector()), TypeError, "must be integers .* float64"),
        (
            lambda f: f(pt.zeros((5, 3)), pt.zeros(7, dtype="int64")),
            ValueError,
            r"targets must have shape \(5,\), got shape \(7,\)",
        ),
        (
            lambda f: f(pt.zeros((5, 3)), pt.zeros((5, 7))),
            ValueError,
            r"targets must have shape \(5, 3\), got shape \(5, 7\)",
        ),
        (lambda f: f(LOGITS, LABELS, axis=2), ValueError, "axis must be between -2"),
        (lambda f: f(LOGITS, LABELS, axis="x"), TypeError, "axis must be an integer"),
    ],
)
def test_misfits_are_refused_when_the_loss_is_built(call, error, match):
    """Catches broadcasting, and an error that comes only when the function runs."""
    for loss in (
        ob.categorical_crossentropy,
        ob.categorical_crossentropy_from_logits,
    ):
        with pytest.raises(error, match=f"{loss.__name__}: .*{match}"):
            call(loss)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"label_smoothing": 1}, ValueError, "label_smoothing must be below 1, got 1"),
        ({"label_smoothing": -0.1}, ValueError, "must be at least 0, got -0.1"),
        ({"label_smoothing": "a"}, TypeError, "must be a number or an expression, got"),
        ({"ignore_label": 0.5}, TypeError, "ignore_label must be an integer or None"),
    ],
)
def test_bad_options_are_refused(options, error, match):
    """Catches a negative probability, and a label that nothing can equal."""
    for loss, targets in (
        (ob.categorical_crossentropy_from_logits, LABELS),
        (ob.binary_crossentropy_from_logits, LOGITS),
    ):
        with pytest.raises(error, match=f"{loss.__name__}: .*{match}"):
            loss(LOGITS, targets, **options)


def test_bad_class_weights_are_refused():
    """Catches weights of another number of classes, which would be broadcast."""
    categorical = ob.categorical_crossentropy_from_logits
    with pytest.raises(ValueError, match="must have 3 elements, one per class, got 2"):
        categorical(LOGITS, LABELS, class_weights=[1, 2])
    with pytest.raises(ValueError, match=r"must be a vector, got shape \(\)"):
        categorical(LOGITS, LABELS, class_weights=2.0)
    with pytest.raises(ValueError, match="ignore_label must be None where targets are"):
        categorical(LOGITS, LOGITS, ignore_label=0)
    for weights in (2.0, (1, 2, 3), pt.vector()):
        with pytest.raises(ValueError, match="class_weights must be a pair, got"):
            ob.binary_crossentropy_from_logits(LOGITS, LOGITS, class_weights=weights)


def test_label_weights_refuse_what_is_no_label():
    """Catches probabilities given for labels."""
    with pytest.raises(TypeError, match="label_weights: targets must be integers, got"):
        ob.label_weights(pt.vector())
    with pytest.raises(ValueError, match="label_weights: class_weights must be a vec"):
        ob.label_weights(LABELS, class_weights=[[1, 2]])
    with pytest.raises(TypeError, match="label_weights: ignore_label must be an int"):
        ob.label_weights(LABELS, ignore_label="x")


def test_label_weights_have_the_shape_of_the_labels(floatX32):
    """Catches labels of images that are taken for a vector."""
    labels = np.array([[0, 2, 9], [1, 9, 0]])
    weights = ob.label_weights(labels, class_weights=[1, 2, 3], ignore_label=9)
    assert weights.dtype == "float32"
    np.testing.assert_array_equal(
        weights.eval(mode="FAST_COMPILE"), [[1, 3, 0], [2, 0, 1]]
    )
    np.testing.assert_array_equal(
        ob.label_weights(labels).eval(mode="FAST_COMPILE"), np.ones((2, 3))
    )
