"""The public names and signatures of the contract, and the rules every file keeps."""

import ast
import importlib
import inspect
import re
import types
from collections.abc import Mapping
from pathlib import Path

import pytest

import lasagne_next

ROOT = Path(lasagne_next.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

_MOMENTS = "learning_rate={}, beta1=0.9, beta2=0.999, epsilon=1e-08"
_TAGS = "tags={'regularizable': True}, **kwargs"
_FILL = "W=GlorotUniform(gain=1.0), b=Constant(val=0.0), nonlinearity=rectify"
_FILTERS = "incoming, num_filters, filter_size"
_UNTIED = f"untie_biases=False, {_FILL}"
_CONVOLVED = f"{_UNTIED}, flip_filters=True, convolution=None, **kwargs"
_SPREAD = f"{_UNTIED}, flip_filters=False, output_size=None, **kwargs"

_LOOP = (
    "hid_init=Constant(val=0.0), backwards=False, learn_init=False, gradient_steps=-1, "
    "grad_clipping=0, unroll_scan=False, precompute_input=True, mask_input=None, "
    "only_return_final=False, **kwargs"
)
_NO_PEEP, _TANH = "Gate(W_cell=None)", "Gate(W_cell=None, nonlinearity=tanh)"

# Module path: names and their arguments. What follows them here and not there must be
# optional, so that a call written for the contract works.
CONTRACT = {
    "layers.base": {
        "Layer": "incoming, name=None",
        "Layer.get_params": "self, unwrap_shared=True, **tags",
        "Layer.add_param": "self, spec, shape, name=None, **tags",
        "Layer.get_output_shape_for": "self, input_shape",
        "Layer.get_output_for": "self, input, **kwargs",
        "MergeLayer": "incomings, name=None",
        "MergeLayer.get_output_shape_for": "self, input_shapes",
        "MergeLayer.get_output_for": "self, inputs, **kwargs",
    },
    "layers.helper": {
        "get_all_layers": "layer, treat_as_input=None",
        "get_output": "layer_or_layers, inputs=None, **kwargs",
        "get_output_shape": "layer_or_layers, input_shapes=None",
        "get_all_params": "layer, unwrap_shared=True, **tags",
        "count_params": "layer, **tags",
        "get_all_param_values": "layer, **tags",
        "set_all_param_values": "layer, values, **tags",
    },
    "layers.input": {"InputLayer": "shape, input_var=None, name=None, **kwargs"},
    "layers.dense": {
        "DenseLayer": f"incoming, num_units, {_FILL}, num_leading_axes=1, **kwargs",
        "NINLayer": f"incoming, num_units, untie_biases=False, {_FILL}, **kwargs",
    },
    "layers.noise": {
        "DropoutLayer": "incoming, p=0.5, rescale=True, shared_axes=(), **kwargs",
        "dropout": "incoming, p=0.5, rescale=True, shared_axes=(), **kwargs",
        "dropout_channels": "incoming, *args, **kwargs",
        "spatial_dropout": "incoming, *args, **kwargs",
        "dropout_locations": "incoming, *args, **kwargs",
        "GaussianNoiseLayer": "incoming, sigma=0.1, **kwargs",
    },
    "layers.normalization": {
        "LocalResponseNormalization2DLayer": "incoming, alpha=0.0001, k=2, beta=0.75, "
        "n=5, **kwargs",
        "BatchNormLayer": "incoming, axes='auto', epsilon=0.0001, alpha=0.1, "
        "beta=Constant(val=0), gamma=Constant(val=1), mean=Constant(val=0), "
        "inv_std=Constant(val=1), **kwargs",
        "batch_norm": "layer, **kwargs",
        "StandardizationLayer": "incoming, axes='auto', epsilon=0.0001, **kwargs",
        "instance_norm": "layer, learn_scale=True, learn_bias=True, **kwargs",
        "layer_norm": "layer, **kwargs",
    },
    "layers.conv": {
        "conv_output_length": "input_length, filter_size, stride, pad=0",
        "conv_input_length": "output_length, filter_size, stride, pad=0",
        "BaseConvLayer": f"{_FILTERS}, stride=1, pad=0, {_UNTIED}, "
        "flip_filters=True, num_groups=1, n=None, **kwargs",
        "BaseConvLayer.convolve": "self, input, **kwargs",
        "BaseConvLayer.get_W_shape": "self",
        "Conv1DLayer": f"{_FILTERS}, stride=1, pad=0, {_CONVOLVED}",
        "Conv2DLayer": f"{_FILTERS}, stride=(1, 1), pad=0, {_CONVOLVED}",
        "Conv3DLayer": f"{_FILTERS}, stride=(1, 1, 1), pad=0, {_CONVOLVED}",
        "TransposedConv1DLayer": f"{_FILTERS}, stride=1, crop=0, {_SPREAD}",
        "TransposedConv2DLayer": f"{_FILTERS}, stride=(1, 1), crop=0, {_SPREAD}",
        "TransposedConv3DLayer": f"{_FILTERS}, stride=(1, 1, 1), crop=0, {_SPREAD}",
        "DilatedConv2DLayer": f"{_FILTERS}, dilation=(1, 1), pad=0, {_UNTIED}, "
        "flip_filters=False, **kwargs",
    },
    "layers.local": {
        "LocallyConnected2DLayer": f"{_FILTERS}, stride=(1, 1), pad='same', {_UNTIED}, "
        "flip_filters=True, channelwise=False, **kwargs",
    },
    "layers.pool": {
        "pool_output_length": "input_length, pool_size, stride, pad, ignore_border",
        "Pool1DLayer": "incoming, pool_size, stride=None, pad=0, "
        "ignore_border=True, mode='max', **kwargs",
        "MaxPool1DLayer": "incoming, pool_size, stride=None, pad=0, "
        "ignore_border=True, **kwargs",
        "Upscale1DLayer": "incoming, scale_factor, mode='repeat', **kwargs",
        "Pool2DLayer": "incoming, pool_size, stride=None, pad=(0, 0), "
        "ignore_border=True, mode='max', **kwargs",
        "MaxPool2DLayer": "incoming, pool_size, stride=None, pad=(0, 0), "
        "ignore_border=True, **kwargs",
        "Upscale2DLayer": "incoming, scale_factor, mode='repeat', **kwargs",
        "Pool3DLayer": "incoming, pool_size, stride=None, pad=(0, 0, 0), "
        "ignore_border=True, mode='max', **kwargs",
        "MaxPool3DLayer": "incoming, pool_size, stride=None, pad=(0, 0, 0), "
        "ignore_border=True, **kwargs",
        "Upscale3DLayer": "incoming, scale_factor, mode='repeat', **kwargs",
        "FeaturePoolLayer": "incoming, pool_size, axis=1, pool_function=max, **kwargs",
        "FeatureWTALayer": "incoming, pool_size, axis=1, **kwargs",
        "GlobalPoolLayer": "incoming, pool_function=mean, **kwargs",
        "SpatialPyramidPoolingLayer": "incoming, pool_dims=(4, 2, 1), mode='max', "
        "implementation='fast', **kwargs",
        "pool_2d_nxn_regions": "inputs, output_size, mode='max'",
    },
    "layers.shape": {
        "FlattenLayer": "incoming, outdim=2, **kwargs",
        "flatten": "incoming, outdim=2, **kwargs",
        "ReshapeLayer": "incoming, shape, **kwargs",
        "reshape": "incoming, shape, **kwargs",
        "DimshuffleLayer": "incoming, pattern, **kwargs",
        "dimshuffle": "incoming, pattern, **kwargs",
        "PadLayer": "incoming, width, val=0, batch_ndim=2, **kwargs",
        "pad": "incoming, width, val=0, batch_ndim=2, **kwargs",
        "SliceLayer": "incoming, indices, axis=-1, **kwargs",
    },
    "layers.merge": {
        "autocrop": "inputs, cropping",
        "autocrop_array_shapes": "input_shapes, cropping",
        "ConcatLayer": "incomings, axis=1, cropping=None, **kwargs",
        "concat": "incomings, axis=1, cropping=None, **kwargs",
        "ElemwiseMergeLayer": "incomings, merge_function, cropping=None, **kwargs",
        "ElemwiseSumLayer": "incomings, coeffs=1, cropping=None, **kwargs",
    },
    "layers.embedding": {
        "EmbeddingLayer": "incoming, input_size, output_size, "
        "W=Normal(std=0.01, mean=0.0), **kwargs",
    },
    "layers.recurrent": {
        "CustomRecurrentLayer": "incoming, input_to_hidden, hidden_to_hidden, "
        f"nonlinearity=rectify, {_LOOP}",
        "RecurrentLayer": "incoming, num_units, W_in_to_hid=Uniform(range=(-0.01, "
        "0.01)), W_hid_to_hid=Uniform(range=(-0.01, 0.01)), b=Constant(val=0.0), "
        f"nonlinearity=rectify, {_LOOP}",
        "Gate": "W_in=Normal(std=0.1, mean=0.0), W_hid=Normal(std=0.1, mean=0.0), "
        "W_cell=Normal(std=0.1, mean=0.0), b=Constant(val=0.0), nonlinearity=sigmoid",
        "LSTMLayer": "incoming, num_units, ingate=Gate(), forgetgate=Gate(), "
        f"cell={_TANH}, outgate=Gate(), nonlinearity=tanh, "
        "cell_init=Constant(val=0.0), "
        + _LOOP.replace("gradient", "peepholes=True, gradient"),
        "GRULayer": f"incoming, num_units, resetgate={_NO_PEEP}, "
        f"updategate={_NO_PEEP}, hidden_update={_TANH}, {_LOOP}",
    },
    "layers.special": {
        "NonlinearityLayer": "incoming, nonlinearity=rectify, **kwargs",
        "BiasLayer": "incoming, b=Constant(val=0), shared_axes='auto', **kwargs",
        "ScaleLayer": "incoming, scales=Constant(val=1), shared_axes='auto', **kwargs",
        "standardize": "layer, offset, scale, shared_axes='auto'",
        "ExpressionLayer": "incoming, function, output_shape=None, **kwargs",
        "InverseLayer": "incoming, layer, **kwargs",
        "ParametricRectifierLayer": "incoming, alpha=Constant(val=0.25), "
        "shared_axes='auto', **kwargs",
        "prelu": "layer, **kwargs",
        "RandomizedRectifierLayer": "incoming, lower=0.3, upper=0.8, "
        "shared_axes='auto', **kwargs",
        "rrelu": "layer, **kwargs",
        "TransformerLayer": "incoming, localization_network, downsample_factor=1, "
        "border_mode='nearest', **kwargs",
        "TPSTransformerLayer": "incoming, localization_network, downsample_factor=1, "
        "control_points=16, precompute_grid='auto', border_mode='nearest', **kwargs",
    },
    "init": {
        "Initializer": "",
        "Initializer.sample": "self, shape",
        "Initializer.__call__": "self, shape",
        "Normal": "std=0.01, mean=0.0",
        "Uniform": "range=0.01, std=None, mean=0.0",
        "Glorot": "initializer, gain=1.0, c01b=False",
        "GlorotNormal": "gain=1.0, c01b=False",
        "GlorotUniform": "gain=1.0, c01b=False",
        "He": "initializer, gain=1.0, c01b=False",
        "HeNormal": "gain=1.0, c01b=False",
        "HeUniform": "gain=1.0, c01b=False",
        "Constant": "val=0.0",
        "Sparse": "sparsity=0.1, std=0.01",
        "Orthogonal": "gain=1.0",
    },
    "nonlinearities": {
        "sigmoid": "x",
        "softmax": "x",
        "tanh": "x",
        "ScaledTanH": "scale_in=1, scale_out=1",
        "ScaledTanh": "scale_in=1, scale_out=1",
        "rectify": "x",
        "LeakyRectify": "leakiness=0.01",
        "leaky_rectify": "x",
        "very_leaky_rectify": "x",
        "elu": "x",
        "SELU": "scale=1, scale_neg=1",
        "selu": "x",
        "softplus": "x",
        "linear": "x",
        "identity": "x",
    },
    "objectives": {
        "align_targets": "predictions, targets",
        "binary_crossentropy": "predictions, targets",
        "categorical_crossentropy": "predictions, targets",
        "squared_error": "a, b",
        "aggregate": "loss, weights=None, mode='mean'",
        "binary_hinge_loss": "predictions, targets, delta=1, log_odds=None, "
        "binary=True",
        "multiclass_hinge_loss": "predictions, targets, delta=1",
        "huber_loss": "predictions, targets, delta=1",
        "binary_accuracy": "predictions, targets, threshold=0.5",
        "categorical_accuracy": "predictions, targets, top_k=1",
    },
    "regularization": {
        "l1": "x",
        "l2": "x",
        "apply_penalty": "tensor_or_tensors, penalty, **kwargs",
        "regularize_layer_params": f"layer, penalty, {_TAGS}",
        "regularize_layer_params_weighted": f"layers, penalty, {_TAGS}",
        "regularize_network_params": f"layer, penalty, {_TAGS}",
    },
    "updates": {
        "get_or_compute_grads": "loss_or_grads, params",
        "sgd": "loss_or_grads, params, learning_rate",
        "apply_momentum": "updates, params=None, momentum=0.9",
        "momentum": "loss_or_grads, params, learning_rate, momentum=0.9",
        "apply_nesterov_momentum": "updates, params=None, momentum=0.9",
        "nesterov_momentum": "loss_or_grads, params, learning_rate, momentum=0.9",
        "adagrad": "loss_or_grads, params, learning_rate=1.0, epsilon=1e-06",
        "rmsprop": "loss_or_grads, params, learning_rate=1.0, rho=0.9, epsilon=1e-06",
        "adadelta": "loss_or_grads, params, learning_rate=1.0, rho=0.95, epsilon=1e-06",
        "adam": f"loss_or_grads, params, {_MOMENTS.format(0.001)}",
        "adamax": f"loss_or_grads, params, {_MOMENTS.format(0.002)}",
        "amsgrad": f"loss_or_grads, params, {_MOMENTS.format(0.001)}",
        "norm_constraint": "tensor_var, max_norm, norm_axes=None, epsilon=1e-07",
        "total_norm_constraint": "tensor_vars, max_norm, epsilon=1e-07, "
        "return_norm=False",
    },
    "random": {"get_rng": "", "set_rng": "new_rng"},
    "utils": {
        "floatX": "arr",
        "shared_empty": "dim=2, dtype=None",
        "as_theano_expression": "input",
        "collect_shared_vars": "expressions",
        "one_hot": "x, m=None",
        "unique": "l",
        "as_tuple": "x, N, t=None",
        "inspect_kwargs": "func",
        "compute_norms": "array, norm_axes=None",
        "create_param": "spec, shape, name=None",
        "unroll_scan": "fn, sequences, outputs_info, non_sequences, n_steps, "
        "go_backwards=False",
    },
}

SIGNATURES = [
    (module, name, arguments)
    for module, names in CONTRACT.items()
    for name, arguments in names.items()
]

# Reachable by their module only, as in the contract.
UNLISTED = {
    "layers.conv.BaseConvLayer",
    "layers.conv.conv_input_length",
    "layers.conv.conv_output_length",
    "layers.pool.pool_2d_nxn_regions",
    "layers.pool.pool_output_length",
    "objectives.align_targets",
    "updates.get_or_compute_grads",
}

ALIASES = {
    "layers.Deconv2DLayer": "layers.TransposedConv2DLayer",
    "layers.Deconv3DLayer": "layers.TransposedConv3DLayer",
    "layers.dropout": "layers.DropoutLayer",
    "layers.spatial_dropout": "layers.dropout_channels",
    "layers.flatten": "layers.FlattenLayer",
    "layers.reshape": "layers.ReshapeLayer",
    "layers.dimshuffle": "layers.DimshuffleLayer",
    "layers.pad": "layers.PadLayer",
    "layers.concat": "layers.ConcatLayer",
    "nonlinearities.identity": "nonlinearities.linear",
    "nonlinearities.ScaledTanh": "nonlinearities.ScaledTanH",
}

# The index of the contract: what ``lasagne.layers`` offered.
LAYERS = """
Layer MergeLayer get_all_layers get_output get_output_shape get_all_params count_params
get_all_param_values set_all_param_values InputLayer DenseLayer NINLayer Conv1DLayer
Conv2DLayer Conv3DLayer TransposedConv2DLayer Deconv2DLayer DilatedConv2DLayer
TransposedConv3DLayer Deconv3DLayer LocallyConnected2DLayer MaxPool1DLayer
MaxPool2DLayer MaxPool3DLayer Pool1DLayer Pool2DLayer Pool3DLayer Upscale1DLayer
Upscale2DLayer Upscale3DLayer FeaturePoolLayer FeatureWTALayer GlobalPoolLayer
SpatialPyramidPoolingLayer DropoutLayer dropout dropout_channels spatial_dropout
dropout_locations GaussianNoiseLayer FlattenLayer flatten ReshapeLayer reshape
DimshuffleLayer dimshuffle PadLayer pad SliceLayer autocrop autocrop_array_shapes
ConcatLayer concat ElemwiseMergeLayer ElemwiseSumLayer LocalResponseNormalization2DLayer
BatchNormLayer batch_norm StandardizationLayer instance_norm layer_norm EmbeddingLayer
CustomRecurrentLayer RecurrentLayer Gate LSTMLayer GRULayer NonlinearityLayer BiasLayer
ScaleLayer standardize ExpressionLayer InverseLayer TransformerLayer TPSTransformerLayer
ParametricRectifierLayer prelu RandomizedRectifierLayer rrelu
"""

# A tuple of types cannot hold a docstring.
WITHOUT_DOCSTRING = {"utils.int_types"}


def find(path):
    """Return what a path inside the package leads to."""
    found = lasagne_next
    for part in path.split("."):
        found = getattr(found, part)
    return found


def arguments_of(function):
    """Write the arguments of a callable as the table does."""
    return [written(each) for each in inspect.signature(function).parameters.values()]


def written(parameter):
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    text = stars.get(parameter.kind, "") + parameter.name
    default = parameter.default
    if default is parameter.empty:
        return text
    if isinstance(default, types.FunctionType):
        return f"{text}={default.__name__}"
    return f"{text}={dict(default) if isinstance(default, Mapping) else default!r}"


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    SIGNATURES,
    ids=[f"{module}.{name}" for module, name, _ in SIGNATURES],
)
def test_signatures_are_those_of_the_contract(module, name, arguments):
    """Catches renamed, reordered or missing arguments, and other defaults."""
    importlib.import_module(f"lasagne_next.{module}")
    # Commas inside the parentheses of a default separate nothing.
    wanted = re.split(r", (?![^(]*\))", arguments) if arguments else []
    stars = [each for each in wanted if each.startswith("*")]
    fixed = wanted[: len(wanted) - len(stars)]
    got = arguments_of(find(f"{module}.{name}"))
    assert got[: len(fixed)] == fixed
    extras = got[len(fixed) :]
    assert [each for each in extras if each.startswith("*")] == stars
    assert all("=" in each for each in extras if not each.startswith("*"))


@pytest.mark.parametrize("path", [f"{m}.{n}" for m, n, _ in SIGNATURES if "." not in n])
def test_names_are_listed_where_users_look_for_them(path):
    """Catches names that ``dir`` and a star import do not give."""
    package, name = path.split(".")[0], path.rsplit(".", 1)[1]
    if path not in UNLISTED:
        assert find(f"{package}.{name}") is find(path)
    assert (name in find(package).__all__) == (path not in UNLISTED)


@pytest.mark.parametrize("name", LAYERS.split())
def test_every_name_of_the_index_is_there_with_its_signature(name):
    """Catches a layer or function that old programs miss, or call in vain."""
    assert name in lasagne_next.layers.__all__
    checked = {each for m, n, _ in SIGNATURES if m.startswith("layers") for each in [n]}
    assert name in checked | {each.rpartition(".")[2] for each in ALIASES}


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_are_the_object_itself(alias):
    """Catches a wrapper, which ``isinstance`` and pickles would tell apart."""
    assert find(alias) is find(ALIASES[alias])


def test_int_types_serves_isinstance():
    """Catches a type that no numpy integer has."""
    assert isinstance(find("utils.int_types"), tuple)


PUBLIC = {
    f"{module}.{name}": getattr(find(module), name)
    for module in lasagne_next.__all__
    for name in find(module).__all__
    if not isinstance(getattr(find(module), name), types.ModuleType)
}


@pytest.mark.parametrize("path", sorted(set(PUBLIC) - WITHOUT_DOCSTRING))
def test_public_objects_are_documented_with_an_example(path):
    """Catches a public object without a docstring, or without an example."""
    docstring = inspect.getdoc(PUBLIC[path]) or ""
    assert re.search(r"^Examples\n-{8}$", docstring, re.M) or "See :" in docstring
    first = docstring.splitlines()[0]
    assert first.endswith((".", ":", "?"))


def files(paths=FILES):
    """Give each file of the package once, under its own name."""
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    return pytest.mark.parametrize("path", paths, ids=names)


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@files()
def test_raised_exceptions_have_one_argument(path):
    """Catches values passed beside the message, which nobody gets to read."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            number = len(node.exc.args) + len(node.exc.keywords)
            assert number == 1, f"line {node.lineno}: {ast.unparse(node)}"


@files()
def test_checks_are_no_assert_statements(path):
    """Catches checks that ``python -O`` removes."""
    lines = [node.lineno for node in ast.walk(tree(path)) if type(node) is ast.Assert]
    assert lines == []


@files()
def test_files_list_what_they_offer_in_order(path):
    """Catches an unsorted list, a name that is not there, and a file without a list."""
    body = tree(path).body
    lists = [
        ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == "__all__"
    ]
    if not lists:
        only_text = all(isinstance(node, ast.Expr) for node in body)
        assert only_text
        return
    assert lists == [sorted(set(lists[0]), key=sorting_key)]
    defined = {each for node in body for each in names_bound_by(node)}
    assert set(lists[0]) <= defined


def sorting_key(name):
    """Sort constants before classes before functions, as the linter does."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


def names_bound_by(node):
    """List the names that a statement at the top of a file defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [each.id for target in targets for each in ast.walk(target)
                if isinstance(each, ast.Name)]  # fmt: skip
    if isinstance(node, ast.If | ast.Try | ast.For):
        return [name for inner in node.body for name in names_bound_by(inner)]
    return []


@files()
def test_imports_name_what_they_bring(path):
    """Catches star imports."""
    imports = [node for node in ast.walk(tree(path)) if type(node) is ast.ImportFrom]
    assert not any(alias.name == "*" for node in imports for alias in node.names)
