"""Any function of expressions as a layer."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt

from lasagne_next.layers.base import Layer, describe
from lasagne_next.params import static_shape
from lasagne_next.utils import nearest

__all__ = ["ExpressionLayer"]


class ExpressionLayer(Layer):
    """Apply any function of an expression.

    Parameters
    ----------
    incoming : Layer or tuple
        Of any shape.
    function : callable
        Takes the input expression and returns the output expression.
    output_shape : None, tuple, callable or 'auto', default None
        The shape of the output: None if it is that of the input; a fixed shape; a
        function of the shape of the input; or 'auto' to work it out from the expression
        that `function` makes of a variable of the input shape.
    **kwargs
        `name`.

    Attributes
    ----------
    function
        As given.

    Raises
    ------
    TypeError
        If `function` cannot be called, or `output_shape` is of another kind.
    ValueError
        If `output_shape` is another word than 'auto'.

    Notes
    -----
    With 'auto', sizes that do not follow from the shape of the input alone are None.
    `function` is called once for each shape that is asked for, and evaluates nothing.

    Examples
    --------
    >>> from lasagne_next.layers import ExpressionLayer
    >>> halved = ExpressionLayer((None, 8), lambda x: x[:, ::2], output_shape="auto")
    >>> halved.output_shape
    (None, 4)
    """

    def __init__(self, incoming, function, output_shape=None, **kwargs):
        super().__init__(incoming, **kwargs)
        if not callable(function):
            raise TypeError(
                f"{describe(self)}: function must be a function of an expression, got "
                f"{function!r}."
            )
        self.function = function
        self._output_shape = self._checked(output_shape)
        self._inferred = {}

    def _checked(self, output_shape):
        if output_shape is None or callable(output_shape):
            return output_shape
        if isinstance(output_shape, str):
            if output_shape != "auto":
                raise ValueError(
                    f"{describe(self)}: output_shape must be None, a tuple, a function "
                    f"or 'auto', got {output_shape!r}.{nearest(output_shape, ['auto'])}"
                )
            return output_shape
        try:
            return tuple(output_shape)
        except TypeError as error:
            raise TypeError(
                f"{describe(self)}: output_shape must be None, a tuple, a function or "
                f"'auto', got {output_shape!r}."
            ) from error

    def get_output_shape_for(self, input_shape):
        """Return the shape as `output_shape` says."""
        if self._output_shape is None:
            return input_shape
        if self._output_shape == "auto":
            return self._infer(tuple(input_shape))
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        return self._output_shape

    def _infer(self, input_shape):
        if input_shape not in self._inferred:
            input = pt.tensor("input", dtype=pytensor.config.floatX, shape=input_shape)
            output = pt.as_tensor_variable(self.function(input))
            self._inferred[input_shape] = static_shape(output)
        return self._inferred[input_shape]

    def get_output_for(self, input, **kwargs):
        """Return the function of the input."""
        return self.function(input)
