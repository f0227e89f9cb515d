"""Recurrence whose two products are networks of their own."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from lasagne_next import init, nonlinearities
from lasagne_next.layers.activation import as_nonlinearity
from lasagne_next.layers.base import describe
from lasagne_next.layers.helper.evaluation import accepted_keywords, evaluate
from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.recurrent.cell import StepMaps
from lasagne_next.layers.recurrent.container import BaseRecurrentLayer
from lasagne_next.utils import unique

__all__ = ["CustomRecurrentLayer"]


class CustomSteps(StepMaps):
    """Add the outputs of two networks, one fed with the input, one with the state."""

    output_names = ("hid",)

    @property
    def state_shapes(self):
        """Shape of the hidden state."""
        return OrderedDict(hid=tuple(self.hidden_to_hidden.output_shape[1:]))

    def prepare(self, inputs, context, **kwargs):
        """Return the output of `input_to_hidden`."""
        (x,) = inputs
        features = self.input_shapes[0][2:]
        leading = [x.shape[axis] for axis in range(x.ndim - len(features))]
        if len(leading) > 1:
            sizes = [
                x.shape[len(leading) + axis] if size is None else size
                for axis, size in enumerate(features)
            ]
            x = x.reshape((-1, *sizes))  # (time * batch, features...)
        keywords = {**kwargs, "uses": context.input_uses}
        y, _ = evaluate(self.input_to_hidden, x, keywords)
        if len(leading) > 1:
            sizes = [
                y.shape[axis + 1] if size is None else size
                for axis, size in enumerate(self.input_to_hidden.output_shape[1:])
            ]
            y = y.reshape((*leading, *sizes))  # (time, batch, hidden...)
        return [y]

    def step(self, inputs, states, context, **kwargs):
        """Return the new hidden state."""
        keywords = {**kwargs, "uses": context.num_steps}
        from_hidden, _ = evaluate(self.hidden_to_hidden, states["hid"], keywords)
        activation = context.clip(inputs[0] + from_hidden)
        return {"hid": self.nonlinearity(activation)}


class CustomRecurrentLayer(CustomSteps, BaseRecurrentLayer):
    r"""A recurrent layer made of two networks.

    .. math:: h_t = f(g(x_t) + q(h_{t-1}))

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features...).
    input_to_hidden : Layer
        The network :math:`g`, with one InputLayer.
    hidden_to_hidden : Layer
        The network :math:`q`, with one InputLayer of the shape of its output.
    nonlinearity : callable or None, default rectify
        The function :math:`f`; None means linear.
    hid_init : parameter or Layer, default Constant(0)
        The state before the first step: of SHAPE (1, hidden...) for all examples, or
        (batch, hidden...), or a layer of that output shape.
    backwards : bool, default False
        Whether to go from the last element to the first. The output is in the order of
        the input all the same.
    learn_init : bool, default False
        Whether the initial state is trainable, where no layer gives it.
    gradient_steps : int, default -1
        How many steps from the last one gradients reach back; -1 for all.
    grad_clipping : number or symbolic scalar, default 0
        Bound of the gradient of the sum, element by element; 0 for none.
    unroll_scan : bool, default False
        Whether to copy the step for each element, whose number must be known.
    precompute_input : bool, default True
        Whether `input_to_hidden` is applied to all elements at once, as to one batch of
        batch * time examples.
    mask_input : Layer or tuple, optional
        Of shape (batch, time). Where it is 0, the state stays as it was.
    only_return_final : bool, default False
        Whether to return the state after the last step only, which is at the first
        element if `backwards`.
    **kwargs
        `name`.

    Attributes
    ----------
    input_to_hidden, hidden_to_hidden, nonlinearity, hid_init
        As given or made.

    Raises
    ------
    ValueError
        If a network has not just one InputLayer, shapes do not fit each other, or
        `unroll_scan` meets an unknown number of steps or `gradient_steps`.

    Notes
    -----
    The networks may be convolutional, and contain dropout and noise, which is drawn
    anew for each step. Their layers are no part of the network around:
    ``get_all_layers`` does not list them unless ``inner=True``, while
    ``get_all_params`` lists their parameters, behind `hid_init`.

    Examples
    --------
    A recurrence over images.

    >>> from lasagne_next.layers import CustomRecurrentLayer, InputLayer, NINLayer
    >>> g = NINLayer(InputLayer((None, 3, 8, 8)), num_units=5)
    >>> q = NINLayer(InputLayer((None, 5, 8, 8)), num_units=5)
    >>> CustomRecurrentLayer((None, 7, 3, 8, 8), g, q).output_shape
    (None, 7, 5, 8, 8)
    """

    def __init__(
        self,
        incoming,
        input_to_hidden,
        hidden_to_hidden,
        nonlinearity=nonlinearities.rectify,
        hid_init=init.Constant(0.0),  # noqa: B008 (initialisers are stateless)
        backwards=False,
        learn_init=False,
        gradient_steps=-1,
        grad_clipping=0,
        unroll_scan=False,
        precompute_input=True,
        mask_input=None,
        only_return_final=False,
        **kwargs,
    ):
        initials = OrderedDict(hid=hid_init)
        super().__init__(
            [incoming],
            initials,
            backwards=backwards,
            learn_init=learn_init,
            gradient_steps=gradient_steps,
            grad_clipping=grad_clipping,
            unroll_scan=unroll_scan,
            precompute_input=precompute_input,
            mask_input=mask_input,
            only_return_final=only_return_final,
            **kwargs,
        )
        self.input_to_hidden = input_to_hidden
        self.hidden_to_hidden = hidden_to_hidden
        self.nonlinearity = as_nonlinearity(self, nonlinearity)
        self._check_networks()
        self.get_output_kwargs = sorted(accepted_keywords(self.get_inner_layers()))
        self._add_initial_states(("hid",), initials)

    def _check_networks(self):
        for argument in ("input_to_hidden", "hidden_to_hidden"):
            found = self._input_layers_of(argument)
            if len(found) != 1:
                raise ValueError(
                    f"{describe(self)}: {argument} must have exactly one InputLayer, "
                    f"got {len(found)}. Each network maps one example of one step."
                )
        (hidden_input,) = self._input_layers_of("hidden_to_hidden")
        from_input = self.input_to_hidden.output_shape
        from_hidden = self.hidden_to_hidden.output_shape
        self._check_batch(from_input, from_hidden)
        self._check_fit(
            "the outputs of input_to_hidden and hidden_to_hidden must have equal",
            from_input,
            from_hidden,
        )
        self._check_fit(
            "the output of input_to_hidden and the input of hidden_to_hidden must have "
            "equal",
            from_input,
            hidden_input.output_shape,
        )

    def _input_layers_of(self, argument):
        layers = get_all_layers(getattr(self, argument))
        return [each for each in layers if isinstance(each, InputLayer)]

    def _check_batch(self, from_input, from_hidden):
        batch, steps = self.input_shapes[0][:2]
        if self.precompute_input:
            known = None not in (batch, steps, from_input[0])
            if known and from_input[0] != batch * steps:
                raise ValueError(
                    f"{describe(self)}: input_to_hidden must return {batch * steps} "
                    f"examples (batch * time) when precompute_input is true, got "
                    f"{from_input[0]} (input shape {self.input_shapes[0]}). Give its "
                    "InputLayer a batch size of None."
                )
        elif not _agree(from_input[:1], from_hidden[:1]):
            raise ValueError(
                f"{describe(self)}: input_to_hidden and hidden_to_hidden must return "
                f"the same number of examples when precompute_input is false, got "
                f"{from_input[0]} and {from_hidden[0]}."
            )

    def _check_fit(self, claim, one, other):
        if not _agree(one[1:], other[1:]):
            raise ValueError(
                f"{describe(self)}: {claim} sizes behind the batch axis, got {one[1:]} "
                f"and {other[1:]} (input shape {self.input_shapes[0]})."
            )

    def get_inner_layers(self):
        """List the layers of both networks, InputLayers included."""
        return unique(
            [
                *get_all_layers(self.input_to_hidden),
                *get_all_layers(self.hidden_to_hidden),
            ]
        )

    def get_params(self, unwrap_shared=True, **tags):
        """List the parameters: the own one, then those of both networks.

        Parameters
        ----------
        unwrap_shared, **tags
            As for :meth:`Layer.get_params`.

        Returns
        -------
        list of SharedVariable, or of Variable if not `unwrap_shared`
            In the order of the networks' layers.
        """
        params = super().get_params(unwrap_shared=unwrap_shared, **tags)
        for each in self.get_inner_layers():
            params += each.get_params(unwrap_shared=unwrap_shared, **tags)
        return unique(params)


def _agree(one, other):
    return len(one) == len(other) and bool(
        np.all([None in pair or pair[0] == pair[1] for pair in zip(one, other)])  # noqa: B905
    )
