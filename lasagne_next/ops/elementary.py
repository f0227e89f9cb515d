"""Elementary functions in the form that a loop over them can be vectorised."""

from pytensor.scalar.basic import UnaryScalarOp

__all__ = ["Vectorisable"]


class Vectorisable(UnaryScalarOp):
    """A scalar function that a backend may compute in a way of its own.

    Equal to the function that it is made from, to rounding. Put into graphs by
    :mod:`lasagne_next.rewriting`, for Numba.

    Parameters
    ----------
    function : pytensor.scalar.basic.UnaryScalarOp
        For example ``pytensor.scalar.exp``.
    """

    def __init__(self, function):
        super().__init__(function.output_types_preference, name=f"fast_{function}")
        self.function = function

    def __eq__(self, other):
        return type(self) is type(other) and self.function == other.function

    def __hash__(self):
        return hash((type(self), self.function))

    def impl(self, x):
        """Compute the function as it is."""
        return self.function.impl(x)

    def pullback(self, inputs, outputs, output_gradients):
        """Return the gradient of the function."""
        return self.function.pullback(inputs, outputs, output_gradients)

    def c_code(self, node, name, inputs, outputs, sub):
        """Return the code of the function, by which PyTensor sees that it can fuse."""
        return self.function.c_code(node, name, inputs, outputs, sub)
