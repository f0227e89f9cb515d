"""The contract of a layer."""

from __future__ import annotations

import copy
import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedInputError

from lasagne_next.layers import InputLayer, get_all_layers, get_output, get_output_shape
from lasagne_next.testing.graphs import require, require_single
from lasagne_next.testing.numerics import check_gradients, require_equal
from lasagne_next.utils import int_types

__all__ = ["check_layer"]

_NAME = "checked"
_BATCHES = (5, 2)


def check_layer(factory, shape, draw=None, modes=("FAST_COMPILE",)):
    """Check that a layer does what networks rely on.

    The layer is built on inputs of a known and of an unknown batch size, in single
    precision (where ``config.floatX`` is float64) and in double precision, with all its
    parameters as expressions. Then

    * its shape map must agree with the static and the run-time shape of its output;
    * its maps must accept any keywords and leave the layer's public attributes alone;
    * float32 must stay float32, in every variable of the compiled graph;
    * its parameters must have names, tags and static shapes;
    * gradients must reach the leaves of each parameter, and agree with finite
      differences, as must those of the inputs;
    * two deterministic passes must be equal, and so must be the modes;
    * pickles and deep copies must compute the same.

    Parameters
    ----------
    factory : callable
        Called with the incoming layer (a list of them for a layer with several inputs)
        and keywords: ``name``, and each parameter under its own name. Usually
        ``functools.partial(SomeLayer, num_units=3)``.
    shape : tuple, or list of tuple
        Shape of the input or of each input. The first size is the batch size and is
        replaced. Different sizes show more than equal ones.
    draw : callable, optional
        ``draw(generator, shape)`` makes an array to feed; normal numbers by default.
        If it returns integers, the inputs are integers and have no gradients.
    modes : iterable of str or Mode, default ("FAST_COMPILE",)
        Each is compiled and must give the numbers of the first.

    Raises
    ------
    AssertionError
        If something is not as it must be; the message says what.

    Examples
    --------
    >>> from lasagne_next.layers import Layer
    >>> from lasagne_next.testing import check_layer
    >>> class Half(Layer):
    ...     def get_output_for(self, input, **kwargs):
    ...         return input[:, ::2]
    >>> try:
    ...     check_layer(Half, (None, 4))
    ... except AssertionError as error:
    ...     print(error)
    Half: output_shape must agree with the static shape of the output, (None, 2), got
    (None, 4).
    """
    case = SimpleNamespace(factory=factory, shape=shape, draw=draw or _normal)
    probe = _build(case, None, "float64")
    case.what = type(probe.layer).__name__
    case.keys = _check_parameters(case.what, probe.layer)
    _check_keywords(case.what, probe.layer)
    for dtype in ("float32", "float64"):
        for batch in (None, _BATCHES[0]):
            _check_built(case, _build(case, batch, dtype, case.keys), modes)


def _normal(generator, shape):
    return generator.normal(size=shape)


def _build(case, batch, dtype, keys=()):
    """Build the layer on new inputs, the parameters named in `keys` as expressions."""
    shapes = case.shape if isinstance(case.shape, list) else [case.shape]
    shapes = [(batch, *shape[1:]) for shape in shapes]
    whole = _values(case, dtype, 1)[0].dtype.kind in "iub"
    kind = "int32" if whole else dtype
    inputs = [
        InputLayer(shape, pt.tensor(f"x{index}", dtype=kind, shape=shape))
        for index, shape in enumerate(shapes)
    ]
    leaves = {}
    params = {key: _expression(leaves, key, dtype) for key in keys}
    incoming = inputs if isinstance(case.shape, list) else inputs[0]
    with pytensor.config.change_flags(floatX="float64"):
        layer = case.factory(incoming, name=_NAME, **params)
    return SimpleNamespace(
        layer=layer,
        variables=[each.input_var for each in inputs],
        leaves=leaves,
        batch=batch,
        dtype=dtype,
    )


def _expression(leaves, key, dtype):
    """Return a callable that makes a parameter, and keeps its leaf."""

    def make(shape):
        numbers = np.random.default_rng([7, *key.encode()]).normal(size=shape)
        leaves[key] = pytensor.shared(
            np.asarray(numbers, dtype=dtype), name=key, shape=shape
        )
        return pt.tanh(leaves[key])

    return make


def _values(case, dtype, batch):
    generator = np.random.default_rng(3)
    shapes = case.shape if isinstance(case.shape, list) else [case.shape]
    drawn = [np.asarray(case.draw(generator, (batch, *shape[1:]))) for shape in shapes]
    return [
        each.astype("int32" if each.dtype.kind in "iub" else dtype) for each in drawn
    ]


def _check_parameters(what, layer):
    """Check names, tags and shapes, and return the keywords of the parameters."""
    keys = []
    for param, tags in layer.params.items():
        name = param.name or ""
        require(
            name.startswith(f"{_NAME}."),
            f"{what}: every parameter must be called after its layer and itself, got "
            f"{param.name!r} in a layer called {_NAME!r}. Pass name= to add_param.",
        )
        require(
            isinstance(tags, set) and all(isinstance(tag, str) for tag in tags),
            f"{what}: the tags of {name} must be a set of strings, got {tags!r}.",
        )
        require(
            None not in param.type.shape,
            f"{what}: {name} must have a static shape, got {param.type.shape}.",
        )
        if param.type.dtype.startswith("float"):
            keys.append(name.removeprefix(f"{_NAME}."))
    return keys


def _check_keywords(what, layer):
    signature = inspect.signature(layer.get_output_for)
    kinds = [each.kind for each in signature.parameters.values()]
    require(
        inspect.Parameter.VAR_KEYWORD in kinds,
        f"{what}: get_output_for must accept **kwargs, since all keywords of "
        f"get_output are passed to all layers; got the signature {signature}.",
    )


def _check_built(case, built, modes):
    what = f"{case.what} (batch {built.batch}, {built.dtype})"
    missing = set(case.keys) - set(built.leaves)
    require(
        not missing,
        f"{what}: parameters must be made by add_param from what is passed for them, "
        f"but {sorted(missing)} were not asked for.",
    )
    deterministic, noisy = _check_maps(case.what, built)
    duplicates = _duplicates(what, built)
    gradients = _gradients(what, built, deterministic)
    outputs = [deterministic, noisy, *duplicates]
    function = _compile(built, [*outputs, *gradients], modes[0])
    if built.dtype == "float32":
        require_single(what, function)
    for batch in [built.batch] if built.batch else _BATCHES:
        values = _values(case, built.dtype, batch)
        results = function(*values)
        same = [results[0], *results[len(outputs) :]]
        again = function(*values)
        again = [again[0], *again[len(outputs) :]]
        require_equal(f"{what}: a second deterministic pass", again, same, 0)
        _check_results(what, built, values, results[: len(outputs)])
        for mode in modes[1:]:
            others = _compile(built, [deterministic, *gradients], mode)(*values)
            tolerance = 1e-9 if built.dtype == "float64" else 1e-4
            require_equal(f"{what}, mode {mode}", others, same, tolerance)
    if built.dtype == "float64" and gradients:
        _check_slopes(what, built, deterministic, gradients, values, modes[0])


def _compile(built, outputs, mode):
    # Not every layer reads all its inputs.
    return pytensor.function(
        built.variables, outputs, mode=mode, on_unused_input="ignore"
    )


def _check_maps(what, built):
    """Check what is known before compiling; return both kinds of output."""
    layer = built.layer
    promised = get_output_shape(layer)
    require(
        isinstance(promised, tuple)
        and all(size is None or isinstance(size, int_types) for size in promised),
        f"{what}: output_shape must be a tuple of integers and None, got {promised!r}.",
    )
    before = _state(layer)
    outputs = [get_output(layer, deterministic=True), get_output(layer)]
    get_output_shape(layer, _input_shapes(layer, _BATCHES[1]))
    after = _state(layer)
    changed = sorted(key for key in after if before.get(key) != after[key])
    require(
        before == after,
        f"{what}: get_output_for and get_output_shape_for must not change the layer, "
        f"but {changed} changed.",
    )
    for output in outputs:
        static = output.type.shape
        require(
            _fits(static, promised),
            f"{what}: output_shape must agree with the static shape of the output, "
            f"{static}, got {promised}.",
        )
    return outputs


def _state(layer):
    """Return the public attributes of a layer, containers copied."""
    return {
        key: copy.copy(value) if isinstance(value, dict | list | set) else id(value)
        for key, value in vars(layer).items()
        if not key.startswith("_")  # what is private may be remembered results
    }


def _fits(known, promised):
    return len(known) == len(promised) and all(
        None in pair or pair[0] == pair[1] for pair in zip(known, promised, strict=True)
    )


def _input_layers(layer):
    return [each for each in get_all_layers(layer) if isinstance(each, InputLayer)]


def _input_shapes(layer, batch):
    return {each: (batch, *each.shape[1:]) for each in _input_layers(layer)}


def _duplicates(what, built):
    """Return the deterministic outputs of a pickled and of a copied layer."""
    outputs = []
    for way, duplicate in (("pickle", _pickled), ("be deep-copied", copy.deepcopy)):
        try:
            double = duplicate(built.layer)
        except Exception as error:
            raise AssertionError(
                f"{what}: it must {way}, got {type(error).__name__}: {error}. Avoid "
                "lambdas and open files as attributes."
            ) from error
        fed = dict(zip(_input_layers(double), _fed_inputs(built), strict=True))
        outputs.append(get_output(double, fed, deterministic=True))
    return outputs


def _pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def _fed_inputs(built):
    return [each.input_var for each in _input_layers(built.layer)]


def _gradients(what, built, output):
    """Return the gradients of a loss for the leaves, then for the real inputs."""
    wanted = list(built.leaves.values())
    try:
        gradients = pytensor.grad(_loss(output), wanted) if wanted else []
    except DisconnectedInputError as error:
        raise AssertionError(
            f"{what}: gradients must reach the leaves of all parameters "
            f"{sorted(built.leaves)}, got none for one of them."
        ) from error
    real = _real_inputs(built)
    return gradients + pytensor.grad(
        _loss(output), real, disconnected_inputs="ignore", return_disconnected="zero"
    )


def _loss(output):
    return pt.sqr(output).sum()


def _real_inputs(built):
    return [each for each in built.variables if each.dtype == built.dtype]


def _check_results(what, built, values, results):
    batch = values[0].shape[0]
    promised = get_output_shape(built.layer, _input_shapes(built.layer, batch))
    for result in results:
        shape, dtype = np.shape(result), np.asarray(result).dtype
        require(
            _fits(shape, promised),
            f"{what}: get_output_shape_for must agree with the shape at run time, "
            f"{shape}, got {promised}.",
        )
        require(
            dtype == built.dtype or dtype.kind != "f",
            f"{what}: the output must be {built.dtype} as the inputs and parameters "
            f"are, got {dtype}.",
        )
    for way, result in zip(("pickled", "deep-copied"), results[2:], strict=True):
        require_equal(f"{what}: the {way} layer", [result], results[:1], 0)


def _check_slopes(what, built, output, gradients, values, mode):
    leaves, real = list(built.leaves.values()), _real_inputs(built)
    function = _compile(built, [_loss(output), *gradients], mode)

    def evaluate(*points):
        for leaf, point in zip(leaves, points, strict=False):
            leaf.set_value(point)
        given = iter(points[len(leaves) :])
        fed = [
            next(given) if variable in real else value
            for variable, value in zip(built.variables, values, strict=True)
        ]
        return function(*fed)

    fed = [v for x, v in zip(built.variables, values, strict=True) if x in real]
    labels = [f"the leaf of {key}" for key in built.leaves]
    labels += [f"input {each}" for each in real]
    points = [leaf.get_value() for leaf in leaves] + fed
    check_gradients(what, evaluate, points, labels)
