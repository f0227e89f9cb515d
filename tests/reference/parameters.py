"""Parameter expressions, written as loops from their definitions."""

import math

import numpy as np


def standardise(v, gain, epsilon):
    """Brock, De and Smith (2021), equation 4, one column at a time."""
    n, m = v.shape
    out = np.zeros_like(v)
    for j in range(m):
        mean = sum(v[i, j] for i in range(n)) / n
        variance = sum((v[i, j] - mean) ** 2 for i in range(n)) / n
        for i in range(n):
            scale = math.sqrt(n * max(variance, epsilon))
            out[i, j] = gain[j] * (v[i, j] - mean) / scale
    return out


def reflect(vectors, base):
    """Multiply a base by reflections from the left, the last one first."""
    n = vectors.shape[1]
    product = np.eye(n)
    for v in vectors:
        if v.any():
            product = product @ (np.eye(n) - 2 * np.outer(v, v) / (v @ v))
    return product @ base


def cayley(s):
    """Return (I - S/2)^-1 (I + S/2) for the skew matrix of a lower triangle."""
    lower = np.tril(s, -1)
    skew, eye = lower - lower.T, np.eye(len(s))
    return np.linalg.inv(eye - skew / 2) @ (eye + skew / 2)


def spectral_step(v, left):
    """Miyato et al. (2018), algorithm 1: new vectors and the singular value."""
    right = v.T @ left
    right = right / np.sqrt((right**2).sum())
    left = v @ right
    left = left / np.sqrt((left**2).sum())
    return left, right, left @ v @ right


def quantise(v, scale, bits):
    """Round to the nearest multiple of scale / k within the range."""
    k = 2 ** (bits - 1) - 1
    out = np.zeros_like(v)
    for index, value in np.ndenumerate(v):
        levels = [j * scale / k for j in range(-k, k + 1)]
        out[index] = min(levels, key=lambda level: abs(level - value))
    return out


def normal_divergence(mean, std, prior_std):
    """Sum log densities of q over p, in closed form, entry by entry."""
    total = 0.0
    for m, s in zip(np.ravel(mean), np.ravel(std), strict=True):
        total += math.log(prior_std / s) + (s**2 + m**2) / (2 * prior_std**2) - 0.5
    return total
