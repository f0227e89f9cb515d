"""Gated recurrent units that run over a whole sequence at once."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops import gru_steps
from lasagne_next.ops.sequences import (
    check_mask,
    check_operand,
    clip_array,
    common_size,
    order,
    pull_back,
    repeat_states,
    sigmoid,
    units_of,
)

__all__ = ["GRUSequence", "GRUSequenceGradient", "gru_sequence"]


class _GRU(Op):
    """What the operation and its gradient share: options, and a mask that comes last.

    Parameters
    ----------
    masked : bool
        Whether a mask follows the other operands.
    backwards : bool
        Whether the sequence is read from its end.
    clip : float
        The bound of gradients, 0 for none.
    """

    __props__ = ("masked", "backwards", "clip")

    def __init__(self, masked, backwards, clip):
        self.masked, self.backwards = bool(masked), bool(backwards)
        self.clip = float(clip)

    def connection_pattern(self, node):
        """Connect all but the mask."""
        masks = [False] * (len(node.inputs) - 1) + [self.masked]
        return [[not mask] * len(node.outputs) for mask in masks]


class GRUSequence(_GRU):
    """Hidden states and gates of gated recurrent units.

    See :func:`gru_sequence` for what it computes. The second output is what the
    gradient needs: update gate, reset gate, candidate, and the product of the state
    with the weight of the candidate, side by side.

    Parameters
    ----------
    masked : bool
        Whether a mask follows the other operands.
    backwards : bool
        Whether the sequence is read from its end.
    clip : float
        The bound of the gradients of the products, 0 for none.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import GRUSequence
    >>> shapes = [(None, 2, 9), (3, 9), (2, 3)]
    >>> operands = [pt.tensor(dtype="float32", shape=shape) for shape in shapes]
    >>> op = GRUSequence(masked=False, backwards=False, clip=0.0)
    >>> [output.type.shape for output in op(*operands)]
    [(None, 2, 3), (None, 2, 12)]
    """

    def make_node(self, projected, *operands):
        """Check the operands and infer the shapes."""
        operands = [pt.as_tensor_variable(each) for each in (projected, *operands)]
        projected, weight, hid_init, *mask = operands
        dtype, who = projected.dtype, "GRUSequence"
        check_operand(who, "projected", projected, 3, dtype)
        check_operand(who, "weight", weight, 2, dtype)
        check_operand(who, "hid_init", hid_init, 2, dtype)
        steps, rows, width = projected.type.shape
        units, width_too = weight.type.shape
        rows_too, units_too = hid_init.type.shape
        mask_steps, mask_rows = None, None
        if self.masked:
            check_operand(who, "mask", mask[0], 2, "bool")
            mask_steps, mask_rows = mask[0].type.shape
        units = common_size(who, "units", [units, units_too])
        units = units_of(who, 3, units, [width, width_too])
        rows = common_size(who, "rows", [rows, rows_too, mask_rows])
        steps = common_size(who, "steps", [steps, mask_steps])
        widths = units, None if units is None else 4 * units
        outputs = [tensor(dtype=dtype, shape=(steps, rows, width)) for width in widths]
        return Apply(self, operands, outputs)

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of both sequences."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        (steps, rows, _), (units, _), *_ = node_and_shapes[-1]
        return [(steps, rows, units), (steps, rows, 4 * units)]

    def perform(self, node, inputs, output_storage):
        """Run step by step with numpy."""
        projected, weight, hid, *mask = inputs
        steps, rows, width = projected.shape
        units = weight.shape[0]
        if not width == weight.shape[1] == 3 * units or hid.shape != (rows, units):
            raise ValueError("GRUSequence: the sizes of the operands do not fit.")
        check_mask("GRUSequence", mask[0] if self.masked else None, steps, rows)
        hidden = np.empty((steps, rows, units), projected.dtype)
        gates = np.empty((steps, rows, 4 * units), projected.dtype)
        for t in order(steps, self.backwards):
            u, r, c = np.split(projected[t], 3, axis=1)
            u_hid, r_hid, c_hid = np.split(hid @ weight, 3, axis=1)
            u, r = sigmoid(u + u_hid), sigmoid(r + r_hid)
            c = np.tanh(c + r * c_hid)
            new = hid + u * (c - hid)
            hid = np.where(mask[0][t, :, None], new, hid) if self.masked else new
            hidden[t] = hid
            gates[t] = np.concatenate([u, r, c, c_hid], axis=1)
        output_storage[0][0], output_storage[1][0] = hidden, gates

    def pullback(self, inputs, outputs, cotangents):
        """Run backwards over the sequence; by `scan` if the gates have a gradient."""
        to_hidden, to_gates = cotangents
        if not isinstance(to_gates.type, DisconnectedType):
            return pull_back(self._by_scan, inputs, cotangents)
        op = GRUSequenceGradient(self.masked, self.backwards, self.clip)
        back = op(*inputs[1:3], *outputs, to_hidden, *inputs[3:])
        return [*back, disconnected_type()] if self.masked else back

    def _by_scan(self, projected, weight, hid_init, mask=None):
        return gru_steps.forward(
            projected, weight, hid_init, mask, self.backwards, self.clip
        )


class GRUSequenceGradient(_GRU):
    """The gradients of :class:`GRUSequence`, from the gates that it kept.

    Parameters
    ----------
    masked, backwards, clip
        As in :class:`GRUSequence`.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import GRUSequenceGradient, gru_sequence
    >>> x = pt.tensor(shape=(None, 2, 9))
    >>> hidden = gru_sequence(x, np.zeros((3, 9)), np.zeros((2, 3)))
    >>> gradient = pytensor.grad(hidden.sum(), x)
    >>> isinstance(gradient.owner.op, GRUSequenceGradient), gradient.type.shape
    (True, (None, 2, 9))
    """

    def make_node(self, *operands):
        """Make one gradient of the type of each operand of the sequence."""
        weight, hid_init, hidden, *_ = operands = [
            pt.as_tensor_variable(each) for each in operands
        ]
        units = common_size(
            "GRUSequenceGradient", "units", [weight.type.shape[0], hidden.type.shape[2]]
        )
        width = None if units is None else 3 * units
        shapes = [
            (*hidden.type.shape[:2], width),
            weight.type.shape,
            hid_init.type.shape,
        ]
        outputs = [tensor(dtype=hidden.dtype, shape=shape) for shape in shapes]
        return Apply(self, operands, outputs)

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of the operands of the sequence."""
        weight, hid_init, (steps, rows, units), *_ = node_and_shapes[-1]
        return [(steps, rows, 3 * units), weight, hid_init]

    def perform(self, node, inputs, output_storage):
        """Run back step by step with numpy."""
        weight, hid_init, hidden, gates, to_hidden, *mask = inputs
        steps, rows, units = hidden.shape
        to_projected = np.empty((steps, rows, 3 * units), hidden.dtype)
        to_weight, d_hid = np.zeros_like(weight), np.zeros_like(hid_init)
        sequence = list(order(steps, self.backwards))
        for index in reversed(range(steps)):
            t = sequence[index]
            hid = hidden[sequence[index - 1]] if index else hid_init
            u, r, c, c_hid = np.split(gates[t], 4, axis=1)
            d_hid = d_hid + to_hidden[t]
            d_u = clip_array(d_hid * (c - hid) * u * (1 - u), self.clip)
            d_c = clip_array(d_hid * u * (1 - c * c), self.clip)
            d_r = clip_array(d_c * c_hid * r * (1 - r), self.clip)
            d_x = np.concatenate([d_u, d_r, d_c], axis=1)
            d_z = np.concatenate([d_u, d_r, clip_array(d_c * r, self.clip)], axis=1)
            kept, d_hid = d_hid, d_hid * (1 - u)
            if self.masked:
                keep = mask[0][t, :, None]
                d_x, d_z = np.where(keep, d_x, 0), np.where(keep, d_z, 0)
                d_hid = np.where(keep, d_hid, kept)
            to_projected[t] = d_x
            to_weight += hid.T @ d_z
            d_hid = d_hid + d_z @ weight.T
        results = to_projected, to_weight, d_hid
        for storage, value in zip(output_storage, results, strict=True):
            storage[0] = value

    def pullback(self, inputs, outputs, cotangents):
        """Write the gradient as a `scan`, and differentiate that."""
        return pull_back(self._by_scan, inputs, cotangents)

    def _by_scan(self, weight, hid_init, hidden, gates, to_hidden, mask=None):
        return gru_steps.backward(
            weight,
            hid_init,
            hidden,
            gates,
            to_hidden,
            mask,
            self.backwards,
            self.clip,
        )


def gru_sequence(
    projected, weight, hid_init, mask=None, backwards=False, grad_clipping=0
):
    r"""Run gated recurrent units over a sequence whose input is already projected.

    With :math:`z_t = h_{t-1} W`, cut like the projected input :math:`x_t` into parts
    :math:`u, r, c`,

    .. math::

       u_t &= \sigma(x_t^u + z_t^u), \qquad r_t = \sigma(x_t^r + z_t^r) \\
       c_t &= \tanh(x_t^c + r_t z_t^c) \\
       h_t &= (1 - u_t) h_{t-1} + u_t c_t

    Parameters
    ----------
    projected : tensor, SHAPE (time, batch, 3 * units)
        What the input adds, with biases, in the order update gate, reset gate,
        candidate.
    weight : matrix, SHAPE (units, 3 * units)
        What the previous hidden state is multiplied by, in the same order.
    hid_init : matrix, SHAPE (batch, units) or (1, units)
        Hidden state before the first step that is read.
    mask : matrix, SHAPE (time, batch), optional
        Where it is 0, the hidden state stays as it was before this step.
    backwards : bool, default False
        Whether the sequence is read from its end. The result stays in its order.
    grad_clipping : float, default 0
        Bound of the absolute gradients of :math:`x_t`, of :math:`z_t` and of the sum in
        the candidate, at each step; 0 for none.

    Returns
    -------
    TensorVariable, SHAPE (time, batch, units)
        The hidden states after each step.

    Raises
    ------
    TypeError
        If an operand has other axes, or is not of one floating type with the others.
    ValueError
        If the known sizes do not fit.

    Notes
    -----
    One operation with a kernel of its own for Numba and JAX; `scan` runs the same step
    several times slower. Second derivatives are computed by `scan`. The reset gate
    comes after the product with the state, as in cuDNN and PyTorch, whose update gate
    is :math:`1 - u_t`; [1]_ has it before.

    References
    ----------
    .. [1] Kyunghyun Cho et al. (2014): Learning phrase representations using RNN
       encoder-decoder for statistical machine translation. Equations 5 to 8.
       https://arxiv.org/abs/1406.1078

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import gru_sequence
    >>> weight, state = np.zeros((3, 9)), np.zeros((2, 3))
    >>> hidden = gru_sequence(np.ones((5, 2, 9)), weight, state)
    >>> hidden[:, 0, 0].eval(mode="FAST_COMPILE").round(2)
    array([0.56, 0.71, 0.75, 0.76, 0.76])
    """
    projected = pt.as_tensor_variable(projected)
    operands = [projected, weight, *repeat_states([hid_init], projected)]
    operands += [] if mask is None else [pt.neq(mask, 0)]
    hidden, _ = GRUSequence(mask is not None, backwards, grad_clipping)(*operands)
    return hidden
