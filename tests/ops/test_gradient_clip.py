"""A value passes, its gradient up to two bounds."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import clip_gradient
from lasagne_next.ops.gradient_clip import GradientClip
from tests.backends import compile_on
from tests.dtypes import double_variables


def test_values_pass_and_gradients_are_clipped(backend_mode, floatX64):
    """Catches a clipped value, bounds exchanged, an upcast, a mark that stays."""
    x, bound = pt.fvector("x"), pt.fscalar("bound")
    y = clip_gradient(x, -bound, 0.5)
    gradient = pytensor.grad((y * np.array([-3, 0.25, 3], "float32")).sum(), x)
    function = compile_on(backend_mode, [x, bound], [y + 1, gradient])
    value, slope = map(np.asarray, function(np.ones(3, "float32"), np.float32(2)))
    np.testing.assert_array_equal(value, [2, 2, 2])
    np.testing.assert_array_equal(slope, [-2, 0.25, 0.5])
    assert slope.dtype == "float32"
    assert not double_variables(function)
    nodes = function.maker.fgraph.apply_nodes
    assert not any(isinstance(node.op, GradientClip) for node in nodes)


def test_bounds_must_be_in_order():
    """Catches an interval that holds nothing."""
    with pytest.raises(ValueError, match="lower must be at most upper, got 1 and -1"):
        clip_gradient(pt.vector(), 1, -1)
