"""One step of a recurrence."""

from __future__ import annotations

from lasagne_next.layers.base import MergeLayer, describe

__all__ = ["Cell", "StepMaps"]


class StepMaps:
    """What a container asks of a cell; sub-classes define at least ``step``.

    Attributes
    ----------
    state_shapes : OrderedDict
        Of the name of each state to its shape, without the axis of the batch.
    output_names : tuple of str
        What the container returns, the first by itself: names of states, or of further
        outputs of ``step``.
    """

    output_names = ()

    @property
    def state_shapes(self):
        """Shapes of the states by name."""
        raise NotImplementedError(f"{describe(self)} must define state_shapes.")

    def get_further_shapes_for(self, input_shapes):
        """Return the shapes of outputs that are no states, without the batch axis.

        Parameters
        ----------
        input_shapes : list of tuple
            Shapes of the elements of a step, (batch, features...).

        Returns
        -------
        dict
            Of name to shape, for each further name in `output_names`; empty by default.
        """
        return {}

    def begin(self, inputs, states, context, **kwargs):
        """Return what all steps of one sequence share, such as a dropout mask.

        Parameters
        ----------
        inputs : list of TensorVariable, each of SHAPE (time, batch, ...)
            The sequences.
        states : OrderedDict of TensorVariable, each of SHAPE (batch, ...)
            The initial states.
        context : StepContext
            `num_steps` and `constants`.
        **kwargs
            Keywords of :func:`~lasagne_next.layers.get_output`.

        Returns
        -------
        object
            Anything; found as ``context.begun`` in each step. None by default.
        """
        return None

    def prepare(self, inputs, context, **kwargs):
        """Return the part of a step that needs no state.

        Parameters
        ----------
        inputs : list of TensorVariable
            Whole sequences, each of SHAPE (time, batch, ...), or elements of SHAPE
            (batch, ...).
        context : StepContext
            As for ``step``.
        **kwargs
            Keywords of :func:`~lasagne_next.layers.get_output`.

        Returns
        -------
        list of TensorVariable
            With the same leading axes, for ``step``. By default `inputs`.
        """
        return inputs

    def step(self, inputs, states, context, **kwargs):
        """Map the elements of a step and the old states to outputs and new states.

        Parameters
        ----------
        inputs : list of TensorVariable, each of SHAPE (batch, ...)
            What ``prepare`` returned.
        states : OrderedDict of TensorVariable, each of SHAPE (batch, ...)
            By name.
        context : StepContext
            `begun`, `constants`, and ``clip`` to bound a gradient.
        **kwargs
            Keywords of :func:`~lasagne_next.layers.get_output`.

        Returns
        -------
        dict of TensorVariable
            The new states and all further outputs, by name.
        """
        raise NotImplementedError(
            f"{describe(self)} must define step(inputs, states, context, **kwargs)."
        )

    def get_step_shape_for(self, input_shapes):
        """Return the shape of one element of the main output, (batch, ...).

        Parameters
        ----------
        input_shapes : list of tuple
            Shapes of the elements of a step, (batch, features...).

        Returns
        -------
        tuple of int or None
            From `state_shapes`, or ``get_further_shapes_for``.
        """
        name = self.output_names[0]
        shapes = {**self.get_further_shapes_for(input_shapes), **self.state_shapes}
        if name not in shapes:
            raise NotImplementedError(
                f"{describe(self)} must define get_further_shapes_for, since its "
                f"output {name!r} is no state."
            )
        return (input_shapes[0][0], *shapes[name])


class Cell(StepMaps, MergeLayer):
    """Base class of cells: one step of a recurrence, with its parameters.

    Parameters
    ----------
    incoming : tuple, or list of tuple
        The shape of one element of the sequence, (batch, features...); a list if there
        are several sequences.
    name : str, optional
        Prefix of the names of the parameters.

    Attributes
    ----------
    state_shapes : OrderedDict
        Of the name of each state to its shape, without the axis of the batch.
    output_names : tuple of str
        What the container returns, the first by itself.

    Notes
    -----
    A cell is given to :class:`ScanLayer`, which runs it over time. Parameters are made
    by ``add_param``, as in any layer. What a step makes of parameters alone is computed
    once, before the loop; what it draws from a
    :class:`lasagne_next.random.RandomStream` is drawn anew for each step.

    Examples
    --------
    >>> from lasagne_next import init
    >>> from lasagne_next.layers import Cell, ScanLayer
    >>> class LeakyCell(Cell):
    ...     state_shapes, output_names = {"level": (5,)}, ("level",)
    ...     def step(self, inputs, states, context, **kwargs):
    ...         return {"level": 0.5 * states["level"] + inputs[0]}
    >>> ScanLayer((None, 7, 5), LeakyCell((None, 5))).output_shape
    (None, 7, 5)
    """

    def __init__(self, incoming, name=None):
        incomings = incoming if isinstance(incoming, list) else [incoming]
        super().__init__(incomings, name=name)

    def _step_shapes(self):
        return self.input_shapes
