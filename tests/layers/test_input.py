"""The layer through which data enters."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.layers import InputLayer, get_output


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_variable_made_has_the_declared_shape(dtype):
    """Catches sizes lost between declaration and type: rewrites need them."""
    with pytensor.config.change_flags(floatX=dtype):
        variable = InputLayer((None, 1, 3)).input_var
    assert variable.type.shape == (None, 1, 3)
    assert variable.type.broadcastable == (False, True, False)
    assert variable.dtype == dtype


@pytest.mark.parametrize(("name", "expected"), [(None, "input"), ("l", "l.input")])
def test_the_variable_made_is_named_after_the_layer(name, expected):
    """Catches "None.input"."""
    assert InputLayer((3, 2), name=name).input_var.name == expected


def test_a_given_variable_is_stored_unchanged():
    """Catches a cast, a rename, or a copy with more static sizes."""
    for given in (pt.imatrix(), pt.matrix("mine"), pt.matrix() * 2):
        name = given.name
        layer = InputLayer((None, 3), given, name="l")
        assert layer.input_var is given
        assert given.name == name
        assert get_output(layer) is given


@pytest.mark.parametrize("shape", [(2, 3), [2, 3], range(2, 4), np.array([2, 3])])
def test_the_shape_is_stored_as_a_tuple(shape):
    """Catches an iterator stored, which is empty at the second look."""
    layer = InputLayer(shape)
    assert layer.shape == (2, 3)
    assert isinstance(layer.shape, tuple)
    assert layer.output_shape is layer.shape
    assert InputLayer(iter([2, 3])).shape == (2, 3)
    assert InputLayer(()).input_var.ndim == 0


def test_there_are_no_parameters_and_unknown_keywords_are_ignored():
    """Catches a refusal of keywords that old scripts pass along."""
    layer = InputLayer((3,), whatever=True)
    assert layer.get_params() == []
    assert layer.get_params(trainable=True) == []
    assert not layer.params


@pytest.mark.parametrize("variable", [pt.tensor4(), pt.vector()], ids=["4d", "1d"])
def test_a_variable_of_another_rank_is_refused(variable):
    """Catches a mismatch found only in the first layer above."""
    with pytest.raises(ValueError, match=r"'l': input_var must have 2 axes .* with"):
        InputLayer((3, 2), variable, name="l")


def test_a_variable_of_another_known_size_is_refused():
    """Catches a declaration that the type contradicts."""
    with pytest.raises(ValueError, match=r"must have shape \(None, 3\), got"):
        InputLayer((None, 3), pt.matrix(shape=(None, 5)))
    InputLayer((7, None), pt.matrix(shape=(None, 5)))


@pytest.mark.parametrize("data", [np.ones((2, 3)), [[1, 2, 3]]], ids=["array", "list"])
def test_data_is_no_variable(data):
    """Catches data frozen into the network as if it were an input."""
    with pytest.raises(TypeError, match="'l': input_var must be a symbolic variable"):
        InputLayer((None, 3), data, name="l")


@pytest.mark.parametrize("shape", [None, 5], ids=str)
def test_a_shape_has_one_size_for_each_axis(shape):
    """Catches "not iterable", which names neither layer nor argument."""
    with pytest.raises(TypeError, match=r"'l': shape must be a tuple .* got (None|5)"):
        InputLayer(shape, name="l")
