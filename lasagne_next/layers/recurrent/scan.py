"""The container that runs any cell over time."""

from __future__ import annotations

from lasagne_next import init
from lasagne_next.layers.base import describe
from lasagne_next.layers.recurrent.cell import StepMaps
from lasagne_next.layers.recurrent.container import BaseRecurrentLayer
from lasagne_next.utils import nearest, unique

__all__ = ["ScanLayer"]


class ScanLayer(BaseRecurrentLayer):
    """Run a cell over time.

    Parameters
    ----------
    incoming : Layer or tuple, or list of these
        Of shape (batch, time, features...); a list if the cell takes several sequences.
    cell : Cell
        One step.
    initials : dict, optional
        Of the name of a state to what it is before the first step: a parameter of SHAPE
        (1, ...) for all examples or (batch, ...), or a layer of the latter shape. Zero
        for states not named.
    backwards : bool, default False
        Whether to go from the last element to the first. The output is in the order of
        the input all the same.
    learn_init : bool, default False
        Whether initial states are trainable, where no layer gives them.
    gradient_steps : int, default -1
        How many steps from the last one gradients reach back; -1 for all.
    grad_clipping : number or symbolic scalar, default 0
        Bound of the gradients that the cell wants bounded; 0 for none.
    unroll_scan : bool, default False
        Whether to copy the step for each element, whose number must be known.
    precompute_input : bool, default True
        Whether what needs no state is computed for all elements at once.
    mask_input : Layer or tuple, optional
        Of shape (batch, time). Where it is 0, states and outputs stay as they were.
    only_return_final : bool, default False
        Whether to return the output of the last step only.
    constants : list of Layer, default ()
        Layers of any shapes whose output each step may use, as attention does.
    **kwargs
        `name`.

    Attributes
    ----------
    cell
        As given.
    hid_init, ...
        The initial state of each name.

    Raises
    ------
    ValueError
        If `initials` names an unknown state, the input has less than 3 axes, a layer
        gives initial states of another shape, or `unroll_scan` meets an unknown number
        of steps or `gradient_steps`.
    TypeError
        If `cell` is no cell.

    Notes
    -----
    The output has the shape (batch, time, ...), or (batch, ...) if only the last is
    returned. States and further outputs of the cell are had by :class:`StateLayer`.
    Parameters are listed in the order: initial states, cell.

    Examples
    --------
    >>> from lasagne_next.layers import GRUCell, InputLayer, ScanLayer
    >>> l_in = InputLayer((None, None, 3))
    >>> l_scan = ScanLayer(l_in, GRUCell((None, 3), num_units=5), backwards=True)
    >>> l_scan.output_shape
    (None, None, 5)
    """

    def __init__(
        self,
        incoming,
        cell,
        initials=None,
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
        self.name = kwargs.get("name")  # for messages about the cell
        self.cell = self._checked_cell(cell)
        names = list(cell.state_shapes)
        initials = dict(initials or {})
        self._check_names(initials, names)
        zero = init.Constant(0.0)
        initials = {name: initials.get(name, zero) for name in names}
        super().__init__(
            incoming if isinstance(incoming, list) else [incoming],
            initials,
            backwards=backwards,
            learn_init=learn_init,
            gradient_steps=gradient_steps,
            grad_clipping=grad_clipping,
            unroll_scan=unroll_scan,
            precompute_input=precompute_input,
            mask_input=mask_input,
            only_return_final=only_return_final,
            constants=constants,
            **kwargs,
        )
        self._check_step_shapes()
        self.get_output_kwargs = list(getattr(cell, "get_output_kwargs", ()))
        self._add_initial_states(names, initials)

    @property
    def _steps(self):
        return self.cell

    def _checked_cell(self, cell):
        if not isinstance(cell, StepMaps):
            raise TypeError(
                f"{describe(self)}: cell must be a Cell, got {cell!r} of type "
                f"{type(cell).__name__}. LayerCell makes one of layers."
            )
        return cell

    def _check_names(self, initials, names):
        for name in initials:
            if name not in names:
                raise ValueError(
                    f"{describe(self)}: initials must name states of the cell "
                    f"({', '.join(names)}), got {name!r}.{nearest(name, names)}"
                )

    def _check_step_shapes(self):
        wanted, got = self.cell.input_shapes, self._step_shapes()
        fits = len(wanted) == len(got) and all(
            len(one) == len(other)
            and all(
                None in pair or pair[0] == pair[1]
                for pair in zip(one[1:], other[1:], strict=True)
            )
            for one, other in zip(wanted, got, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{describe(self)}: the elements of the input must have the shapes "
                f"{wanted} that {describe(self.cell)} was built for, got {got}."
            )

    def get_inner_layers(self):
        """List the cell and what it holds."""
        held = getattr(self.cell, "get_inner_layers", list)()
        return [*held, self.cell]

    def get_params(self, unwrap_shared=True, **tags):
        """List the parameters: initial states, then those of the cell.

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
            [
                *super().get_params(unwrap_shared=unwrap_shared, **tags),
                *self.cell.get_params(unwrap_shared=unwrap_shared, **tags),
            ]
        )
