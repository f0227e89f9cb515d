"""Convolution of rows with one vector round a circle, by fast Fourier transforms."""

from __future__ import annotations

import pytensor.tensor as pt
import scipy.fft
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops.sequences import check_operand, common_size

__all__ = ["CircularConvolution", "CircularCorrelation", "convolve_circularly"]


def check_lengths(x, c):
    """Raise ValueError unless the rows of an array are as long as a vector."""
    if x.shape[1] != c.shape[0]:
        raise ValueError("CircularConvolution: the lengths of x and c differ.")


def check_shapes(x, y):
    """Raise ValueError unless the shapes of two arrays are the same."""
    if x.shape != y.shape:
        raise ValueError("CircularCorrelation: the shapes of x and y differ.")


def convolve_rows(x, c, workers=None):
    """Convolve the rows of an array with a vector, of the same type."""
    check_lengths(x, c)
    spectrum = scipy.fft.rfft(x, workers=workers)  # (rows, n // 2 + 1)
    spectrum *= scipy.fft.rfft(c)
    return scipy.fft.irfft(
        spectrum, x.shape[1], overwrite_x=True, workers=workers
    )  # (rows, n)


def correlate_rows(x, y, workers=None):
    """Correlate the rows of two arrays of the same type, and sum over the rows."""
    check_shapes(x, y)
    spectrum = scipy.fft.rfft(x, workers=workers).conj()  # (rows, n // 2 + 1)
    spectrum *= scipy.fft.rfft(y, workers=workers)
    return scipy.fft.irfft(spectrum.sum(axis=0), x.shape[1])  # (n,)


class CircularConvolution(Op):
    """Convolve each row with one vector, round a circle.

    See :func:`convolve_circularly`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import CircularConvolution
    >>> x, c = pt.tensor("x", shape=(None, 5)), pt.tensor("c", shape=(5,))
    >>> CircularConvolution()(x, c).type.shape
    (None, 5)
    """

    __props__ = ()

    def make_node(self, x, c):
        """Check the operands and infer the shape, that of x."""
        x, c = pt.as_tensor_variable(x), pt.as_tensor_variable(c)
        who = type(self).__name__
        check_operand(who, "x", x, 2, x.dtype)
        check_operand(who, "c", c, 1, x.dtype)
        size = common_size(who, "columns", [x.type.shape[1], c.type.shape[0]])
        return Apply(
            self, [x, c], [tensor(dtype=x.dtype, shape=(x.type.shape[0], size))]
        )

    def perform(self, node, inputs, output_storage):
        """Convolve with SciPy."""
        output_storage[0][0] = convolve_rows(*inputs)

    def infer_shape(self, *node_and_shapes):
        """Return the shape of x."""
        return [node_and_shapes[-1][0]]

    def connection_pattern(self, node):
        """Both operands take part."""
        return [[True], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Convolve with the vector read backwards; correlate."""
        (x, c), (gradient,) = inputs, cotangents
        return [self(gradient, _backwards(c)), CircularCorrelation()(x, gradient)]


class CircularCorrelation(Op):
    r"""Compute :math:`\sum_{bi} x_{bi} \, y_{b, (i + k) \bmod n}` for every k.

    The gradient of :class:`CircularConvolution` with respect to its vector.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import CircularCorrelation
    >>> x, y = np.array([[1.0, 0, 0]]), np.array([[2.0, 3.0, 5.0]])
    >>> CircularCorrelation()(x, y).eval(mode="FAST_COMPILE").round(6)
    array([2., 3., 5.])
    """

    __props__ = ()

    def make_node(self, x, y):
        """Check the operands and infer the shape (columns,)."""
        x, y = pt.as_tensor_variable(x), pt.as_tensor_variable(y)
        who = type(self).__name__
        for name, operand in (("x", x), ("y", y)):
            check_operand(who, name, operand, 2, x.dtype)
        for axis, what in enumerate(("rows", "columns")):
            size = common_size(who, what, [x.type.shape[axis], y.type.shape[axis]])
        return Apply(self, [x, y], [tensor(dtype=x.dtype, shape=(size,))])

    def perform(self, node, inputs, output_storage):
        """Correlate with SciPy."""
        output_storage[0][0] = correlate_rows(*inputs)

    def infer_shape(self, *node_and_shapes):
        """Return (columns,)."""
        return [(node_and_shapes[-1][0][1],)]

    def connection_pattern(self, node):
        """Both operands take part."""
        return [[True], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Convolve either operand with the incoming gradient."""
        (x, y), (gradient,) = inputs, cotangents
        convolve = CircularConvolution()
        return [convolve(y, _backwards(gradient)), convolve(x, gradient)]


def _backwards(c):
    """Return c read the other way round the circle, SHAPE (n,)."""
    return pt.concatenate([c[:1], c[:0:-1]])


def convolve_circularly(x, c):
    r"""Convolve each row with one vector, round a circle.

    .. math:: y_{bj} = \sum_i x_{bi} \, c_{(j - i) \bmod n}

    This is the product of x and the circulant matrix whose first row is c, for
    :math:`O(n \log n)` operations a row instead of :math:`O(n^2)`.

    Parameters
    ----------
    x : matrix, SHAPE (rows, n)
        Of float32 or float64.
    c : vector, SHAPE (n,)
        Of the type of `x`.

    Returns
    -------
    TensorVariable, SHAPE (rows, n)
        Of the same type.

    Raises
    ------
    TypeError
        If an operand has other axes, or the types differ or are not of these.
    ValueError
        If the known lengths differ.

    Notes
    -----
    By fast Fourier transforms, those of SciPy also on Numba, and for any length.
    Lengths of small prime factors are fastest. Errors of rounding relate to the largest
    number of a row, not to each.

    References
    ----------
    .. [1] Golub and Van Loan (2013): Matrix Computations, section 4.8.2.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import convolve_circularly
    >>> x, c = np.array([[0.0, 1, 0, 0]]), np.array([2.0, 3, 5, 7])
    >>> convolve_circularly(x, c).eval(mode="FAST_COMPILE").round(6)
    array([[7., 2., 3., 5.]])
    """
    return CircularConvolution()(x, c)
