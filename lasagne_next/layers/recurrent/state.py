"""The states that a recurrent layer does not return by itself."""

from __future__ import annotations

from lasagne_next.layers.base import describe
from lasagne_next.layers.outputs import OutputLayer
from lasagne_next.layers.recurrent.container import BaseRecurrentLayer, final_name
from lasagne_next.utils import nearest

__all__ = ["StateLayer"]


class StateLayer(OutputLayer):
    """A state, or a further output, of the recurrent layer below.

    Parameters
    ----------
    incoming : LSTMLayer, GRULayer, RecurrentLayer, CustomRecurrentLayer or ScanLayer
        The recurrent layer.
    state : str, default "hid"
        What is wanted: a state, "hid" or for an LSTM also "cell", or the name of a
        further output of a cell.
    only_return_final : bool, default True
        Whether to return the state after the last step, of shape (batch, ...), or those
        of all steps, (batch, time, ...).
    **kwargs
        `name`.

    Raises
    ------
    TypeError
        If `incoming` is no recurrent layer.
    ValueError
        If it has no such state, returns the final one only while all are wanted, or
        its output was replaced in ``get_output``.

    Notes
    -----
    It is an :class:`OutputLayer` that reads the output "hid", say, or "final_hid". In
    one call of ``get_output`` the recurrence is computed once.

    Examples
    --------
    A decoder that starts where the encoder ended.

    >>> from lasagne_next.layers import LSTMLayer, StateLayer
    >>> encoder = LSTMLayer((None, None, 3), num_units=5)
    >>> states = [StateLayer(encoder, state) for state in ("cell", "hid")]
    >>> decoder = LSTMLayer((None, 7, 2), 5, cell_init=states[0], hid_init=states[1])
    >>> states[0].output_shape, decoder.output_shape
    ((None, 5), (None, 7, 5))
    """

    def __init__(self, incoming, state="hid", only_return_final=True, **kwargs):
        self.state = state
        self.only_return_final = only_return_final
        output = final_name(state) if only_return_final else state
        super().__init__(incoming, output, **kwargs)

    def _check_incoming(self):
        below = self.input_layer
        if not isinstance(below, BaseRecurrentLayer):
            raise TypeError(
                f"{describe(self)}: incoming must be a recurrent layer, got {below!r} "
                f"(input shape {self.__dict__['_input_shape']})."
            )
        shapes = below.output_shapes
        names = [name for name in shapes if final_name(name) in shapes]
        if self.state not in names:
            raise ValueError(
                f"{describe(self)}: state must be one of {', '.join(names)} of "
                f"{describe(below)}, got {self.state!r}.{nearest(self.state, names)}"
            )
        if below.only_return_final and not self.only_return_final:
            raise ValueError(
                f"{describe(self)}: only_return_final must be True over a layer that "
                f"returns the final state only, got {self.only_return_final!r}. Build "
                f"{describe(below)} without it and take the final state from here."
            )
        super()._check_incoming()
