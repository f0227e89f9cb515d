"""Hinge losses: what the tables of all losses do not show."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import objectives as ob
from tests.reference import objectives as reference


def test_log_odds_not_given_warns_and_is_true():
    """Catches the exception that Lasagne raised instead of a warning."""
    x, t = pt.vector("x"), pt.vector("t")
    with pytest.warns(FutureWarning, match="log_odds was not given and is taken as Tr"):
        loss = ob.binary_hinge_loss(x, t)
    value = loss.eval({x: [0.25, -3.0], t: [1, 0]}, mode="FAST_COMPILE")
    np.testing.assert_allclose(value, [0.75, 0.0])


def test_multiclass_of_any_rank():
    """Catches rows that are mixed up when labels have more axes than one."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(2, 5, 3)), rng.integers(0, 3, size=(2, 5))
    x, t = pt.tensor3("x"), pt.lmatrix("t")
    loss = ob.multiclass_hinge_loss(x, t, delta=0.8)
    np.testing.assert_allclose(
        loss.eval({x: values, t: labels}, mode="FAST_COMPILE"),
        reference.multiclass_hinge(values, labels),
    )


def test_multiclass_gradient_meets_the_right_and_the_largest_wrong_class():
    """Catches a gradient through the penalty of the right class."""
    x = pt.matrix("x")
    loss = ob.multiclass_hinge_loss(x, [0, 2])
    function = pytensor.function([x], pt.grad(loss.sum(), x), mode="FAST_COMPILE")
    np.testing.assert_array_equal(
        function([[0.0, 0.5, 0.2], [0.0, 0.0, 5.0]]), [[-1, 1, 0], [0, 0, 0]]
    )


def test_multiclass_refuses_misfits():
    """Catches broadcasting, and a largest wrong class that does not exist."""
    x = pt.tensor("x", shape=(None, 3))
    with pytest.raises(TypeError, match="multiclass_hinge_loss: rank mismatch"):
        ob.multiclass_hinge_loss(x, pt.ltensor3())
    with pytest.raises(TypeError, match="targets must be integers"):
        ob.multiclass_hinge_loss(x, pt.vector())
    with pytest.raises(ValueError, match=r"targets must have shape \(None, 3\), got"):
        ob.multiclass_hinge_loss(x, pt.tensor(shape=(None, 5)))
    with pytest.raises(ValueError, match="must have two classes or more, got shape"):
        ob.multiclass_hinge_loss(pt.tensor(shape=(None, 1)), pt.lvector())
