"""Elementary functions that LLVM can run on whole vectors.

In single and double precision. The functions of the C library, which Numba calls, work
on one number at a time. These are straight lines of arithmetic in which every decision
is a choice between two values, so that a loop over them is vectorised. They err by at
most 4 units in the last place, also where the result is denormal, and keep infinities,
undefined numbers and the sign of zero. The coefficients are of least largest relative
error, found by exchange of extrema in 60 digits.

.. code-block:: python

   tanh = elementary("float32").tanh   # for code that Numba compiles

They must not be compiled with flags that let a compiler reorder sums; those of the
caller do not matter.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
from llvmlite import ir
from numba import njit, typeof
from numba.extending import intrinsic
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import (
    numba_funcify_and_cache_key,
    register_funcify_and_cache_key,
)
from pytensor.scalar.basic import Composite

from lasagne_next.ops.elementary import Vectorisable

__all__ = ["CACHE_VERSION", "elementary", "numba_funcify_vectorisable"]

CACHE_VERSION = 1  # raise when anything below changes

# Products and sums may become one instruction; nothing else may change.
_OPTIONS = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

# What depends on the precision. Logarithms of 2 are split so that products of the high
# part with an exponent are exact.
_SINGLE = SimpleNamespace(
    dtype=np.float32,
    mantissa_bits=23,
    ln2_high=0.693115234375,
    ln2_low=3.194618329871446e-05,
    exp_range=(-104.0, 89.0),
    tanh_end=10.0,
    erf_end=4.0,
    erfc_end=10.2,
    upper_bits=12,
    # (expm1(r) - r) / r**2, |r| < 0.347
    expm1=(
        0.5,
        0.1666666716337204,
        0.04166635498404503,
        0.00833327230066061,
        0.001394106773659587,
        0.00019914349832106382,
    ),
    # (log((1 + s) / (1 - s)) / s - 2) / z, z = s**2 < 0.0295
    log=(
        0.6666666865348816,
        0.40000268816947937,
        0.28540924191474915,
        0.2352161705493927,
    ),
    # erf(x) / x in x**2 < 1
    erf=(
        1.128379225730896,
        -0.37612637877464294,
        0.11283782869577408,
        -0.02686544507741928,
        0.005221074912697077,
        -0.0008484712452627718,
        0.00011270548566244543,
        -9.680136827228125e-06,
    ),
    # (1 + 2 x) exp(x**2) erfc(x) in (x - pole) / (x + pole), 0.49 < x
    erfc_pole=3.0,
    erfc=(
        1.2530080080032349,
        -0.13562104105949402,
        -0.04756232351064682,
        0.12964250147342682,
        -0.11927352100610733,
        0.06833908706903458,
        -0.02376442588865757,
        0.0023871087469160557,
        0.0018371337791904807,
        -0.0005238410667516291,
    ),
)
_DOUBLE = SimpleNamespace(
    dtype=np.float64,
    mantissa_bits=52,
    ln2_high=0.693147180559663,
    ln2_low=2.8235290563031577e-13,
    exp_range=(-746.0, 710.0),
    tanh_end=20.0,
    erf_end=6.0,
    erfc_end=27.3,
    upper_bits=27,
    expm1=(
        0.5,
        0.16666666666666677,
        0.0416666666666667,
        0.008333333333321863,
        0.0013888888888866572,
        0.00019841269885642282,
        2.4801587361365842e-05,
        2.755724461134069e-06,
        2.755724194199731e-07,
        2.5108921564999343e-08,
        2.092471598422207e-09,
    ),
    log=(
        0.6666666666666685,
        0.39999999999701646,
        0.285714286842701,
        0.22222204096289355,
        0.1818329537146483,
        0.15320553885658242,
        0.14734042963290667,
    ),
    erf=(
        1.1283791670955126,
        -0.3761263890318375,
        0.11283791670954885,
        -0.026866170645077875,
        0.005223977624828431,
        -0.0008548326981425542,
        0.0001205533113295582,
        -1.4925595772180906e-05,
        1.64610084778027e-06,
        -1.6350396222864617e-07,
        1.466032872274226e-08,
        -1.137495573607015e-09,
        5.960685338520971e-11,
    ),
    erfc_pole=3.75,
    erfc=(
        1.2375126308378275,
        -0.1402405985855468,
        0.0035854154854666354,
        0.0822767384901238,
        -0.10880393014189944,
        0.09230432116124793,
        -0.058693398585633216,
        0.0283622774030231,
        -0.009746579612585146,
        0.0017556260111990817,
        0.00029371409953907104,
        -0.00029015501820287286,
        5.1646942664536734e-05,
        2.2387704979131388e-05,
        -1.143723810585353e-05,
        -9.816484907620162e-07,
        1.7373183583831905e-06,
        -4.55638825718085e-08,
        -2.3998794767447046e-07,
        1.3638863861582156e-08,
        2.4475483554857334e-08,
    ),
)
_PRECISIONS = {"float32": _SINGLE, "float64": _DOUBLE}


@cache
def elementary(dtype):
    """Return the functions of one type.

    Parameters
    ----------
    dtype : {'float32', 'float64'}
        Of the one argument and of the result.

    Returns
    -------
    types.SimpleNamespace
        With `exp`, `expm1`, `log`, `log1p`, `tanh`, `sigmoid`, `softplus`, `erf` and
        `erfc`: functions of one number, to be called from compiled code.
    """
    precision = _PRECISIONS[dtype]
    functions = _exponentials(precision)
    functions |= _logarithms(precision, functions["exp"])
    functions |= _error_functions(precision, functions.pop("exp_of_sum"))
    return SimpleNamespace(**functions)


def _polynomial(coefficients):
    """Make a function that evaluates a polynomial, lowest power first."""

    @intrinsic
    def polynomial(typing_context, x):
        def code(context, builder, signature, arguments):
            (value,) = arguments
            total = ir.Constant(value.type, coefficients[-1])
            for coefficient in reversed(coefficients[:-1]):
                product = builder.fmul(total, value, flags=("contract",))
                constant = ir.Constant(value.type, coefficient)
                total = builder.fadd(product, constant, flags=("contract",))
            return total

        return x(x), code

    return polynomial


def _bit_operations(precision):
    """Make `power_of_two`, `exponent`, `mantissa` and `upper_half`."""
    bits = precision.mantissa_bits
    word = ir.IntType(32 if bits == 23 else 64)
    bias = (1 << (word.width - bits - 2)) - 1
    # Whole numbers added to it appear in the lowest bits of its pattern.
    magic = 1.5 * 2.0**bits
    magic_pattern = int(precision.dtype(magic).view(f"int{word.width}"))
    half_pattern = int(precision.dtype(np.sqrt(0.5)).view(f"int{word.width}"))

    def of_bits(make):
        @intrinsic
        def operation(typing_context, x):
            def code(context, builder, signature, arguments):
                (value,) = arguments
                pattern = make(builder, value)
                return builder.bitcast(pattern, value.type)

            return x(x), code

        return operation

    def constant(value):
        return ir.Constant(word, value)

    def power_of_two(builder, exponent):
        shifted = builder.fadd(exponent, ir.Constant(exponent.type, magic + bias))
        return builder.shl(builder.bitcast(shifted, word), constant(bits))

    def magic_exponent(builder, value):
        pattern = builder.sub(builder.bitcast(value, word), constant(half_pattern))
        exponent = builder.ashr(pattern, constant(bits))
        return builder.add(exponent, constant(magic_pattern))

    def mantissa(builder, value):
        pattern = builder.sub(builder.bitcast(value, word), constant(half_pattern))
        pattern = builder.and_(pattern, constant((1 << bits) - 1))
        return builder.add(pattern, constant(half_pattern))

    def upper_half(builder, value):
        mask = -1 << precision.upper_bits
        return builder.and_(builder.bitcast(value, word), constant(mask))

    return SimpleNamespace(
        magic=magic,
        power_of_two=of_bits(power_of_two),
        magic_exponent=of_bits(magic_exponent),
        mantissa=of_bits(mantissa),
        upper_half=of_bits(upper_half),
    )


def _exponentials(precision):
    real = precision.dtype
    operations = _bit_operations(precision)
    power_of_two = operations.power_of_two
    polynomial = _polynomial(precision.expm1)
    magic = real(operations.magic)
    lowest, highest = map(real, precision.exp_range)
    end, tiny = (
        real(precision.tanh_end),
        real(2.0 ** -(precision.mantissa_bits // 2 + 1)),
    )
    ln2_high, ln2_low = real(precision.ln2_high), real(precision.ln2_low)
    per_ln2 = real(1 / np.log(2))
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    expm1_lowest, large_exponent = real(-50), real(60)

    @njit(**_OPTIONS)
    def split(x):
        """Return k and r with x = k log(2) + r, k whole and |r| < 0.35."""
        k = (x * per_ln2 + magic) - magic
        return k, (x - k * ln2_high) - k * ln2_low

    @njit(**_OPTIONS)
    def scale(x, k):
        """Return x 2**k, where 2**k alone may be too large or too small."""
        first = (k * half + magic) - magic
        return (x * power_of_two(first)) * power_of_two(k - first)

    @njit(**_OPTIONS)
    def exp_of_sum(x, small, factor):
        """Return factor * exp(x + small)."""
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        k, r = split(x)
        r = r + small
        return scale(factor * (one + (r + r * r * polynomial(r))), k)

    @njit(**_OPTIONS)
    def exp(x):
        return exp_of_sum(x, zero, one)

    @njit(**_OPTIONS)
    def unscaled_expm1(x):
        """Return y and k with expm1(x) = y 2**k."""
        k, r = split(x)
        # Below, 1 - 2**-k is 1 for all that are larger.
        small = large_exponent if k > large_exponent else k
        return (r + r * r * polynomial(r)) + (one - power_of_two(-small)), k

    @njit(**_OPTIONS)
    def expm1(x):
        y = expm1_lowest if x < expm1_lowest else x
        y = highest if y > highest else y
        y, k = unscaled_expm1(y)
        return scale(y, k) if abs(x) > tiny * tiny else x

    @njit(**_OPTIONS)
    def tanh(x):
        size = abs(x)
        y = end if size > end else size
        y, k = unscaled_expm1(two * y)
        y = y * power_of_two(k)
        y = y / (y + two)
        y = -y if x < zero else y
        return x if size < tiny else y

    @njit(**_OPTIONS)
    def sigmoid(x):
        e = exp(-abs(x))
        return (one if x >= zero else e) / (one + e)

    return {
        "exp": exp,
        "expm1": expm1,
        "tanh": tanh,
        "sigmoid": sigmoid,
        "exp_of_sum": exp_of_sum,
    }


def _logarithms(precision, exp):
    real = precision.dtype
    operations = _bit_operations(precision)
    magic_exponent, mantissa = operations.magic_exponent, operations.mantissa
    polynomial = _polynomial(precision.log)
    magic = real(operations.magic)
    ln2_high, ln2_low = real(precision.ln2_high), real(precision.ln2_low)
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    normal, infinity, undefined = np.finfo(real).tiny, real(np.inf), real(np.nan)
    shift = real(precision.mantissa_bits + 1)
    factor, tiny = real(2.0**shift), real(2.0**-shift)

    @njit(**_OPTIONS)
    def log_of_sum(x, k, small):
        """Return log(x) + k log(2) + small for normal numbers x."""
        k = k + (magic_exponent(x) - magic)
        f = mantissa(x) - one
        s = f / (two + f)
        z = s * s
        square = half * f * f
        # log(1 + f) = 2 s + s R(z), written with 2 s = f - s f.
        rest = square - s * (square + z * polynomial(z))
        return k * ln2_high + (f - (rest - (k * ln2_low + small)))

    @njit(**_OPTIONS)
    def with_limits(result, x, distance):
        """Put in the limits, given the distance of the argument from the pole."""
        limit = -infinity if distance == zero else undefined
        result = result if distance > zero else limit
        return result if x < infinity else x

    @njit(**_OPTIONS)
    def log(x):
        denormal = x < normal
        y = x * factor if denormal else x
        k = -shift if denormal else zero
        return with_limits(log_of_sum(y, k, zero), x, x)

    @njit(**_OPTIONS)
    def log1p(x):
        y = one + x
        lost = (x - (y - one)) / y
        result = with_limits(log_of_sum(y, zero, lost), x, y)
        return result if abs(x) > tiny else x

    @njit(**_OPTIONS)
    def softplus(x):
        return (x if x > zero else zero) + log1p(exp(-abs(x)))

    return {"log": log, "log1p": log1p, "softplus": softplus}


def _error_functions(precision, exp_of_sum):
    real = precision.dtype
    upper_half = _bit_operations(precision).upper_half
    near_zero, far = _polynomial(precision.erf), _polynomial(precision.erfc)
    pole, zero, half, one, two = map(real, (precision.erfc_pole, 0, 0.5, 1, 2))
    erf_end, erfc_end = real(precision.erf_end), real(precision.erfc_end)

    @njit(**_OPTIONS)
    def tail(x):
        """Return the factor of exp(-x**2) in erfc(x)."""
        return far((x - pole) / (x + pole)) / (one + two * x)

    @njit(**_OPTIONS)
    def erf(x):
        size = abs(x)
        y = erf_end if size > erf_end else size
        outer = one - exp_of_sum(-(y * y), zero, tail(y))
        outer = -outer if x < zero else outer
        return outer if size > one else x * near_zero(x * x)

    @njit(**_OPTIONS)
    def erfc(x):
        size = abs(x)
        y = erfc_end if size > erfc_end else size
        # The square needs more digits than one number has.
        high = upper_half(y)
        outer = exp_of_sum(-(high * high), -((y - high) * (y + high)), tail(y))
        outer = two - outer if x < zero else outer
        return outer if size > half else one - x * near_zero(x * x)

    return {"erf": erf, "erfc": erfc}


# PyTensor's own wrappers around the body of a loop.
_WRAPPERS = ("vectorisable", "store_core_outputs", "scalar_core")


def _inlined(function, arity, name="vectorisable"):
    """Make `function` part of the loop that calls it, through PyTensor's wrappers.

    A loop is vectorised only if nothing is called in it. LLVM inlines what is small;
    the wrappers count as large with our functions inside.
    """

    def build(typing_context, kinds):
        callee = typeof(function)
        signature = typing_context.resolve_function_type(callee, kinds, {})

        def code(context, builder, _, arguments):
            if any(wrapper in builder.function.name for wrapper in _WRAPPERS):
                builder.function.attributes.add("alwaysinline")
            call = context.get_function(callee, signature)
            context.add_linking_libs(getattr(call, "libs", ()))
            return call(builder, arguments)

        return signature, code

    names = "".join(f"x{i}, " for i in range(arity))
    source = f"def {name}(context, {names}):\n    return build(context, ({names}))"
    return intrinsic(compile_numba_function_src(source, name, {"build": build}))


@register_funcify_and_cache_key(Vectorisable)
def numba_funcify_vectorisable(op, node, **kwargs):
    """Return our function for the type of the argument."""
    name, dtype = type(op.function).__name__.lower(), node.inputs[0].type.dtype
    key = f"lasagne_next elementary {CACHE_VERSION} {name} {dtype}"
    function = getattr(elementary(dtype), name)
    return _inlined(function, 1), sha256(key.encode()).hexdigest()


_pytensor_funcify_composite = numba_funcify_and_cache_key.dispatch(Composite)


@register_funcify_and_cache_key(Composite)
def numba_funcify_composite(op, node, **kwargs):
    """Compile fused operations like PyTensor, but inline those with our functions."""
    if not any(isinstance(each.op, Vectorisable) for each in op.fgraph.apply_nodes):
        return _pytensor_funcify_composite(op, node=node, **kwargs)
    kwargs.pop("storage_map", None)
    function, key = numba_funcify_and_cache_key(
        op.fgraph, squeeze_output=True, fgraph_name="vectorisable_composite", **kwargs
    )
    function.targetoptions["forceinline"] = True
    if key is not None:
        key = sha256(
            f"lasagne_next composite {CACHE_VERSION} {key}".encode()
        ).hexdigest()
    return _inlined(function, len(node.inputs)), key
