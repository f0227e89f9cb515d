"""More positions: repeated, dilated, interpolated, from channels."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from lasagne_next.ops import pixel_shuffle, pixel_unshuffle, upsample
from lasagne_next.testing import check_op
from tests.backends import MODES, compile_on
from tests.reference import resampling as reference

MODE = "FAST_COMPILE"
CASES = [((5,), (3,)), ((3, 2), (2, 5)), ((2, 3, 1), (1, 2, 3))]
WAYS = ["repeat", "dilate", "linear"]


def drawn(shape, dtype="float64"):
    return np.random.default_rng(list(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize(("lengths", "factors"), CASES, ids=["1d", "2d", "3d"])
def test_positions_are_multiplied(lengths, factors, mode):
    """Catches exchanged axes, another place of outputs, and wrong gradients."""
    x = drawn((2, 3, *lengths))

    def upsampled(x):
        return upsample(x, factors, mode)

    y = upsampled(pt.constant(x))
    wanted = reference.upsample(x, factors, mode)
    assert y.type.shape == wanted.shape
    np.testing.assert_allclose(y.eval(mode=MODE), wanted, atol=1e-12)
    check_op(upsampled, [x])


def test_linear_interpolation_agrees_with_pytorch():
    """Catches another convention than the one that the documentation names."""
    torch = pytest.importorskip("torch")
    x = drawn((2, 3, 5, 7))
    wanted = torch.nn.functional.interpolate(
        torch.tensor(x), scale_factor=(3, 2), mode="bilinear", align_corners=False
    )
    got = upsample(x, (3, 2), "linear").eval(mode=MODE)
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_numbers_of_any_kind_keep_their_type():
    """Catches weights that turn integers into floating numbers."""
    x = np.arange(6, dtype="int32").reshape(1, 2, 3)
    for mode in ("repeat", "dilate"):
        value = upsample(x, 2, mode).eval(mode=MODE)
        assert value.dtype == "int32"
        np.testing.assert_array_equal(value, reference.upsample(x, (2,), mode))


def test_what_takes_no_part_does_not_count():
    """Catches zeros that come from a product with infinity."""
    x = np.array([[[np.inf, 1.0]]])
    value = upsample(x, 2, "dilate").eval(mode=MODE)
    np.testing.assert_array_equal(value, [[[np.inf, 0, 1, 0]]])


@pytest.mark.parametrize(("lengths", "factors"), CASES, ids=["1d", "2d", "3d"])
def test_channels_become_positions_and_come_back(lengths, factors):
    """Catches another order of channels, and an inverse that is none."""
    x = drawn((2, 3 * int(np.prod(factors)), *lengths))
    wanted = reference.pixel_shuffle(x, factors)
    y = pixel_shuffle(pt.constant(x), factors)
    assert y.type.shape == wanted.shape
    np.testing.assert_array_equal(y.eval(mode=MODE), wanted)
    back = pixel_unshuffle(y, factors)
    assert back.type.shape == x.shape
    np.testing.assert_array_equal(back.eval(mode=MODE), x)


def test_shuffles_agree_with_pytorch():
    """Catches the order of channels that TensorFlow has."""
    torch = pytest.importorskip("torch")
    x = drawn((2, 12, 3, 5))
    wanted = torch.nn.functional.pixel_shuffle(torch.tensor(x), 2)
    np.testing.assert_array_equal(pixel_shuffle(x, 2).eval(mode=MODE), wanted)


@pytest.mark.parametrize("backend", [name for name in MODES if name != "python"])
def test_backends_agree(backend):
    """Catches another sum, of outputs or of their gradients, also of no examples."""
    x = pt.tensor("x", shape=(None, 4, None, None), dtype="float32")
    factors = {"repeat": (1, 2), "dilate": (3, 1), "linear": (3, 2)}
    ways = [upsample(x, factors[mode], mode) for mode in WAYS]
    slopes = [pytensor.grad(None, x, known_grads={y: y}) for y in ways]
    outputs = [*ways, *slopes, pixel_unshuffle(pixel_shuffle(x, 2), (2, 1))]
    functions = [compile_on(MODES[each], [x], outputs) for each in ("python", backend)]
    for value in (drawn((3, 4, 5, 7), "float32"), np.ones((0, 4, 5, 7), "float32")):
        wanted, got = (function(value) for function in functions)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == "float32"
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


IMAGES = pt.tensor("x", shape=(None, 6, 5, 7))


@pytest.mark.parametrize(
    ("error", "message", "build"),
    [
        (ValueError, "factor must .* got 0", lambda: upsample(IMAGES, 0)),
        (TypeError, "factor must .* got 1.5", lambda: upsample(IMAGES, 1.5)),
        (ValueError, r"got \(1, 2, 3\)", lambda: upsample(IMAGES, (1, 2, 3))),
        (ValueError, "mode .* 'lin'. Did", lambda: upsample(IMAGES, 2, "lin")),
        (TypeError, "one to three more, got 2 axes", lambda: upsample(pt.matrix(), 2)),
        (
            TypeError,
            "must be float32 or float64 to be interpolated",
            lambda: upsample(pt.itensor3(), 2, "linear"),
        ),
        (
            ValueError,
            r"pixel_shuffle: .* multiple of 4, .* \(None, 6, 5, 7\)",
            lambda: pixel_shuffle(IMAGES, 2),
        ),
        (
            ValueError,
            r"pixel_unshuffle: .* multiples of the factors \(5, 2\), got",
            lambda: pixel_unshuffle(IMAGES, (5, 2)),
        ),
    ],
)
def test_impossible_sizes_are_refused(error, message, build):
    """Catches a misfit that shows only when a function runs."""
    with pytest.raises(error, match=message):
        build()
