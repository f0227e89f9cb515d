"""Nonlinearities from their definitions, in numpy, in double precision."""

import numpy as np
from scipy import stats


def sigmoid(x):
    return np.where(
        x >= 0, 1 / (1 + np.exp(-abs(x))), np.exp(-abs(x)) / (1 + np.exp(-abs(x)))
    )


def softplus(x):
    return np.logaddexp(0, x)


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def celu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def gelu(x):
    return x * stats.norm.cdf(x)


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x, axis):
    """Loop over the vectors along `axis`."""
    result = np.empty(x.shape)
    rows, into = np.moveaxis(x, axis, -1), np.moveaxis(result, axis, -1)
    for index in np.ndindex(rows.shape[:-1]):
        powers = [np.exp(each - max(rows[index])) for each in rows[index]]
        into[index] = [power / sum(powers) for power in powers]
    return result


def glu(x, axis):
    values, gates = np.split(x, 2, axis=axis)
    return values * sigmoid(gates)


def maxout(x, pool_size, axis):
    """Loop over the groups along `axis`."""
    rows = np.moveaxis(x, axis, -1)
    groups = range(0, rows.shape[-1], pool_size)
    pooled = [rows[..., i : i + pool_size].max(axis=-1) for i in groups]
    return np.moveaxis(np.stack(pooled, axis=-1), -1, axis)
