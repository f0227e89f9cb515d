"""Predictions and targets that meet elementwise: alignment, misfits, edges."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import objectives as ob

LOSSES = [
    ob.absolute_error,
    ob.binary_accuracy,
    ob.binary_crossentropy,
    ob.binary_crossentropy_from_logits,
    lambda p, t: ob.binary_hinge_loss(p, t, log_odds=True),
    ob.gaussian_kullback_leibler,
    ob.gaussian_nll,
    ob.huber_loss,
    ob.log_cosh_loss,
    ob.poisson_nll,
    ob.smooth_hinge_loss,
    ob.squared_error,
    ob.squared_hinge_loss,
]
NAMES = [getattr(loss, "__name__", "binary_hinge_loss") for loss in LOSSES]
NAMES = ["binary_hinge_loss" if name == "<lambda>" else name for name in NAMES]
WHOLE = [ob.cosine_similarity, ob.cosine_distance, ob.kullback_leibler]


@pytest.mark.parametrize("loss", LOSSES, ids=NAMES)
def test_a_vector_of_targets_meets_a_column_of_predictions(loss):
    """Catches the n by n matrix that broadcasting makes of them."""
    column = pt.tensor("p", shape=(None, 1))
    result = loss(column, pt.vector("t"))
    assert result.type.shape == (None, 1)


def test_align_targets_changes_nothing_else():
    """Catches a column made for a matrix whose size happens to be unknown."""
    vector = pt.vector()
    for predictions in (
        pt.matrix(),
        pt.tensor(shape=(None, 3)),
        pt.tensor(shape=(1, 1)),
        pt.tensor(shape=(1, None)),
        pt.vector(),
        pt.tensor(shape=(None, 1, 1)),
    ):
        assert ob.align_targets(predictions, vector) == (predictions, vector)
    column, matrix = pt.tensor(shape=(None, 1)), pt.matrix()
    assert ob.align_targets(column, matrix) == (column, matrix)
    aligned = ob.align_targets(column, vector)
    assert aligned[0] is column
    assert aligned[1].type.shape == (None, 1)


@pytest.mark.parametrize("loss", LOSSES, ids=NAMES)
def test_a_number_is_a_target_for_all(loss):
    """Catches a refusal of the constant targets of adversarial losses."""
    predictions = pt.tensor("p", shape=(None, 3))
    assert loss(predictions, 1).type.shape == (None, 3)
    assert loss(predictions, pt.scalar()).type.shape == (None, 3)


@pytest.mark.parametrize(
    ("loss", "name"),
    [*zip(LOSSES, NAMES, strict=True), *((each, each.__name__) for each in WHOLE)],
)
def test_misfits_are_refused_when_the_loss_is_built(loss, name):
    """Catches silent broadcasting, and an error that comes only when it runs."""
    name = "cosine_similarity" if name == "cosine_distance" else name
    with pytest.raises(
        TypeError,
        match=rf"{name}: rank mismatch .*targets of shape \(None,\) and predictions "
        r"of shape \(None, 3\)",
    ):
        loss(pt.tensor(shape=(None, 3)), pt.vector())
    with pytest.raises(TypeError, match=f"{name}: rank mismatch"):
        loss(pt.vector(), pt.matrix())
    with pytest.raises(
        ValueError,
        match=rf"{name}: targets .*targets of shape \(None, 5\) and predictions of "
        r"shape \(7, 3\), which differ at axis -1",
    ):
        loss(pt.tensor(shape=(7, 3)), pt.tensor(shape=(None, 5)))


@pytest.mark.parametrize("loss", WHOLE, ids=lambda loss: loss.__name__)
def test_losses_of_vectors_need_vectors(loss):
    """Catches a scalar target whose missing axis fails later."""
    with pytest.raises(TypeError, match="rank mismatch"):
        loss(pt.matrix(), 1.0)
    with pytest.raises(ValueError, match="axis must be between -2 and 1, got 2"):
        loss(pt.matrix(), pt.matrix(), axis=2)


def test_a_misfit_of_the_log_variance_is_refused():
    """Catches a variance per unit that is broadcast over the wrong axis."""
    means, targets = pt.matrix(), pt.matrix()
    with pytest.raises(TypeError, match="gaussian_nll: rank mismatch"):
        ob.gaussian_nll(means, targets, log_variance=pt.vector())


def test_the_derivative_is_zero_where_both_are_equal():
    """Catches NaN, or a slope of one at the kink of the absolute value."""
    x = pt.vector("x")
    losses = [ob.absolute_error, ob.huber_loss, ob.log_cosh_loss]
    gradients = [pt.grad(loss(x, [2.0]).sum(), x) for loss in losses]
    for gradient in pytensor.function([x], gradients, mode="FAST_COMPILE")([2.0]):
        assert gradient == 0


def test_cosine_of_zero_vectors_is_zero_with_a_finite_gradient():
    """Catches the square root of zero, whose derivative is infinite."""
    x, y = pt.matrix("x"), pt.matrix("y")
    value = ob.cosine_similarity(x, y)
    outputs = [value, *pt.grad(value.sum(), [x, y])]
    zero, one = np.zeros((1, 3)), np.ones((1, 3))
    function = pytensor.function([x, y], outputs, mode="FAST_COMPILE")
    for a, b in ((zero, one), (one, zero), (zero, zero)):
        value, *gradients = function(a, b)
        assert value == 0
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_huber_is_smooth_where_its_parts_meet():
    """Catches a slope counted twice, or not at all, at delta."""
    x = pt.vector("x")
    losses = [ob.huber_loss(x, 0, delta=2.0), ob.smooth_hinge_loss(-x, 1, delta=2.0)]
    function = pytensor.function(
        [x], [pt.grad(loss.sum(), x) for loss in losses], mode="FAST_COMPILE"
    )
    assert function([2.0])[0] == 2.0
    assert function([0.0])[1] == 2.0


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x: ob.huber_loss(x, x, delta=0), ValueError, "greater than 0, got 0"),
        (lambda x: ob.huber_loss(x, x, delta="a"), TypeError, "delta must be a number"),
        (
            lambda x: ob.binary_hinge_loss(x, x, delta=-1, log_odds=True),
            ValueError,
            "binary_hinge_loss: delta must be at least 0, got -1",
        ),
        (lambda x: ob.squared_hinge_loss(x, x, delta=-1), ValueError, "at least 0"),
        (lambda x: ob.smooth_hinge_loss(x, x, delta=-1), ValueError, "at least 0"),
        (lambda x: ob.multiclass_hinge_loss(x, x, delta=-1), ValueError, "at least 0"),
        (
            lambda x: ob.binary_accuracy(x, x, threshold="a"),
            TypeError,
            "threshold must be a number or an expression, got 'a'",
        ),
    ],
)
def test_bad_options_are_refused(call, error, match):
    """Catches an error that comes only when the function runs."""
    with pytest.raises(error, match=match):
        call(pt.matrix())


def test_deltas_and_thresholds_can_be_expressions(floatX64):
    """Catches an expression refused, or one that turns float32 into float64."""
    x, delta = pt.fvector("x"), pt.scalar("delta")
    for loss in (ob.huber_loss, ob.squared_hinge_loss, ob.smooth_hinge_loss):
        assert loss(x, 1, delta=delta).dtype == "float32"
    right = ob.binary_accuracy(x, [1, 1], threshold=delta)
    values = right.eval(
        {x: np.array([0.5, 2], "float32"), delta: 1.0}, mode="FAST_COMPILE"
    )
    assert values.tolist() == [False, True]
