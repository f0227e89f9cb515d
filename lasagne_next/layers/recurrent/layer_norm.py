"""LSTM and GRU whose products are normalised in each step."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next import init, nonlinearities
from lasagne_next.expressions.standardise import standardise
from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.layers.recurrent.gates import Gate
from lasagne_next.layers.recurrent.gru import GRUSteps
from lasagne_next.layers.recurrent.lstm import LSTMSteps

__all__ = ["LayerNormGRUCell", "LayerNormLSTMCell"]


class NormalisedProducts:
    """Normalise the stacked products with input and state, in groups of gates."""

    group_sizes = ()

    def _add_gains(self, gain):
        for name in ("gain_in", "gain_hid"):
            shape = (len(self.gate_names) * self.num_units,)
            made = self.add_param(gain, shape, name=name, regularizable=False)
            setattr(self, name, made)

    def _normalised(self, stacked, gain):
        """Standardise each group of gates; SHAPE (..., gates * num_units)."""
        bounds, start = [], 0
        for size in self.group_sizes:
            bounds.append((start * self.num_units, (start + size) * self.num_units))
            start += size
        groups = [
            standardise(stacked[..., low:high], -1, self.epsilon)
            for low, high in bounds
        ]
        joined = groups[0] if len(groups) == 1 else pt.concatenate(groups, axis=-1)
        return joined * gain

    def _finish_input(self, stacked, context):
        return super()._finish_input(self._normalised(stacked, self.gain_in), context)

    def _finish_hidden(self, stacked):
        return self._normalised(stacked, self.gain_hid)


class LayerNormLSTMCell(NormalisedProducts, LSTMSteps, Cell):
    r"""One step of an LSTM with layer normalisation, for :class:`ScanLayer`.

    With LN for standardising over the units of an example,

    .. math::

        (i, f, g, o) &= \alpha_x \odot LN(x_t W_x)
                        + \alpha_h \odot LN(h_{t-1} W_h) + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(\alpha_c \odot LN(c_t) + \beta_c)

    Parameters
    ----------
    incoming : tuple
        Shape of one element, (batch, features...).
    num_units : int
        Number of units.
    ingate, forgetgate, cell, outgate : Gate
        As for :class:`LSTMLayer`; `W_cell` is ignored.
    nonlinearity : callable or None, default tanh
        Applied to the normalised cell state.
    gain : parameter, default Constant(1), SHAPE (4 * num_units,)
        What the gains of both products are made of. Not regularizable.
    gain_cell, shift_cell : parameter, default Constant(1), Constant(0)
        Gain and shift of the normalised cell state, SHAPE (num_units,).
    epsilon : number or symbolic scalar, default 1e-5
        Added to the variances.
    **kwargs
        `name`.

    Notes
    -----
    Each product is normalised over all four gates together, as in [1]_.

    References
    ----------
    .. [1] Jimmy Ba, Jamie Ryan Kiros and Geoffrey Hinton (2016): Layer normalization.
       Equations 20 to 22. https://arxiv.org/abs/1607.06450

    Examples
    --------
    >>> from lasagne_next.layers import LayerNormLSTMCell, ScanLayer
    >>> ScanLayer((None, 7, 3), LayerNormLSTMCell((None, 3), 5)).output_shape
    (None, 7, 5)
    """

    group_sizes = (4,)

    def __init__(
        self,
        incoming,
        num_units,
        ingate=Gate(),  # noqa: B008 (holds what is not changed)
        forgetgate=Gate(),  # noqa: B008
        cell=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        outgate=Gate(),  # noqa: B008
        nonlinearity=nonlinearities.tanh,
        gain=init.Constant(1.0),  # noqa: B008
        gain_cell=init.Constant(1.0),  # noqa: B008
        shift_cell=init.Constant(0.0),  # noqa: B008
        epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.epsilon = epsilon
        gates = (ingate, forgetgate, cell, outgate)
        self._add_lstm_params(gates, nonlinearity, False, self.input_shapes[0])
        self._add_gains(gain)
        shape = (num_units,)
        tags = {"regularizable": False}
        self.gain_cell = self.add_param(gain_cell, shape, name="gain_cell", **tags)
        self.shift_cell = self.add_param(shift_cell, shape, name="shift_cell", **tags)

    def _finish_cell(self, cell):
        return self.gain_cell * standardise(cell, -1, self.epsilon) + self.shift_cell


class LayerNormGRUCell(NormalisedProducts, GRUSteps, Cell):
    r"""One step of gated recurrent units with layer normalisation.

    The products :math:`x_t W` and :math:`h_{t-1} W` of :class:`GRULayer` are
    standardised over the units of an example, those of both gates together and those of
    the candidate apart, and multiplied by gains.

    Parameters
    ----------
    incoming : tuple
        Shape of one element, (batch, features...).
    num_units : int
        Number of units.
    resetgate, updategate, hidden_update : Gate
        As for :class:`GRULayer`.
    gain : parameter, default Constant(1), SHAPE (3 * num_units,)
        What the gains of both products are made of. Not regularizable.
    epsilon : number or symbolic scalar, default 1e-5
        Added to the variances.
    **kwargs
        `name`.

    References
    ----------
    Jimmy Ba, Jamie Ryan Kiros and Geoffrey Hinton (2016): Layer normalization.
    Equations 23 to 27. https://arxiv.org/abs/1607.06450

    Examples
    --------
    >>> from lasagne_next.layers import LayerNormGRUCell, ScanLayer
    >>> ScanLayer((None, 7, 3), LayerNormGRUCell((None, 3), 5)).output_shape
    (None, 7, 5)
    """

    group_sizes = (2, 1)

    def __init__(
        self,
        incoming,
        num_units,
        resetgate=Gate(W_cell=None),  # noqa: B008
        updategate=Gate(W_cell=None),  # noqa: B008
        hidden_update=Gate(W_cell=None, nonlinearity=nonlinearities.tanh),  # noqa: B008
        gain=init.Constant(1.0),  # noqa: B008
        epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.epsilon = epsilon
        self._add_gru_params(resetgate, updategate, hidden_update, self.input_shapes[0])
        self._add_gains(gain)
