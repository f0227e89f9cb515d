"""Penalties: values, derivatives, which parameters they meet, backends, refusals."""

import copy
import pickle
from unittest.mock import Mock

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import init, layers
from lasagne_next import regularization as rg
from tests.backends import compile_on
from tests.dtypes import double_variables

# PyTensor warns on JAX where two tensors of unknown size meet.
pytestmark = pytest.mark.filterwarnings("ignore:Skipping Assert:UserWarning")


def group_lasso(x, axes):
    """Add up norms, one group after the other."""
    inside = np.moveaxis(x, axes, range(len(axes))).reshape(
        -1, *(n for i, n in enumerate(x.shape) if i not in axes)
    )
    return sum(np.sqrt((group**2).sum()) for group in inside.reshape(len(inside), -1).T)


def orthogonality(x):
    flat = x.reshape(len(x), -1)
    gram = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    return ((gram - np.eye(len(gram))) ** 2).sum()


PENALTIES = {
    "l1": (rg.l1, lambda x: abs(x).sum()),
    "l2": (rg.l2, lambda x: (x**2).sum()),
    "group_lasso": (rg.group_lasso, lambda x: group_lasso(x, (0,))),
    "group_lasso of inputs": (
        lambda x: rg.group_lasso(x, axes=(1,)),
        lambda x: group_lasso(x, (1,)),
    ),
    "orthogonality": (rg.orthogonality, orthogonality),
    "orthogonality of rows": (
        lambda x: rg.orthogonality(x.T),
        lambda x: orthogonality(x.T),
    ),
}


def numeric_gradient(penalty, x, step=1e-5):
    result = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        result[index] = (penalty(x + shift) - penalty(x - shift)) / (2 * step)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5)], ids=str)
@pytest.mark.usefixtures("floatX64")
def test_values_and_derivatives(backend_mode, dtype, shape):
    """Catches a missing square, a needless root, a norm over the wrong axis."""
    x = pt.tensor("x", dtype=dtype, shape=shape)
    values = [penalty(x) for penalty, _ in PENALTIES.values()]
    function = compile_on(backend_mode, [x], values + pt.grad(sum(values), [x]))
    assert double_variables(function) == [] or dtype == "float64"
    data = np.random.default_rng(0).normal(size=shape)
    *results, gradient = function(data.astype(dtype))
    tolerance = {"float32": 1e-4, "float64": 1e-7}[dtype]
    for (name, (_, expected)), result in zip(PENALTIES.items(), results, strict=True):
        np.testing.assert_allclose(result, expected(data), rtol=tolerance, err_msg=name)
    total = numeric_gradient(lambda x: sum(f(x) for _, f in PENALTIES.values()), data)
    np.testing.assert_allclose(gradient, total, rtol=tolerance, atol=tolerance)


def test_derivatives_are_finite_at_zero():
    """Catches the root of zero, which turns a weight that was pruned into NaN."""
    x = pt.matrix("x")
    gradients = [pt.grad(penalty(x), x) for penalty, _ in PENALTIES.values()]
    function = pytensor.function([x], gradients, mode="FAST_COMPILE")
    for gradient in function(np.zeros((3, 2))):
        np.testing.assert_array_equal(gradient, 0)


def test_groups_are_units():
    """Catches filters grouped by the first axis of matrices."""
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 7))
    results = [rg.group_lasso(x), rg.group_lasso(x[0, 0, 0]), rg.group_lasso(x, (0, 1))]
    results.append(rg.group_lasso(x[0, 0], axes=-1))
    values = pytensor.function([], results, mode="FAST_COMPILE")()
    np.testing.assert_allclose(
        values,
        [
            group_lasso(x, (1, 2, 3)),
            abs(x[0, 0, 0]).sum(),
            group_lasso(x, (0, 1)),
            group_lasso(x[0, 0], (1,)),
        ],
    )


def test_apply_penalty_calls_once_for_each_tensor():
    """Catches a symbolic vector of known length taken for a list of its elements."""
    penalty = Mock(side_effect=[1, 2, 3])
    tensors = [pt.vector(), pt.matrix(), pt.scalar()]
    assert rg.apply_penalty(tensors, penalty, power=2) == 6
    assert [call.args for call in penalty.call_args_list] == [(x,) for x in tensors]
    assert all(call.kwargs == {"power": 2} for call in penalty.call_args_list)
    for single in (pt.constant([1.0, 2.0]), pt.tensor(shape=(3,)), np.ones(3), 5.0):
        penalty = Mock(return_value=7)
        assert rg.apply_penalty(single, penalty) == 7
        assert penalty.call_count == 1
        assert penalty.call_args.args[0] is single
    assert rg.apply_penalty([], penalty) == 0
    assert rg.apply_penalty((x for x in tensors), lambda x: 1) == 3


@pytest.fixture
def network():
    """Build a network that shares a weight, and has an expression and biases."""
    l_in = layers.InputLayer((None, 3))
    first = layers.DenseLayer(l_in, 3, name="first")
    second = layers.DenseLayer(first, 3, W=first.W, name="second")
    U = init.Normal(1.0)((3, 2))
    U, V = (
        pytensor.shared(x, name=n, shape=x.shape) for x, n in ((U, "U"), (U.T, "V"))
    )
    third = layers.DenseLayer(second, 3, W=U.dot(V), name="third")
    return first, second, third, U, V


def met(function, *args, **kwargs):
    """Return the parameters that a penalty is called with."""
    penalty = Mock(return_value=0)
    function(*args, penalty=penalty, **kwargs)
    return [call.args[0] for call in penalty.call_args_list]


def test_only_the_parameters_of_the_layers_given_are_met(network):
    """Catches layers below, biases, and shared parameters that count once."""
    first, second, third, U, V = network
    one = rg.regularize_layer_params
    assert met(one, third) == [U, V]
    assert met(one, [first, second]) == [first.W, first.W]
    assert met(one, first, tags={"trainable": True}) == [first.W, first.b]
    assert met(one, first, tags={"regularizable": False}) == [first.b]
    assert one([], rg.l2) == 0


def test_a_network_counts_each_parameter_once(network):
    """Catches a shared weight that is penalised twice."""
    first, second, third, U, V = network
    whole = rg.regularize_network_params
    assert met(whole, third) == [first.W, U, V]
    assert met(whole, [second, third]) == [first.W, U, V]
    assert met(whole, third, tags={"regularizable": False}) == [
        first.b,
        second.b,
        third.b,
    ]
    assert whole(layers.InputLayer((None, 3)), rg.l2) == 0


def test_expressions_can_be_penalised_instead_of_leaves(network):
    """Catches a keyword that reaches the penalty, or the tags, instead."""
    first, second, third, _, _ = network
    assert met(rg.regularize_layer_params, third, unwrap_shared=False) == [third.W]
    assert met(rg.regularize_network_params, third, unwrap_shared=False) == [
        first.W,
        third.W,
    ]
    weighted = rg.regularize_layer_params_weighted
    assert met(weighted, {third: 1, second: 1}, unwrap_shared=False) == [
        third.W,
        first.W,
    ]


def test_gradients_reach_the_leaves_of_a_penalised_expression(network):
    """Catches a penalty that is disconnected from what is trained."""
    *_, third, U, V = network
    penalty = rg.regularize_layer_params(third, rg.l2, unwrap_shared=False)
    gradients = pytensor.function([], pt.grad(penalty, [U, V]), mode="FAST_COMPILE")()
    u, v = U.get_value(), V.get_value()
    np.testing.assert_allclose(gradients[0], 2 * u @ v @ v.T)
    np.testing.assert_allclose(gradients[1], 2 * u.T @ u @ v)


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_weighted_layers(network, floatX):
    """Catches a coefficient of another layer, and one that decides the type."""
    first, second, third, U, V = network
    share = pt.scalar("share")
    value = rg.regularize_layer_params_weighted({third: 0.1, first: share}, rg.l1)
    penalties = [abs(W.get_value()).sum() for W in (U, V, first.W)]
    assert value.eval({share: 2.0}, mode="FAST_COMPILE") == pytest.approx(
        0.1 * (penalties[0] + penalties[1]) + 2.0 * penalties[2]
    )
    assert met(rg.regularize_layer_params_weighted, {second: 1, third: 2}) == [
        first.W,
        U,
        V,
    ]
    assert rg.regularize_layer_params_weighted({}, rg.l2) == 0
    with pytensor.config.change_flags(floatX="float32"):
        layer = layers.DenseLayer((None, 3), 2)
    with pytensor.config.change_flags(floatX=floatX):
        for coefficient in (0.1, np.float64(0.1), pt.scalar(dtype="float64")):
            total = rg.regularize_layer_params_weighted({layer: coefficient}, rg.l2)
            assert total.dtype == "float32"


def test_keywords_reach_the_penalty(network):
    """Catches options that are lost on the way."""
    first = network[0]
    options = {"axes": (1,)}
    expected = group_lasso(first.W.get_value(), (1,))
    for total in (
        rg.regularize_layer_params(first, rg.group_lasso, **options),
        rg.regularize_layer_params_weighted({first: 1}, rg.group_lasso, **options),
        rg.regularize_network_params(first, rg.group_lasso, **options),
    ):
        assert total.eval(mode="FAST_COMPILE") == pytest.approx(expected)


def test_misuse_is_refused(network):
    """Catches a name given for a function, and penalties of what has no rows."""
    for call in (
        lambda: rg.apply_penalty(pt.vector(), "l2"),
        lambda: rg.regularize_layer_params(network[0], "l2"),
        lambda: rg.regularize_network_params(network[0], "l2"),
    ):
        with pytest.raises(TypeError, match="penalty must be a function, got 'l2'"):
            call()
    with pytest.raises(ValueError, match=r"at least 2 axes, got 1 \(shape \(3,\)\)"):
        rg.orthogonality(pt.tensor(shape=(3,)))
    with pytest.raises(ValueError, match="Unsupported tensor dimensionality 0"):
        rg.group_lasso(pt.scalar())


@pytest.mark.parametrize("name", rg.__all__)
def test_penalties_can_be_pickled(name):
    """Catches a lambda in a configuration that is to be saved."""
    function = getattr(rg, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
