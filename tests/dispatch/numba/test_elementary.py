"""The elementary functions for Numba: near the exact values everywhere."""

import math

import numba
import numpy as np
import pytest

from lasagne_next.dispatch.numba.elementary import elementary

NAMES = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "erfc")
DTYPES = ("float32", "float64")
LARGEST_ERROR = 4  # units in the last place, promised


def exact(name, x):
    """Compute in more digits than `x` has, or by the C library of 64 bits."""
    if name in ("erf", "erfc"):
        return np.array([getattr(math, name)(value) for value in x.tolist()])
    x = x.astype("float64" if x.dtype == "float32" else "longdouble")
    if name == "sigmoid":
        return np.where(x >= 0, 1, np.exp(-abs(x))) / (1 + np.exp(-abs(x)))
    if name == "softplus":
        return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
    return getattr(np, name)(x)


def loop_over(name, dtype):
    """Compile a loop with the flags that PyTensor's loops have."""
    function = getattr(elementary(dtype), name)

    @numba.njit(fastmath={"arcp", "contract", "afn", "reassoc", "nsz"})
    def loop(x):
        out = np.empty_like(x)
        for i in range(x.size):
            out[i] = function(x[i])
        return out

    return loop


def special_numbers(dtype):
    """Return zeros, limits, and what is next to them, of both signs."""
    limits = np.finfo(dtype)
    positive = [0, 1, limits.tiny, limits.smallest_subnormal, limits.max, np.inf]
    positive += [limits.tiny / 2, limits.eps, limits.eps / 4, 1 - limits.epsneg]
    return np.array([sign * x for x in positive for sign in (1, -1)] + [np.nan], dtype)


def arguments(dtype, count=20_000):
    """Draw from all bit patterns, and from where the functions bend and end."""
    rng = np.random.default_rng(11)
    words = "int32" if dtype == "float32" else "int64"
    limits = np.iinfo(words)
    patterns = rng.integers(limits.min, limits.max, count, dtype=words).view(dtype)
    ranges = [rng.uniform(-end, end, count) for end in (0.1, 1.2, 6, 28, 110, 750)]
    return np.concatenate([special_numbers(dtype), patterns, *ranges]).astype(dtype)


def units_of_error(got, wanted, dtype):
    """Return distances in units of the last place of the wanted values."""
    limits = np.finfo(dtype)
    exponent = np.maximum(np.frexp(wanted)[1] - 1, limits.minexp)
    unit = np.ldexp(np.ones_like(wanted), exponent - limits.nmant)
    distance = abs(got.astype(wanted.dtype) - wanted) / unit
    same = (got == wanted.astype(dtype)) | (np.isnan(got) & np.isnan(wanted))
    return np.where(same, 0, np.nan_to_num(distance, nan=np.inf))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_errors_are_below_the_promise_everywhere(name, dtype):
    """Catches wrong coefficients, lost tails, and limits that are cut off too early."""
    with np.errstate(all="ignore"):
        x = arguments(dtype)
        got = loop_over(name, dtype)(x)
        errors = units_of_error(got, exact(name, x), dtype)
    assert got.dtype == dtype
    # The C library errs by up to a unit itself.
    allowed = LARGEST_ERROR + (name in ("erf", "erfc") and dtype == "float64")
    worst = errors.argmax()
    assert errors[worst] <= allowed, f"{name}({x[worst]!r}) = {got[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_keep_their_sign(dtype):
    """Catches sums that turn a negative zero into a positive one."""
    zeros = np.array([0.0, -0.0], dtype)
    for name in ("expm1", "log1p", "tanh", "erf"):
        got = loop_over(name, dtype)(zeros)
        np.testing.assert_array_equal(np.signbit(got), [False, True], err_msg=name)
