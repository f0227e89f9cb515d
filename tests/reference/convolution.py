"""Convolutions by their definition, one number at a time."""

import itertools

import numpy as np


def indices(*shape):
    return itertools.product(*map(range, shape))


def terms(x_shape, W_shape, y_shape, stride, pad, dilation, num_groups, flip_filters):
    """Give every product: an index of the input, of the filters and of the output.

    `pad` is the number of zeros before the input, for each axis.
    """
    num_filters, channels_of_group, *filter_sizes = W_shape
    for b, f in indices(x_shape[0], num_filters):
        group = f // (num_filters // num_groups)
        for c, o, u in itertools.product(
            range(channels_of_group), indices(*y_shape[2:]), indices(*filter_sizes)
        ):
            i = [
                stride[axis] * o[axis] + dilation[axis] * u[axis] - pad[axis]
                for axis in range(len(o))
            ]
            inside = all(0 <= k < size for k, size in zip(i, x_shape[2:], strict=True))
            if inside:
                v = [k - 1 - each for k, each in zip(filter_sizes, u, strict=True)]
                v = v if flip_filters else u
                yield (b, group * channels_of_group + c, *i), (f, c, *v), (b, f, *o)


def convolution(x, W, y_shape, *geometry):
    y = np.zeros(y_shape)
    for at_x, at_W, at_y in terms(x.shape, W.shape, y_shape, *geometry):
        y[at_y] += x[at_x] * W[at_W]
    return y


def transposed_convolution(y, W, x_shape, *geometry):
    x = np.zeros(x_shape)
    for at_x, at_W, at_y in terms(x_shape, W.shape, y.shape, *geometry):
        x[at_x] += y[at_y] * W[at_W]
    return x


def filter_gradient(x, y, W_shape, *geometry):
    W = np.zeros(W_shape)
    for at_x, at_W, at_y in terms(x.shape, W_shape, y.shape, *geometry):
        W[at_W] += x[at_x] * y[at_y]
    return W
