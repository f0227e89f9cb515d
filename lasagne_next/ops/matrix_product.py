"""The product of two matrices of one floating type."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

__all__ = ["MatrixProduct", "matrix_product"]

_DTYPES = ("float32", "float64")


class MatrixProduct(Op):
    """The product of two matrices, compiled from one small kernel.

    Equal to PyTensor's `Dot` of two matrices, which it replaces on the Numba backend
    (:mod:`lasagne_next.rewriting`): there `Dot` is compiled anew, at seconds each, for
    every combination of memory layouts.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import MatrixProduct
    >>> x = pt.tensor("x", shape=(None, 3), dtype="float32")
    >>> y = pt.tensor("y", shape=(3, 5), dtype="float32")
    >>> MatrixProduct()(x, y).type.shape
    (None, 5)
    """

    __props__ = ()

    def make_node(self, x, y):
        """Check the operands and infer the shape (rows of x, columns of y)."""
        x, y = pt.as_tensor_variable(x), pt.as_tensor_variable(y)
        for name, operand in (("x", x), ("y", y)):
            if operand.ndim != 2:
                raise TypeError(
                    f"MatrixProduct: {name} must have 2 axes, got {operand!r} with "
                    f"{operand.ndim}. Use pytensor.tensor.dot for anything else."
                )
        if x.dtype != y.dtype or x.dtype not in _DTYPES:
            raise TypeError(
                "MatrixProduct: x and y must both be float32 or both float64, got "
                f"{x.dtype} and {y.dtype}. Cast them first."
            )
        (rows, inner), (inner_too, columns) = x.type.shape, y.type.shape
        if None not in (inner, inner_too) and inner != inner_too:
            raise ValueError(
                "MatrixProduct: the columns of x must be as many as the rows of y, got "
                f"shapes {x.type.shape} and {y.type.shape}."
            )
        return Apply(self, [x, y], [tensor(dtype=x.dtype, shape=(rows, columns))])

    def perform(self, node, inputs, output_storage):
        """Multiply with numpy."""
        output_storage[0][0] = np.matmul(*inputs)

    def infer_shape(self, *node_and_shapes):
        """Return (rows of x, columns of y)."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        (rows, _), (_, columns) = node_and_shapes[-1]
        return [(rows, columns)]

    def connection_pattern(self, node):
        """Both operands take part in the product."""
        return [[True], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Multiply the incoming gradient by the other operand."""
        (x, y), (gradient,) = inputs, cotangents
        return [self(gradient, y.T), self(x.T, gradient)]


def matrix_product(x, y):
    """Multiply two matrices.

    Parameters
    ----------
    x : matrix, SHAPE (n, k)
        Of float32 or float64.
    y : matrix, SHAPE (k, m)
        Of the type of `x`.

    Returns
    -------
    TensorVariable, SHAPE (n, m)
        Of the same type.

    Raises
    ------
    TypeError
        If an operand is no matrix, or the types differ or are not of these.
    ValueError
        If the known sizes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import matrix_product
    >>> matrix_product(np.ones((2, 3)), np.ones((3, 1))).eval(mode="FAST_COMPILE")
    array([[3.],
           [3.]])
    """
    return MatrixProduct()(x, y)
