"""Long short-term memory, as a layer and as a cell."""

from __future__ import annotations

from collections import OrderedDict

import pytensor.tensor as pt

from lasagne_next import init, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import describe
from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.layers.recurrent.container import time_first
from lasagne_next.layers.recurrent.fused import (
    BaseFusedLayer,
    has_functions,
    of_one_type,
)
from lasagne_next.layers.recurrent.gates import Gate
from lasagne_next.layers.recurrent.steps import GatedSteps
from lasagne_next.ops import lstm_sequence

__all__ = ["LSTMCell", "LSTMLayer"]


class LSTMSteps(GatedSteps):
    """The step of an LSTM, and its parameters."""

    gate_names = ("ingate", "forgetgate", "cell", "outgate")
    state_names = ("hid", "cell")

    def _add_lstm_params(self, gates, nonlinearity, peepholes, step_shape):
        self.peepholes = peepholes
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self._add_gates(gates, step_shape)
        if peepholes:
            for name, gate in zip(self.gate_names, gates, strict=True):
                if name != "cell":
                    self._add_peephole(name, gate)

    def _add_peephole(self, name, gate):
        if not hasattr(gate, "W_cell"):
            raise ValueError(
                f"{describe(self)}: {name} must have W_cell when peepholes is true, "
                f"got {gate!r}. Pass peepholes=False for a layer without."
            )
        param = f"W_cell_to_{name}"
        made = self.add_param(gate.W_cell, (self.num_units,), name=param)
        setattr(self, param, made)

    def step(self, inputs, states, context, **kwargs):
        """Return the new cell and hidden state."""
        hidden, cell = states["hid"], states["cell"]
        stacked = inputs[0] + self._hidden_product(hidden, context)
        # (batch, 4 * num_units)
        ingate, forgetgate, candidate, outgate = self._split(context.clip(stacked))
        if self.peepholes:
            ingate = ingate + cell * self.W_cell_to_ingate
            forgetgate = forgetgate + cell * self.W_cell_to_forgetgate
        ingate = self.nonlinearity_ingate(ingate)
        forgetgate = self.nonlinearity_forgetgate(forgetgate)
        candidate = self.nonlinearity_cell(candidate)
        cell = forgetgate * cell + ingate * candidate  # (batch, num_units)
        if self.peepholes:
            outgate = outgate + cell * self.W_cell_to_outgate
        outgate = self.nonlinearity_outgate(outgate)
        hidden = outgate * self.nonlinearity(self._finish_cell(cell))
        return {"hid": hidden, "cell": cell}

    def _finish_cell(self, cell):
        return cell


class LSTMLayer(LSTMSteps, BaseFusedLayer):
    r"""A layer of long short-term memory [1]_.

    .. math::

        i_t &= \sigma_i(x_t W_{xi} + h_{t-1} W_{hi} + w_{ci} \odot c_{t-1} + b_i) \\
        f_t &= \sigma_f(x_t W_{xf} + h_{t-1} W_{hf} + w_{cf} \odot c_{t-1} + b_f) \\
        c_t &= f_t \odot c_{t-1}
               + i_t \odot \sigma_c(x_t W_{xc} + h_{t-1} W_{hc} + b_c) \\
        o_t &= \sigma_o(x_t W_{xo} + h_{t-1} W_{ho} + w_{co} \odot c_t + b_o) \\
        h_t &= o_t \odot \sigma_h(c_t)

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features...). Several axes of features are flattened.
    num_units : int
        Number of units.
    ingate, forgetgate, outgate : Gate, default Gate()
        What the gates are made of.
    cell : Gate, default Gate(W_cell=None, nonlinearity=tanh)
        What the new content of the cell is made of.
    nonlinearity : callable or None, default tanh
        Applied to the cell state; None means linear.
    cell_init, hid_init : parameter or Layer, default Constant(0)
        The states before the first step: of SHAPE (1, num_units) for all examples, or
        (batch, num_units), or a layer of that output shape.
    backwards : bool, default False
        Whether to go from the last element to the first. The output is in the order of
        the input all the same.
    learn_init : bool, default False
        Whether the initial states are trainable, where no layer gives them.
    peepholes : bool, default True
        Whether the gates see the cell state, by the diagonal weights `W_cell` [2]_.
    gradient_steps : int, default -1
        How many steps from the last one gradients reach back; -1 for all.
    grad_clipping : number or symbolic scalar, default 0
        Bound of the gradients of the four sums above, without peepholes, element by
        element; 0 for none.
    unroll_scan : bool, default False
        Whether to copy the step for each element, whose number must be known. Compiles
        longer, and runs faster for few steps.
    precompute_input : bool, default True
        Whether the products with the input are computed for all steps at once: faster,
        but takes more memory.
    mask_input : Layer or tuple, optional
        Of shape (batch, time). Where it is 0, both states stay as they were.
    only_return_final : bool, default False
        Whether to return the hidden state after the last step only, which is at the
        first element if `backwards`.
    **kwargs
        `name`.

    Attributes
    ----------
    W_in_to_ingate, W_hid_to_ingate, b_ingate, nonlinearity_ingate
        As made of the gate, and likewise for `forgetgate`, `cell` and `outgate`.
    W_cell_to_ingate, W_cell_to_forgetgate, W_cell_to_outgate
        With `peepholes` only.
    cell_init, hid_init
        As given or made.

    Raises
    ------
    ValueError
        If the input has less than 3 axes or features of unknown sizes, a layer gives
        initial states of another shape, peepholes are wanted of a gate without, or
        `unroll_scan` meets an unknown number of steps or `gradient_steps`.
    TypeError
        If a gate is no :class:`Gate`.

    Notes
    -----
    The output has the shape (batch, time, num_units), or (batch, num_units) if only the
    final state is returned. :class:`StateLayer` gives the cell state. Initial states
    are parameters, not regularizable, and trainable with `learn_init` only.

    With the usual nonlinearities, and none of `gradient_steps`, `unroll_scan` and
    ``precompute_input=False``, the whole sequence is computed by one operation
    (:func:`lasagne_next.ops.lstm_sequence`), several times faster than by the loop that
    any cell runs in. ``get_output(..., fused=False)`` asks for the loop.

    References
    ----------
    .. [1] Sepp Hochreiter and Juergen Schmidhuber (1997): Long short-term memory.
       Neural Computation 9(8). https://doi.org/10.1162/neco.1997.9.8.1735
    .. [2] Alex Graves (2013): Generating sequences with recurrent neural networks.
       Equations 7 to 11. https://arxiv.org/abs/1308.0850

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, LSTMLayer, count_params
    >>> l_in = InputLayer((None, None, 3))
    >>> l_lstm = LSTMLayer(l_in, num_units=5)
    >>> l_lstm.output_shape, count_params(l_lstm, trainable=True)
    ((None, None, 5), 195)
    >>> LSTMLayer(l_in, 5, only_return_final=True).output_shape
    (None, 5)
    """

    _plain_steps = LSTMSteps

    def __init__(
        self,
        incoming,
        num_units,
        ingate=Gate(),  # noqa: B008 (holds what is not changed)
        forgetgate=Gate(),  # noqa: B008
        cell=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        outgate=Gate(),  # noqa: B008
        nonlinearity=nonlinearities.tanh,
        cell_init=init.Constant(0.0),  # noqa: B008
        hid_init=init.Constant(0.0),  # noqa: B008
        backwards=False,
        learn_init=False,
        peepholes=True,
        gradient_steps=-1,
        grad_clipping=0,
        unroll_scan=False,
        precompute_input=True,
        mask_input=None,
        only_return_final=False,
        **kwargs,
    ):
        initials = OrderedDict(hid=hid_init, cell=cell_init)
        super().__init__(
            [incoming],
            initials,
            backwards=backwards,
            learn_init=learn_init,
            gradient_steps=gradient_steps,
            grad_clipping=grad_clipping,
            unroll_scan=unroll_scan,
            precompute_input=precompute_input,
            mask_input=mask_input,
            only_return_final=only_return_final,
            **kwargs,
        )
        self.num_units = num_units
        gates = (ingate, forgetgate, cell, outgate)
        (step_shape,) = self._step_shapes()
        self._add_lstm_params(gates, nonlinearity, peepholes, step_shape)
        self._add_initial_states(("cell", "hid"), initials)

    def _has_usual_functions(self):
        functions = [*self._gate_params("nonlinearity_"), self.nonlinearity]
        return has_functions(
            functions, ("sigmoid", "sigmoid", "tanh", "sigmoid", "tanh")
        )

    def _run_fused(self, given, weight, context, **kwargs):
        (projected,) = self.prepare([time_first(given.sequences[0])], context, **kwargs)
        states, peepholes = given.states, self._join_peepholes()
        operands = [projected, weight, states["cell"], states["hid"], peepholes]
        if not of_one_type(operands):
            return None
        mask = None if given.mask is None else time_first(given.mask)
        hidden, cell = lstm_sequence(
            *operands, mask, self.backwards, float(self.grad_clipping)
        )
        return self._arrange_sequences({"hid": hidden, "cell": cell})

    def _join_peepholes(self):
        if not self.peepholes:
            return None
        names = ("ingate", "forgetgate", "outgate")
        return pt.stack([getattr(self, f"W_cell_to_{name}") for name in names])


class LSTMCell(LSTMSteps, Cell):
    """One step of long short-term memory, for :class:`ScanLayer`.

    Parameters
    ----------
    incoming : tuple
        Shape of one element, (batch, features...).
    num_units : int
        Number of units.
    ingate, forgetgate, cell, outgate : Gate
        As for :class:`LSTMLayer`.
    nonlinearity : callable or None, default tanh
        Applied to the cell state.
    peepholes : bool, default True
        Whether the gates see the cell state.
    **kwargs
        `name`.

    Notes
    -----
    The states are called "hid", which is the output, and "cell".

    Examples
    --------
    >>> from lasagne_next.layers import LSTMCell, ScanLayer
    >>> ScanLayer((None, 7, 3), LSTMCell((None, 3), num_units=5)).output_shape
    (None, 7, 5)
    """

    def __init__(
        self,
        incoming,
        num_units,
        ingate=Gate(),  # noqa: B008
        forgetgate=Gate(),  # noqa: B008
        cell=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        outgate=Gate(),  # noqa: B008
        nonlinearity=nonlinearities.tanh,
        peepholes=True,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        gates = (ingate, forgetgate, cell, outgate)
        self._add_lstm_params(gates, nonlinearity, peepholes, self.input_shapes[0])
