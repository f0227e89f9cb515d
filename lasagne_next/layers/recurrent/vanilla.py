"""The plain recurrent layer."""

from __future__ import annotations

from lasagne_next import init, nonlinearities
from lasagne_next.layers.dense import DenseLayer
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.recurrent.custom import CustomRecurrentLayer

__all__ = ["RecurrentLayer"]


class RecurrentLayer(CustomRecurrentLayer):
    r"""A recurrent layer of dense products.

    .. math:: h_t = f(x_t W_x + h_{t-1} W_h + b)

    Parameters
    ----------
    incoming : Layer or tuple
        Of shape (batch, time, features...). Several axes of features are flattened.
    num_units : int
        Number of units.
    W_in_to_hid : parameter, default Uniform(), SHAPE (num_inputs, num_units)
        Weights of the input.
    W_hid_to_hid : parameter, default Uniform(), SHAPE (num_units, num_units)
        Weights of the previous state; an orthogonal matrix carries gradients furthest:
        :class:`lasagne_next.expressions.Orthogonal`.
    b : parameter or None, default Constant(0), SHAPE (num_units,)
        Biases, not regularizable; None for a layer without.
    nonlinearity : callable or None, default rectify
        Applied to the sum; None means linear.
    hid_init : parameter or Layer, default Constant(0)
        The state before the first step: of SHAPE (1, num_units) for all examples, or
        (batch, num_units), or a layer of that output shape.
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
        Whether to copy the step for each element, whose number must be known. Compiles
        longer, and runs faster for few steps.
    precompute_input : bool, default True
        Whether the products with the input are computed for all steps at once.
    mask_input : Layer or tuple, optional
        Of shape (batch, time). Where it is 0, the state stays as it was.
    only_return_final : bool, default False
        Whether to return the state after the last step only, which is at the first
        element if `backwards`.
    **kwargs
        `name`.

    Attributes
    ----------
    W_in_to_hid, W_hid_to_hid, b
        The parameters of the two dense layers.
    input_to_hidden, hidden_to_hidden : DenseLayer
        The layers, which hold these parameters.

    Raises
    ------
    ValueError
        If the input has less than 3 axes or features of unknown sizes, or another
        argument is refused as by :class:`CustomRecurrentLayer`.

    References
    ----------
    Jeffrey Elman (1990): Finding structure in time. Cognitive Science 14(2).
    https://doi.org/10.1207/s15516709cog1402_1

    Examples
    --------
    >>> from lasagne_next.layers import InputLayer, RecurrentLayer
    >>> l_rec = RecurrentLayer(InputLayer((None, None, 3)), num_units=5, name="r")
    >>> l_rec.output_shape
    (None, None, 5)
    >>> l_rec.get_params(regularizable=True)
    [r.input_to_hidden.W, r.hidden_to_hidden.W]
    """

    def __init__(
        self,
        incoming,
        num_units,
        W_in_to_hid=init.Uniform(),  # noqa: B008 (initialisers are stateless)
        W_hid_to_hid=init.Uniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        hid_init=init.Constant(0.0),  # noqa: B008
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
        name = kwargs.get("name")
        features = tuple(getattr(incoming, "output_shape", incoming))[2:]
        start = "" if name is None else f"{name}."
        input_to_hidden = DenseLayer(
            InputLayer((None, *(features or (1,)))),
            num_units,
            W=W_in_to_hid,
            b=b,
            nonlinearity=None,
            name=f"{start}input_to_hidden",
        )
        hidden_to_hidden = DenseLayer(
            InputLayer((None, num_units)),
            num_units,
            W=W_hid_to_hid,
            b=None,
            nonlinearity=None,
            name=f"{start}hidden_to_hidden",
        )
        super().__init__(
            incoming,
            input_to_hidden,
            hidden_to_hidden,
            nonlinearity=nonlinearity,
            hid_init=hid_init,
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
        self.num_units = num_units

    @property
    def W_in_to_hid(self):
        """Weights of the input."""
        return self.input_to_hidden.W

    @property
    def W_hid_to_hid(self):
        """Weights of the previous state."""
        return self.hidden_to_hidden.W

    @property
    def b(self):
        """Biases, or None."""
        return self.input_to_hidden.b
