"""Layers that rearrange elements: shapes, values, types, backends, refusals."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next import layers
from lasagne_next.layers import (
    DimshuffleLayer,
    FlattenLayer,
    InputLayer,
    PadLayer,
    ReshapeLayer,
    SliceLayer,
    get_output,
)
from tests.backends import MODES, compile_on, slow_on_numba
from tests.dtypes import double_variables
from tests.reference import layers_shape as reference

MODE = "FAST_COMPILE"
SHAPE = (2, 3, 5, 7)

PADS = [(0, 0), (0, 0), (2, 2), (2, 2)]
UNEVEN = [(0, 0), (0, 0), (1, 3), (4, 0)]

# Of a name to a layer and the reference, for an input of shape (2, 3, 5, 7).
CASES = {
    "flatten": (lambda below: FlattenLayer(below), lambda x: reference.flatten(x, 2)),
    "flatten_1": (
        lambda below: FlattenLayer(below, 1),
        lambda x: reference.flatten(x, 1),
    ),
    "flatten_3": (
        lambda below: FlattenLayer(below, 3),
        lambda x: reference.flatten(x, 3),
    ),
    "flatten_4": (
        lambda below: FlattenLayer(below, 4),
        lambda x: reference.flatten(x, 4),
    ),
    "flatten_6": (
        lambda below: FlattenLayer(below, 6),
        lambda x: reference.flatten(x, 6),
    ),
    "reshape": (
        lambda below: ReshapeLayer(below, (-1, 3, 35)),
        lambda x: reference.reshape(x, (2, 3, 35)),
    ),
    "reshape_references": (
        lambda below: ReshapeLayer(below, ([3], 3, [0], -1)),
        lambda x: reference.reshape(x, (7, 3, 2, 5)),
    ),
    "reshape_batch": (
        lambda below: ReshapeLayer(below, ([0], -1)),
        lambda x: reference.reshape(x, (2, 105)),
    ),
    "dimshuffle": (
        lambda below: DimshuffleLayer(below, (3, "x", 0, 2, 1)),
        lambda x: reference.dimshuffle(x, (3, "x", 0, 2, 1)),
    ),
    "dimshuffle_removes": (
        lambda below: DimshuffleLayer(SliceLayer(below, slice(1, 2), 1), (0, 3, 2)),
        lambda x: reference.dimshuffle(x[:, 1:2], (0, 3, 2)),
    ),
    "pad": (lambda below: PadLayer(below, 2), lambda x: reference.pad(x, PADS)),
    "pad_value": (
        lambda below: PadLayer(below, (1, 2), val=0.3),
        lambda x: reference.pad(x, [(0, 0), (0, 0), (1, 1), (2, 2)], val=0.3),
    ),
    "pad_one_axis": (
        lambda below: PadLayer(below, [(0, 3)], val=-1, batch_ndim=1),
        lambda x: reference.pad(x, [(0, 0), (0, 3), (0, 0), (0, 0)], val=-1),
    ),
    "pad_batch": (
        lambda below: PadLayer(below, 1, batch_ndim=0),
        lambda x: reference.pad(x, [(1, 1)] * 4),
    ),
    "pad_nothing": (lambda below: PadLayer(below, 0), lambda x: x),
    "slice_int": (
        lambda below: SliceLayer(below, 2, axis=1),
        lambda x: reference.take(x, 2, 1),
    ),
    "slice_last": (
        lambda below: SliceLayer(below, -7),
        lambda x: reference.take(x, -7, 3),
    ),
    "slice_range": (
        lambda below: SliceLayer(below, slice(1, -1)),
        lambda x: reference.take(x, slice(1, -1), 3),
    ),
    "slice_backwards": (
        lambda below: SliceLayer(below, slice(None, 0, -2), axis=-2),
        lambda x: reference.take(x, slice(None, 0, -2), 2),
    ),
    "slice_batch": (
        lambda below: SliceLayer(below, slice(0, 1), axis=0),
        lambda x: reference.take(x, slice(0, 1), 0),
    ),
} | {
    f"pad_{mode}": (
        lambda below, mode=mode: PadLayer(below, UNEVEN[2:], mode=mode),
        lambda x, mode=mode: reference.pad(x, UNEVEN, mode),
    )
    for mode in ("edge", "replicate", "reflect", "symmetric", "wrap")
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("unknown", [(), (0,), (0, 2, 3)], ids=str)
def test_shapes_agree_with_the_reference(name, unknown):
    """Catches a size that is wrong, lost, or invented where it is unknown."""
    shape = tuple(None if axis in unknown else n for axis, n in enumerate(SHAPE))
    make, expected = CASES[name]
    layer = make(InputLayer(shape))
    wanted = expected(np.zeros(SHAPE)).shape
    assert layers.get_output_shape(layer, SHAPE) == wanted
    assert len(layer.output_shape) == len(wanted)
    assert all(n in (None, m) for n, m in zip(layer.output_shape, wanted, strict=True))
    if not unknown:
        assert layer.output_shape == wanted
    assert get_output(layer).type.shape == layer.output_shape


BATCH_UNKNOWN, SIZES_UNKNOWN = (None, 3, 5, 7), (None, 3, None, None)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [SHAPE, BATCH_UNKNOWN, SIZES_UNKNOWN], ids=str)
def test_values_agree_with_the_reference(dtype, shape):
    """Catches any element in the wrong place, and a change of type."""
    names = set(CASES)
    if dtype == "int64":
        names.remove("pad_value")  # 0.3 is refused
    check_values(MODES["python"], dtype, {shape: names})


@slow_on_numba
def test_every_backend_agrees_with_the_reference(backend_mode):
    """Catches shapes at run time that a backend cannot work out."""
    at_run_time = {"flatten", "reshape_references", "dimshuffle", "pad_value"}
    which = {BATCH_UNKNOWN: set(CASES) - {"pad_replicate"}, SIZES_UNKNOWN: at_run_time}
    check_values(backend_mode, "float32", which)


def check_values(mode, dtype, which):
    """Compare the named cases of each shape, in one compiled function."""
    x = (np.random.default_rng(5).normal(size=SHAPE) * 10).astype(dtype)
    inputs, outputs, names = [], [], []
    for shape, chosen in which.items():
        l_in = InputLayer(shape, pt.tensor("x", dtype=dtype, shape=shape))
        inputs.append(l_in.input_var)
        names += sorted(chosen)
        outputs += get_output([CASES[name][0](l_in) for name in sorted(chosen)])
    f = compile_on(mode, inputs, outputs)
    if dtype == "float32":
        assert not double_variables(f)
    for name, result in zip(names, f(*[x] * len(inputs)), strict=True):
        np.testing.assert_array_equal(result, CASES[name][1](x), err_msg=name)
        assert result.dtype == dtype


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ((16, 3, 5, 7, 2, 5), (16, 3, 5, 7, 2, 5)),
        ((-1, [1], [2], [3], 2, 5), (16, 3, None, None, 2, 5)),
        ((-1, [1], [2], 7, 2, 5), (None, 3, None, 7, 2, 5)),
        ((-1, [1], [2], [3], 2, [2]), (None, 3, None, None, 2, None)),
        (([0], [1], [2], -1), (16, 3, None, None)),
        (([0], [1], -1, [4]), (16, 3, None, 10)),
        (([0], pt.iscalar(), [2], -1), (16, None, None, None)),
        ((np.int64(4), -1), (4, None)),
    ],
    ids=str,
)
def test_reshape_infers_sizes_past_unknown_ones(spec, wanted):
    """Catches an unknown size that is not cancelled, or cancelled twice."""
    layer = ReshapeLayer((16, 3, None, None, 10), spec)
    assert layer.output_shape == wanted
    assert layer.shape == spec


def test_reshape_takes_symbolic_sizes():
    """Catches a symbolic size read as an integer when the layer is built."""
    rows = pt.iscalar("rows")
    layer = ReshapeLayer(InputLayer((None, 6)), (rows, -1, [1]))
    f = pytensor.function(
        [layer.input_layer.input_var, rows], get_output(layer), mode=MODE
    )
    x = np.arange(48.0).reshape(8, 6)
    for n in (2, 4):
        np.testing.assert_array_equal(f(x, n), reference.reshape(x, (n, 8 // n, 6)))


def test_reshape_to_a_scalar_and_back():
    """Catches a reshape that cannot do without axes."""
    x = pt.tensor("x", shape=(1, 1))
    scalar = get_output(ReshapeLayer(InputLayer((1, 1), x), ()))
    again = ReshapeLayer((), (1, 1, 1)).get_output_for(scalar)
    assert (scalar.type.shape, again.type.shape) == ((), (1, 1, 1))
    assert again.eval({x: [[3.0]]}, mode=MODE).tolist() == [[[3.0]]]


def test_dimshuffle_removes_an_axis_that_turns_out_to_have_size_1():
    """Catches a layer that trusts only the type of a variable the user gave."""
    x = pt.matrix("x")
    declared = DimshuffleLayer(InputLayer((None, 1), x), (0,))
    unknown = DimshuffleLayer(InputLayer((None, None), x), (0,))
    assert declared.output_shape == unknown.output_shape == (None,)
    f = pytensor.function([x], get_output([declared, unknown]), mode=MODE)
    for result in f(np.ones((3, 1))):
        assert result.shape == (3,)
    with pytest.raises(AssertionError):
        f(np.ones((3, 2)))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("shape", [(4, 5), (None, None)], ids=str)
def test_padding_passes_gradients_to_where_the_values_came_from(mode, shape):
    """Catches a border that a gradient cannot pass."""
    x = pt.tensor("x", shape=shape)
    widths = [(1, 3), (2, 0)]
    layer = PadLayer(shape, widths, batch_ndim=0, mode=mode)
    slope = pytensor.grad(layer.get_output_for(x).sum(), x)
    origin = reference.pad(np.arange(20).reshape(4, 5), widths, mode, val=20)
    uses = np.bincount(origin.ravel(), minlength=21)[:20].reshape(4, 5)
    np.testing.assert_array_equal(slope.eval({x: np.ones((4, 5))}, mode=MODE), uses)


def test_the_value_to_pad_with_may_be_symbolic():
    """Catches a double precision value that takes the input along."""
    val = pytensor.shared(0.5)
    x = pt.matrix("x", dtype="float32")
    known = pt.tensor("known", dtype="float32", shape=(2, 3))
    outputs = [
        PadLayer((None, None), 1, val, batch_ndim=1).get_output_for(x),
        PadLayer((2, 3), 1, 2 * val, batch_ndim=1).get_output_for(known),
    ]
    f = pytensor.function([x, known], outputs, mode=MODE)
    for half, result in zip((1, 2), f(*[np.ones((2, 3), "float32")] * 2), strict=True):
        assert result.dtype == "float32"
        assert result[0].tolist() == [half / 2, 1, 1, 1, half / 2]


def test_aliases_are_the_classes_themselves():
    """Catches a wrapper where the contract has the class."""
    assert layers.flatten is FlattenLayer
    assert layers.reshape is ReshapeLayer
    assert layers.dimshuffle is DimshuffleLayer
    assert layers.pad is PadLayer


def test_arguments_are_kept_as_attributes():
    """Catches an attribute that is renamed or normalised."""
    assert FlattenLayer(SHAPE, 3).outdim == 3
    assert DimshuffleLayer(SHAPE, [3, 2, 1, 0]).pattern == [3, 2, 1, 0]
    layer = PadLayer(SHAPE, (1, 2), val=3, batch_ndim=1, mode="edge")
    assert (layer.width, layer.val, layer.batch_ndim) == ((1, 2), 3, 1)
    assert layer.mode == "edge"
    layer = SliceLayer(SHAPE, slice(1, 2), axis=-2)
    assert (layer.slice, layer.axis) == (slice(1, 2), -2)


@pytest.mark.parametrize("name", CASES)
def test_layers_can_be_pickled(name):
    """Catches a layer that holds a lambda or a generator."""
    layer = CASES[name][0](InputLayer((None, 3, 5, 7)))
    assert pickle.loads(pickle.dumps(layer)).output_shape == layer.output_shape


def test_shapes_follow_a_new_input_layer():
    """Catches a shape that is worked out once, when the layer is built."""
    layer = FlattenLayer(PadLayer(InputLayer(SHAPE), 1))
    layer.input_layer.input_layer = InputLayer((4, 2, 3, 1))
    assert layer.output_shape == (4, 30)


X = (2, 3, 5)
REFUSED = {
    "outdim of zero": (
        lambda: FlattenLayer(X, 0, name="l"),
        ValueError,
        r"FlattenLayer 'l': outdim must be at least 1, got 0 \(input shape \(2, 3, 5\)",
    ),
    "outdim a float": (
        lambda: FlattenLayer(X, 1.5, name="l"),
        TypeError,
        "'l': outdim must be an integer, got 1.5",
    ),
    "size of zero": (
        lambda: ReshapeLayer(X, (0, 30), name="l"),
        ValueError,
        r"ReshapeLayer 'l': the entries of shape must be .*, got 0 in \(0, 30\)",
    ),
    "size below minus one": (
        lambda: ReshapeLayer(X, (-2, 30), name="l"),
        ValueError,
        "'l': the entries of shape .* got -2 in",
    ),
    "long reference": (
        lambda: ReshapeLayer(X, ([0, 1], 5), name="l"),
        ValueError,
        r"'l': the entries of shape .* got \[0, 1\] in",
    ),
    "negative reference": (
        lambda: ReshapeLayer(X, ([-1], 6), name="l"),
        ValueError,
        r"'l': the entries of shape .* got \[-1\] in",
    ),
    "reference not an integer": (
        lambda: ReshapeLayer(X, (["0"], 15), name="l"),
        ValueError,
        r"'l': the entries of shape .* got \['0'\] in",
    ),
    "reference out of range": (
        lambda: ReshapeLayer(X, ([3], 30), name="l"),
        ValueError,
        r"'l': shape must refer to axes of the input, got \[3\] in",
    ),
    "symbolic vector as a size": (
        lambda: ReshapeLayer(X, (pt.ivector("v"), 5), name="l"),
        ValueError,
        "'l': the entries of shape .* got v in",
    ),
    "symbolic float as a size": (
        lambda: ReshapeLayer(X, (pt.scalar("s"), 5), name="l"),
        ValueError,
        "'l': the entries of shape .* got s in",
    ),
    "size of None": (
        lambda: ReshapeLayer(X, (None, 5), name="l"),
        ValueError,
        "'l': the entries of shape .* got None in",
    ),
    "size a float": (
        lambda: ReshapeLayer(X, (6.0, 5), name="l"),
        ValueError,
        "'l': the entries of shape .* got 6.0 in",
    ),
    "two sizes left": (
        lambda: ReshapeLayer(X, (-1, 5, -1), name="l"),
        ValueError,
        r"'l': shape must have -1 at most once, got \(-1, 5, -1\)",
    ),
    "too many elements": (
        lambda: ReshapeLayer(X, (6, 7), name="l"),
        ValueError,
        r"'l': shape must match .* got \(6, 7\) .*: 42 against 30",
    ),
    "elements left over": (
        lambda: ReshapeLayer((16, 3, None, None, 10), (17, 3, [2], [3], -1), name="l"),
        ValueError,
        r"'l': shape must match .*: 51 against 480",
    ),
    "axis twice": (
        lambda: DimshuffleLayer(X, (0, 1, 2, 1), name="l"),
        ValueError,
        r"DimshuffleLayer 'l': pattern must name each axis at most once, got \(0, 1,",
    ),
    "pattern with another letter": (
        lambda: DimshuffleLayer(X, (0, 1, 2, "y"), name="l"),
        ValueError,
        "'l': the entries of pattern must be integers or 'x', got 'y'",
    ),
    "axis too large in a pattern": (
        lambda: DimshuffleLayer(X, (0, 1, 2, 3), name="l"),
        ValueError,
        "'l': the axes in pattern must be between 0 and 2, got 3 in",
    ),
    "negative axis in a pattern": (
        lambda: DimshuffleLayer(X, (0, 1, -1), name="l"),
        ValueError,
        "'l': the axes in pattern must be between 0 and 2, got -1 in",
    ),
    "large axis left out": (
        lambda: DimshuffleLayer(X, (0, 1), name="l"),
        ValueError,
        r"'l': pattern must have all axes .* got \(0, 1\) without axis 2 \(input shape",
    ),
    "negative width": (
        lambda: PadLayer(X, [(0, -1)], name="l"),
        ValueError,
        r"PadLayer 'l': width must not be negative, got \(0, -1\) \(input shape",
    ),
    "width a float": (
        lambda: PadLayer(X, [0.5], name="l"),
        TypeError,
        "'l': the entries of width must be integers or pairs .*, got 0.5",
    ),
    "width a triple": (
        lambda: PadLayer(X, [(1, 2, 3)], name="l"),
        TypeError,
        r"'l': the entries of width must be integers or pairs .*, got \(1, 2, 3\)",
    ),
    "too many widths": (
        lambda: PadLayer(X, [1, 1], name="l"),
        ValueError,
        r"'l': width must have at most 1 entries, .*, got \[1, 1\]",
    ),
    "no axis to pad": (
        lambda: PadLayer((2, 3), 1, name="l"),
        ValueError,
        r"'l': batch_ndim must be between 0 and 1, got 2 \(input shape \(2, 3\)\)",
    ),
    "unknown mode": (
        lambda: PadLayer(X, 1, mode="mirror", name="l"),
        ValueError,
        "'l': mode must be one of .*'wrap'.*, got 'mirror'",
    ),
    "mistyped mode": (
        lambda: PadLayer(X, 1, mode="reflekt", name="l"),
        ValueError,
        "'l': mode .*, got 'reflekt'. Did you mean 'reflect'?",
    ),
    "too small to reflect": (
        lambda: PadLayer(X, 5, mode="reflect", name="l"),
        ValueError,
        r"'l': axis 2 must have a size of at least 6 to be padded by \(5, 5\) in mode "
        "'reflect', got 5",
    ),
    "too small to wrap": (
        lambda: PadLayer(X, 6, mode="wrap", name="l"),
        ValueError,
        r"'l': axis 2 must have a size of at least 6 .* got 5",
    ),
    "value a list": (
        lambda: PadLayer(X, 1, val=[1], name="l"),
        TypeError,
        r"'l': val must be a number or a symbolic scalar, got \[1\]",
    ),
    "fraction in an integer input": (
        lambda: PadLayer(X, 1, val=0.5, name="l").get_output_for(pt.itensor3()),
        ValueError,
        "'l': val must be a value of type int32, which the input has, got 0.5",
    ),
    "slice axis out of range": (
        lambda: SliceLayer(X, 0, axis=3, name="l"),
        ValueError,
        r"SliceLayer 'l': axis must be between -3 and 2, got 3 \(input shape \(2, 3, 5",
    ),
    "slice axis a float": (
        lambda: SliceLayer(X, 0, axis=1.0, name="l"),
        TypeError,
        "'l': axis must be an integer, got 1.0",
    ),
    "index too large": (
        lambda: SliceLayer(X, 5, name="l"),
        ValueError,
        r"'l': indices must be between -5 and 4 along axis 2, got 5 \(input shape",
    ),
    "index too small": (
        lambda: SliceLayer(X, -3, axis=0, name="l"),
        ValueError,
        "'l': indices must be between -2 and 1 along axis 0, got -3",
    ),
    "indices a list": (
        lambda: SliceLayer(X, [0, 1], name="l"),
        TypeError,
        r"'l': indices must be an integer or a slice of integers, got \[0, 1\]",
    ),
    "slice of floats": (
        lambda: SliceLayer(X, slice(0.5), name="l"),
        TypeError,
        r"'l': indices must be .*, got slice\(None, 0.5, None\)",
    ),
    "slice without a step": (
        lambda: SliceLayer(X, slice(None, None, 0), name="l"),
        ValueError,
        r"'l': indices must have a step other than 0, got slice\(None, None, 0\)",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_refused(make, error, message):
    """Catches a message without the layer's name or the value."""
    with pytest.raises(error, match=message):
        make()
