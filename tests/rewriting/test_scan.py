"""Loops in the mode for trying things out."""

import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.scan.op import Scan


def modes_of_loops(mode, inner=None):
    x = pt.vector("x")
    total = pytensor.scan(
        lambda element, state: element + state,
        sequences=[x],
        outputs_info=[pt.zeros((), dtype=x.dtype)],
        mode=inner,
        return_updates=False,
    )
    function = pytensor.function([x], total, mode=mode)
    assert function([1.0, 2.0, 4.0]).tolist() == [1, 3, 7]
    nodes = function.maker.fgraph.apply_nodes
    return [node.op.mode for node in nodes if isinstance(node.op, Scan)]


def test_steps_are_interpreted_where_the_graph_is():
    """Catches seconds of a C compiler in a mode that promises none."""
    assert modes_of_loops("FAST_COMPILE") == ["FAST_COMPILE"]


@pytest.mark.filterwarnings("ignore:The `mode` argument of `scan`")
@pytest.mark.parametrize("inner", [pytensor.compile.mode.get_mode("FAST_COMPILE")])
def test_a_mode_that_the_user_gave_stays(inner):
    """Catches a choice of the user that is overridden."""
    assert modes_of_loops("FAST_COMPILE", inner) == [inner]
