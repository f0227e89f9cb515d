"""The table and the drawing of a network, and expressions in words."""

import pickle
import re

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.gradient import disconnected_grad
from pytensor.tensor import slinalg  # noqa: F401 (makes pt.linalg complete)
from pytensor.tensor.special import softmax

from lasagne_next import expressions
from lasagne_next.layers import (
    DenseLayer,
    InputLayer,
    Layer,
    MergeLayer,
    copy_network,
    count_params,
)
from lasagne_next.random import RandomStream
from lasagne_next.summary import describe_expression, summarize, to_dot
from tests.expression_networks import (
    NETWORKS,
    low_rank,
    masked,
    merged,
    nameless,
    shared_weights,
    tied,
)

w = pytensor.shared(np.ones((3, 4)), name="w")
s = pytensor.shared(np.ones((3, 3)), name="s")
v = pytensor.shared(np.ones(4), name="v")
u = pytensor.shared(np.ones((5, 3)))
a, b, c = (pytensor.shared(1.0, name=name) for name in "abc")
i = pt.ivector("i")
x = pt.matrix("x")

WRITTEN = [
    (w, "w"),
    (u, "<(5, 3)>"),
    (pt.matrix(shape=(None, 3)), "<(None, 3)>"),
    (w.T, "transpose(w)"),
    (w + v, "w + v"),
    (pt.exp(w) * 2.5 - 1, "exp(w) * 2.5 - 1"),
    (pt.dot(u, w), "dot(<(5, 3)>, w)"),
    (a - (b - c), "a - (b - c)"),
    (a - b - c, "a - b - c"),
    (a / (b * c), "a / (b * c)"),
    ((a + b) * c, "(a + b) * c"),
    (a ** (b**c), "a ** b ** c"),
    ((a**b) ** c, "(a ** b) ** c"),
    (-(a + b), "-(a + b)"),
    (a * -b, "a * -b"),
    ((-a) ** b, "(-a) ** b"),
    ((a < b) * c, "(a < b) * c"),
    (w % 2, "w % 2"),
    (pt.switch(w > 0, w, 0.0), "switch(w > 0, w, 0)"),
    (pt.clip(w, -1, 1), "clip(w, -1, 1)"),
    (pt.softplus(w), "softplus(w)"),
    (softmax(w, axis=1), "softmax(w, axis=1)"),
    (w.sum(axis=0), "sum(w, axis=0)"),
    (w.sum(axis=(0, 1)), "sum(w, axis=(0, 1))"),
    (pt.max(w, axis=1), "max(w, axis=1)"),
    (w.reshape((4, 3)), "reshape(w, (4, 3))"),
    (w.astype("float32"), "cast(w, float32)"),
    (w[1:, ::2], "w[1:, ::2]"),
    (w[:2, 3], "w[:2, 3]"),
    (w[i], "w[i]"),
    ((w + 1)[0], "(w + 1)[0]"),
    (pt.concatenate([w, w], axis=1), "concatenate(w, w, axis=1)"),
    (w.dimshuffle(1, "x", 0), "dimshuffle(w, 1, 'x', 0)"),
    (x[None].transpose(0, 2, 1), "transpose(x, (0, 2, 1))"),
    (pt.specify_shape(w, (1, 4))[0].dimshuffle("x", 0), "w[0]"),
    (pt.matrix("r", shape=(1, 3)).dimshuffle(1), "squeeze(r)"),
    (pt.linalg.inv(s), "inv(s)"),
    (pt.linalg.kron(s, w), "kronecker_product(s, w)"),
    (pt.linalg.qr(s)[1], "qr(s)[1]"),
    (pt.diag(v), "diag(v)"),
    (pt.specify_shape(w, (3, 4)), "w"),
    (pt.constant(np.ones((3, 4))), "<constant (3, 4)>"),
    (w * pt.constant(np.eye(3, 4)), "w * <constant (3, 4)>"),
    (disconnected_grad(w), "disconnected_grad(w)"),
    (OpFromGraph([x], [x * 2])(w), "function(w)"),
    (RandomStream(1).normal((3, 4), dtype="float64"), "normal(0, 1, size=(3, 4))"),
    (expressions.carry_state(w + a, a, a + 1), "w + a"),
]


@pytest.mark.parametrize(("variable", "text"), WRITTEN, ids=[t for _, t in WRITTEN])
def test_expressions_are_written_as_people_would(variable, text):
    """Catches lost brackets, names of operations from inside, and lost arguments."""
    assert describe_expression(variable) == text


def test_written_arithmetic_reads_as_it_computes():
    """Catches brackets that the rules of Python would need and that are left out."""
    values = {"a": 3.0, "b": 5.0, "c": 0.5}
    shown = [a - (b - c), a / (b / c), a / b / c, (a * b) ** c, -(a**c), (-a) ** 2 * b]
    shown += [a * (b % c), a % b * c, a // (b * c), (a * b) // c, a + b // c]
    shown += [pt.lt(a < b, c) + 0.0, pt.lt(a, b < c) + 0.0, a * (b / c), a + (b - c)]
    shown += [a - (b + c) * -a, (a - b) * (a + c) / -b, a ** (b - a) ** 2]
    compute = pytensor.function([], shown, mode="FAST_COMPILE")
    for variable in (a, b, c):
        variable.set_value(values[variable.name])
    for expression, value in zip(shown, compute(), strict=True):
        # Rounding only: the same operations in the same order.
        assert eval(describe_expression(expression), values) == pytest.approx(value)


def test_names_can_be_given_to_anything_inside():
    """Catches names that hide the expression itself, or that are ignored inside."""
    inner = pt.exp(w)
    names = {inner: "W", w: "leaf", inner.T: "?"}
    assert describe_expression(inner.T, names) == "transpose(W)"
    assert describe_expression(inner, names) == "exp(leaf)"


def test_long_expressions_lose_what_is_inside():
    """Catches a cut in the middle of a word, and text beyond the limit."""
    text = describe_expression(pt.exp(pt.dot(u, w) + 1) * 2, max_length=22)
    assert text == "exp(... + 1) * 2"
    assert describe_expression(pt.concatenate([w] * 50), max_length=20) == (
        "concatenate(w, w,..."
    )


def test_deep_and_repetitive_expressions_are_written_at_once():
    """Catches recursion, and work that doubles with every level."""
    deep, doubled = a, a
    for _ in range(5000):
        deep = pt.exp(deep)
    for _ in range(60):
        doubled = doubled + doubled
    assert describe_expression(deep).startswith("exp(exp(exp(")
    assert describe_expression(doubled, max_length=12) == "... + ..."
    for each in (deep, doubled):
        assert len(describe_expression(each)) <= 80


def rows(network):
    """Give the lines of the first table, cut at the columns."""
    lines = summarize(network).split("\n\n")[0].splitlines()
    return [re.split(r"  +", line) for line in lines if not line.startswith("-")]


def test_the_table_shows_layers_shapes_and_parameters():
    """Catches expressions shown as anonymous variables, and leaves counted twice."""
    assert rows(tied()) == [
        ["layer", "output shape", "parameter", "shape", "numbers"],
        ["in (InputLayer)", "(None, 7)"],
        ["code (DenseLayer)", "(None, 5)", "W", "(7, 5)", "35"],
        ["", "b", "(5,)", "5"],
        ["out (DenseLayer)", "(None, 7)", "W = transpose(code.W)", "(5, 7)", "shared"],
        ["", "b", "(7,)", "7"],
    ]


def test_layers_without_names_are_called_as_in_files():
    """Catches the word None in the table."""
    shown = rows(nameless())
    assert [row[0] for row in shown if row[0]] == [
        "layer",
        "InputLayer0",
        "DenseLayer0",
        "DropoutLayer0",
        "DenseLayer1",
        "DenseLayer2",
    ]
    parameters = [row[2] for row in shown if len(row) == 5]
    assert "W = exp(DenseLayer0.W) * leaf1" in parameters
    assert "None" not in summarize(nameless()).replace("(None,", "")


def test_what_a_parameter_shares_is_marked():
    """Catches numbers that add up to more than there are."""
    shown = rows(shared_weights())
    assert shown[-2][2:] == ["W = first.W", "(5, 5)", "shared"]
    assert rows(nameless())[-4][2:] == [
        "W = exp(DenseLayer0.W) * leaf1",
        "(5, 5)",
        "5 + shared",
    ]


def test_an_expression_that_two_layers_hold_is_written_once():
    """Catches a long expression repeated as if it were another one."""
    shown = rows(NETWORKS["one_expression_twice"]())
    assert shown[2][2] == "W = exp(log_W)"
    assert shown[4][2:] == ["W = a.W", "(5, 5)", "shared"]


def test_constants_and_leaves_of_ones_own_are_named():
    """Catches constants counted as numbers, and names of leaves that are left out."""
    mine = pytensor.shared(np.ones(5), name="mine")
    layer = DenseLayer((None, 3), 5, W=pt.constant(np.ones((3, 5))), b=mine, name="l")
    shown = rows(layer)
    assert shown[1][2:] == ["W = <constant (3, 5)>", "(3, 5)", "constant"]
    assert shown[2][1:] == ["b = mine", "(5,)", "5"]
    shown = rows(low_rank())
    assert shown[2][2] == "W = dot(leaf0, v)"


def test_what_is_too_long_to_write_is_called_by_what_made_it():
    """Catches formulas cut to dots, and names of what is short enough to be read."""
    normed = expressions.WeightNorm(init=expressions.LowRank(2))
    layer = DenseLayer((None, 7), 5, W=normed, b=None, name="l")
    assert rows(layer)[1][2] == "W = WeightNorm(init=LowRank(rank=2))"
    layer = DenseLayer((None, 7), 5, W=expressions.LowRank(2), b=None, name="l")
    assert rows(layer)[1][2] == "W = dot(u, v)"
    layer = DenseLayer((None, 7), 7, W=expressions.Orthogonal(), b=None, name="l")
    assert rows(layer)[1][2] == "W = Orthogonal()"
    copies = copy_network(layer), pickle.loads(pickle.dumps(layer))
    assert [rows(each)[1][2] for each in copies] == ["W = Orthogonal()"] * 2


def test_inputs_are_shown_where_the_network_branches():
    """Catches a table of a graph that reads like a chain."""
    heading, *shown = rows(merged())
    assert "inputs" in heading
    assert "DenseLayer0, InputLayer1" in shown[-2]
    assert "inputs" not in rows(tied())[0]
    below = InputLayer((None, 5), name="below")
    heads = [DenseLayer(below, 2, name=name) for name in ("left", "right")]
    assert ["right (DenseLayer)", "below"] == rows(heads)[-2][:2]


def test_leaves_are_listed_with_their_tags_and_uses():
    """Catches fixed leaves shown as trainable, and the tags of the layer alone."""
    leaves = summarize(masked()).split("\n\n")[1].splitlines()[2:]
    split = [re.split(r"  +", line) for line in leaves]
    assert ["mask", "(7, 5)", "float64", "35", "fixed", "sparse.W"] in split
    line = ["values", "(7, 5)", "float64", "35", "trainable, regularizable", "sparse.W"]
    assert line in split
    assert "code.W, out.W" in summarize(tied())


def test_tags_of_ones_own_are_listed():
    """Catches a list of the two usual tags only."""
    layer = DenseLayer((None, 3), 2, name="l")
    layer.params[layer.b].add("offset")
    assert "trainable, offset" in summarize(layer)


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_totals_are_those_of_count_params(build):
    """Catches shared leaves counted twice, and fixed ones as trainable."""
    network = build()
    total, trainable = count_params(network), count_params(network, trainable=True)
    assert summarize(network).splitlines()[-1] == (
        f"{total:,} numbers: {trainable:,} trainable, {total - trainable:,} fixed."
    )


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_lines_have_at_most_a_hundred_columns(build):
    """Catches tables that terminals and documents break."""
    below = DenseLayer(build(), 5, name="n" * 60)
    W = pt.exp(pt.dot(below.W.T, below.W)) + pytensor.shared(np.ones((5, 5)))
    network = DenseLayer(below, 5, W=W, name="very " * 30)
    assert max(len(line) for line in summarize(network).splitlines()) <= 100


def test_a_network_without_parameters_has_no_list_of_leaves():
    """Catches a heading without rows."""
    text = summarize(InputLayer((None, 3), name="x"))
    assert text.splitlines()[-1] == "0 numbers: 0 trainable, 0 fixed."
    assert "leaf" not in text


def test_deep_networks_are_described_in_linear_time():
    """Catches recursion, and a look at all leaves for each parameter."""
    network = InputLayer((None, 2))
    for _ in range(3000):
        network = DenseLayer(network, 2)
    assert summarize(network).count("\n") > 12000
    assert to_dot(network).count("->") == 3000


def test_layers_that_list_parameters_of_others_are_described():
    """Catches a table that looks at the registered parameters only."""

    class Wrapper(Layer):
        def __init__(self, incoming, inner):
            super().__init__(incoming, name="wrapper")
            self.inner = inner

        def get_params(self, **tags):
            return super().get_params(**tags) + self.inner.get_params(**tags)

    text = summarize(Wrapper((None, 3), DenseLayer((None, 3), 2, name="inside")))
    assert "inside.W  (3, 2)" in text
    assert text.endswith("8 numbers: 8 trainable, 0 fixed.")


def test_the_drawing_has_a_box_a_layer_and_an_arrow_an_input():
    """Catches arrows that point down, and merge layers with one input."""
    lines = to_dot(merged()).splitlines()
    assert lines[0] == "digraph network {"
    assert lines[-1] == "}"
    assert '  n0 [label="InputLayer0\\n(None, 3)", style=rounded];' in lines
    assert '  n3 [label="both\\nBilinearLayer\\n(None, 5)"];' in lines
    arrows = [line.strip() for line in lines if "->" in line]
    assert arrows == ["n0 -> n1;", "n1 -> n3;", "n2 -> n3;"]


def test_shared_leaves_are_drawn_as_dashed_lines():
    """Catches tied weights that look independent."""
    (line,) = (line for line in to_dot(tied()).splitlines() if "dashed" in line)
    assert line.strip().startswith("n1 -> n2 [style=dashed")
    assert 'label="code.W"' in line


def test_special_characters_in_names_are_escaped():
    """Catches drawings that Graphviz cannot read."""
    layer = DenseLayer((None, 3), 2, name='a"b\\c\nd')
    assert 'label="a\\"b\\\\c\\nd\\nDenseLayer' in to_dot(layer)


def test_a_layer_that_reads_one_layer_twice_has_two_arrows():
    """Catches inputs that are made unique."""

    class Both(MergeLayer):
        def get_output_shape_for(self, input_shapes):
            return input_shapes[0]

    below = InputLayer((None, 3))
    assert to_dot(Both([below, below])).count("n0 -> n1;") == 2


@pytest.mark.parametrize("function", [summarize, to_dot])
def test_something_that_is_no_network_is_refused(function):
    """Catches an AttributeError from deep inside."""
    with pytest.raises(TypeError, match="layer must be a layer or an iterable of"):
        function(3)
