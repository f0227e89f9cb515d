"""Accuracies: ranks, ties, NaN, types, backends, refusals."""

import numpy as np
import pytensor.tensor as pt
import pytest

from lasagne_next import objectives as ob
from tests.backends import compile_on
from tests.dtypes import double_variables
from tests.reference import objectives as reference


def test_accuracies_on_every_backend(backend_mode, floatX64):
    """Catches a wrong axis, an off-by-one in top_k, ties counted for every class."""
    rng = np.random.default_rng(0)
    # Few different values, so that there are ties.
    values = rng.integers(0, 4, size=(7, 5)).astype("float32")
    labels = rng.integers(0, 5, size=7)
    one_hot = np.eye(5, dtype="float32")[labels]
    x = pt.tensor("x", dtype="float32", shape=(None, 5))
    t, q = pt.ivector("t"), pt.fmatrix("q")
    outputs = [ob.categorical_accuracy(x, t, top_k=k) for k in (1, 2, 3, 5)]
    outputs += [ob.categorical_accuracy(x, q, top_k=k) for k in (1, 3)]
    outputs += [ob.binary_accuracy(x, q), ob.binary_accuracy(x, q, threshold=2)]
    function = compile_on(backend_mode, [x, t, q], outputs)
    assert double_variables(function) == []
    results = function(values, labels.astype("int32"), one_hot)
    for k, result in zip((1, 2, 3, 5, 1, 3), results, strict=False):
        np.testing.assert_array_equal(
            result, reference.top_k_accuracy(values, labels, k)
        )
    np.testing.assert_array_equal(results[6], (values >= 0.5) == one_hot)
    np.testing.assert_array_equal(results[7], (values >= 2) == one_hot)
    assert all(result.dtype == "bool" for result in results)


@pytest.mark.parametrize("top_k", [1, 2])
def test_any_rank_and_unknown_number_of_classes(top_k):
    """Catches an accuracy of matrices only."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(2, 3, 5)), rng.integers(0, 5, size=(2, 3))
    x, t = pt.tensor3("x"), pt.lmatrix("t")
    accuracy = ob.categorical_accuracy(x, t, top_k=top_k)
    np.testing.assert_array_equal(
        accuracy.eval({x: values, t: labels}, mode="FAST_COMPILE"),
        reference.top_k_accuracy(values, labels, top_k),
    )
    vector, label = pt.vector("v"), pt.lscalar("l")
    right = ob.categorical_accuracy(vector, label, top_k=top_k)
    assert right.eval(
        {vector: values[0, 0], label: values[0, 0].argmax()}, mode="FAST_COMPILE"
    )


@pytest.mark.parametrize("top_k", [1, 2])
def test_nan_and_equal_predictions_are_not_right(top_k):
    """Catches a diverged or constant model that scores as perfect."""
    x = pt.matrix("x")
    accuracy = ob.categorical_accuracy(x, [2, 2], top_k=top_k)
    values = accuracy.eval({x: [[np.nan] * 3, [1.0] * 3]}, mode="FAST_COMPILE")
    assert not values.any()


@pytest.mark.parametrize("top_k", [1, 2])
def test_labels_of_no_class_are_never_right(top_k):
    """Catches an index out of bounds, and -1 taken for the last class."""
    x = pt.matrix("x")
    accuracy = ob.categorical_accuracy(x, [-1, 255], top_k=top_k)
    values = accuracy.eval({x: [[0.0, 1, 2], [0, 1, 2]]}, mode="FAST_COMPILE")
    assert not values.any()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda f, x: f(x, pt.ltensor3()), TypeError, "rank mismatch"),
        (lambda f, x: f(x, pt.vector()), TypeError, "must be integers"),
        (
            lambda f, x: f(x, pt.lvector(), top_k=0),
            ValueError,
            "top_k must be between 1 and the number of classes, got 0",
        ),
        (lambda f, x: f(x, pt.lvector(), top_k=6), ValueError, r"got 6 .*\(None, 5\)"),
        (lambda f, x: f(x, pt.lvector(), top_k=1.5), TypeError, "must be an integer"),
        (lambda f, x: f(x, pt.tensor(shape=(None, 3))), ValueError, "must have shape"),
    ],
)
def test_misfits_are_refused(call, error, match):
    """Catches broadcasting, and a share of classes larger than all."""
    with pytest.raises(error, match=f"categorical_accuracy: .*{match}"):
        call(ob.categorical_accuracy, pt.tensor("x", shape=(None, 5)))
