"""Normalisation by its definitions, one number at a time."""

import itertools

import numpy as np


def local_response(x, alpha, k, beta, n):
    """Divide each number by a power of the squares of its channel's neighbours."""
    output = np.zeros_like(x)
    for b, c, h, w in np.ndindex(*x.shape):
        total = 0.0
        for j in range(c - n // 2, c + n // 2 + 1):
            if 0 <= j < x.shape[1]:
                total += x[b, j, h, w] ** 2
        output[b, c, h, w] = x[b, c, h, w] / (k + alpha * total) ** beta
    return output


def moments(x, axes):
    """Return mean and variance along axes, one at each position of the others."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    mean = np.zeros([x.shape[axis] for axis in kept])
    variance = np.zeros_like(mean)
    for position in np.ndindex(*mean.shape):
        numbers = [x[each] for each in _along(x.shape, axes, kept, position)]
        mean[position] = sum(numbers) / len(numbers)
        squares = [(number - mean[position]) ** 2 for number in numbers]
        variance[position] = sum(squares) / len(numbers)
    return mean, variance


def _along(shape, axes, kept, position):
    for running in itertools.product(*(range(shape[axis]) for axis in axes)):
        index = [0] * len(shape)
        for axis, value in zip((*axes, *kept), (*running, *position), strict=True):
            index[axis] = value
        yield tuple(index)


def standardise(x, axes, epsilon):
    """Shift and scale by mean and variance along axes."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    mean, variance = moments(x, axes)
    output = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        position = tuple(index[axis] for axis in kept)
        deviation = (variance[position] + epsilon) ** 0.5
        output[index] = (x[index] - mean[position]) / deviation
    return output


def group_standardise(x, num_groups, epsilon):
    """Standardise each group of channels of each example."""
    size = x.shape[1] // num_groups
    output = np.zeros_like(x)
    for b, group in np.ndindex(x.shape[0], num_groups):
        channels = slice(group * size, (group + 1) * size)
        numbers = x[b, channels]
        mean, variance = moments(numbers, tuple(range(numbers.ndim)))
        output[b, channels] = (numbers - mean) / np.sqrt(variance + epsilon)
    return output


def rms_normalise(x, epsilon):
    """Scale the last axis by its root mean square."""
    output = np.zeros_like(x)
    for index in np.ndindex(*x.shape[:-1]):
        total = sum(number**2 for number in x[index]) / x.shape[-1]
        output[index] = x[index] / (total + epsilon) ** 0.5
    return output
