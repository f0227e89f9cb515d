"""What the networks are made of, once in PyTorch and once in JAX."""

from __future__ import annotations

import math

EPSILON = {"batch": 1e-4, "layer": 1e-5}


class PyTorch:
    """Functions of tensors."""

    def __init__(self):
        import torch

        self.torch, self.functional = torch, torch.nn.functional

    def relu(self, x):
        """Return the positive part."""
        return self.functional.relu(x)

    def gelu(self, x):
        """Return x times the normal distribution function."""
        return self.functional.gelu(x)

    def convolve(self, x, W, stride):
        """Correlate with padding of half the filter."""
        pad = W.shape[-1] // 2
        return self.functional.conv2d(x, W, stride=stride, padding=pad)

    def batch_norm(self, x, scale, shift):
        """Normalise each channel over the batch."""
        return self.functional.batch_norm(
            x, None, None, scale, shift, training=True, eps=EPSILON["batch"]
        )

    def layer_norm(self, x, scale, shift):
        """Normalise the last axis."""
        return self.functional.layer_norm(
            x, x.shape[-1:], scale, shift, eps=EPSILON["layer"]
        )

    def heads(self, x, count):
        """Cut features into heads: (batch, heads, time, features)."""
        return x.unflatten(-1, (count, -1)).transpose(1, 2)

    def attention(self, query, key, value):
        """Attend and join the heads."""
        found = self.functional.scaled_dot_product_attention(query, key, value)
        return found.transpose(1, 2).flatten(2)

    def crossentropy(self, logits, labels):
        """Return the mean over the batch."""
        return self.functional.cross_entropy(logits, labels)


class JAX:
    """Functions of arrays."""

    def __init__(self):
        import jax

        self.jax, self.numpy = jax, jax.numpy

    def relu(self, x):
        """Return the positive part."""
        return self.jax.nn.relu(x)

    def gelu(self, x):
        """Return x times the normal distribution function."""
        return self.jax.nn.gelu(x, approximate=False)

    def convolve(self, x, W, stride):
        """Correlate with padding of half the filter."""
        pad = (W.shape[-1] // 2,) * 2
        return self.jax.lax.conv_general_dilated(x, W, (stride,) * 2, (pad, pad))

    def batch_norm(self, x, scale, shift):
        """Normalise each channel over the batch."""
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
        factor = scale / self.numpy.sqrt(variance + EPSILON["batch"])
        offset = shift - mean * factor
        return x * factor[:, None, None] + offset[:, None, None]

    def layer_norm(self, x, scale, shift):
        """Normalise the last axis."""
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        root = self.numpy.sqrt(variance + EPSILON["layer"])
        return (x - mean) / root * scale + shift

    def heads(self, x, count):
        """Cut features into heads: (batch, heads, time, features)."""
        batch, time, _ = x.shape
        return self.numpy.swapaxes(x.reshape(batch, time, count, -1), 1, 2)

    def attention(self, query, key, value):
        """Attend and join the heads."""
        scores = query @ self.numpy.swapaxes(key, 2, 3)
        scores = scores / math.sqrt(query.shape[-1])
        found = self.jax.nn.softmax(scores) @ value
        batch, _, time, _ = found.shape
        return self.numpy.swapaxes(found, 1, 2).reshape(batch, time, -1)

    def crossentropy(self, logits, labels):
        """Return the mean over the batch."""
        log_p = self.jax.nn.log_softmax(logits)
        return -self.numpy.take_along_axis(log_p, labels[:, None], axis=1).mean()

    def lstm(self, x, W_in, W_hid, b):
        """Return the hidden states of (batch, time, features), time first."""
        z = self.numpy.swapaxes(x, 0, 1) @ W_in + b
        zeros = self.numpy.zeros((x.shape[0], len(W_hid)), x.dtype)
        sigmoid, tanh = self.jax.nn.sigmoid, self.numpy.tanh

        def step(state, z):
            hid, cell = state
            i, f, g, o = self.numpy.split(z + hid @ W_hid, 4, axis=1)
            cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
            hid = sigmoid(o) * tanh(cell)
            return (hid, cell), hid

        return self.jax.lax.scan(step, (zeros, zeros), z)[1]
