"""A long short-term memory that runs over a whole sequence at once."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.type import tensor

from lasagne_next.ops import lstm_steps
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

__all__ = ["LSTMSequence", "LSTMSequenceGradient", "lstm_sequence"]


class _LSTM(Op):
    """What the operation and its gradient share: options, and optional operands."""

    cell_used = False

    def optional(self, operands):
        """Return the peepholes, the mask and the gradient of cells, None if absent."""
        operands = iter(operands)
        used = self.peepholes, self.masked, self.cell_used
        return [next(operands) if each else None for each in used]


class LSTMSequence(_LSTM):
    """Hidden states, cells and gates of a long short-term memory.

    See :func:`lstm_sequence` for what it computes. The third output, the activated
    gates side by side, is what the gradient needs.

    Parameters
    ----------
    peepholes, masked : bool
        Whether the weights of peepholes and a mask follow the other operands.
    backwards : bool
        Whether the sequence is read from its end.
    clip : float
        The bound of the gradients of the gates, 0 for none.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import LSTMSequence
    >>> shapes = [(None, 2, 12), (3, 12), (2, 3), (2, 3)]
    >>> operands = [pt.tensor(dtype="float32", shape=shape) for shape in shapes]
    >>> op = LSTMSequence(peepholes=False, masked=False, backwards=False, clip=0.0)
    >>> [output.type.shape for output in op(*operands)]
    [(None, 2, 3), (None, 2, 3), (None, 2, 12)]
    """

    __props__ = ("peepholes", "masked", "backwards", "clip")

    def __init__(self, peepholes, masked, backwards, clip):
        self.peepholes, self.masked = bool(peepholes), bool(masked)
        self.backwards, self.clip = bool(backwards), float(clip)

    def make_node(self, projected, *operands):
        """Check the operands and infer the shapes."""
        operands = [pt.as_tensor_variable(each) for each in (projected, *operands)]
        projected, weight, cell_init, hid_init, *rest = operands
        named = [
            ("projected", projected, 3),
            ("weight", weight, 2),
            ("cell_init", cell_init, 2),
            ("hid_init", hid_init, 2),
        ]
        peepholes, mask, _ = self.optional(rest)
        if peepholes is not None:
            named.append(("peepholes", peepholes, 2))
        for name, operand, ndim in named:
            check_operand("LSTMSequence", name, operand, ndim, projected.dtype)
        if mask is not None:
            check_operand("LSTMSequence", "mask", mask, 2, "bool")
        time, batch, units = self._sizes(projected, weight, cell_init, hid_init, mask)
        widths = (units, units, None if units is None else 4 * units)
        outputs = [
            tensor(dtype=projected.dtype, shape=(time, batch, width))
            for width in widths
        ]
        return Apply(self, operands, outputs)

    def _sizes(self, projected, weight, cell_init, hid_init, mask):
        time, batch, width = projected.type.shape
        units, width_too = weight.type.shape
        masks = (None, None) if mask is None else mask.type.shape
        states = cell_init.type.shape, hid_init.type.shape
        units = common_size("LSTMSequence", "units", [units, *(s[1] for s in states)])
        units = units_of("LSTMSequence", 4, units, [width, width_too])
        batch = common_size(
            "LSTMSequence", "rows", [batch, *(s[0] for s in states), masks[1]]
        )
        time = common_size("LSTMSequence", "steps", [time, masks[0]])
        return time, batch, units

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of the three sequences."""
        # PyTensor before 3.1 passes the graph too, later ones warn of such an argument.
        (time, batch, width), (units, _), *_ = node_and_shapes[-1]
        return [(time, batch, units), (time, batch, units), (time, batch, width)]

    def perform(self, node, inputs, output_storage):
        """Run step by step with numpy."""
        projected, weight, cell, hid, *rest = inputs
        peepholes, mask, _ = self.optional(rest)
        steps, rows, width = projected.shape
        if width != weight.shape[1] or width != 4 * weight.shape[0]:
            raise ValueError("LSTMSequence: the sizes of the operands do not fit.")
        check_mask("LSTMSequence", mask, steps, rows)
        units = width // 4
        hidden, cells = (
            np.empty((steps, rows, units), projected.dtype) for _ in range(2)
        )
        gates = np.empty_like(projected, order="C", subok=False)
        for t in order(steps, self.backwards):
            previous = cell
            z = projected[t] + hid @ weight
            i, f, g, o = (z[:, k * units : (k + 1) * units] for k in range(4))
            if peepholes is not None:
                i, f = i + peepholes[0] * cell, f + peepholes[1] * cell
            i, f, g = sigmoid(i), sigmoid(f), np.tanh(g)
            cell = f * cell + i * g
            if peepholes is not None:
                o = o + peepholes[2] * cell
            o = sigmoid(o)
            new = o * np.tanh(cell)
            if mask is not None:
                new = np.where(mask[t, :, None], new, hid)
                cell = np.where(mask[t, :, None], cell, previous)
            hid = hidden[t] = new
            cells[t] = cell
            gates[t] = np.concatenate([i, f, g, o], axis=1)
        for storage, value in zip(output_storage, (hidden, cells, gates), strict=True):
            storage[0] = value

    def connection_pattern(self, node):
        """Connect all but the mask."""
        count = len(node.inputs)
        return [
            [not (self.masked and index == count - 1)] * 3 for index in range(count)
        ]

    def pullback(self, inputs, outputs, cotangents):
        """Run backwards over the sequence; by `scan` if the gates have a gradient."""
        to_hidden, to_cell, to_gates = cotangents
        if not isinstance(to_gates.type, DisconnectedType):
            return pull_back(self._by_scan, inputs, cotangents)
        if isinstance(to_hidden.type, DisconnectedType):
            to_hidden = outputs[0].zeros_like()
        cell_used = not isinstance(to_cell.type, DisconnectedType)
        op = LSTMSequenceGradient(
            self.peepholes, self.masked, self.backwards, self.clip, cell_used
        )
        operands = [*inputs[1:4], *outputs, to_hidden, *inputs[4:]]
        back = op(*operands, to_cell) if cell_used else op(*operands)
        return [*back, disconnected_type()] if self.masked else back

    def _by_scan(self, projected, weight, cell_init, hid_init, *rest):
        return lstm_steps.forward(
            projected,
            weight,
            cell_init,
            hid_init,
            *self.optional(rest)[:2],
            self.backwards,
            self.clip,
        )


class LSTMSequenceGradient(_LSTM):
    """The gradients of :class:`LSTMSequence`, from the gates that it kept.

    Parameters
    ----------
    peepholes, masked, backwards, clip
        As in :class:`LSTMSequence`.
    cell_used : bool
        Whether the gradient of the cells follows that of the hidden states.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.ops import LSTMSequenceGradient, lstm_sequence
    >>> x, state = pt.tensor(shape=(None, 2, 12)), np.zeros((2, 3))
    >>> hidden, _ = lstm_sequence(x, np.zeros((3, 12)), state, state)
    >>> gradient = pytensor.grad(hidden.sum(), x)
    >>> isinstance(gradient.owner.op, LSTMSequenceGradient), gradient.type.shape
    (True, (None, 2, 12))
    """

    __props__ = ("peepholes", "masked", "backwards", "clip", "cell_used")

    def __init__(self, peepholes, masked, backwards, clip, cell_used):
        self.peepholes, self.masked = bool(peepholes), bool(masked)
        self.backwards, self.clip = bool(backwards), float(clip)
        self.cell_used = bool(cell_used)

    def make_node(self, *operands):
        """Make one gradient of the type of each operand of the sequence."""
        operands = [pt.as_tensor_variable(each) for each in operands]
        of = self._differentiated(operands)
        outputs = [tensor(dtype=of[0].dtype, shape=each.type.shape) for each in of]
        return Apply(self, operands, outputs)

    def _differentiated(self, operands):
        weight, cell_init, hid_init, _, _, gates, _, *rest = operands
        return [gates, weight, cell_init, hid_init, *rest[: int(self.peepholes)]]

    def infer_shape(self, *node_and_shapes):
        """Return the shapes of the operands of the sequence."""
        return self._differentiated(node_and_shapes[-1])

    def perform(self, node, inputs, output_storage):
        """Run back step by step with numpy."""
        weight, cell_init, hid_init, hidden, cells, gates, to_hidden, *rest = inputs
        peepholes, mask, to_cell = self.optional(rest)
        steps, _, units = hidden.shape
        to_gates = np.empty_like(gates)
        to_weight = np.zeros_like(weight)
        to_peepholes = None if peepholes is None else np.zeros_like(peepholes)
        d_hid, d_cell = np.zeros_like(hid_init), np.zeros_like(cell_init)
        sequence = list(order(steps, self.backwards))
        for index in reversed(range(steps)):
            t = sequence[index]
            before = sequence[index - 1]
            hid_before = hidden[before] if index else hid_init
            cell_before = cells[before] if index else cell_init
            i, f, g, o = (gates[t, :, k * units : (k + 1) * units] for k in range(4))
            d_hid = d_hid + to_hidden[t]
            if to_cell is not None:
                d_cell = d_cell + to_cell[t]
            kept_hid, kept_cell = d_hid, d_cell
            tanh = np.tanh(cells[t])
            d_o = d_hid * tanh * o * (1 - o)
            d_cell = d_cell + d_hid * o * (1 - tanh * tanh)
            if peepholes is not None:
                d_cell = d_cell + d_o * peepholes[2]
            d_i = d_cell * g * i * (1 - i)
            d_f = d_cell * cell_before * f * (1 - f)
            d_g = d_cell * i * (1 - g * g)
            d_cell = d_cell * f
            d = np.concatenate([d_i, d_f, d_g, d_o], axis=1)
            if mask is not None:
                d = np.where(mask[t, :, None], d, 0)
            if peepholes is not None:
                d_cell = d_cell + d_i * peepholes[0] + d_f * peepholes[1]
                d_i, d_f, _, d_o = (d[:, k * units : (k + 1) * units] for k in range(4))
                to_peepholes[0] += (d_i * cell_before).sum(0)
                to_peepholes[1] += (d_f * cell_before).sum(0)
                to_peepholes[2] += (d_o * cells[t]).sum(0)
            to_gates[t] = clip_array(d, self.clip)
            d_hid = to_gates[t] @ weight.T
            to_weight += hid_before.T @ to_gates[t]
            if mask is not None:
                d_hid = np.where(mask[t, :, None], d_hid, kept_hid)
                d_cell = np.where(mask[t, :, None], d_cell, kept_cell)
        results = [to_gates, to_weight, d_cell, d_hid, to_peepholes]
        for storage, value in zip(output_storage, results, strict=False):
            storage[0] = value

    def connection_pattern(self, node):
        """Connect all but the mask."""
        at = 8 if self.peepholes else 7
        return [
            [not (self.masked and index == at)] * len(node.outputs)
            for index in range(len(node.inputs))
        ]

    def pullback(self, inputs, outputs, cotangents):
        """Write the gradient as a `scan`, and differentiate that."""
        return pull_back(self._by_scan, inputs, cotangents)

    def _by_scan(self, weight, cell_init, hid_init, hidden, cell, *operands):
        gates, to_hidden, *rest = operands
        peepholes, mask, to_cell = self.optional(rest)
        return lstm_steps.backward(
            weight,
            cell_init,
            hid_init,
            peepholes,
            mask,
            hidden,
            cell,
            gates,
            to_hidden,
            cell.zeros_like() if to_cell is None else to_cell,
            self.backwards,
            self.clip,
        )


def lstm_sequence(
    projected,
    weight,
    cell_init,
    hid_init,
    peepholes=None,
    mask=None,
    backwards=False,
    grad_clipping=0,
):
    r"""Run a long short-term memory over a sequence whose input is already projected.

    With :math:`z_t = x_t + h_{t-1} W`, cut into :math:`z^i, z^f, z^g, z^o`, and with
    the weights of peepholes :math:`p`,

    .. math::

       i_t &= \sigma(z_t^i + p_i c_{t-1}), \qquad
       f_t = \sigma(z_t^f + p_f c_{t-1}) \\
       c_t &= f_t c_{t-1} + i_t \tanh(z_t^g) \\
       h_t &= \sigma(z_t^o + p_o c_t) \tanh(c_t)

    Parameters
    ----------
    projected : tensor, SHAPE (time, batch, 4 * units)
        What the input adds to the gates, with their biases, in the order input gate,
        forget gate, cell, output gate.
    weight : matrix, SHAPE (units, 4 * units)
        What the previous hidden state is multiplied by, in the same order.
    cell_init, hid_init : matrix, SHAPE (batch, units) or (1, units)
        Cell and hidden state before the first step that is read.
    peepholes : matrix, SHAPE (3, units), optional
        Weights from the cell to the input gate, the forget gate and the output gate.
    mask : matrix, SHAPE (time, batch), optional
        Where it is 0, cell and hidden state stay as they were before this step.
    backwards : bool, default False
        Whether the sequence is read from its end. The result stays in its order.
    grad_clipping : float, default 0
        Bound of the absolute gradient of :math:`z_t`, at each step; 0 for none.

    Returns
    -------
    hidden, cell : TensorVariable, SHAPE (time, batch, units)
        The states after each step.

    Raises
    ------
    TypeError
        If an operand has other axes, or is not of one floating type with the others.
    ValueError
        If the known sizes do not fit.

    Notes
    -----
    One operation with a kernel of its own for Numba and JAX; `scan` runs the same step
    several times slower. Second derivatives are computed by `scan`.

    References
    ----------
    .. [1] Felix A. Gers, Nicol N. Schraudolph, Jürgen Schmidhuber (2002): Learning
       Precise Timing with LSTM Recurrent Networks. Journal of Machine Learning
       Research 3, section 3. https://www.jmlr.org/papers/v3/gers02a.html

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.ops import lstm_sequence
    >>> weight, state = np.zeros((3, 12)), np.zeros((2, 3))
    >>> hidden, cell = lstm_sequence(np.ones((5, 2, 12)), weight, state, state)
    >>> cell[:, 0, 0].eval(mode="FAST_COMPILE").round(2)
    array([0.56, 0.96, 1.26, 1.48, 1.64])
    """
    projected = pt.as_tensor_variable(projected)
    operands = [projected, weight, *repeat_states([cell_init, hid_init], projected)]
    operands += [] if peepholes is None else [peepholes]
    operands += [] if mask is None else [pt.neq(mask, 0)]
    op = LSTMSequence(peepholes is not None, mask is not None, backwards, grad_clipping)
    hidden, cell, _ = op(*operands)
    return hidden, cell
