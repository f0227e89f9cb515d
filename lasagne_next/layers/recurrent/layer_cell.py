"""A step that is made of layers."""

from __future__ import annotations

from collections import OrderedDict

from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.helper.evaluation import accepted_keywords, evaluate
from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.recurrent.cell import Cell
from lasagne_next.utils import unique

__all__ = ["LayerCell"]


class LayerCell(Cell):
    """A cell made of ordinary layers.

    Parameters
    ----------
    inputs : InputLayer or list of InputLayer
        Stand for the elements of the sequences, of shape (batch, features...).
    states : dict
        Of the name of each state to a pair: the InputLayer that stands for the state
        before the step, and the layer that returns the one after it, of equal shape.
    outputs : dict, optional
        Of name to layer: what the container returns. By default the first state.
    constants : list of InputLayer, default ()
        Stand for the constants of the container, of their shapes.
    **kwargs
        `name`.

    Raises
    ------
    TypeError
        If an input, the first of a pair or a constant is no InputLayer.
    ValueError
        If a state changes its shape, or there is none.

    Notes
    -----
    Dropout and noise in these layers are drawn anew for each step. The layers are no
    part of the network around: ``get_all_layers(..., inner=True)`` lists them.

    Examples
    --------
    A recurrence of two layers with an output of its own.

    >>> from lasagne_next import layers
    >>> x, h = layers.InputLayer((None, 3)), layers.InputLayer((None, 5))
    >>> new = layers.DenseLayer(layers.ConcatLayer([x, h]), num_units=5)
    >>> y = layers.DenseLayer(new, num_units=2)
    >>> cell = layers.LayerCell(x, {"hid": (h, new)}, outputs={"y": y})
    >>> layers.ScanLayer((None, 7, 3), cell).output_shape
    (None, 7, 2)
    """

    def __init__(self, inputs, states, outputs=None, constants=(), **kwargs):
        inputs = inputs if isinstance(inputs, list) else [inputs]
        self.name = kwargs.get("name")  # for messages about the layers
        self.inputs = inputs
        self.states = OrderedDict(states)
        self.constants = list(constants)
        self._check_placeholders()
        self.outputs = OrderedDict(outputs or {})
        super().__init__([each.shape for each in inputs], **kwargs)
        self.output_names = tuple(self.outputs) or (next(iter(self.states)),)
        self.get_output_kwargs = sorted(accepted_keywords(self.get_inner_layers()))

    def _check_placeholders(self):
        if not self.states:
            raise ValueError(
                f"{describe(self)}: states must name at least one state, got "
                f"{dict(self.states)!r}. Apply layers without state to the sequence "
                "itself."
            )
        before = [pair[0] for pair in self.states.values()]
        for each in [*self.inputs, *before, *self.constants]:
            if not isinstance(each, InputLayer):
                raise TypeError(
                    f"{describe(self)}: inputs, states before the step and constants "
                    f"must be InputLayers, got {each!r}."
                )
        for name, (old, new) in self.states.items():
            if not isinstance(new, Layer) or old.shape[1:] != new.output_shape[1:]:
                got = getattr(new, "output_shape", new)
                raise ValueError(
                    f"{describe(self)}: state {name!r} must keep its shape "
                    f"{old.shape[1:]} behind the batch axis, got {got}."
                )

    @property
    def state_shapes(self):
        """Shapes of the states by name, without the axis of the batch."""
        return OrderedDict((k, tuple(v[0].shape[1:])) for k, v in self.states.items())

    def get_further_shapes_for(self, input_shapes):
        """Return the shapes of the outputs, without the axis of the batch."""
        return {name: each.output_shape[1:] for name, each in self.outputs.items()}

    def get_inner_layers(self):
        """List the layers of the step."""
        return get_all_layers(self._wanted())

    def _wanted(self):
        return [pair[1] for pair in self.states.values()] + list(self.outputs.values())

    def get_params(self, unwrap_shared=True, **tags):
        """List the parameters of the layers, in their order.

        Parameters
        ----------
        unwrap_shared, **tags
            As for :meth:`Layer.get_params`.

        Returns
        -------
        list of SharedVariable, or of Variable if not `unwrap_shared`
            Each once.
        """
        return unique(
            param
            for each in self.get_inner_layers()
            for param in each.get_params(unwrap_shared=unwrap_shared, **tags)
        )

    def step(self, inputs, states, context, **kwargs):
        """Evaluate the layers."""
        given = dict(zip(self.inputs, inputs, strict=True))
        given |= {self.states[name][0]: value for name, value in states.items()}
        given |= dict(zip(self.constants, context.constants, strict=True))
        keywords = {**kwargs, "uses": context.num_steps}
        results, _ = evaluate(self._wanted(), given, keywords)
        return dict(zip([*self.states, *self.outputs], results, strict=True))
