"""Random numbers for every step of a loop, drawn before the loop.

Drawn inside of it, they would be drawn again, and differently, for the gradient.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import MakeVector
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.shape import Shape, Shape_i
from pytensor.tensor.type_other import NoneTypeT

from lasagne_next.params.substitution import substitute

__all__ = ["lift_draws"]


def lift_draws(outputs, samples, recorded, num_steps):
    """Draw in advance what one step would draw.

    Parameters
    ----------
    outputs : list of Variable
        What the step computes.
    samples : dict
        Of each variable that differs between steps to an expression of its shape.
    recorded : iterable of Variable
        Draws known to have been made by the step.
    num_steps : int or symbolic integer
        How many steps there are.

    Returns
    -------
    dict
        Of each draw in the step to the draws of all steps, with one more axis in front.

    Raises
    ------
    NotImplementedError
        If the distribution of a draw depends on the values of the step, or its
        generator is not a shared variable.
    """
    recorded, varying, lifted, states = set(recorded), set(samples), {}, {}
    for node in toposort(outputs):
        if isinstance(node.op, RandomVariable):
            if node.outputs[1] in recorded or varying & set(node.inputs):
                all_steps = _drawn_at_once(node, samples, states, varying, num_steps)
                lifted[node.outputs[1]] = all_steps
                varying.update(node.outputs)
                continue
        if varying & set(node.inputs):
            varying.update(node.outputs)
    for generator, new_state in states.values():
        with warnings.catch_warnings():
            # PyTensor would rather see updates passed to each function (since 3.0).
            warnings.simplefilter("ignore", DeprecationWarning)
            generator.default_update = new_state
    return lifted


def _drawn_at_once(node, samples, states, varying, num_steps):
    generator, size, *parameters = node.inputs
    _check_parameters(node, parameters, varying)
    source, state = states.get(generator, (generator, generator))
    if not isinstance(source, SharedVariable):
        raise NotImplementedError(
            f"The generator of a random draw in a recurrent step ({node.op}) must be a "
            "shared variable. Draw from lasagne_next.random.RandomStream."
        )
    sizes = substitute(_sizes(node, size), samples)
    parameters = substitute(parameters, samples)
    drawn = node.op.make_node(
        state, _as_size([num_steps, *sizes]), *parameters
    )  # a draw of shape (num_steps, sizes...)
    states[node.outputs[0]] = (source, drawn.outputs[0])
    if generator in states:
        del states[generator]
    return drawn.outputs[1]


def _check_parameters(node, parameters, varying):
    """Refuse a distribution that depends on the values of the step, not their shape."""
    pending, seen = list(parameters), set()
    while pending:
        variable = pending.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable in varying and variable.owner is None:
            raise NotImplementedError(
                f"The distribution of a random draw in a recurrent step ({node.op}) "
                "must not depend on inputs or states. Draw standard numbers with "
                "lasagne_next.random.RandomStream, then scale and shift these."
            )
        if variable.owner is None or isinstance(variable.owner.op, Shape | Shape_i):
            continue
        if variable.owner is not None and isinstance(variable.owner.op, RandomVariable):
            if variable in varying:
                raise NotImplementedError(
                    f"The distribution of a random draw in a recurrent step "
                    f"({node.op}) must not depend on another draw. Draw standard "
                    "numbers, then scale and shift these."
                )
        pending.extend(variable.owner.inputs)


def _sizes(node, size):
    """Return the sizes of a draw, without the axes of one sample."""
    if isinstance(size.type, NoneTypeT):
        draw = node.outputs[1]
        return list(draw.shape[: draw.ndim - node.op.ndim_supp])
    if isinstance(size, Constant):
        return [pt.constant(each, dtype="int64") for each in np.asarray(size.data)]
    if size.owner is not None and isinstance(size.owner.op, MakeVector):
        return list(size.owner.inputs)
    return [size[index] for index in range(size.type.shape[0])]


def _as_size(sizes):
    constants = [
        int(each.data) if isinstance(each, Constant) else each for each in sizes
    ]
    return pt.as_tensor_variable(constants, dtype="int64", ndim=1)
