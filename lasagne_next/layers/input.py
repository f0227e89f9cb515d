"""The layer through which data enters a network."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt

from lasagne_next.layers.base import Layer, check_positive, describe

__all__ = ["InputLayer"]


class InputLayer(Layer):
    """An input of the network: a symbolic variable of a declared shape.

    Parameters
    ----------
    shape : iterable of int or None
        Shape of the data; None for a size that is known only at run time, usually the
        batch size. Any sizes that are known help to check and to speed up the network.
    input_var : TensorVariable, optional
        The variable to read. By default one of ``config.floatX`` is made, with the
        known sizes as its static shape.
    name : str, optional
        The variable made is called "<name>.input", or "input".
    **kwargs
        Ignored.

    Attributes
    ----------
    shape : tuple of int or None
        As given.
    input_var : TensorVariable
        The variable.

    Raises
    ------
    ValueError
        If a known size is not positive, or `input_var` has another number of axes or
        other known sizes than `shape`.
    TypeError
        If `shape` is no tuple of integers, or `input_var` no symbolic variable.

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer
    >>> l_in = InputLayer((None, 784), name="pixels")
    >>> l_in.input_var, l_in.input_var.type.shape
    (pixels.input, (None, 784))
    """

    def __init__(self, shape, input_var=None, name=None, **kwargs):
        self._init_node(name)
        del self.get_output_kwargs  # an input is never evaluated
        self.shape = self._checked_tuple(shape)
        check_positive(self, "shape", self.shape)
        if input_var is None:
            input_name = "input" if name is None else f"{name}.input"
            input_var = pt.tensor(
                input_name, dtype=pytensor.config.floatX, shape=self.shape
            )
        self._check_variable(input_var)
        self.input_var = input_var

    def _checked_tuple(self, shape):
        try:
            return tuple(shape)
        except TypeError as error:
            raise TypeError(
                f"{describe(self)}: shape must be a tuple of integers and None, one "
                f"for each axis, got {shape!r}."
            ) from error

    def _check_variable(self, input_var):
        if not hasattr(input_var, "type"):
            raise TypeError(
                f"{describe(self)}: input_var must be a symbolic variable, got "
                f"{input_var!r}. Pass data to get_output instead."
            )
        if input_var.ndim != len(self.shape):
            raise ValueError(
                f"{describe(self)}: input_var must have {len(self.shape)} axes for "
                f"shape {self.shape}, got {input_var!r} with {input_var.ndim} axes."
            )
        known = getattr(input_var.type, "shape", self.shape)
        pairs = zip(known, self.shape, strict=True)
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise ValueError(
                f"{describe(self)}: input_var must have shape {self.shape}, got "
                f"{input_var!r} of static shape {known}."
            )

    @property
    def output_shape(self):
        """The declared shape."""
        return self.shape
