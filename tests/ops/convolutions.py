"""Convolutions of all geometries, with sizes that are all different."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt

from lasagne_next.ops import Convolution, FilterGradient, TransposedConvolution
from tests.backends import compile_on
from tests.reference import convolution as reference

# Axis by axis: size, filter, stride, (zeros before, after), dilation.
AXES = [
    (5, 2, 1, (0, 0), 1),
    (7, 3, 2, (1, 1), 1),
    (8, 3, 3, (2, 0), 2),
    (6, 4, 2, (0, 3), 1),
    (9, 2, 1, (3, 1), 3),
    (4, 1, 3, (0, 0), 1),
    (3, 5, 1, (4, 4), 1),
    (11, 3, 4, (0, 1), 2),
    (1, 1, 1, (0, 0), 1),
    (10, 2, 5, (0, 0), 2),
]

# Batch, groups, channels of a group, filters of a group.
CHANNELS = [(2, 1, 3, 5), (3, 2, 1, 1), (1, 3, 2, 1), (2, 2, 3, 4), (0, 1, 2, 3)]


@dataclass(frozen=True)
class Case:
    """One convolution: its shapes, its geometry, its arrays, what it must give."""

    x_shape: tuple
    W_shape: tuple
    stride: tuple
    pad: tuple
    dilation: tuple
    num_groups: int
    flip_filters: bool

    @property
    def y_shape(self):
        """Count the windows one by one."""
        counts = []
        for axis, size in enumerate(self.x_shape[2:]):
            span = (self.W_shape[axis + 2] - 1) * self.dilation[axis] + 1
            last = size + sum(self.pad[axis]) - span
            counts.append(len(range(0, last + 1, self.stride[axis])))
        return (self.x_shape[0], self.W_shape[0], *counts)

    @property
    def arguments(self):
        """Return what the operations are made of."""
        return (
            self.stride,
            self.pad,
            self.dilation,
            self.num_groups,
            self.flip_filters,
        )

    def arrays(self, dtype):
        """Draw an input, filters and a cotangent of the output."""
        rng = np.random.default_rng(abs(hash(self.x_shape + self.W_shape)))
        shapes = self.x_shape, self.W_shape, self.y_shape
        return [rng.normal(size=shape).astype(dtype) for shape in shapes]

    def expected(self, x, W, y):
        """Return the convolution, its adjoint and its gradient for the filters."""
        before = tuple(pair[0] for pair in self.pad)
        rest = before, self.dilation, self.num_groups, self.flip_filters
        return (
            reference.convolution(x, W, self.y_shape, self.stride, *rest),
            reference.transposed_convolution(y, W, self.x_shape, self.stride, *rest),
            reference.filter_gradient(x, y, self.W_shape, self.stride, *rest),
        )

    def __str__(self):
        return f"{self.x_shape}-{self.W_shape}-stride {self.stride}".replace(" ", "")


def _make_cases():
    flips = itertools.cycle([True, False])
    channels = itertools.cycle(CHANNELS)
    for num_axes, count in ((1, 10), (2, 10), (3, 4)):
        for index in range(count):
            rows = [AXES[(index + 3 * k) % len(AXES)] for k in range(num_axes)]
            sizes, filters, stride, pad, dilation = zip(*rows, strict=True)
            batch, groups, in_channels, out_channels = next(channels)
            yield Case(
                (batch, groups * in_channels, *sizes),
                (groups * out_channels, in_channels, *filters),
                stride,
                pad,
                dilation,
                groups,
                next(flips),
            )


CASES = list(_make_cases())


def check_on(mode, cases, dtype):
    """Compare all products of the cases with the definition, in one function."""
    fed, outputs, wanted = [], [], []
    for case in cases:
        arrays = case.arrays(dtype)
        x, W, y = (pt.tensor(dtype=dtype, shape=each.shape) for each in arrays)
        fed += zip((x, W, y), arrays, strict=True)
        outputs += [
            Convolution(*case.arguments)(x, W),
            TransposedConvolution(*case.arguments)(y, W, case.x_shape[2:]),
            FilterGradient(*case.arguments)(x, y, case.W_shape[2:]),
        ]
        wanted += case.expected(*arrays)
    function = compile_on(mode, [variable for variable, _ in fed], outputs)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    results = function(*(array for _, array in fed))
    for value, expected in zip(results, wanted, strict=True):
        assert value.dtype == dtype
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol)
