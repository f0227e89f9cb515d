"""Merge layers: shapes, cropping, broadcasting, coefficients, backends, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers, params
from lasagne_next.layers import (
    ConcatLayer,
    ElemwiseMergeLayer,
    ElemwiseSumLayer,
    InputLayer,
    autocrop,
    autocrop_array_shapes,
    concat,
    get_output,
)
from tests.backends import compile_on
from tests.dtypes import double_variables

MODE = "FAST_COMPILE"


def crop_reference(arrays, modes):
    """Cut arrays to the smallest size along each axis that has a mode."""
    for axis, mode in enumerate(modes):
        if mode is None:
            continue
        smallest = min(array.shape[axis] for array in arrays)
        cut = []
        for array in arrays:
            excess = array.shape[axis] - smallest
            start = {"lower": 0, "upper": excess, "center": excess // 2}[mode]
            cut.append(array.take(range(start, start + smallest), axis=axis))
        arrays = cut
    return arrays


def random_arrays(*shapes, dtype="float64"):
    rng = np.random.default_rng(sum(map(sum, shapes)))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def evaluate(layer, arrays, mode=MODE):
    inputs = [l_in.input_var for l_in in layer.input_layers]
    return pytensor.function(inputs, get_output(layer), mode=mode)(*arrays)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_autocrop_cuts_as_the_reference(known):
    """Catches an offset rounded up, or sizes confused between axes."""
    arrays = random_arrays((2, 3, 5, 7), (5, 4, 3, 6), (5, 4, 4, 2))
    modes = [None, "lower", "center", "upper"]
    variables = [
        pt.tensor(shape=array.shape if known else (None,) * 4, dtype="float64")
        for array in arrays
    ]
    cut = pytensor.function(variables, autocrop(variables, modes), mode=MODE)(*arrays)
    expected = crop_reference(arrays, modes)
    for one, other in zip(cut, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    shapes = [array.shape for array in arrays]
    assert autocrop_array_shapes(shapes, modes) == [each.shape for each in expected]


def test_autocrop_shapes_of_the_contract():
    """Catches cropping of axes that should be left alone, and lost None."""
    shapes = [(1, 2, 3, 4), (5, 6, 7, 8), (5, 4, 3, 2)]
    cropping = [None, "lower", "center", "upper"]
    expected = [(1, 2, 3, 2), (5, 2, 3, 2), (5, 2, 3, 2)]
    assert autocrop_array_shapes(shapes, cropping) == expected
    assert autocrop_array_shapes([(None, 3), (4, 5)], ["lower", "lower"]) == [
        (None, 3),
        (None, 3),
    ]


def test_autocrop_without_modes_returns_what_it_was_given():
    """Catches needless copies."""
    inputs = [pt.matrix(), pt.matrix()]
    assert autocrop(inputs, None) is inputs
    assert autocrop_array_shapes([(2, 3)], None) == [(2, 3)]


def test_autocrop_refuses_unequal_ranks_and_unknown_modes():
    """Catches a late error inside an indexing operation."""
    with pytest.raises(ValueError, match="same number of axes"):
        autocrop([pt.matrix(), pt.vector()], ["lower"])
    with pytest.raises(ValueError, match=r"got 'lowr'.*mean 'lower'"):
        autocrop_array_shapes([(2, 3), (2, 4)], [None, "lowr"])


@pytest.mark.parametrize("axis", [1, -1])
def test_concat_joins_along_the_axis_and_fills_unknown_sizes(axis):
    """Catches a wrong axis, or a None that hides a size another input knows."""
    shapes = [(None, 3), (7, 2)]
    layer = ConcatLayer([InputLayer(shape, name="l") for shape in shapes], axis=axis)
    assert layer.output_shape == (7, 5)
    arrays = random_arrays((7, 3), (7, 2))
    np.testing.assert_array_equal(evaluate(layer, arrays), np.concatenate(arrays, 1))
    assert ConcatLayer([(None, None), (7, 2)]).output_shape == (7, None)
    assert concat is ConcatLayer


def test_concat_crops_all_axes_but_its_own():
    """Catches cropping along the axis that is joined, and a changed argument."""
    cropping = ["lower"] * 2
    arrays = random_arrays((7, 3), (5, 2))
    layer = ConcatLayer([InputLayer((None, 3)), InputLayer((None, 2))], 1, cropping)
    assert cropping == ["lower", "lower"]
    assert layer.cropping == ["lower", None]
    expected = np.concatenate(crop_reference(arrays, ["lower", None]), axis=1)
    np.testing.assert_array_equal(evaluate(layer, arrays), expected)
    assert layer.output_shape == (None, 5)


def test_concat_refuses_shapes_that_differ_elsewhere():
    """Catches an error that comes at run time only."""
    with pytest.raises(ValueError, match=r"ConcatLayer 'c': .* axis 0, got .*\(4, 3\)"):
        ConcatLayer([(4, 3), (5, 3)], name="c")
    with pytest.raises(ValueError, match="ConcatLayer 'c': axis must be between"):
        ConcatLayer([(4, 3), (4, 3)], axis=2, name="c")
    with pytest.raises(ValueError, match="at least one element"):
        ConcatLayer([])


@pytest.mark.parametrize("batch", [None, 5], ids=["unknown", "known"])
def test_axes_of_size_one_broadcast(batch):
    """Catches the shape check that refuses them, and PyTensor's run-time refusal."""
    gate = InputLayer((batch, 1, 7), pt.tensor3("gate"))  # its type knows no size
    features = InputLayer((batch, 3, 7))
    layer = ElemwiseMergeLayer([gate, features], pt.mul)
    assert layer.output_shape == (batch, 3, 7)
    arrays = random_arrays((5, 1, 7), (5, 3, 7))
    np.testing.assert_allclose(evaluate(layer, arrays), arrays[0] * arrays[1])


def test_merge_function_folds_from_the_left():
    """Catches a fold from the right, which subtraction tells apart."""
    layer = ElemwiseMergeLayer([InputLayer((2, 3)) for _ in range(3)], pt.sub)
    a, b, c = arrays = random_arrays((2, 3), (2, 3), (2, 3))
    np.testing.assert_allclose(evaluate(layer, arrays), a - b - c)


def test_elementwise_layers_refuse_what_does_not_fit():
    """Catches messages without names, shapes and remedies."""
    with pytest.raises(ValueError, match=r"ElemwiseSumLayer 's': .* axis 1, got"):
        ElemwiseSumLayer([(4, 3), (4, 2)], name="s")
    with pytest.raises(TypeError, match="'m': merge_function must be a function"):
        ElemwiseMergeLayer([(4, 3), (4, 3)], 3, name="m")
    with pytest.raises(ValueError, match=r"'s': .*coeff"):
        ElemwiseSumLayer([(4, 3), (4, 3)], coeffs=[1, 2, 3], name="s")


@pytest.mark.parametrize("kind", [list, tuple])
def test_coefficients_belong_to_the_inputs(kind):
    """Catches a tuple taken for a single coefficient."""
    layer = ElemwiseSumLayer([InputLayer((2, 3)), InputLayer((2, 3))], kind([2, -1]))
    a, b = arrays = random_arrays((2, 3), (2, 3))
    np.testing.assert_allclose(evaluate(layer, arrays), 2 * a - b)
    assert layer.coeffs == [2, -1]


def test_a_coefficient_of_one_leaves_its_input_alone():
    """Catches a needless multiplication."""
    a, b = InputLayer((2, 3)), InputLayer((2, 3))
    output = get_output(ElemwiseSumLayer([a, b]))
    assert output.owner.inputs == [a.input_var, b.input_var]


def test_coefficients_may_be_expressions():
    """Catches a comparison that needs a number."""
    weight = params.create_param(np.array(2.0), ())
    layer = ElemwiseSumLayer([InputLayer((2, 3)), InputLayer((2, 3))], [weight, 1])
    a, b = arrays = random_arrays((2, 3), (2, 3))
    np.testing.assert_allclose(evaluate(layer, arrays), 2 * a + b)


def test_backends_agree_in_single_precision(backend_mode, floatX64):
    """Catches a coefficient that makes the sum double, and cropping JAX cannot do."""
    x = InputLayer((None, 3, 8), pt.tensor3("x", dtype="float32"))
    y = InputLayer((None, 3, 6), pt.tensor3("y", dtype="float32"))
    crop = [None, None, "center"]
    if backend_mode.linker.__class__.__name__ == "JAXLinker":
        x.input_var = pt.tensor("x", dtype="float32", shape=(None, 3, 8))
        y.input_var = pt.tensor("y", dtype="float32", shape=(None, 3, 6))
    merged = [
        ElemwiseSumLayer([x, y], coeffs=[0.3, 2], cropping=crop),
        ElemwiseMergeLayer([x, y], pt.maximum, cropping=crop),
        ConcatLayer([x, y], axis=2),
    ]
    arrays = random_arrays((4, 3, 8), (4, 3, 6), dtype="float32")
    function = compile_on(backend_mode, [x.input_var, y.input_var], get_output(merged))
    a, b = arrays[0][:, :, 1:7], arrays[1]
    expected = [0.3 * a + 2 * b, np.maximum(a, b), np.concatenate(arrays, axis=2)]
    for got, wanted in zip(function(*arrays), expected, strict=True):
        assert np.asarray(got).dtype == "float32"
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert not double_variables(function)


def test_parameters_below_both_inputs_are_listed_once():
    """Catches a traversal that visits a shared layer twice."""
    below = layers.DenseLayer((None, 3), 2, name="d")
    top = ElemwiseSumLayer([below, below])
    assert layers.get_all_params(top) == [below.W, below.b]
