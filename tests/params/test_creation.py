"""Making parameters from numbers, arrays, variables and callables."""

from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytensor.xtensor as px
import pytest

from lasagne_next import init, utils
from lasagne_next.params import create_param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", [3, 0.5, True, -1])
def test_a_python_number_becomes_a_scalar_of_floatX(number, dtype):
    """Catches an integer leaf made from 3, which no gradient would reach."""
    with pytensor.config.change_flags(floatX=dtype):
        param = create_param(number, (), name="scale")
    assert isinstance(param, pytensor.compile.SharedVariable)
    assert param.type.shape == ()
    assert param.dtype == dtype
    assert param.name == "scale"
    assert param.get_value() == number


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "bool"])
def test_arrays_and_numpy_numbers_keep_their_type(dtype):
    """Catches a cast to floatX: integer start values must stay integer."""
    array = create_param(np.ones((2, 3), dtype=dtype), (2, 3))
    assert array.dtype == dtype
    assert array.type.shape == (2, 3)
    number = create_param(np.dtype(dtype).type(1), ())
    assert number.dtype == dtype
    assert number.type.shape == ()


def test_axes_of_size_one_broadcast_and_others_do_not():
    """Catches a parameter whose type does not know which axes can be stretched."""
    param = create_param(np.ones((1, 3, 1)), (1, 3, 1))
    assert param.type.shape == (1, 3, 1)
    assert param.type.broadcastable == (True, False, True)


def test_the_array_is_copied():
    """Catches training that changes the user's array."""
    array = np.zeros(3)
    param = create_param(array, (3,))
    array[0] = 1
    assert param.get_value()[0] == 0


@pytest.mark.parametrize("shape", [(2, 3), [2, 3], (np.int64(2), np.int32(3))])
def test_the_shape_may_be_any_iterable(shape):
    """Catches a shape read twice, which empties a generator."""
    assert create_param(init.Constant(1), shape).type.shape == (2, 3)
    assert create_param(init.Constant(1), iter(shape)).type.shape == (2, 3)


def test_a_callable_is_called_once_with_the_shape_as_a_tuple():
    """Catches stand-ins for initialisers that are not called, or called with a list."""
    spec = Mock(return_value=np.ones((2, 3)))
    create_param(spec, [2, 3])
    spec.assert_called_once_with((2, 3))


@pytest.mark.parametrize("wanted", [(), (2, 3)])
def test_a_callable_may_return_anything_a_spec_can_be(wanted):
    """Catches results of callables that are taken for arrays."""
    array = np.ones(wanted)
    variable, shared = pt.tensor(shape=wanted), pytensor.shared(array)
    assert create_param(lambda shape: array, wanted).type.shape == wanted
    assert create_param(lambda shape: variable, wanted) is variable
    assert create_param(lambda shape: shared, wanted) is shared
    if wanted == ():
        assert create_param(lambda shape: 2.0, wanted).get_value() == 2


def test_variables_are_returned_themselves_and_named_only_if_nameless():
    """Catches a renamed variable: the user's names belong to the user."""
    for nameless in (pytensor.shared(np.ones(3)), pytensor.shared(np.ones(3)) * 2):
        assert create_param(nameless, (3,), name="g") is nameless
        assert nameless.name == "g"
        assert create_param(nameless, (3,), name="other").name == "g"
    assert create_param(pt.vector(), (3,)).name is None


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_the_order_of_bytes_does_not_matter(order):
    """Catches an array read from a foreign file, which PyTensor cannot hold."""
    array = np.arange(3).astype(f"{order}f4")
    param = create_param(array, (3,))
    assert param.dtype == "float32"
    np.testing.assert_array_equal(param.get_value(), [0, 1, 2])


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (np.ones((2, 3)), (3, 2)),
        (np.ones(3), (3, 1)),
        (np.ones((1, 3)), (2, 3)),
        (1.0, (3,)),
        (np.float32(1), (1,)),
        (lambda shape: np.ones(7), (3,)),
        (lambda shape: 1.0, (3,)),
    ],
)
def test_an_array_of_another_shape_is_refused(spec, shape):
    """Catches an array that is broadcast to the shape wanted."""
    with pytest.raises(ValueError, match="got an array of shape"):
        create_param(spec, shape)


def test_a_number_for_an_array_is_refused_with_the_remedy():
    """Catches a message that leaves a common mistake without a way out."""
    with pytest.raises(ValueError, match=r"Use init\.Constant to fill a shape"):
        create_param(0.0, (3,))


@pytest.mark.parametrize("make", [pt.matrix, lambda: pytensor.shared(np.ones((1, 3)))])
def test_a_variable_of_another_rank_is_refused(make):
    """Catches a rank that only fails inside the product."""
    with pytest.raises(ValueError, match=r"W' must have 1 axes, of shape \(3,\), got"):
        create_param(make(), (3,), name="W")


def test_a_variable_of_another_known_shape_is_refused():
    """Catches checks of the type alone: a shared variable's type knows no shape."""
    u, v = pytensor.shared(np.ones((5, 2))), pytensor.shared(np.ones((2, 3)))
    for wrong in (u, pt.dot(u, v), pt.exp(u), pt.matrix(shape=(None, 3)), u.T):
        with pytest.raises(ValueError, match=r"must have shape \(5, 4\), got"):
            create_param(wrong, (5, 4))
    assert create_param(pt.dot(u, v), (5, 3)).type.shape == (None, None)


def test_an_expression_that_does_not_fit_in_itself_is_refused():
    """Catches factors that do not fit each other, found only at run time."""
    u, v = pytensor.shared(np.ones((5, 2))), pytensor.shared(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"cannot be computed: .* \(5, 2\) and"):
        create_param(pt.dot(u, v), (5, 4), name="W")


def test_an_expression_of_unknown_size_is_accepted():
    """Catches a refusal of weights that another network generates."""
    for unknown in (pt.matrix(), pt.matrix() * 2, pt.matrix(shape=(5, None))):
        assert create_param(unknown, (5, 4)) is unknown


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "1",
        {},
        [1.0, 2.0],
        (1.0, 2.0),
        object(),
        np.array(["a", "b"]),
        np.array([None, None]),
        np.ones(2, dtype=np.longdouble),
        np.zeros(2, dtype="datetime64[s]"),
        lambda shape: None,
        lambda shape: [1.0, 2.0],
        lambda shape: lambda shape: np.ones(shape),
    ],
    ids=str,
)
def test_what_holds_no_numbers_is_refused(spec):
    """Catches lists taken for arrays, and a callable called again and again."""
    with pytest.raises(TypeError, match=r"must be a number, a numpy array .* got"):
        create_param(spec, (2,))


def test_a_longdouble_array_is_named_in_the_refusal():
    """Catches a message that calls an array no array."""
    if np.dtype(np.longdouble) == np.float64:
        pytest.skip("longdouble is double here")
    with pytest.raises(TypeError, match="of type ndarray of float128"):
        create_param(np.ones(2, dtype=np.longdouble), (2,))


@pytest.mark.parametrize(
    "variable",
    [
        pt.random.shared_rng(np.random.default_rng(1)),
        px.xtensor("x", dims=("a",), shape=(3,)),
        pytensor.shared("text"),
    ],
    ids=["generator", "named axes", "text"],
)
def test_a_variable_that_is_no_tensor_is_refused(variable):
    """Catches a generator's state taken for a parameter."""
    with pytest.raises(TypeError, match=r"must be a tensor of shape \(3,\), got"):
        create_param(variable, (3,))


@pytest.mark.parametrize("shape", [(0,), (2, -1), (3, 0, 2)], ids=str)
def test_sizes_must_be_positive(shape):
    """Catches an empty parameter."""
    for spec in (init.Constant(1), np.ones([max(s, 0) for s in shape]), pt.matrix()):
        with pytest.raises(ValueError, match="must have a shape of positive integers"):
            create_param(spec, shape)


@pytest.mark.parametrize("shape", [(2.0,), (None, 2), ("2",), 5, (pt.iscalar(),)])
def test_sizes_must_be_integers(shape):
    """Catches a float size, which numpy refuses without a name."""
    with pytest.raises(TypeError, match="must have a shape of positive integers, got"):
        create_param(init.Constant(1), shape)


def test_refusals_name_the_parameter_and_the_callable():
    """Catches a message that leaves open which of ten initialisers was wrong."""
    with pytest.raises(ValueError, match=r"parameter 'W' .* from Constant\(val"):
        create_param(_Wrong(), (2,), name="W")


class _Wrong:
    def __call__(self, shape):
        """Return an array of another shape."""
        return np.ones(3)

    def __repr__(self):
        return "Constant(val=1)"


def test_utils_offers_the_same_function():
    """Catches a second implementation."""
    assert utils.create_param is create_param
