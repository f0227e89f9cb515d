"""Lookup of vectors by number."""

from __future__ import annotations

from lasagne_next import expressions, init
from lasagne_next.layers.base import Layer, describe

__all__ = ["EmbeddingLayer"]


class EmbeddingLayer(Layer):
    """Replace integers by learnt vectors, the rows of a matrix.

    Parameters
    ----------
    incoming : Layer or tuple
        Of integers, of any shape; give the InputLayer an integer `input_var`.
    input_size : int
        Number of different integers: they lie between 0 and ``input_size - 1``.
    output_size : int
        Length of the vectors.
    W : parameter, default Normal(), SHAPE (input_size, output_size)
        The vectors.
    **kwargs
        `name`.

    Attributes
    ----------
    input_size, output_size, W
        As given or made.

    Raises
    ------
    TypeError
        By :func:`~lasagne_next.layers.get_output`, if the input is not of integers.

    Notes
    -----
    The output has the shape of the input followed by ``(output_size,)``. Indices are
    not checked at run time on JAX, which takes the nearest valid one instead.

    References
    ----------
    Yoshua Bengio, Rejean Ducharme, Pascal Vincent and Christian Jauvin (2003): A neural
    probabilistic language model. JMLR 3, section 2.
    https://www.jmlr.org/papers/v3/bengio03a.html

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers import EmbeddingLayer, InputLayer
    >>> words = InputLayer((None, 20), pt.imatrix("words"))
    >>> EmbeddingLayer(words, input_size=1000, output_size=50).output_shape
    (None, 20, 50)
    """

    def __init__(
        self,
        incoming,
        input_size,
        output_size,
        W=init.Normal(),  # noqa: B008 (initialisers are stateless)
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.input_size = input_size
        self.output_size = output_size
        self.W = self.add_param(W, (input_size, output_size), name="W")

    def get_output_shape_for(self, input_shape):
        """Append the length of the vectors."""
        return (*input_shape, self.output_size)

    def get_output_for(self, input, **kwargs):
        """Return the rows of W, SHAPE (input shape..., output_size)."""
        if not input.dtype.startswith(("int", "uint")):
            raise TypeError(
                f"{describe(self)}: the input must be of an integer type, got "
                f"{input!r} of type {input.dtype} (input shape {self.input_shape}). "
                'Give the InputLayer an input_var such as pytensor.tensor.imatrix("x").'
            )
        if input.ndim == 1:
            return expressions.take(self.W, input)  # (n, output_size)
        # An index of several axes does not compile on JAX (PyTensor 3.0.7 to 3.3.7).
        # (product of input shape, output_size)
        rows = expressions.take(self.W, input.flatten())
        sizes = [input.shape[axis] for axis in range(input.ndim)]
        return rows.reshape((*sizes, self.output_size))
