"""Fully connected layers."""

from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.sparse
import pytensor.tensor as pt
import pytest
import scipy.sparse

from lasagne_next import init, nonlinearities
from lasagne_next.layers import (
    DenseLayer,
    InputLayer,
    NINLayer,
    get_all_params,
    get_output,
)
from tests.reference import dense as reference

FAST = "FAST_COMPILE"


def shared(*shape):
    return pytensor.shared(np.ones(shape))


def normal(*shape, seed=5):
    return np.random.default_rng(seed).normal(size=shape)


def twice(x):
    return 2 * x


@pytest.mark.parametrize("cls", [DenseLayer, NINLayer])
class TestBoth:
    """What holds for DenseLayer and NINLayer."""

    def test_parameters_have_names_orders_and_tags(self, cls):
        """Catches a bias that is penalised, or b registered before W."""
        layer = cls((None, 5), 3, name="l")
        assert layer.get_params() == [layer.W, layer.b]
        assert layer.get_params(regularizable=True) == [layer.W]
        assert layer.get_params(trainable=True) == [layer.W, layer.b]
        assert (layer.W.name, layer.b.name) == ("l.W", "l.b")
        assert (layer.W.type.shape, layer.b.type.shape) == ((5, 3), (3,))
        assert cls((None, 5), 3).W.name == "W"
        assert layer.num_units == 3

    def test_defaults_start_glorot_uniform_and_zero(self, cls):
        """Catches another distribution: results of old scripts would change."""
        layer = cls((None, 50), 30)
        bound = np.sqrt(6 / 80)
        assert 0.95 * bound < abs(layer.W.get_value()).max() <= bound
        assert not layer.b.get_value().any()
        assert layer.nonlinearity is nonlinearities.rectify

    def test_no_bias_and_no_nonlinearity(self, cls):
        """Catches an attribute None that is called."""
        layer = cls((None, 5), 3, b=None, nonlinearity=None)
        assert layer.b is None
        assert layer.nonlinearity is nonlinearities.identity
        assert layer.get_params() == [layer.W]

    def test_initialisers_are_called_with_the_shapes(self, cls):
        """Catches lists, or numpy integers that initialisers refuse."""
        W, b = Mock(return_value=np.ones((5, 3))), Mock(return_value=np.ones(3))
        cls((None, 5), 3, W=W, b=b)
        W.assert_called_once_with((5, 3))
        b.assert_called_once_with((3,))

    def test_the_nonlinearity_gets_the_activation_alone(self, cls):
        """Catches keywords of get_output passed on to the nonlinearity."""
        nonlinearity = Mock()
        layer = cls((None, 5), 3, nonlinearity=nonlinearity)
        output = layer.get_output_for(pt.matrix(), deterministic=True)
        assert output is nonlinearity.return_value
        assert len(nonlinearity.call_args.args) == 1
        assert nonlinearity.call_args.kwargs == {}

    def test_parameters_may_be_arrays_shared_or_expressions(self, cls):
        """Catches a parameter registered but not used in the output."""
        W, b, v = normal(5, 3), normal(3), pytensor.shared(normal(5, 3))
        x = normal(2, 5)
        for W_spec, b_spec, value in [
            (W, b, W),
            (v, pytensor.shared(b), v.get_value()),
            (v * 2, pt.exp(pytensor.shared(b)).log(), v.get_value() * 2),
        ]:
            layer = cls((None, 5), 3, W=W_spec, b=b_spec, nonlinearity=twice)
            output = get_output(layer, {None: x}).eval(mode=FAST)
            np.testing.assert_allclose(output, 2 * (x @ value + b))

    def test_integers_stay_integers(self, cls):
        """Catches a cast to floatX of start values."""
        layer = cls((None, 5), 3, W=np.ones((5, 3), "int8"), b=None)
        assert layer.W.dtype == "int8"
        assert layer.get_params(trainable=True) == []

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("floatX", ["float32", "float64"])
    def test_the_type_of_numbers_is_kept(self, cls, dtype, floatX):
        """Catches single precision widened under floatX=float64."""
        with pytensor.config.change_flags(floatX=dtype):
            layer = cls((None, 5), 3)
        with pytensor.config.change_flags(floatX=floatX):
            output = get_output(layer, {None: pt.matrix(dtype=dtype)})
        assert output.dtype == dtype

    def test_a_single_unit_is_known_to_broadcast(self, cls):
        """Catches predictions of a type that a loss would broadcast to a square."""
        for W, b in [(init.Normal(), init.Constant(0)), (shared(5, 1), shared(1))]:
            layer = cls((None, 5), 1, W=W, b=b)
            output = get_output(layer, {None: pt.matrix()})
            assert output.type.broadcastable == (False, True)

    def test_a_wrong_parameter_is_named(self, cls):
        """Catches a message without layer, parameter, wanted and got."""
        u, v = shared(5, 2), shared(2, 7)
        for wrong, got in [
            (np.ones((3, 5)), r"\(3, 5\)"),
            (pt.dot(u, v), r"\(5, 7\)"),
            (shared(3, 5), r"\(3, 5\)"),
        ]:
            match = rf"{cls.__name__} 'l': parameter W must have shape \(5, 3\).*{got}"
            with pytest.raises(ValueError, match=match):
                cls((None, 5), 3, W=wrong, name="l")
        with pytest.raises(ValueError, match=r"'l': parameter b must have 1 axes"):
            cls((None, 5), 3, b=pt.matrix(), name="l")
        with pytest.raises(TypeError, match=r"'l': parameter W must be a number"):
            cls((None, 5), 3, W="relu", name="l")

    def test_a_name_is_no_nonlinearity(self, cls):
        """Catches a string that is accepted, and called much later."""
        match = r"'l': nonlinearity must be a function.*got 'rectif'.*mean 'rectify'"
        with pytest.raises(TypeError, match=match):
            cls((None, 5), 3, nonlinearity="rectif", name="l")

    @pytest.mark.parametrize("num_units", [0, -1])
    def test_there_is_at_least_one_unit(self, cls, num_units):
        """Catches an empty layer."""
        with pytest.raises(ValueError, match=rf"got \(5, {num_units}\)"):
            cls((None, 5), num_units)

    @pytest.mark.parametrize("num_units", [2.0, None, "3"])
    def test_the_number_of_units_is_an_integer(self, cls, num_units):
        """Catches 100 / 2 units, which fail without a name."""
        with pytest.raises(TypeError, match=r"'l': parameter W must have a shape of"):
            cls((None, 5), num_units, name="l")

    def test_unknown_keywords_are_refused(self, cls):
        """Catches a misspelt argument that is ignored."""
        with pytest.raises(TypeError, match="num_unit"):
            cls((None, 5), 3, num_unit=3)

    def test_gradients_reach_the_leaves_of_expressions(self, cls):
        """Catches a parameter read by value."""
        x, u, v, c = (
            normal(2, 5),
            *(pytensor.shared(normal(*s)) for s in [(5, 2), (2, 3)]),
            pytensor.shared(normal(3)),
        )
        layer = cls((None, 5), 3, W=pt.dot(u, v), b=pt.exp(c), nonlinearity=None)
        loss = get_output(layer, {None: x}).sum()
        assert get_all_params(layer, trainable=True) == [u, v, c]
        gradients = pytensor.function([], pytensor.grad(loss, [u, v, c]), mode=FAST)()
        upstream = np.ones((2, 3))
        W_gradient = x.T @ upstream
        np.testing.assert_allclose(gradients[0], W_gradient @ v.get_value().T)
        np.testing.assert_allclose(gradients[1], u.get_value().T @ W_gradient)
        np.testing.assert_allclose(gradients[2], 2 * np.exp(c.get_value()))


class TestDenseLayer:
    """DenseLayer alone."""

    @pytest.mark.parametrize(
        ("shape", "leading", "expected", "num_inputs"),
        [
            ((2, 5), 1, (2, 7), 5),
            ((2, 3, 5), 1, (2, 7), 15),
            ((2, 3, 5), 2, (2, 3, 7), 5),
            ((2, 3, 5), -1, (2, 3, 7), 5),
            ((2, 3, 5), -2, (2, 7), 15),
            ((2, 3, 5), -3, (7,), 30),
            ((2, 3, 5), 0, (7,), 30),
            ((5,), 0, (7,), 5),
            ((2, 1, 3, 5), 3, (2, 1, 3, 7), 5),
            ((2, 3, 1), 2, (2, 3, 7), 1),
        ],
        ids=str,
    )
    def test_leading_axes_are_kept_and_trailing_ones_weighted(
        self, shape, leading, expected, num_inputs
    ):
        """Catches a wrong split, also for negative numbers, at run time as well."""
        W, b, x = normal(num_inputs, 7), normal(7), normal(*shape)
        layer = DenseLayer(
            shape, 7, W=W, b=b, nonlinearity=None, num_leading_axes=leading
        )
        assert layer.output_shape == expected
        output = get_output(layer, {None: x}).eval(mode=FAST)
        np.testing.assert_allclose(output, reference.dense(x, W, b, leading))

    @pytest.mark.parametrize(
        ("shape", "leading"), [((None, 3, 5), 1), ((None, None, 5), 2), ((None, 5), -1)]
    )
    def test_leading_sizes_may_be_unknown(self, shape, leading):
        """Catches a batch size needed for the shape of the weights."""
        layer = DenseLayer(shape, 7, num_leading_axes=leading)
        kept = shape[:leading]
        assert layer.output_shape == (*kept, 7)
        x = pt.tensor(shape=[None] * len(shape))
        function = pytensor.function([x], get_output(layer, {None: x}), mode=FAST)
        for batch in (2, 1, 0):
            sizes = tuple(batch if size is None else size for size in shape)
            assert function(np.ones(sizes)).shape == (*sizes[:leading], 7)

    @pytest.mark.parametrize(
        ("leading", "match"),
        [(3, "no trailing axes"), (7, "no trailing"), (-4, "more trailing axes")],
    )
    def test_the_split_must_leave_trailing_axes(self, leading, match):
        """Catches an empty product of sizes, which is 1."""
        with pytest.raises(ValueError, match=rf"'l': num_leading_axes .*{match}.*got"):
            DenseLayer((2, 3, 5), 7, num_leading_axes=leading, name="l")

    def test_the_split_is_an_integer(self):
        """Catches a slice error without a name."""
        with pytest.raises(
            TypeError, match=r"num_leading_axes must be an integer.*1\.5"
        ):
            DenseLayer((2, 3, 5), 7, num_leading_axes=1.5)

    @pytest.mark.parametrize(
        ("shape", "leading"), [((None, None), 1), ((2, None, 5), 1), ((2, 5, None), -1)]
    )
    def test_trailing_sizes_must_be_known(self, shape, leading):
        """Catches weights of unknown shape."""
        with pytest.raises(
            ValueError, match=r"'l' requires a fixed input shape .* got"
        ):
            DenseLayer(shape, 7, num_leading_axes=leading, name="l")

    def test_no_flattening_where_none_is_needed(self):
        """Catches a reshape in the graph of the most common layer."""
        x = pt.matrix()
        output = get_output(
            DenseLayer((None, 5), 3, b=None, nonlinearity=None), {None: x}
        )
        assert output.owner.inputs[0] is x

    def test_a_sparse_input_stays_sparse(self):
        """Catches a conversion to a dense matrix of a million columns."""
        x = pytensor.sparse.csr_matrix("x", dtype="float64")
        layer = DenseLayer(InputLayer((None, 5), x), 3, nonlinearity=None, b=normal(3))
        output = get_output(layer)
        gradient = pytensor.grad(output.sum(), layer.W)
        function = pytensor.function([x], [output, gradient], mode=FAST)
        data = scipy.sparse.random(4, 5, density=0.5, format="csr", random_state=1)
        value, slope = function(data)
        W, b = layer.W.get_value(), layer.b.get_value()
        np.testing.assert_allclose(value, data.toarray() @ W + b)
        np.testing.assert_allclose(slope, data.toarray().T @ np.ones((4, 3)))
        kinds = {type(node.op).__name__ for node in function.maker.fgraph.toposort()}
        assert "DenseFromSparse" not in kinds

    def test_the_gradient_of_the_weight_expression_can_be_asked_for(self):
        """Catches a product of factors where the user asked for the whole."""
        u, v = pytensor.shared(normal(50, 2)), pytensor.shared(normal(2, 30))
        layer = DenseLayer((None, 50), 30, W=pt.dot(u, v))
        loss = get_output(layer, {None: np.ones((2, 50))}, structured=False).sum()
        assert pytensor.grad(loss, layer.W).type.ndim == 2


class TestNINLayer:
    """NINLayer alone."""

    @pytest.mark.parametrize("untie", [False, True], ids=["tied", "untied"])
    @pytest.mark.parametrize(
        "shape",
        [(2, 3), (2, 3, 5), (2, 3, 5, 7), (2, 3, 1, 7), (1, 2, 3, 1, 5)],
        ids=str,
    )
    def test_channels_are_weighted_at_each_position(self, shape, untie):
        """Catches axes swapped on the way through the product."""
        b_shape = (4, *shape[2:]) if untie else (4,)
        W, b, x = normal(shape[1], 4), normal(*b_shape), normal(*shape)
        layer = NINLayer(shape, 4, untie, W, b, nonlinearity=None)
        assert layer.output_shape == (shape[0], 4, *shape[2:])
        assert layer.b.type.shape == b_shape
        output = get_output(layer, {None: x}).eval(mode=FAST)
        np.testing.assert_allclose(output, reference.network_in_network(x, W, b))

    def test_all_but_the_channels_may_be_unknown(self):
        """Catches positions needed for tied biases."""
        layer = NINLayer((None, 3, None, 7), 4)
        assert layer.output_shape == (None, 4, None, 7)
        output = get_output(layer, {None: np.ones((2, 3, 5, 7))})
        assert output.eval(mode=FAST).shape == (2, 4, 5, 7)
        assert not layer.untie_biases

    @pytest.mark.parametrize(
        "shape", [(None, None, 5), (None, None), (3,), ()], ids=str
    )
    def test_the_channels_must_be_known(self, shape):
        """Catches an IndexError for an input of one axis."""
        with pytest.raises(
            ValueError, match="'l': the input must have at least 2 axes"
        ):
            NINLayer(shape, 4, name="l")

    def test_untied_biases_need_known_positions(self):
        """Catches biases of unknown shape."""
        with pytest.raises(
            ValueError, match=r"'l': untie_biases needs .*\(2, 3, None\)"
        ):
            NINLayer((2, 3, None), 4, untie_biases=True, name="l")
        NINLayer((None, 3, 5), 4, untie_biases=True)
