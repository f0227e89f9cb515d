"""Lambert's W function: the inverse of w exp(w)."""

from __future__ import annotations

import math

import pytensor.tensor as pt
from pytensor.scalar.basic import UnaryScalarOp, exp, float_types, upgrade_to_float
from pytensor.tensor.elemwise import Elemwise

__all__ = ["LambertW", "lambert_w"]

BRANCH_POINT = -math.exp(-1)


def solve(number):
    """Solve for w by Halley's method, until nothing changes; Numba compiles this."""
    x = float(number)
    if x < BRANCH_POINT or math.isnan(x):
        return math.nan
    if x == 0 or x == math.inf:
        return x
    if x < -0.25:  # a series around -1/e
        p = math.sqrt(max(2 * (math.e * x + 1), 0.0))
        if p < 1e-4:
            return -1 + p - p * p / 3
        w = -1 + p - p * p / 3 + 11 * p**3 / 72
    elif x < 3:
        w = x / (1 + x) if x < 1 else 0.6 * math.log1p(x)
    else:
        log = math.log(x)
        w = log - math.log(log)
    for _ in range(20):
        if x < 3:
            e = math.exp(w)
            error = w * e - x
            change = error / (e * (w + 1) - (w + 2) * error / (2 * w + 2))
        else:  # w + log w = log x neither overflows nor loses digits
            error = w + math.log(w) - log
            change = error * w / (1 + w)
        w -= change
        if abs(change) <= 1e-16 * abs(w):
            break
    return w


class LambertW(UnaryScalarOp):
    """Lambert's W function of one number, on the principal branch.

    :func:`lambert_w` applies it to tensors.

    Parameters
    ----------
    output_types_preference : callable, default upgrade_to_float
        From the type of the input to that of the output, as for any scalar operation.
    name : str, default "lambert_w"
        Shown when a graph is printed.

    Examples
    --------
    >>> import pytensor.scalar as ps
    >>> from lasagne_next.ops import LambertW
    >>> LambertW()(ps.float32("x")).dtype
    'float32'
    """

    monotonic_increasing = True

    def __init__(self, output_types_preference=upgrade_to_float, name="lambert_w"):
        super().__init__(output_types_preference, name)

    def impl(self, x):
        """Compute in double precision."""
        return solve(x)

    def pullback(self, inputs, outputs, cotangents):
        """Return exp(-w) / (1 + w), which is 1 at zero, times the cotangent."""
        if inputs[0].type not in float_types:
            return [inputs[0].zeros_like(dtype="float64")]
        (w,) = outputs
        return [cotangents[0] * exp(-w) / (1 + w)]


_elementwise = Elemwise(LambertW())


def lambert_w(x):
    r"""Solve :math:`w e^w = x` for w, element by element.

    Parameters
    ----------
    x : tensor_like
        At least -1/e, which is about -0.3679; below, there is no real solution.

    Returns
    -------
    TensorVariable
        The solution that is at least -1, the principal branch; not a number where there
        is none. Integers give float64.

    Notes
    -----
    The gradient, :math:`e^{-w} / (1 + w)`, grows without bound towards -1/e. w is
    computed in double precision, but on JAX, by Halley's method.

    References
    ----------
    .. [1] Robert Corless, Gaston Gonnet, D. E. G. Hare, David Jeffrey and Donald Knuth
       (1996): On the Lambert W function. Advances in Computational Mathematics 5,
       equations 3.2 (slope), 4.22 (around -1/e) and 5.9 (iteration).
       https://doi.org/10.1007/BF02124750

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import lambert_w
    >>> lambert_w(np.array([0, np.e, 2 * np.e**2])).eval().round(6)
    array([0., 1., 2.])
    """
    return _elementwise(pt.as_tensor_variable(x))
