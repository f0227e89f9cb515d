"""What runs a step over time: masks, directions, initial states, final states."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Variable

from lasagne_next.expressions.markers import carry_state
from lasagne_next.layers.base import Layer, MergeLayer, describe
from lasagne_next.layers.outputs import SeveralOutputs
from lasagne_next.layers.recurrent.loop import LoopOptions, run_loop
from lasagne_next.ops import clip_gradient
from lasagne_next.params import declare_unit_axes, static_shape
from lasagne_next.utils import int_types

__all__ = ["BaseRecurrentLayer", "Outcome", "StepContext", "final_name", "time_first"]


class BaseRecurrentLayer(SeveralOutputs, MergeLayer):
    """Base of all layers that apply a step to each element of a sequence.

    Sub-classes define the maps of :class:`StepMaps`, or return a cell as `_steps`; they
    make the parameters of the steps and call ``_add_initial_states``.

    Outputs are called after what steps return, the main one first: "hid", with the axis
    of time unless `only_return_final`, and "final_hid" without it.
    """

    def __init__(
        self,
        incomings,
        initials,
        backwards=False,
        learn_init=False,
        gradient_steps=-1,
        grad_clipping=0,
        unroll_scan=False,
        precompute_input=True,
        mask_input=None,
        only_return_final=False,
        constants=(),
        **kwargs,
    ):
        incomings = list(incomings)
        self._num_inputs = len(incomings)
        self.mask_incoming_index = -1
        if mask_input is not None:
            self.mask_incoming_index = len(incomings)
            incomings.append(mask_input)
        for name, spec in initials.items():
            given = isinstance(spec, Layer)
            index = len(incomings) if given else -1
            setattr(self, f"{name}_init_incoming_index", index)
            incomings.extend([spec] if given else [])
        self._num_constants = len(constants)
        super().__init__([*incomings, *constants], **kwargs)
        self.carried_states = {}  # by name; filled by carry_states
        self.learn_init = learn_init
        self.backwards = backwards
        self.gradient_steps = gradient_steps
        self.grad_clipping = grad_clipping
        self.unroll_scan = unroll_scan
        self.precompute_input = precompute_input
        self.only_return_final = only_return_final
        self._check_sequences()
        self._check_options()

    def _check_sequences(self):
        for shape in self.input_shapes[: self._num_inputs]:
            if len(shape) < 3:
                raise ValueError(
                    f"{describe(self)}: the input must have at least 3 axes (batch, "
                    f"time, features), got input shape {shape}. For sequences of "
                    "numbers, append an axis of size 1."
                )
        if self.mask_incoming_index >= 0:
            shape = self.input_shapes[self.mask_incoming_index]
            if len(shape) != 2:
                raise ValueError(
                    f"{describe(self)}: mask_input must have the shape (batch, time), "
                    f"got {shape} (input shape {self.input_shapes[0]})."
                )

    def _check_options(self):
        shape = self.input_shapes[0]
        if self.unroll_scan and self.gradient_steps != -1:
            raise ValueError(
                f"{describe(self)}: gradient_steps must be -1 when unroll_scan is "
                f"true, got {self.gradient_steps!r}. Let the loop be symbolic."
            )
        if not isinstance(self.gradient_steps, int_types) or not (
            self.gradient_steps == -1 or self.gradient_steps > 0
        ):
            raise ValueError(
                f"{describe(self)}: gradient_steps must be a positive integer, or -1 "
                f"for all, got {self.gradient_steps!r}."
            )
        if self.unroll_scan and shape[1] is None:
            raise ValueError(
                f"{describe(self)}: the number of time steps must be known when "
                f"unroll_scan is true, got input shape {shape}. Declare it in the "
                "InputLayer."
            )

    def _step_shapes(self):
        """Return the shapes of the inputs of one step."""
        shapes = self.input_shapes[: self._num_inputs]
        return [(shape[0], *shape[2:]) for shape in shapes]

    @property
    def _steps(self):
        """Return what defines the steps: a cell, or the layer itself."""
        return self

    def _add_initial_states(self, order, initials):
        """Register the initial states that no layer gives, in the order given."""
        for name in order:
            spec = initials[name]
            if not isinstance(spec, Layer):
                spec = self._add_initial_state(name, spec)
            else:
                self._check_initial_layer(name, spec)
            setattr(self, f"{name}_init", spec)

    def _add_initial_state(self, name, spec):
        rows = _count_rows(spec, len(self._steps.state_shapes[name]) + 1)
        return self.add_param(
            spec,
            (rows, *self._steps.state_shapes[name]),
            name=f"{name}_init",
            trainable=self.learn_init,
            regularizable=False,
        )

    def _check_initial_layer(self, name, layer):
        wanted = (self.input_shapes[0][0], *self._steps.state_shapes[name])
        got = layer.output_shape
        fits = len(got) == len(wanted) and all(
            None in pair or pair[0] == pair[1] for pair in zip(got, wanted, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{describe(self)}: {name}_init must have the output shape {wanted}, "
                f"got {describe(layer)} with {got} (input shape "
                f"{self.input_shapes[0]})."
            )

    def get_output_shapes_for(self, input_shapes):
        """Put the axes of batch and time before what one step returns."""
        batch, steps = input_shapes[0][:2]
        shapes = [(batch, *shape[2:]) for shape in input_shapes[: self._num_inputs]]
        main = self._steps.output_names[0]
        features = {main: tuple(self._steps.get_step_shape_for(shapes))[1:]}
        features |= self._steps.state_shapes
        features |= self._steps.get_further_shapes_for(shapes)
        leading = (batch,) if self.only_return_final else (batch, steps)
        found = {name: (*leading, *shape) for name, shape in features.items()}
        for name, shape in features.items():
            found[final_name(name)] = (batch, *shape)
        return found

    def get_outputs_for(self, inputs, **kwargs):
        """Return what the steps return, SHAPE (batch, time, ...), and of the last."""
        outcome = self.run(self._sort_inputs(inputs), **kwargs)
        main = self._steps.output_names[0]
        outputs = {main: outcome.values[main], **outcome.values}
        for name, value in outcome.final_states.items():
            outputs[final_name(name)] = value
        for name, state in self.carried_states.items():
            final = outcome.final_states[name].astype(state.dtype)
            for each, value in outputs.items():
                outputs[each] = carry_state(value, state, final)
        return outputs

    def _sort_inputs(self, inputs):
        """Tell apart what comes in."""
        masked = self.mask_incoming_index >= 0
        return Given(
            sequences=inputs[: self._num_inputs],
            mask=inputs[self.mask_incoming_index] if masked else None,
            states=OrderedDict(
                (name, self._initial_state(name, inputs))
                for name in self._steps.state_shapes
            ),
            constants=inputs[len(inputs) - self._num_constants :],
        )

    def _initial_state(self, name, inputs):
        if name in self.carried_states:
            return self.carried_states[name]
        index = getattr(self, f"{name}_init_incoming_index", -1)
        if index >= 0:
            return inputs[index]
        start = getattr(self, f"{name}_init")
        shape = self._steps.state_shapes[name]
        if static_shape(start)[0] == 1:
            start = declare_unit_axes(start, (1, *[None] * len(shape)))
        first = inputs[0]
        batch = first.shape[0] if first.type.shape[0] is None else first.type.shape[0]
        return pt.alloc(start, batch, *shape)  # (batch, ...)

    def run(self, given, **kwargs):
        """Build the whole recurrence as expressions.

        Parameters
        ----------
        given : Given
            Sequences, mask, initial states and constants.
        **kwargs
            Keywords of :func:`~lasagne_next.layers.get_output`.

        Returns
        -------
        Outcome
            Outputs and states.

        Notes
        -----
        A class that computes a whole sequence in another way overrides this.
        """
        cell, context = self._steps, self._context(given)
        sequences = [time_first(each) for each in given.sequences]
        context.begun = cell.begin(sequences, given.states, context, **kwargs)
        if self.precompute_input:
            sequences = cell.prepare(sequences, context, **kwargs)

        def step(elements, states):
            if not self.precompute_input:
                elements = cell.prepare(elements, context, **kwargs)
            states = OrderedDict(zip(cell.state_shapes, states, strict=True))
            return cell.step(elements, states, context, **kwargs)

        if given.mask is None:
            values = self._run_unmasked(step, sequences, given.states)
        else:
            values = self._run_masked(step, sequences, given.states, given.mask)
        return self._arrange(values)

    def _context(self, given):
        known = [each.type.shape[1] for each in given.sequences]
        steps = next((each for each in known if each is not None), None)
        return StepContext(
            num_steps=steps,
            input_uses=1 if self.precompute_input else steps,
            grad_clipping=self.grad_clipping,
            constants=given.constants,
        )

    def _further_outputs(self):
        names = self._steps.output_names
        return [name for name in names if name not in self._steps.state_shapes]

    def _run_unmasked(self, step, sequences, states):
        further, names = self._further_outputs(), list(states)

        def body(elements, previous):
            values = step(elements, previous)
            return [values[each] for each in further], [values[each] for each in names]

        outputs, states = self._loop(body, sequences, list(states.values()))
        return dict(zip(further + names, outputs + states, strict=True))

    def _run_masked(self, step, sequences, states, mask):
        further = self._further_outputs()
        names, initials = [*states, *further], list(states.values())
        if further:
            # What is no state is carried along too, so that it can be repeated.
            first = step([each[0] for each in sequences], initials)
            initials += [pt.zeros_like(first[name]) for name in further]

        def body(elements, previous):
            *elements, keep = elements
            values = step(elements, previous[: len(states)])
            old = zip(names, previous, strict=True)
            return [], [_where(keep, values[name], each) for name, each in old]

        mask = time_first(pt.neq(mask, 0))
        _, states = self._loop(body, [*sequences, mask], initials)
        return dict(zip(names, states, strict=True))

    def _loop(self, body, sequences, initials):
        known = [each.type.shape[0] for each in sequences]
        options = LoopOptions(
            num_steps=next((each for each in known if each is not None), None),
            backwards=self.backwards,
            gradient_steps=self.gradient_steps,
            unroll=self.unroll_scan,
            only_final=self.only_return_final,
        )
        return run_loop(body, sequences, initials, options)

    def _arrange_sequences(self, values):
        """Arrange values of which each has the SHAPE (time, batch, ...)."""
        if self.only_return_final:
            last = 0 if self.backwards else -1
            values = {name: each[last] for name, each in values.items()}
        return self._arrange(values)

    def _arrange(self, values):
        if self.only_return_final:
            return Outcome(values, values)
        last = 0 if self.backwards else -1
        final = {name: each[last] for name, each in values.items()}
        return Outcome({k: time_first(each) for k, each in values.items()}, final)


@dataclass
class Given:
    """What a recurrence starts from.

    `sequences`, each of SHAPE (batch, time, ...); `mask` of SHAPE (batch, time) or
    None; initial `states` by name, each of SHAPE (batch, ...); `constants`.
    """

    sequences: list
    mask: object
    states: OrderedDict
    constants: list


@dataclass
class Outcome:
    """What a recurrence returns.

    `values`, by name of output or state, each of SHAPE (batch, time, ...), or without
    the axis of time if only the last is wanted; `final_states` by name, each of SHAPE
    (batch, ...).
    """

    values: dict
    final_states: dict


@dataclass
class StepContext:
    """What a cell may know besides elements and states.

    `num_steps` is how often ``step`` is applied, and `input_uses` how often ``prepare``
    is, None if known at run time only; `constants` are the expressions of the constant
    incomings; `begun` is what ``begin`` returned; `masks`, by name of state, are what
    products with a state are to be multiplied by on their way in.
    """

    num_steps: int | None
    input_uses: int | None = 1
    grad_clipping: object = 0
    constants: list = field(default_factory=list)
    begun: object = None
    masks: dict = field(default_factory=dict)

    def masked(self, name, state):
        """Return a state with the elements dropped that products shall not see."""
        mask = self.masks.get(name)
        return state if mask is None else state * mask

    def inside(self, begun, masks=None):
        """Return the context of a cell inside of a cell."""
        return replace(self, begun=begun, masks={**self.masks, **(masks or {})})

    def clip(self, x):
        """Bound the gradient that passes through an expression, if wanted."""
        bound = self.grad_clipping
        if isinstance(bound, Variable) or bound:
            return clip_gradient(x, -bound, bound)
        return x


def final_name(name):
    """Return what the last of the values of a name is called as an output."""
    return f"final_{name}"


def time_first(sequence):
    """Exchange the axes of batch and time."""
    return sequence.dimshuffle(1, 0, *range(2, sequence.ndim))


def _where(keep, new, old):
    """Choose by example; keep has SHAPE (batch,)."""
    # Without this, single precision would meet gradients of the mask, zeros of floatX.
    keep = disconnected_grad(keep)
    keep = keep.dimshuffle(0, *["x"] * (new.ndim - 1))
    return pt.where(keep, new, old)


def _count_rows(spec, ndim):
    """Return the number of examples that an initial state is made for, 1 for any."""
    if isinstance(spec, np.ndarray) and spec.ndim == ndim:
        return spec.shape[0]
    if isinstance(spec, Variable) and spec.ndim == ndim:
        return static_shape(spec)[0] or 1
    return 1
