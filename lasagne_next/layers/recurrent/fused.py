"""When a layer of gates is plain enough for one operation over the whole sequence."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.tensor.math import Dot

from lasagne_next import nonlinearities
from lasagne_next.layers.recurrent.container import BaseRecurrentLayer

__all__ = ["BaseFusedLayer", "has_functions", "is_plain", "of_one_type", "plain_weight"]

_ALIKE = {
    "sigmoid": (nonlinearities.sigmoid, pt.sigmoid),
    "tanh": (nonlinearities.tanh, pt.tanh),
}


class BaseFusedLayer(BaseRecurrentLayer):
    """Base of layers of gates that one operation computes where they are plain.

    Sub-classes define `_plain_steps`, the class whose steps the operation takes, and
    the methods below.
    """

    _plain_steps = None

    def _has_usual_functions(self):
        """Tell whether the nonlinearities are those of the operation."""
        raise NotImplementedError

    def _run_fused(self, given, weight, context, **kwargs):
        """Return the Outcome of the operation, None where types do not fit."""
        raise NotImplementedError

    def get_outputs_for(self, inputs, fused=True, **kwargs):
        """Return the states, SHAPE (batch, time, num_units), and the last.

        By one operation where the layer is a plain one, unless `fused` is False.
        """
        return super().get_outputs_for(inputs, fused=fused, **kwargs)

    def run(self, given, fused=True, **kwargs):
        """Build the whole recurrence as expressions."""
        if fused and is_plain(self, self._plain_steps) and self._has_usual_functions():
            context = self._context(given)
            context.grad_clipping = 0  # left to the operation
            weight = plain_weight(self, given.states["hid"], context)
            if weight is not None:
                outcome = self._run_fused(given, weight, context, **kwargs)
                if outcome is not None:
                    return outcome
        return super().run(given, **kwargs)


def is_plain(layer, steps):
    """Tell whether a layer takes the steps of a class, with no options of the loop."""
    maps = ("begin", "step", "_hidden_product", "_finish_hidden", "_split")
    own = [name for name in dir(steps) if name in (*maps, "_finish_cell")]
    return (
        all(getattr(type(layer), name) is getattr(steps, name) for name in own)
        and layer.gradient_steps == -1
        and layer.precompute_input
        and not layer.unroll_scan
        and not isinstance(layer.grad_clipping, Variable)
    )


def has_functions(functions, names):
    """Tell whether functions are those of these names, in this order."""
    return all(
        any(function == each for each in _ALIKE[name])
        for function, name in zip(functions, names, strict=True)
    )


def plain_weight(layer, hidden, context):
    """Return the recurrent weights side by side, None where their structure pays."""
    made = layer._hidden_product(hidden, context).owner
    if made is None or not isinstance(made.op, Dot) or made.inputs[0] is not hidden:
        return None
    return made.inputs[1]  # (num_units, gates * num_units)


def of_one_type(operands):
    """Tell whether all are float32, or all are float64."""
    types = {each.dtype for each in operands if each is not None}
    return len(types) == 1 and types <= {"float32", "float64"}
