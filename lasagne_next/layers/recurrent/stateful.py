"""States that go on from call to call, and sampling one step at a time."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable

from lasagne_next.expressions.base import evaluate
from lasagne_next.expressions.markers import state_updates
from lasagne_next.layers.base import Layer, describe
from lasagne_next.layers.helper.copying import copy_network
from lasagne_next.layers.helper.evaluation import get_output
from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.recurrent.container import BaseRecurrentLayer

__all__ = ["Sampler", "carry_states", "reset_states"]


def carry_states(network, batch_size=None):
    """Let recurrent layers go on, in each call, from where the last call ended.

    Parameters
    ----------
    network : Layer or list of Layer
        The output layers. All recurrent layers below them are changed.
    batch_size : int, optional
        The number of examples, where the input layers do not tell.

    Returns
    -------
    list of SharedVariable
        The states, each of SHAPE (batch_size, ...), starting at the initial states.

    Raises
    ------
    ValueError
        If the number of examples is unknown, or a layer runs backwards.

    Notes
    -----
    The updates of the states are found by ``expressions.state_updates(outputs)`` and
    must be passed to ``pytensor.function``; without them the states stay. No gradient
    goes back to earlier calls. :func:`reset_states` starts again.

    Examples
    --------
    >>> import pytensor
    >>> from lasagne_next import expressions, layers
    >>> l_in = layers.InputLayer((2, 5, 3))
    >>> network = layers.GRULayer(l_in, num_units=4)
    >>> states = layers.carry_states(network)
    >>> output = layers.get_output(network)
    >>> list(expressions.state_updates(output)) == states
    True
    """
    carried = []
    for layer in _recurrent_layers(network):
        batch = layer.input_shapes[0][0] or batch_size
        if batch is None:
            raise ValueError(
                f"{describe(layer)}: the number of examples must be known to carry "
                f"states, got input shape {layer.input_shapes[0]}. Pass batch_size."
            )
        if layer.backwards:
            raise ValueError(
                f"{describe(layer)}: backwards must be False to carry states, got "
                f"{layer.backwards!r}. What comes first is not known before the end."
            )
        layer.carried_states = {
            name: pytensor.shared(value, shape=value.shape, name=f"{name}_carried")
            for name, value in _start_values(layer, batch).items()
        }
        carried += layer.carried_states.values()
    return carried


def reset_states(network):
    """Put carried states back to the initial states.

    Parameters
    ----------
    network : Layer or list of Layer
        Given to :func:`carry_states` before.

    Examples
    --------
    >>> from lasagne_next import layers
    >>> network = layers.GRULayer((2, 5, 3), num_units=4)
    >>> state, = layers.carry_states(network)
    >>> state.set_value(state.get_value() + 1)
    >>> layers.reset_states(network)
    >>> state.get_value().sum().item()
    0.0
    """
    for layer in _recurrent_layers(network):
        for name, state in layer.carried_states.items():
            batch = state.get_value(borrow=True).shape[0]
            state.set_value(_start_values(layer, batch)[name])


def _recurrent_layers(network):
    layers = get_all_layers(network)
    return [each for each in layers if isinstance(each, BaseRecurrentLayer)]


def _start_values(layer, batch):
    """Return the initial states of a layer, zeros where another layer gives them."""
    values = {}
    for name, shape in layer._steps.state_shapes.items():
        start = getattr(layer, f"{name}_init")
        if isinstance(start, Layer):
            value = _given_value(start, shape)
        else:
            value = np.asarray(evaluate(start))
        values[name] = np.array(np.broadcast_to(value, (batch, *shape)))
    return values


def _given_value(layer, shape):
    """Return the value of an input layer on a shared variable, else zeros."""
    variable = getattr(layer, "input_var", None)
    if isinstance(variable, SharedVariable):
        return variable.get_value()
    return np.zeros((1, *shape), dtype=pytensor.config.floatX)


class Sampler:
    """Run a trained recurrent network one step at a time.

    Parameters
    ----------
    network : Layer
        Output layer of a network of one InputLayer of shape (batch, time, ...), that
        returns (batch, time, ...) or (batch * time, ...). It is not changed; its
        parameters are used, so that training goes on to change what is sampled.
    batch_size : int, default 1
        Number of sequences that are sampled side by side.
    mode : str or Mode, optional
        For ``pytensor.function``.
    given : list of Layer, default ()
        Layers below that are not computed in each step but given once, by
        :meth:`give`: what a decoder knows of an encoder.
    **kwargs
        Keywords of :func:`~lasagne_next.layers.get_output`, besides
        ``deterministic=True``.

    Attributes
    ----------
    states : list of SharedVariable
        The states, for reading and setting.
    given : dict of Layer to SharedVariable
        What is given in the place of these layers; of size 1 along axes of unknown
        size, and zero, at first.

    Raises
    ------
    ValueError
        If the network has not just one InputLayer that is not given, of two or more
        axes, a layer runs backwards, or what is given has another shape.
    TypeError
        If `given` is no list of layers.

    Notes
    -----
    Compiled once, without a loop: the states are updated in place.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import GRULayer, InputLayer, Sampler
    >>> network = GRULayer(InputLayer((None, None, 3)), num_units=3)
    >>> sampler = Sampler(network, mode="FAST_COMPILE")
    >>> sampler(np.ones((1, 3))).shape
    (1, 3)
    >>> sampler.feed_back(np.ones((1, 3)), 7, lambda output: output).shape
    (1, 7, 3)
    """

    def __init__(self, network, batch_size=1, mode=None, given=(), **kwargs):
        given = list(given)
        if not all(isinstance(each, Layer) for each in given):
            raise TypeError(f"Sampler: given must be a list of layers, got {given!r}.")
        placeholder = _only_input(network, given)
        shape = (batch_size, 1, *placeholder.shape[2:])
        one_step = InputLayer(
            shape, pt.tensor("step", dtype=placeholder.input_var.dtype, shape=shape)
        )
        self.given = {layer: _shared_output(layer, batch_size) for layer in given}
        replaced = {
            layer: InputLayer(variable.type.shape, variable)
            for layer, variable in self.given.items()
        }
        copied = copy_network(
            network, {placeholder: one_step, **replaced}, share_params=True
        )
        for layer in _recurrent_layers(copied):
            layer.unroll_scan, layer.gradient_steps = True, -1
        self._network = copied
        self.states = carry_states(copied)
        output = get_output(copied, **{"deterministic": True, **kwargs})
        self._step = pytensor.function(
            [one_step.input_var], output, updates=state_updates(output), mode=mode
        )
        self._dtype = one_step.input_var.dtype
        self.batch_size = batch_size

    def __call__(self, elements):
        """Take one step.

        Parameters
        ----------
        elements : numpy.ndarray, SHAPE (batch_size, ...)
            The next element of each sequence; cast to the type of the input.

        Returns
        -------
        numpy.ndarray, SHAPE (batch_size, ...)
            What the network returns for it.
        """
        output = np.asarray(
            self._step(np.asarray(elements, dtype=self._dtype)[:, None])
        )
        is_sequence = len(self._network.output_shape) > 2
        return output[:, 0] if is_sequence else output

    def reset(self):
        """Start again from the initial states."""
        reset_states(self._network)

    def give(self, values):
        """Set what is given once, and start again.

        Parameters
        ----------
        values : dict of Layer to array
            Of each layer in `given`, or of some, its output for all sequences; cast to
            its type.

        Raises
        ------
        ValueError
            If a layer is not in `given`, or a shape does not fit.
        """
        for layer, value in values.items():
            if layer not in self.given:
                raise ValueError(
                    "Sampler: give must be called with layers named in given, got "
                    f"{describe(layer)}."
                )
            variable = self.given[layer]
            value = np.asarray(value, dtype=variable.dtype)
            wanted = variable.type.shape
            fits = len(wanted) == value.ndim and all(
                size in (None, got)
                for size, got in zip(wanted, value.shape, strict=True)
            )
            if not fits:
                raise ValueError(
                    f"Sampler: what is given for {describe(layer)} must have the shape "
                    f"{wanted}, got {value.shape}."
                )
            variable.set_value(value)
        self.reset()

    def feed_back(self, first, num_steps, choose):
        """Sample a sequence, each output deciding the next input.

        Parameters
        ----------
        first : numpy.ndarray, SHAPE (batch_size, ...)
            The first input.
        num_steps : int
            How many steps to take.
        choose : callable
            Maps the output of a step to the next input.

        Returns
        -------
        numpy.ndarray, SHAPE (batch_size, num_steps, ...)
            What was chosen.
        """
        chosen, elements = [], first
        for _ in range(num_steps):
            elements = choose(self(elements))
            chosen.append(elements)
        return np.stack(chosen, axis=1)


def _shared_output(layer, batch_size):
    """Make a shared variable for the output of a layer, zero at first."""
    shape = (batch_size, *layer.output_shape[1:])
    dtype = pytensor.config.floatX
    if isinstance(layer, InputLayer):
        dtype = layer.input_var.dtype
    value = np.zeros([1 if size is None else size for size in shape], dtype)
    return pytensor.shared(value, shape=shape, name=f"given {describe(layer)}")


def _only_input(network, given):
    layers = get_all_layers(network, treat_as_input=given or None)
    found = [
        each for each in layers if isinstance(each, InputLayer) and each not in given
    ]
    if len(found) != 1 or len(found[0].shape) < 2:
        names = ", ".join(f"{describe(each)} {each.shape}" for each in found) or "none"
        raise ValueError(
            "Sampler: network must have exactly one InputLayer, of shape (batch, time, "
            f"...), got {names}. Name what else it needs in given."
        )
    return found[0]
