"""Lookup of vectors: values, shapes, gradients, backends, refusals."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers
from lasagne_next.layers import EmbeddingLayer, InputLayer, get_output
from tests.backends import compile_on
from tests.dtypes import double_variables

W = np.random.default_rng(2).normal(size=(7, 3)).astype("float32")


@pytest.mark.parametrize("shape", [(5,), (None, 2), (4, None, 2)], ids=str)
def test_the_output_has_one_more_axis(shape):
    """Catches a flattened batch."""
    indices = np.random.default_rng(1).integers(0, 7, [size or 5 for size in shape])
    variable = pt.tensor("i", dtype="int32", shape=shape)
    layer = EmbeddingLayer(InputLayer(shape, variable), 7, 3, W=W, name="e")
    assert layer.output_shape == (*shape, 3)
    output = get_output(layer)
    value = output.eval({variable: indices.astype("int32")}, mode="FAST_COMPILE")
    np.testing.assert_array_equal(value, W[indices])
    assert layer.get_params(trainable=True, regularizable=True) == [layer.W]


def test_the_rows_may_be_an_expression_and_learn(backend_mode, floatX64):
    """Catches rows that get no gradient, repeated ones that count once, and upcasts."""
    u = pytensor.shared(W[:, :2], name="u", shape=(7, 2))
    v = pytensor.shared(W[:2], name="v", shape=(2, 3))
    variable = pt.imatrix("i")
    layer = EmbeddingLayer(InputLayer((None, 4), variable), 7, 3, W=pt.dot(u, v))
    output = get_output(layer)
    gradients = pytensor.grad(output.sum(), layer.get_params(trainable=True))
    function = compile_on(backend_mode, [variable], [output, *gradients])
    indices = np.array([[1, 1, 6, 0], [1, 2, 2, 3]], dtype="int32")
    value, for_u, for_v = map(np.asarray, function(indices))
    np.testing.assert_allclose(value, (W[:, :2] @ W[:2])[indices], rtol=1e-5)
    counts = np.bincount(indices.ravel(), minlength=7)[:, None]  # (rows, 1)
    expected_u = (counts * W[:2].sum(axis=1)).astype("float32")
    np.testing.assert_allclose(for_u, expected_u, rtol=1e-4, atol=1e-5)
    expected_v = np.repeat((counts * W[:, :2]).sum(axis=0)[:, None], 3, axis=1)
    np.testing.assert_allclose(for_v, expected_v, rtol=1e-4, atol=1e-5)
    assert {each.dtype for each in (value, for_u, for_v)} == {np.dtype("float32")}
    assert not double_variables(function)


def test_an_input_that_is_not_integer_is_refused():
    """Catches an indexing error that does not name the layer."""
    layer = EmbeddingLayer(InputLayer((None, 4)), 7, 3, name="words")
    with pytest.raises(
        TypeError, match=r"EmbeddingLayer 'words': .* integer type, got"
    ):
        get_output(layer)


def test_sizes_must_be_positive():
    """Catches an empty matrix."""
    with pytest.raises(ValueError, match="'words': parameter W must have a shape"):
        EmbeddingLayer((None,), 0, 3, name="words")


def test_the_rows_can_be_tied_to_an_output_layer():
    """Catches a parameter that cannot be shared as a transposed expression."""
    words = EmbeddingLayer(InputLayer((None,), pt.ivector("i")), 7, 3, name="words")
    scores = layers.DenseLayer(words, 7, W=words.W.T, b=None)
    assert layers.get_all_params(scores) == [words.W]
