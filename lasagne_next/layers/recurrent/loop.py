"""The loop over time, symbolic or unrolled: expressions only."""

from __future__ import annotations

from dataclasses import dataclass

import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import toposort
from pytensor.tensor.type import TensorType

from lasagne_next.layers.recurrent.draws import lift_draws
from lasagne_next.params.substitution import substitute
from lasagne_next.random import observed_draws

__all__ = ["LoopOptions", "run_loop"]


@dataclass(frozen=True)
class LoopOptions:
    """How a loop is run.

    `num_steps` is an integer, or None if known at run time only; `backwards` starts
    with the last element; `gradient_steps` is -1 or the number of steps that gradients
    go back; `unroll` makes a copy of the step for each element; `only_final` needs no
    more than the last values.
    """

    num_steps: int | None = None
    backwards: bool = False
    gradient_steps: int = -1
    unroll: bool = False
    only_final: bool = False


def run_loop(step, sequences, initials, options):
    """Apply a step to the elements of sequences, from initial states on.

    Parameters
    ----------
    step : callable
        ``step(elements, states)`` returns a list of outputs and a list of new states.
        It is called once or few times, with placeholders. What it makes of other
        expressions alone is computed once, before the loop; what it draws by a
        :class:`~lasagne_next.random.RandomStream` is drawn for each step.
    sequences : list of TensorVariable, each of SHAPE (time, ...)
        What is iterated over.
    initials : list of TensorVariable
        The states before the first step.
    options : LoopOptions
        See there.

    Returns
    -------
    tuple of list of TensorVariable
        Outputs, then states, each of SHAPE (time, ...), in the order of the elements;
        with ``only_final`` without the axis of time, after the last step taken.
    """
    initials = [pt.as_tensor_variable(each) for each in initials]
    traced = _trace_step(step, sequences, initials)
    num_steps = options.num_steps
    if num_steps is None:
        num_steps = sequences[0].shape[0]
    samples = dict(zip(traced.elements, [each[0] for each in sequences], strict=True))
    samples |= dict(zip(traced.states, traced.initials, strict=True))
    drawn = lift_draws(traced.results, samples, traced.draws, num_steps)
    varying = [*traced.elements, *drawn, *traced.states]
    constants = _find_constants(traced.results, varying)
    elements = [*sequences, *drawn.values()]
    placeholders = [*traced.elements, *drawn, *traced.states, *constants]

    def body(*values):
        replaced = dict(zip(placeholders, values, strict=True))
        return substitute(traced.results, replaced)

    run = _unrolled if options.unroll else _scanned
    num_outputs = len(traced.results) - len(initials)
    results = run(body, elements, traced.initials, constants, num_outputs, options)
    return results[:num_outputs], results[num_outputs:]


@dataclass
class _TracedStep:
    elements: list
    states: list
    initials: list
    results: list
    draws: list


def _trace_step(step, sequences, initials):
    """Call the step on placeholders, until states come out as they go in."""
    elements = [
        TensorType(each.dtype, each.type.shape[1:])(name=f"element{index}")
        for index, each in enumerate(sequences)
    ]
    types = [each.type for each in initials]
    for _ in range(10):  # each round makes a type more specific, or wider
        states = [kind(name=f"state{index}") for index, kind in enumerate(types)]
        with observed_draws() as draws:
            outputs, new_states = step(elements, states)
        results = [pt.as_tensor_variable(each) for each in (*outputs, *new_states)]
        new_states = results[len(results) - len(states) :]
        merged = [
            _merged(one, other.type)
            for one, other in zip(types, new_states, strict=True)
        ]
        if merged == types:
            break
        types = merged
    outputs = results[: len(results) - len(states)]
    new_states = [
        _fit(each, kind) for each, kind in zip(new_states, types, strict=True)
    ]
    initials = [_fit(each, kind) for each, kind in zip(initials, types, strict=True)]
    return _TracedStep(elements, states, initials, outputs + new_states, draws)


def _merged(one, other):
    """Return the type that a state must have to be both."""
    if one.ndim != other.ndim:
        raise ValueError(
            f"A state of a recurrence must keep its number of axes, got {one.ndim} "
            f"before the step and {other.ndim} after it."
        )
    sizes = []
    for first, second in zip(one.shape, other.shape, strict=True):
        if None not in (first, second) and first != second:
            raise ValueError(
                f"A state of a recurrence must keep its shape, got {one.shape} before "
                f"the step and {other.shape} after it."
            )
        sizes.append(second if first is None else first)
    dtype = pytensor.scalar.upcast(one.dtype, other.dtype)
    return TensorType(dtype, tuple(sizes))


def _fit(variable, kind):
    if variable.dtype != kind.dtype:
        variable = variable.astype(kind.dtype)
    if variable.type.shape != kind.shape:
        variable = pt.specify_shape(variable, kind.shape)
    return variable


def _find_constants(results, varying):
    """List what the step needs and no element or state changes."""
    changing, constants = set(varying), {}
    nodes = toposort(results, blockers=varying)
    for node in nodes:
        if changing & set(node.inputs):
            changing.update(node.outputs)
    pending, seen = list(results), set(varying)
    while pending:
        variable = pending.pop()
        if variable in seen or isinstance(variable, Constant):
            continue
        seen.add(variable)
        fixed = variable not in changing and isinstance(variable.type, TensorType)
        if fixed or variable.owner is None:
            constants[variable] = None
        else:
            pending.extend(reversed(variable.owner.inputs))
    return list(constants)


def _scanned(body, sequences, initials, constants, num_outputs, options):
    # PyTensor hands over elements, states and constants in the order of `body`.
    results = pytensor.scan(
        body,
        sequences=sequences,
        outputs_info=[None] * num_outputs + initials,
        non_sequences=constants,
        n_steps=options.num_steps,
        go_backwards=options.backwards,
        truncate_gradient=options.gradient_steps,
        strict=True,
        return_list=True,
        return_updates=False,
    )
    if options.only_final:
        return [each[-1] for each in results]
    return [each[::-1] for each in results] if options.backwards else results


def _unrolled(body, sequences, initials, constants, num_outputs, options):
    states, history = initials, []
    indices = range(options.num_steps)
    for index in reversed(indices) if options.backwards else indices:
        elements = [each[index] for each in sequences]
        results = body(*elements, *states, *constants)
        states = results[num_outputs:]
        history.append(results)
    if options.only_final:
        return history[-1]
    if options.backwards:
        history.reverse()
    return [pt.stack(series) for series in zip(*history, strict=True)]
