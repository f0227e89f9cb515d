"""Losses and accuracies from their definitions: loops over numbers, double precision.

Classes are along the last axis; an array with another order is moved there and back by
the tests.
"""

import math

import numpy as np


def elementwise(loss):
    """Make a loss of numbers one of arrays of equal shape."""
    return np.vectorize(loss, otypes=[float])


def times_log(factor, value):
    """Compute factor * log(value), which is 0 for factor 0."""
    return 0.0 if factor == 0 else factor * math.log(value)


@elementwise
def binary_crossentropy(p, t):
    return -(times_log(t, p) + times_log(1 - t, 1 - p))


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def log_softmax(row):
    """Compute logarithms of probabilities that may be too small for a number."""
    log_sum = max(row) + math.log(sum(math.exp(value - max(row)) for value in row))
    return [value - log_sum for value in row]


def over_rows(loss, *arrays):
    """Apply a loss of rows to all rows, which are along the last axis of the first."""
    rank = arrays[0].ndim
    result = np.empty(arrays[0].shape[:-1])
    for index in np.ndindex(result.shape):
        rows = [a[index] if a.ndim >= rank - 1 else a for a in arrays]
        result[index] = loss(*rows)
    return result


def categorical_crossentropy(p, targets):
    def of_row(row, target):
        if np.ndim(target) == 0:
            return -math.log(row[target])
        return -sum(times_log(t, q) for q, t in zip(row, target, strict=True))

    return over_rows(of_row, p, targets)


def crossentropy_from_logits(
    logits, targets, class_weights=None, ignore_label=None, label_smoothing=0.0
):
    """Follow the docstring of categorical_crossentropy_from_logits, row by row."""
    num_classes = logits.shape[-1]
    weights = np.ones(num_classes) if class_weights is None else class_weights

    def of_row(row, target):
        if np.ndim(target) == 0:
            if ignore_label is not None and target == ignore_label:
                return 0.0
            target = [float(c == target) for c in range(num_classes)]
        loss = 0.0
        for log_p, t, w in zip(log_softmax(row), target, weights, strict=True):
            smooth = (1 - label_smoothing) * t + label_smoothing / num_classes
            loss -= w * smooth * log_p
        return loss

    return over_rows(of_row, logits, targets)


def binary_from_logits(
    logits, targets, weights=(1.0, 1.0), ignore_label=None, label_smoothing=0.0
):
    def of_number(x, t):
        if ignore_label is not None and t == ignore_label:
            return 0.0
        smooth = (1 - label_smoothing) * t + label_smoothing / 2
        log_not, log_yes = log_softmax([0.0, x])
        return -(weights[1] * smooth * log_yes + weights[0] * (1 - smooth) * log_not)

    return elementwise(of_number)(logits, targets)


def kullback_leibler(p, targets):
    def of_row(row, target):
        pairs = zip(row, target, strict=True)
        return sum(times_log(t, t) - times_log(t, q) for q, t in pairs)

    return over_rows(of_row, p, targets)


@elementwise
def huber(a, b):
    """Have a delta of 0.75."""
    d = abs(a - b)
    return 0.5 * d**2 if d <= 0.75 else 0.75 * (d - 0.375)


@elementwise
def log_cosh(a, b):
    return math.log(math.cosh(a - b))


@elementwise
def poisson(x, t):
    return math.exp(x) - t * x


@elementwise
def gaussian(m, t, v):
    density = math.exp(-((t - m) ** 2) / (2 * math.exp(v)))
    return -math.log(density / math.sqrt(2 * math.pi * math.exp(v)))


@elementwise
def gaussian_kl(m, v):
    """Integrate N(m, exp(v)) * log(N(m, exp(v)) / N(0, 1)) numerically."""
    std = math.exp(v / 2)
    z = np.arange(-1200, 1201) / 100
    log_ratio = -0.5 * z**2 - math.log(std) + 0.5 * (m + std * z) ** 2
    return math.fsum(np.exp(-0.5 * z**2) * log_ratio) / math.sqrt(2 * math.pi) / 100


def cosine(a, b):
    def of_row(u, v):
        norms = math.sqrt(sum(x * x for x in u)) * math.sqrt(sum(y * y for y in v))
        return sum(x * y for x, y in zip(u, v, strict=True)) / norms

    return over_rows(of_row, a, b)


@elementwise
def hinge(x, t):
    """Have a margin of 0.8 and targets of 0 and 1."""
    return max(0.0, 0.8 - x * (1 if t else -1))


@elementwise
def smooth_hinge(x, t):
    """Have a margin of 0.8 and targets of 0 and 1."""
    miss = max(0.0, 0.8 - x * (1 if t else -1))
    return 0.5 * miss**2 if miss < 0.8 else 0.8 * (miss - 0.4)


def multiclass_hinge(x, labels):
    """Have a margin of 0.8."""

    def of_row(row, label):
        wrong = max(value for c, value in enumerate(row) if c != label)
        return max(0.0, 0.8 + wrong - row[label])

    return over_rows(of_row, x, labels)


def top_k_accuracy(x, labels, top_k):
    def of_row(row, label):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c))
        return label in order[:top_k]

    return over_rows(of_row, x, labels).astype(bool)
