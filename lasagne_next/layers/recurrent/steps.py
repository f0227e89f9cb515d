"""What LSTM and GRU share, whether as a layer or as a cell."""

from __future__ import annotations

import math
from collections import OrderedDict

from lasagne_next.layers.base import describe
from lasagne_next.layers.recurrent.cell import StepMaps
from lasagne_next.layers.recurrent.gates import (
    add_gate,
    split_units,
    stacked_biases,
    stacked_product,
)

__all__ = ["GatedSteps"]


class GatedSteps(StepMaps):
    """Steps of gates, whose products with input and state are stacked.

    `gate_names` is the order of the gates in the parameters and in the stack.
    """

    gate_names = ()
    masks_products = True  # dropout is applied to products, not to what is remembered
    output_names = ("hid",)

    @property
    def state_shapes(self):
        """Shapes of the states by name."""
        return OrderedDict((name, (self.num_units,)) for name in self.state_names)

    def _add_gates(self, gates, step_shape):
        num_inputs = self._count_inputs(step_shape)
        for name, gate in zip(self.gate_names, gates, strict=True):
            add_gate(self, gate, name, num_inputs, self.num_units)

    def _count_inputs(self, step_shape):
        features = step_shape[1:]
        if not features or None in features:
            raise ValueError(
                f"{describe(self)}: the sizes of the features must be known, got "
                f"{features} (shape of one step {step_shape}). Give them in the "
                "InputLayer."
            )
        return math.prod(features)

    def _feature_shape(self):
        (step_shape,) = self._step_shapes()
        return step_shape[1:]

    def _gate_params(self, start):
        return [getattr(self, start + name) for name in self.gate_names]

    def prepare(self, inputs, context, **kwargs):
        """Return the products of the input with all gates, one behind the other."""
        (x,) = inputs
        weights = self._gate_params("W_in_to_")
        leading = x.ndim - len(self._feature_shape())
        if x.ndim > leading + 1:
            sizes = [x.shape[axis] for axis in range(leading)]
            x = x.reshape((*sizes, math.prod(self._feature_shape())))
        stacked = stacked_product(x, weights, context.input_uses)
        return [self._finish_input(stacked, context)]  # (..., gates * num_units)

    def _finish_input(self, stacked, context):
        biases = stacked_biases(self._gate_params("b_"), self.num_units)
        return stacked if biases is None else stacked + biases

    def _hidden_product(self, hidden, context):
        weights = self._gate_params("W_hid_to_")
        hidden = context.masked("hid", hidden)
        return self._finish_hidden(stacked_product(hidden, weights, context.num_steps))

    def _finish_hidden(self, stacked):
        return stacked

    def _split(self, stacked):
        return split_units(stacked, len(self.gate_names), self.num_units)
