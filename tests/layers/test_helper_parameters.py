"""The parameters of whole networks and their values."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import init
from lasagne_next.layers import (
    DenseLayer,
    InputLayer,
    Layer,
    count_params,
    get_all_param_values,
    get_all_params,
    get_output,
    set_all_param_values,
)


@pytest.fixture
def network():
    """Give two dense layers of which the second is regularised in parts."""
    l1 = DenseLayer(InputLayer((None, 5)), 3, name="l1")
    return l1, DenseLayer(l1, 2, name="l2")


class TestGetAllParams:
    """Listing."""

    def test_the_order_is_that_of_the_layers(self, network):
        """Catches an order from the top, which breaks saved files."""
        l1, l2 = network
        assert get_all_params(l2) == [l1.W, l1.b, l2.W, l2.b]
        assert get_all_params([l2, l1]) == [l1.W, l1.b, l2.W, l2.b]
        assert get_all_params([]) == []

    def test_tags_filter_each_layer(self, network):
        """Catches filters applied to the last layer only."""
        l1, l2 = network
        assert get_all_params(l2, regularizable=True) == [l1.W, l2.W]
        assert get_all_params(l2, regularizable=False) == [l1.b, l2.b]
        assert get_all_params(l2, trainable=True, regularizable=False) == [l1.b, l2.b]

    def test_expressions_are_unwrapped_on_request(self):
        """Catches expressions among the leaves, or leaves among the expressions."""
        w1, w2 = (pytensor.shared(np.ones((3, 2))) for _ in range(2))
        l1 = DenseLayer(InputLayer((None, 5)), 3)
        l2 = DenseLayer(l1, 2, W=pt.exp(w1) - w2, b=None)
        assert get_all_params(l2) == [l1.W, l1.b, w1, w2]
        assert get_all_params(l2, unwrap_shared=False) == [l1.W, l1.b, l2.W]

    def test_shared_parameters_are_listed_once(self):
        """Catches a tied matrix updated twice in one step."""
        l1 = DenseLayer(InputLayer((None, 5)), 3)
        l2 = DenseLayer(l1, 5, W=l1.W.T)
        l3 = DenseLayer(l2, 3, W=l1.W, b=l1.b)
        assert get_all_params(l3) == [l1.W, l1.b, l2.b]

    def test_the_list_can_stop_at_a_layer(self, network):
        """Catches a cut that drops the layer's own parameters."""
        l1, l2 = network
        l3 = DenseLayer(l2, 7)
        assert get_all_params(l3, treat_as_input=[l2]) == [*l2.get_params(), l3.W, l3.b]
        assert get_all_params(l3, treat_as_input=l1, regularizable=False) == [
            l1.b,
            l2.b,
            l3.b,
        ]

    def test_layers_may_have_parameters_of_their_own_making(self):
        """Catches a keyword that custom layers of old scripts do not pass on."""

        class Custom(Layer):
            def get_params(self, **tags):
                """Add one."""
                return [*super().get_params(**tags), "extra"]

        assert get_all_params(Custom((None, 3)), trainable=True) == ["extra"]


class TestValues:
    """Counting, reading and writing."""

    def test_counts_are_of_leaves_and_of_each_once(self, network):
        """Catches the size of an expression counted instead of its leaves."""
        _, l2 = network
        assert count_params(l2) == 5 * 3 + 3 + 3 * 2 + 2
        assert count_params(l2, regularizable=True) == 5 * 3 + 3 * 2
        assert count_params(InputLayer((3,))) == 0
        factors = pt.dot(
            pytensor.shared(np.ones((50, 2))), pytensor.shared(np.ones((2, 70)))
        )
        assert count_params(DenseLayer((None, 50), 70, W=factors, b=None)) == 240

    def test_values_are_copies_in_the_order_of_the_parameters(self, network):
        """Catches arrays that training changes behind the user's back."""
        _, l2 = network
        values = get_all_param_values(l2)
        for value, param in zip(values, get_all_params(l2), strict=True):
            np.testing.assert_array_equal(value, param.get_value())
            value += 1
            assert not np.array_equal(value, param.get_value())
        assert len(get_all_param_values(l2, regularizable=True)) == 2

    def test_values_are_set_and_copied(self, network):
        """Catches the user's arrays becoming the storage of the parameters."""
        _, l2 = network
        values = [
            np.random.default_rng(1).normal(size=v.shape)
            for v in get_all_param_values(l2)
        ]
        set_all_param_values(l2, iter(values))
        first = values[0].copy()
        values[0] += 1
        np.testing.assert_array_equal(get_all_param_values(l2)[0], first)
        set_all_param_values(l2, [np.ones(3), np.ones(2)], regularizable=False)
        assert get_all_param_values(l2)[1].tolist() == [1, 1, 1]
        np.testing.assert_array_equal(get_all_param_values(l2)[0], first)

    def test_doubles_and_integers_are_cast(self, floatX32):
        """Catches the refusal of values that numpy made in double precision."""
        layer = DenseLayer((None, 5), 3)
        set_all_param_values(layer, [np.ones((5, 3)), [1, 2, 3]])
        assert [value.dtype for value in get_all_param_values(layer)] == ["float32"] * 2
        assert layer.b.get_value().tolist() == [1, 2, 3]

    def test_setting_changes_the_output_through_expressions(self):
        """Catches values set on a copy."""
        w = pytensor.shared(np.zeros((2, 3)))
        layer = DenseLayer((None, 2), 3, W=pt.exp(w), b=None, nonlinearity=None)
        set_all_param_values(layer, [np.log(np.full((2, 3), 5.0))])
        output = get_output(layer, {None: np.ones((1, 2))})
        np.testing.assert_allclose(output.eval(mode="FAST_COMPILE"), [[10, 10, 10]])

    @pytest.mark.parametrize(
        ("values", "match"),
        [
            ([], "must have 2 elements, one per parameter, got 0"),
            ([np.ones((5, 3))] * 3, "must have 2 elements, one per parameter, got 3"),
            (
                [np.ones((5, 3)), np.ones(5)],
                r"\(b\) must have shape \(3,\), got \(5,\)",
            ),
            (
                [np.ones((3, 5)), np.ones(3)],
                r"parameter 0 \(W\) must have shape \(5, 3",
            ),
            (
                [np.ones((5, 3)), np.ones((3, 1))],
                r"must have shape \(3,\), got \(3, 1\)",
            ),
            ([np.ones((5, 3)), 1j * np.ones(3)], r"is of type float64, got complex128"),
            ([np.ones((5, 3)), ["a", "b", "c"]], r"is of type float64, got <U1"),
        ],
    )
    def test_all_values_are_set_or_none(self, values, match, floatX64):
        """Catches parameters half overwritten when a later value does not fit."""
        layer = DenseLayer((None, 5), 3, W=init.Constant(7), b=init.Constant(7))
        with pytest.raises(ValueError, match=match):
            set_all_param_values(layer, values)
        assert all((value == 7).all() for value in get_all_param_values(layer))

    def test_fractions_do_not_fit_integers(self):
        """Catches values cut off silently."""
        layer = Layer((None, 3))
        layer.add_param(np.arange(3), (3,), name="index")
        with pytest.raises(
            ValueError, match=r"\(index\) is of type int64, got float64"
        ):
            set_all_param_values(layer, [np.array([0.5, 1, 2])])
        set_all_param_values(layer, [np.array([2, 1, 0], dtype="int8")])
        assert layer.get_params()[0].get_value().tolist() == [2, 1, 0]

    @pytest.mark.parametrize(
        ("dtype", "wrong"),
        [("int8", [300, 0, -1]), ("int8", [-129, 0, 1]), ("uint8", [256, 0, 1])],
    )
    def test_integers_that_would_wrap_around_are_refused(self, dtype, wrong):
        """Catches 300 that silently becomes 44 in a parameter of eight bits."""
        layer = Layer((None, 3))
        first = layer.add_param(np.zeros(3), (3,), name="first")
        index = layer.add_param(np.zeros(3, dtype), (3,), name="index")
        unsigned = dtype.startswith("u")
        wrong = np.array(wrong, "uint64" if unsigned else "int64")
        low, high = wrong.min(), wrong.max()
        match = rf"\(index\) is of type {dtype}.* got values from {low} to {high}"
        with pytest.raises(ValueError, match=match):
            set_all_param_values(layer, [np.ones(3), wrong])
        assert not first.get_value().any()
        largest = np.iinfo(dtype).max
        fitting = np.full(3, largest, wrong.dtype)
        set_all_param_values(layer, [np.ones(3), fitting])
        assert index.get_value().tolist() == [largest] * 3
