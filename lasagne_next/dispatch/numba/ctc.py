"""The probability of labels without known places on Numba: plain loops, row by row."""

from __future__ import annotations

import numpy as np
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from lasagne_next.dispatch.numba import elementary
from lasagne_next.ops.ctc import CTC

__all__ = ["numba_funcify_ctc"]

CACHE_VERSION = 2  # raise when anything below changes


@register_funcify_default_op_cache_key(CTC)
def numba_funcify_ctc(op, node, **kwargs):
    """Return a function of logarithms, labels, and how many there are."""
    dtype = node.outputs[0].type.numpy_dtype.type
    functions = elementary.elementary(np.dtype(dtype).name)
    exp, log = functions.exp, functions.log
    blank_class, nothing, zero = op.blank, dtype(-np.inf), dtype(0)

    @numba_njit
    def sum_of_logs(x, y, z):
        largest = x if x > y else y
        largest = largest if largest > z else z
        if largest == nothing:
            return x + y + z  # nothing, or no number
        total = exp(x - largest) + exp(y - largest) + exp(z - largest)
        return largest + log(total)

    @numba_njit
    def take_largest(x):
        """Subtract the largest entry, unless it is nothing, and return it."""
        largest = nothing
        for s in range(x.size):
            largest = x[s] if x[s] > largest else largest
        if largest == nothing:
            return zero
        for s in range(x.size):
            x[s] -= largest
        return largest

    @numba_njit
    def one_row(logs, labels, steps, blank, number, ahead, now, new, given):
        """Return the logarithm of the sum over all paths; write the derivative."""
        num_classes = logs.shape[1]
        now[:] = nothing
        now[0] = zero
        scale = zero
        for t in range(steps):
            for s in range(number):
                index = labels[s // 2] if s % 2 else blank
                if index < 0 or index >= num_classes or (s % 2 and index == blank):
                    new[s] = nothing
                    continue
                one = now[s - 1] if s > 0 else nothing
                skips = s % 2 and s > 1 and index != labels[s // 2 - 1]
                two = now[s - 2] if skips else nothing
                new[s] = sum_of_logs(now[s], one, two) + logs[t, index]
            scale += take_largest(new)
            now[:] = new
            ahead[t] = new
        before = now[number - 2] if number > 1 else nothing
        total = scale + sum_of_logs(now[number - 1], before, nothing)
        if total == nothing:
            return total
        if total != total:
            given[: max(steps, 0)] = total
            return total
        now[:] = nothing
        now[max(number - 2, 0) :] = zero
        for t in range(steps - 1, -1, -1):
            weight, largest = zero, nothing
            for s in range(number):
                new[s] = ahead[t, s] + now[s]
                largest = new[s] if new[s] > largest else largest
            for s in range(number):
                new[s] = exp(new[s] - largest)
                weight += new[s]
            for s in range(number):
                index = labels[s // 2] if s % 2 else blank
                given[t, index] += new[s] / weight
                now[s] += logs[t, index]
            for s in range(number):  # only what comes later is read, and not yet new
                one = now[s + 1] if s + 1 < number else nothing
                skips = s % 2 and s + 2 < number
                skips = skips and labels[s // 2] != labels[s // 2 + 1]
                now[s] = sum_of_logs(now[s], one, now[s + 2] if skips else nothing)
            take_largest(now)
        return total

    @numba_njit
    def ctc(logs, labels, steps, counts):
        time, rows, num_classes = logs.shape
        if not (labels.shape[0] == steps.size == counts.size == rows):
            raise ValueError("CTC: the sizes of the operands do not fit.")
        total, given = np.empty(rows, dtype), np.zeros(logs.shape, dtype)
        most = 2 * labels.shape[1] + 1
        ahead = np.empty((time, most), dtype)
        now, new = np.empty(most, dtype), np.empty(most, dtype)
        for b in range(rows):
            if counts[b] < 0 or counts[b] > labels.shape[1]:
                total[b] = nothing
                continue
            number = 2 * counts[b] + 1
            total[b] = one_row(
                logs[:, b],
                labels[b],
                min(steps[b], time),
                blank_class % num_classes,
                number,
                ahead[:, :number],
                now[:number],
                new[:number],
                given[:, b],
            )
        return total, given

    return ctc, 1000 * CACHE_VERSION + elementary.CACHE_VERSION
