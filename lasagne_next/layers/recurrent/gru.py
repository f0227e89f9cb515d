"""Gated recurrent units, as a layer and as a cell."""

from __future__ import annotations

from collections import OrderedDict

from lasagne_next import init, nonlinearities
from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.layers.recurrent.container import time_first
from lasagne_next.layers.recurrent.fused import (
    BaseFusedLayer,
    has_functions,
    of_one_type,
)
from lasagne_next.layers.recurrent.gates import Gate
from lasagne_next.layers.recurrent.steps import GatedSteps
from lasagne_next.ops import gru_sequence

__all__ = ["GRUCell", "GRULayer"]


class GRUSteps(GatedSteps):
    """The step of gated recurrent units, and its parameters."""

    gate_names = ("updategate", "resetgate", "hidden_update")
    state_names = ("hid",)

    def _add_gru_params(self, resetgate, updategate, hidden_update, step_shape):
        self._add_gates((updategate, resetgate, hidden_update), step_shape)
        self.nonlinearity_hid = hidden_update.nonlinearity

    def _finish_input(self, stacked, context):
        return context.clip(super()._finish_input(stacked, context))

    def step(self, inputs, states, context, **kwargs):
        """Return the new hidden state."""
        hidden = states["hid"]
        from_hidden = context.clip(self._hidden_product(hidden, context))
        update_h, reset_h, candidate_h = self._split(from_hidden)
        update_x, reset_x, candidate_x = self._split(inputs[0])
        update = self.nonlinearity_updategate(update_x + update_h)
        reset = self.nonlinearity_resetgate(reset_x + reset_h)
        candidate = context.clip(candidate_x + reset * candidate_h)
        candidate = self.nonlinearity_hid(candidate)  # (batch, num_units)
        return {"hid": (1 - update) * hidden + update * candidate}


class GRULayer(GRUSteps, BaseFusedLayer):
    r"""A layer of gated recurrent units [1]_.

    .. math::

        r_t &= \sigma_r(x_t W_{xr} + h_{t-1} W_{hr} + b_r) \\
        u_t &= \sigma_u(x_t W_{xu} + h_{t-1} W_{hu} + b_u) \\
        c_t &= \sigma_c(x_t W_{xc} + r_t \odot (h_{t-1} W_{hc}) + b_c) \\
        h_t &= (1 - u_t) \odot h_{t-1} + u_t \odot c_t

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features...). Several axes of features are flattened.
    num_units : int
        Number of units.
    resetgate, updategate : Gate, default Gate(W_cell=None)
        What the gates are made of. `W_cell` is ignored.
    hidden_update : Gate, default Gate(W_cell=None, nonlinearity=tanh)
        What the candidate is made of.
    hid_init : parameter or Layer, default Constant(0)
        The state before the first step: of SHAPE (1, num_units) for all examples, or
        (batch, num_units), or a layer of that output shape.
    backwards : bool, default False
        Whether to go from the last element to the first. The output is in the order of
        the input all the same.
    learn_init : bool, default False
        Whether the initial state is trainable, where no layer gives it.
    gradient_steps : int, default -1
        How many steps from the last one gradients reach back; -1 for all.
    grad_clipping : number or symbolic scalar, default 0
        Bound, element by element, of the gradients of the products with the input (with
        biases), of those with the state, and of the sum inside the candidate; 0 for
        none.
    unroll_scan : bool, default False
        Whether to copy the step for each element, whose number must be known. Compiles
        longer, and runs faster for few steps.
    precompute_input : bool, default True
        Whether the products with the input are computed for all steps at once: faster,
        but takes more memory.
    mask_input : Layer or tuple, optional
        Of shape (batch, time). Where it is 0, the state stays as it was.
    only_return_final : bool, default False
        Whether to return the state after the last step only, which is at the first
        element if `backwards`.
    **kwargs
        `name`.

    Attributes
    ----------
    W_in_to_updategate, W_hid_to_updategate, b_updategate, nonlinearity_updategate
        As made of the gate, and likewise for `resetgate` and `hidden_update`.
    nonlinearity_hid
        That of the candidate.
    hid_init
        As given or made.

    Raises
    ------
    ValueError
        If the input has less than 3 axes or features of unknown sizes, a layer gives
        initial states of another shape, or `unroll_scan` meets an unknown number of
        steps or `gradient_steps`.
    TypeError
        If a gate is no :class:`Gate`.

    Notes
    -----
    The reset gate is applied after the product with the state, as cuDNN and PyTorch do
    (there, u and 1 - u are exchanged), where [1]_ applies it before. The output has the
    shape (batch, time, num_units), or (batch, num_units) if only the final state is
    returned.

    With the usual nonlinearities, and none of `gradient_steps`, `unroll_scan` and
    ``precompute_input=False``, the whole sequence is computed by one operation
    (:func:`lasagne_next.ops.gru_sequence`), several times faster than by the loop that
    any cell runs in. ``get_output(..., fused=False)`` asks for the loop.

    References
    ----------
    .. [1] Kyunghyun Cho et al. (2014): Learning phrase representations using RNN
       encoder-decoder for statistical machine translation. Equations 5 to 8.
       https://arxiv.org/abs/1406.1078

    Examples
    --------
    >>> from lasagne_next.layers import GRULayer, InputLayer, count_params
    >>> l_gru = GRULayer(InputLayer((None, None, 3)), num_units=5)
    >>> l_gru.output_shape, count_params(l_gru, trainable=True)
    ((None, None, 5), 135)
    """

    _plain_steps = GRUSteps

    def __init__(
        self,
        incoming,
        num_units,
        resetgate=Gate(W_cell=None),  # noqa: B008 (holds what is not changed)
        updategate=Gate(W_cell=None),  # noqa: B008
        hidden_update=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        hid_init=init.Constant(0.0),  # noqa: B008
        backwards=False,
        learn_init=False,
        gradient_steps=-1,
        grad_clipping=0,
        unroll_scan=False,
        precompute_input=True,
        mask_input=None,
        only_return_final=False,
        **kwargs,
    ):
        initials = OrderedDict(hid=hid_init)
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
        (step_shape,) = self._step_shapes()
        self._add_gru_params(resetgate, updategate, hidden_update, step_shape)
        self._add_initial_states(("hid",), initials)

    def _has_usual_functions(self):
        gates = [self.nonlinearity_updategate, self.nonlinearity_resetgate]
        functions = [*gates, self.nonlinearity_hid]
        return has_functions(functions, ("sigmoid", "sigmoid", "tanh"))

    def _run_fused(self, given, weight, context, **kwargs):
        (projected,) = self.prepare([time_first(given.sequences[0])], context, **kwargs)
        operands = [projected, weight, given.states["hid"]]
        if not of_one_type(operands):
            return None
        mask = None if given.mask is None else time_first(given.mask)
        hidden = gru_sequence(
            *operands, mask, self.backwards, float(self.grad_clipping)
        )
        return self._arrange_sequences({"hid": hidden})


class GRUCell(GRUSteps, Cell):
    """One step of gated recurrent units, for :class:`ScanLayer`.

    Parameters
    ----------
    incoming : tuple
        Shape of one element, (batch, features...).
    num_units : int
        Number of units.
    resetgate, updategate, hidden_update : Gate
        As for :class:`GRULayer`.
    **kwargs
        `name`.

    Notes
    -----
    The state is called "hid" and is the output.

    Examples
    --------
    >>> from lasagne_next.layers import GRUCell, ScanLayer
    >>> ScanLayer((None, 7, 3), GRUCell((None, 3), num_units=5)).output_shape
    (None, 7, 5)
    """

    def __init__(
        self,
        incoming,
        num_units,
        resetgate=Gate(W_cell=None),  # noqa: B008
        updategate=Gate(W_cell=None),  # noqa: B008
        hidden_update=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self._add_gru_params(resetgate, updategate, hidden_update, self.input_shapes[0])
