"""Cells that are disturbed while training: variational dropout and zoneout."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.layers.base import describe
from lasagne_next.layers.recurrent.cell import Cell, StepMaps
from lasagne_next.random import RandomStream, draw_seed
from lasagne_next.utils import match_dtype, nearest

__all__ = ["VariationalDropoutCell", "ZoneoutCell"]


class WrappingCell(Cell):
    """Base of cells that change what another cell gets or returns."""

    def __init__(self, cell, **kwargs):
        self.name = kwargs.get("name")  # for a message about the cell
        if not isinstance(cell, StepMaps):
            raise TypeError(f"{describe(self)}: cell must be a Cell, got {cell!r}.")
        super().__init__(list(cell.input_shapes), **kwargs)
        self.cell = cell
        self._srng = RandomStream(draw_seed())
        self.output_names = cell.output_names
        self.get_output_kwargs = ["deterministic", *cell.get_output_kwargs]

    @property
    def state_shapes(self):
        """Shapes of the states of the cell."""
        return self.cell.state_shapes

    def get_further_shapes_for(self, input_shapes):
        """Return the shapes of the further outputs of the cell."""
        return self.cell.get_further_shapes_for(input_shapes)

    def get_inner_layers(self):
        """List the cell inside, after what it holds."""
        return [*getattr(self.cell, "get_inner_layers", list)(), self.cell]

    def get_params(self, unwrap_shared=True, **tags):
        """List the parameters of the cell inside.

        Parameters
        ----------
        unwrap_shared, **tags
            As for :meth:`Layer.get_params`.

        Returns
        -------
        list of SharedVariable, or of Variable if not `unwrap_shared`
            In its order.
        """
        return self.cell.get_params(unwrap_shared=unwrap_shared, **tags)

    def _check_probabilities(self, argument, probabilities):
        names = list(self.cell.state_shapes)
        for name, p in probabilities.items():
            if name not in names:
                raise ValueError(
                    f"{describe(self)}: {argument} must name states of the cell "
                    f"({', '.join(names)}), got {name!r}.{nearest(name, names)}"
                )
            self._check_probability(argument, p)

    def _check_probability(self, argument, p):
        if not hasattr(p, "type") and not 0 <= p < 1:
            raise ValueError(
                f"{describe(self)}: {argument} must be probabilities from 0 to below "
                f"1, got {p!r}."
            )

    def begin(self, inputs, states, context, **kwargs):
        """Let the cell inside begin."""
        return self.cell.begin(inputs, states, context, **kwargs)

    def prepare(self, inputs, context, **kwargs):
        """Let the cell inside prepare its inputs."""
        return self.cell.prepare(inputs, context, **kwargs)

    def step(self, inputs, states, context, **kwargs):
        """Let the cell inside do its step."""
        return self.cell.step(inputs, states, context, **kwargs)


class VariationalDropoutCell(WrappingCell):
    r"""Drop the same elements of inputs and states in all steps of a sequence.

    Parameters
    ----------
    cell : Cell
        What is disturbed.
    p_input : number or symbolic scalar, default 0
        Probability of dropping an element of the inputs.
    p_state : number or symbolic scalar, or dict, default 0.25
        Probability of dropping an element of the first state on its way into a step; a
        dict gives one for each state by name.
    **kwargs
        `name`.

    Raises
    ------
    TypeError
        If `cell` is no cell.
    ValueError
        If a probability is not from 0 to below 1, or a state is unknown.

    Notes
    -----
    One mask is drawn for each example, and what is kept is divided by ``1 - p``. In
    LSTM and GRU cells the products see the masked state, while the undisturbed one is
    remembered; any other cell is given the masked states alone. With
    ``deterministic=True`` nothing is dropped.

    References
    ----------
    Yarin Gal and Zoubin Ghahramani (2016): A theoretically grounded application of
    dropout in recurrent neural networks. Equation 7. https://arxiv.org/abs/1512.05287

    Examples
    --------
    >>> from lasagne_next.layers import GRUCell, ScanLayer, VariationalDropoutCell
    >>> cell = VariationalDropoutCell(GRUCell((None, 3), num_units=5), p_input=0.1)
    >>> ScanLayer((None, 7, 3), cell).output_shape
    (None, 7, 5)
    """

    def __init__(self, cell, p_input=0.0, p_state=0.25, **kwargs):
        super().__init__(cell, **kwargs)
        first = next(iter(cell.state_shapes))
        self.p_input = p_input
        self.p_state = p_state if isinstance(p_state, dict) else {first: p_state}
        self._check_probability("p_input", p_input)
        self._check_probabilities("p_state", self.p_state)

    def begin(self, inputs, states, context, deterministic=False, **kwargs):
        """Draw the masks of a sequence."""
        kwargs["deterministic"] = deterministic
        inside = super().begin(inputs, states, context, **kwargs)
        if deterministic:
            return inside, [None for _ in inputs], {}
        on_inputs = [self._mask(each[0], self.p_input) for each in inputs]
        on_states = {
            name: self._mask(states[name], p) for name, p in self.p_state.items()
        }
        return inside, on_inputs, on_states

    def _mask(self, x, p):
        if not hasattr(p, "type") and p == 0:
            return None
        keep = 1 - match_dtype(p, x.dtype)
        sizes = zip(x.type.shape, x.shape, strict=True)
        size = tuple(size if known is None else known for known, size in sizes)
        return self._srng.bernoulli_mask(size, keep, x.dtype) / keep

    def prepare(self, inputs, context, **kwargs):
        """Drop elements of the inputs, then let the cell inside prepare them."""
        inside, masks, _ = context.begun
        inputs = [
            each if mask is None else each * mask
            for each, mask in zip(inputs, masks, strict=True)
        ]
        return super().prepare(inputs, context.inside(inside), **kwargs)

    def step(self, inputs, states, context, **kwargs):
        """Drop elements of the states, then let the cell inside do its step."""
        inside, _, masks = context.begun
        kept = {name: mask for name, mask in masks.items() if mask is not None}
        if getattr(self.cell, "masks_products", False):
            return super().step(inputs, states, context.inside(inside, kept), **kwargs)
        states = {**states, **{name: states[name] * kept[name] for name in kept}}
        return super().step(inputs, states, context.inside(inside), **kwargs)


class ZoneoutCell(WrappingCell):
    r"""Let random elements of the states stay as they were.

    While training, each element of a state keeps its old value with probability p;
    with ``deterministic=True`` it becomes the mean of both, :math:`p s_{t-1} + (1-p)
    s_t`.

    Parameters
    ----------
    cell : Cell
        What is disturbed.
    p : number or symbolic scalar, or dict, default 0.1
        Probability of staying, for all states, or for each by name. The authors take
        0.05 for hidden states and 0.5 for cells [1]_.
    **kwargs
        `name`.

    Raises
    ------
    TypeError
        If `cell` is no cell.
    ValueError
        If a probability is not from 0 to below 1, or a state is unknown.

    References
    ----------
    .. [1] David Krueger et al. (2017): Zoneout: regularizing RNNs by randomly
       preserving hidden activations. Section 3.1. https://arxiv.org/abs/1606.01305

    Examples
    --------
    >>> from lasagne_next.layers import LSTMCell, ScanLayer, ZoneoutCell
    >>> cell = ZoneoutCell(LSTMCell((None, 3), 5), p={"hid": 0.05, "cell": 0.5})
    >>> ScanLayer((None, 7, 3), cell).output_shape
    (None, 7, 5)
    """

    def __init__(self, cell, p=0.1, **kwargs):
        super().__init__(cell, **kwargs)
        names = list(cell.state_shapes)
        self.p = dict(p) if isinstance(p, dict) else dict.fromkeys(names, p)
        self._check_probabilities("p", self.p)

    def step(self, inputs, states, context, deterministic=False, **kwargs):
        """Do the step, and mix its states with those before."""
        kwargs["deterministic"] = deterministic
        values = super().step(inputs, states, context, **kwargs)
        mixed = dict(values)
        for name, p in self.p.items():
            old, new = states[name], values[name]
            p = match_dtype(p, new.dtype)
            if not deterministic:
                sizes = zip(old.type.shape, old.shape, strict=True)
                size = tuple(size if known is None else known for known, size in sizes)
                p = self._srng.bernoulli_mask(size, p, new.dtype)
                mixed[name] = pt.where(pt.neq(p, 0), old, new)
            else:
                mixed[name] = p * old + (1 - p) * new
        return mixed
