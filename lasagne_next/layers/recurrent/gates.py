"""What the gates of a recurrent layer are made of, and their products."""

from __future__ import annotations

import inspect

import pytensor.tensor as pt
from pytensor.graph.basic import equal_computations

from lasagne_next import expressions, init, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import describe

__all__ = ["Gate"]


class Gate:
    """What to make one gate of a recurrent layer of.

    Parameters
    ----------
    W_in : parameter, default Normal(0.1), SHAPE (num_inputs, num_units)
        Weights of the input.
    W_hid : parameter, default Normal(0.1), SHAPE (num_units, num_units)
        Weights of the previous hidden state.
    W_cell : parameter or None, default Normal(0.1), SHAPE (num_units,)
        Weights of the cell state ("peepholes"); None for a gate without.
    b : parameter or None, default Constant(0), SHAPE (num_units,)
        Biases.
    nonlinearity : callable or None, default sigmoid
        None means linear.

    Attributes
    ----------
    W_in, W_hid, W_cell, b, nonlinearity
        As given. Without peepholes there is no attribute `W_cell`.

    Raises
    ------
    TypeError
        If `nonlinearity` is neither callable nor None.

    Notes
    -----
    Each may be a number, an array, a shared variable, an expression or a callable, and
    is made into a parameter by the layer.

    Examples
    --------
    An LSTM that starts by remembering everything.

    >>> from lasagne_next import init
    >>> from lasagne_next.layers import Gate, LSTMLayer
    >>> forget = Gate(b=init.Constant(1.0))
    >>> LSTMLayer((None, 7, 3), num_units=5, forgetgate=forget).output_shape
    (None, 7, 5)
    """

    def __init__(
        self,
        W_in=init.Normal(0.1),  # noqa: B008 (initialisers are stateless)
        W_hid=init.Normal(0.1),  # noqa: B008
        W_cell=init.Normal(0.1),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.sigmoid,
    ):
        self.W_in = W_in
        self.W_hid = W_hid
        if W_cell is not None:
            self.W_cell = W_cell
        self.b = b
        self.nonlinearity = as_nonlinearity(self, nonlinearity)

    def __repr__(self):
        """Name what differs from the defaults."""
        parameters = inspect.signature(type(self)).parameters.values()
        given = [(each.name, getattr(self, each.name, None)) for each in parameters]
        changed = [
            f"{name}={_written(value)}"
            for each, (name, value) in zip(parameters, given, strict=True)
            if _written(value) != _written(each.default)
        ]
        return f"Gate({', '.join(changed)})"


def _written(value):
    return getattr(value, "__name__", None) or repr(value)


def add_gate(layer, gate, name, num_inputs, num_units):
    """Register the parameters of a gate, and store them under their names."""
    if not isinstance(gate, Gate):
        raise TypeError(
            f"{describe(layer)}: {name} must be a Gate, got {gate!r} of type "
            f"{type(gate).__name__}."
        )
    shapes = {
        f"W_in_to_{name}": (gate.W_in, (num_inputs, num_units), {}),
        f"W_hid_to_{name}": (gate.W_hid, (num_units, num_units), {}),
        f"b_{name}": (gate.b, (num_units,), {"regularizable": False}),
    }
    for param, (spec, shape, tags) in shapes.items():
        made = spec
        if spec is not None or not param.startswith("b_"):
            made = layer.add_param(spec, shape, name=param, **tags)
        setattr(layer, param, made)
    setattr(layer, f"nonlinearity_{name}", gate.nonlinearity)


def stacked_product(x, weights, uses):
    """Multiply by several matrices of equal shape, side by side.

    Plain matrices are multiplied in one product. Those whose structure pays are
    multiplied by their parts.

    Parameters
    ----------
    x : TensorVariable, SHAPE (..., n)
        One example in each row.
    weights : list of TensorVariable, each of SHAPE (n, m)
        Plain or made of smaller parts.
    uses : int
        How often these products are computed.

    Returns
    -------
    TensorVariable, SHAPE (..., m times the number of matrices)
        The products, one behind the other.
    """
    products = [expressions.dot(x, each, uses=uses) for each in weights]
    parts, plain = [], []
    for weight, product in zip(weights, products, strict=True):
        if equal_computations([product], [pt.dot(x, weight)]):
            plain.append(weight)
            continue
        parts += _plain_product(x, plain)
        plain = []
        parts.append(product)
    parts += _plain_product(x, plain)
    return parts[0] if len(parts) == 1 else pt.concatenate(parts, axis=-1)


def _plain_product(x, weights):
    if not weights:
        return []
    joined = weights[0] if len(weights) == 1 else pt.concatenate(weights, axis=1)
    return [pt.dot(x, joined)]  # (..., m times the number of weights)


def stacked_biases(biases, num_units):
    """Put biases behind each other, None if there are none at all."""
    if all(each is None for each in biases):
        return None
    dtype = next(each.dtype for each in biases if each is not None)
    zeros = pt.zeros((num_units,), dtype=dtype)
    return pt.concatenate([zeros if each is None else each for each in biases])


def split_units(stacked, number, num_units):
    """Cut the last axis into `number` parts of `num_units`."""
    return [
        stacked[..., index * num_units : (index + 1) * num_units]
        for index in range(number)
    ]
