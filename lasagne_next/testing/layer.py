"""The contract of a layer."""

from __future__ import annotations

import contextlib
import copy
import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedInputError

from lasagne_next.layers import Layer, SeveralOutputs, get_output, get_output_shape
from lasagne_next.random import get_rng, set_rng
from lasagne_next.testing.case import (
    NAME,
    build,
    draw_normal,
    draw_values,
    input_layers,
    input_shapes,
    real_inputs,
)
from lasagne_next.testing.graphs import require, require_single
from lasagne_next.testing.numerics import check_gradients, require_equal
from lasagne_next.utils import int_types

__all__ = ["check_layer"]

_BATCHES = (5, 2)


def check_layer(factory, shape, draw=None, modes=("FAST_COMPILE",), gradients=True):
    """Check that a layer does what networks rely on.

    The layer is built on inputs of a known and of an unknown batch size, in single
    precision (where ``config.floatX`` is float64) and in double precision, with all its
    parameters as expressions. Then

    * its shape map must agree with the static and the run-time shape of its output, and
      look at the shape that it is given;
    * its maps must accept any keywords, leave the layer's public attributes alone, and
      draw nothing from the package generator;
    * a layer with several outputs must name them alike in both maps, with shapes that
      agree;
    * float32 must stay float32, in every variable of the compiled graph;
    * its parameters must have names, tags and static shapes;
    * gradients must reach the leaves of each trainable parameter, and agree with finite
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
    gradients : bool, default True
        Whether to compare gradients with finite differences. False for layers whose
        gradient is another one on purpose (straight-through, reversed).

    Raises
    ------
    AssertionError
        If something is not as it must be; the message says what.
    TypeError
        If `factory` is a layer: many are built.

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
    if isinstance(factory, Layer):
        raise TypeError(
            "check_layer: factory must be a class or function that builds a layer, "
            f"got {factory!r}. Pass functools.partial(SomeLayer, num_units=3)."
        )
    case = SimpleNamespace(factory=factory, shape=shape, draw=draw or draw_normal)
    case.gradients = gradients
    case.actual = {}  # shapes that outputs had, by batch size
    probe = build(case, None, "float64")
    case.what = type(probe.layer).__name__
    case.keys = _check_parameters(case.what, probe.layer)
    _check_keywords(case.what, probe.layer)
    for dtype in ("float32", "float64"):
        for batch in (None, _BATCHES[0]):
            _check_built(case, build(case, batch, dtype, case.keys), modes)


def _check_parameters(what, layer):
    """Check names, tags and shapes, and return the keywords of the parameters."""
    keys = []
    for param, tags in layer.params.items():
        name = param.name or ""
        require(
            name.startswith(f"{NAME}."),
            f"{what}: every parameter must be called after its layer and itself, got "
            f"{param.name!r} in a layer called {NAME!r}. Pass name= to add_param.",
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
            keys.append(name.removeprefix(f"{NAME}."))
    return keys


def _check_keywords(what, layer):
    several = isinstance(layer, SeveralOutputs)
    output_map = layer.get_outputs_for if several else layer.get_output_for
    signature = inspect.signature(output_map)
    kinds = [each.kind for each in signature.parameters.values()]
    require(
        inspect.Parameter.VAR_KEYWORD in kinds,
        f"{what}: {output_map.__name__} must accept **kwargs, since all keywords of "
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
    _check_connections(what, built, _loss(deterministic) + _loss(noisy))
    gradients = _gradients(built, deterministic)
    outputs = [deterministic, noisy, *duplicates]
    function = _compile(built, [*outputs, *gradients], modes[0])
    compared = [deterministic, *gradients]
    others = [(mode, _compile(built, compared, mode)) for mode in modes[1:]]
    if built.dtype == "float32":
        require_single(what, function)
    for batch in [built.batch] if built.batch else _BATCHES:
        values = draw_values(case, built.dtype, batch)
        results = function(*values)
        _check_results(what, case, built, values, results[: len(outputs)])
        same = [results[0], *results[len(outputs) :]]
        again = function(*values)
        again = [again[0], *again[len(outputs) :]]
        require_equal(f"{what}: a second deterministic pass", again, same, 0)
        for way, result in zip(("pickled", "deep-copied"), results[2:4], strict=True):
            require_equal(f"{what}: the {way} layer", [result], results[:1], 0)
        for mode, other in others:
            tolerance = 1e-9 if built.dtype == "float64" else 1e-4
            require_equal(f"{what}, mode {mode}", other(*values), same, tolerance)
    if case.gradients and built.dtype == "float64" and gradients:
        _check_slopes(what, built, deterministic, gradients, values, modes[0])


def _compile(built, outputs, mode):
    # Not every layer reads all its inputs.
    return pytensor.function(
        built.variables, outputs, mode=mode, on_unused_input="ignore"
    )


def _check_maps(what, built):
    """Check what is known before compiling; return both kinds of output."""
    layer = built.layer
    if isinstance(layer, SeveralOutputs):
        _check_named(what, layer)
    promised = get_output_shape(layer)
    require(
        isinstance(promised, tuple)
        and all(size is None or isinstance(size, int_types) for size in promised),
        f"{what}: output_shape must be a tuple of integers and None, got {promised!r}.",
    )
    before = _state(layer)
    with _watched_generator(what):
        outputs = [get_output(layer, deterministic=True), get_output(layer)]
        get_output_shape(layer, input_shapes(layer, _BATCHES[1]))
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


def _check_named(what, layer):
    """Check that both maps of a layer with several outputs say the same."""
    outputs = _named_outputs(layer)
    promised = layer.output_shapes
    require(
        list(outputs) == list(promised),
        f"{what}: get_outputs_for must return what get_output_shapes_for names, "
        f"{list(promised)}, got {list(outputs)}.",
    )
    for name, output in outputs.items():
        require(
            _fits(output.type.shape, promised[name]),
            f"{what}: get_output_shapes_for must agree with the static shape of "
            f"{name!r}, {output.type.shape}, got {promised[name]}.",
        )


def _named_outputs(layer):
    below = getattr(layer, "input_layers", None) or layer.input_layer
    return layer.get_outputs_for(get_output(below), deterministic=True)


@contextlib.contextmanager
def _watched_generator(what):
    """Check that nothing is drawn from the package generator."""
    before, watched = get_rng(), np.random.default_rng(0)
    start = watched.bit_generator.state
    set_rng(watched)
    try:
        yield
    finally:
        set_rng(before)
    require(
        watched.bit_generator.state == start,
        f"{what}: get_output_for and get_output_shape_for must not draw from the "
        "package generator. Seed a RandomStream in the constructor.",
    )


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
        fed = dict(zip(input_layers(double), _fed_inputs(built), strict=True))
        outputs.append(get_output(double, fed, deterministic=True))
    return outputs


def _pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def _fed_inputs(built):
    return [each.input_var for each in input_layers(built.layer)]


def _check_connections(what, built, loss):
    """Check that gradients of the whole reach what is to be trained."""
    if isinstance(built.layer, SeveralOutputs):
        further = _named_outputs(built.layer).values()
        loss += sum(_loss(each) for each in further if each.dtype == built.dtype)
    learnt = built.layer.get_params(trainable=True)
    trained = {key: leaf for key, leaf in built.leaves.items() if leaf in learnt}
    try:
        pytensor.grad(loss, list(trained.values()))
    except DisconnectedInputError as error:
        raise AssertionError(
            f"{what}: gradients must reach the leaves of all trainable parameters "
            f"{sorted(trained)}, got none for one of them."
        ) from error


def _gradients(built, output):
    """Return the gradients of a loss for the leaves, then for the real inputs."""
    wanted = [*built.leaves.values(), *real_inputs(built)]
    return pytensor.grad(
        _loss(output), wanted, disconnected_inputs="ignore", return_disconnected="zero"
    )


def _loss(output):
    return pt.sqr(output).sum()


def _check_results(what, case, built, values, results):
    batch = values[0].shape[0]
    promised = get_output_shape(built.layer, input_shapes(built.layer, batch))
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
    require(
        all(np.isfinite(result).all() for result in results),
        f"{what}: the output must be finite numbers, got {results[0]!r}. If the layer "
        "is not for all numbers, pass draw=.",
    )
    _check_other_batches(what, case, built, batch, np.shape(results[0]))


def _check_other_batches(what, case, built, batch, shape):
    """Check that the shape map looks at its argument, not at what was built on."""
    if built.batch is None:
        case.actual[batch] = shape
        return
    for other, actual in case.actual.items():
        promised = get_output_shape(built.layer, input_shapes(built.layer, other))
        require(
            _fits(actual, promised),
            f"{what}: get_output_shape_for must look at the shape that it is given, "
            f"got {promised} for a batch of {other}, whose output has {actual}.",
        )


def _check_slopes(what, built, output, gradients, values, mode):
    leaves, real = list(built.leaves.values()), real_inputs(built)
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
