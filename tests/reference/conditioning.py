"""Conditioning layers from their definitions, in loops over numbers."""

import numpy as np


def film(x, conditioning, W_scale, b_scale, W_shift, b_shift):
    """Scale and shift each channel of each example, (batch, channels, positions)."""
    y = np.empty_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            gamma, beta = b_scale[c], b_shift[c]
            for k in range(conditioning.shape[1]):
                gamma += conditioning[n, k] * W_scale[k, c]
                beta += conditioning[n, k] * W_shift[k, c]
            for position in range(x.shape[2]):
                y[n, c, position] = x[n, c, position] * (1 + gamma) + beta
    return y


def gate(x):
    """Multiply the first half of axis 1 by a sigmoid of the second, after tanh."""
    half = x.shape[1] // 2
    y = np.empty((x.shape[0], half, x.shape[2]))
    for n, c, p in np.ndindex(y.shape):
        y[n, c, p] = np.tanh(x[n, c, p]) / (1 + np.exp(-x[n, half + c, p]))
    return y


def quantise(vectors, codebook):
    """Return the nearest code of each row, its number, and the squared distance."""
    codes, numbers, distances = np.empty_like(vectors), [], []
    for n, vector in enumerate(vectors):
        best, least = None, np.inf
        for k, code in enumerate(codebook):
            distance = sum((a - b) ** 2 for a, b in zip(vector, code, strict=True))
            if distance < least:
                best, least = k, distance
        codes[n] = codebook[best]
        numbers.append(best)
        distances.append(least)
    return codes, np.array(numbers), np.array(distances)


def average_codes(vectors, numbers, counts, sums, decay):
    """Take one step of the exponential averages; return counts, sums and codes.

    Counts and sums are averaged on their own, and the codes are their ratio.
    """
    counts, sums = decay * counts, decay * sums
    for vector, k in zip(vectors, numbers, strict=True):
        counts[k] += (1 - decay) * 1
        sums[k] += (1 - decay) * vector
    return counts, sums, sums / counts[:, None]


def perplexity(numbers):
    """Return the exponential of the entropy of a list of numbers."""
    entropy = 0.0
    for k in set(numbers):
        share = sum(each == k for each in numbers) / len(numbers)
        entropy -= share * np.log(share)
    return np.exp(entropy)
