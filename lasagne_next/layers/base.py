"""What every layer is: a node of a graph with a shape map and an expression map."""

from __future__ import annotations

import operator
from collections import OrderedDict

from pytensor.graph.basic import Variable

from lasagne_next.params.creation import make_param
from lasagne_next.params.tags import leaf_tags
from lasagne_next.utils import unique

__all__ = ["Layer", "MergeLayer"]

_INPUTS = ("input_layer", "input_shape", "input_layers", "input_shapes")


class _Wiring:
    """Counts how often any layer was given other inputs after it was built.

    Layers remember the shapes of their inputs, so that building a chain stays linear.
    What was remembered before the last re-wiring may be stale.
    """

    epoch = 0


class Layer:
    """Base class of all layers with one input.

    A layer is a node: it knows the layer below, holds parameters, and maps a shape to a
    shape (:meth:`get_output_shape_for`) and an expression to an expression
    (:meth:`get_output_for`). It holds no expressions of its own; these are made by
    :func:`lasagne_next.layers.get_output`.

    Parameters
    ----------
    incoming : Layer or tuple
        The layer below, or the shape of the input: positive integers, and None for
        sizes that are known only at run time.
    name : str, optional
        Prefix of the names of the parameters.

    Attributes
    ----------
    input_layer : Layer or None
        The layer below; None if a shape was given. It may be replaced: the shapes of
        this layer and of all above follow.
    input_shape : tuple
        Shape of the input.
    name : str or None
        As given.
    params : OrderedDict
        Of parameter (shared variable or expression) to its set of tags.
    get_output_kwargs : list of str
        Further keywords that the layer passes on to others in `get_output_for`.

    Raises
    ------
    ValueError
        If a known size is not positive.

    Examples
    --------
    >>> from lasagne_next.layers import Layer
    >>> class Double(Layer):
    ...     def get_output_for(self, input, **kwargs):
    ...         return 2 * input
    >>> Double((None, 5)).output_shape
    (None, 5)
    """

    _epoch = -1

    def __init__(self, incoming, name=None):
        self._init_node(name)
        if isinstance(incoming, tuple):
            self._input_layer = None
            self._input_shape = incoming
        else:
            self._input_layer = incoming
            self._input_shape = _output_shape_of(incoming, self)
        check_positive(self, "input shape", self._input_shape)
        self._epoch = _Wiring.epoch

    def _init_node(self, name):
        self.name = name
        self.params = OrderedDict()
        self.get_output_kwargs = []

    def __repr__(self):
        return f"<{describe(self)}>"

    def __dir__(self):
        # What a layer has not, it does not list: stand-ins are copied from the list.
        absent = {name for name in _INPUTS if f"_{name}" not in self.__dict__}
        return [name for name in super().__dir__() if name not in absent]

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_epoch", None)  # counts re-wirings of the present process only
        return state

    @property
    def input_layer(self):
        """The layer below, or None."""
        return self._own("_input_layer", "input_layer")

    @input_layer.setter
    def input_layer(self, layer):
        if layer is not None:
            check_positive(self, "input shape", _output_shape_of(layer, self))
            _check_acyclic(self, "input_layer", [layer])
        self._input_layer = layer
        _Wiring.epoch += 1

    @property
    def input_shape(self):
        """Shape of the input, None for unknown sizes."""
        refresh_shapes(self)
        return self._own("_input_shape", "input_shape")

    @input_shape.setter
    def input_shape(self, shape):
        below = self.__dict__.get("_input_layer")
        if below is not None and shape != below.output_shape:
            raise ValueError(
                f"{describe(self)}: input_shape must be {below.output_shape}, the "
                f"output shape of {describe(below)}, got {shape!r}. Assign input_layer "
                "to re-wire."
            )
        self._input_shape = shape
        _Wiring.epoch += 1

    def _own(self, attribute, public):
        # An AttributeError that names the public attribute keeps `hasattr` honest for
        # layers with several inputs, or none.
        try:
            return self.__dict__[attribute]
        except KeyError:
            raise AttributeError(f"{describe(self)} has no {public}.") from None

    def _capture_shapes(self):
        if self.__dict__.get("_input_layer") is not None:
            self._input_shape = self._input_layer.output_shape

    @property
    def output_shape(self):
        """Shape of the output, None for unknown sizes."""
        return self._checked_output_shape(self.input_shape)

    def _checked_output_shape(self, input_shape):
        try:
            shape = self.get_output_shape_for(input_shape)
        except Exception as error:
            annotate(error, self, input_shape)
            raise
        if any(isinstance(size, Variable) for size in shape):
            raise ValueError(
                f"{describe(self)} returned a symbolic output shape, got {shape!r}. "
                "get_output_shape_for must return integers, and None for sizes that "
                "are known only at run time."
            )
        return shape

    def get_params(self, unwrap_shared=True, **tags):
        """List the parameters of this layer.

        Parameters
        ----------
        unwrap_shared : bool, default True
            Whether to give the leaves (the shared variables inside expressions), or the
            parameters themselves.
        **tags : bool
            ``tag=True`` keeps what has the tag, ``tag=False`` what has it not. Several
            must hold together. Leaves are judged one by one: the tags of the parameter
            hold for all its leaves, but for those that cannot be learnt or have tags of
            their own (:func:`lasagne_next.params.set_tags`).

        Returns
        -------
        list of SharedVariable, or of Variable if not `unwrap_shared`
            In the order of registration and, inside an expression, from left to right;
            each once.

        Examples
        --------
        >>> from lasagne_next.layers import DenseLayer
        >>> layer = DenseLayer((None, 4), 3, name="h")
        >>> layer.get_params(), layer.get_params(regularizable=True)
        ([h.W, h.b], [h.W])
        """
        wanted = {tag for tag, value in tags.items() if value}
        unwanted = set(tags) - wanted
        if unwrap_shared:
            tagged = [pair for item in self.params.items() for pair in leaf_tags(*item)]
        else:
            tagged = self.params.items()
        return unique(
            param
            for param, own in tagged
            if wanted <= set(own) and not unwanted & set(own)
        )

    def add_param(self, spec, shape, name=None, **tags):
        """Make a parameter and register it.

        Parameters
        ----------
        spec : number, numpy.ndarray, SharedVariable, expression or callable
            See :func:`lasagne_next.params.create_param`.
        shape : iterable of int
            Shape of the parameter.
        name : str, optional
            Given the prefix "<name of the layer>.".
        **tags : bool
            Tags of the parameter, besides ``trainable=True`` and
            ``regularizable=True``, which can be switched off.

        Returns
        -------
        SharedVariable or expression
            The parameter.

        Raises
        ------
        ValueError, TypeError
            As :func:`lasagne_next.params.create_param`; then nothing is registered.

        Examples
        --------
        >>> from lasagne_next import init
        >>> from lasagne_next.layers import Layer
        >>> layer = Layer((None, 4), name="scale")
        >>> layer.add_param(init.Constant(1), (4,), name="g", regularizable=False)
        scale.g
        """
        label = f"{describe(self)}: parameter" + (f" {name}" if name else "")
        if name is not None and self.name is not None:
            name = f"{self.name}.{name}"
        param = make_param(spec, shape, name, label)
        tags = {"trainable": True, "regularizable": True, **tags}
        self.params[param] = {tag for tag, value in tags.items() if value}
        return param

    def get_output_shape_for(self, input_shape):
        """Map the shape of the input to the shape of the output.

        Parameters
        ----------
        input_shape : tuple of int or None
            Any shape that the layer accepts.

        Returns
        -------
        tuple of int or None
            By default `input_shape`.
        """
        return input_shape

    def get_output_for(self, input, **kwargs):
        """Map an expression for the input to one for the output.

        Parameters
        ----------
        input : TensorVariable
            Of the shape of the input.
        **kwargs
            All keywords of :func:`lasagne_next.layers.get_output`.

        Returns
        -------
        TensorVariable
            Of the shape that :meth:`get_output_shape_for` gives.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define get_output_for(input, **kwargs)."
        )


class MergeLayer(Layer):
    """Base class of all layers with several inputs.

    Parameters
    ----------
    incomings : list of Layer or tuple
        The layers below, or shapes of inputs.
    name : str, optional
        Prefix of the names of the parameters.

    Attributes
    ----------
    input_layers : list of Layer or None
        The layers below, None where a shape was given. Assign a new list to re-wire.
    input_shapes : list of tuple
        Shapes of the inputs.

    Examples
    --------
    >>> from lasagne_next.layers import MergeLayer
    >>> class Product(MergeLayer):
    ...     def get_output_shape_for(self, input_shapes):
    ...         return input_shapes[0]
    ...     def get_output_for(self, inputs, **kwargs):
    ...         return inputs[0] * inputs[1]
    >>> Product([(None, 5), (None, 5)]).output_shape
    (None, 5)
    """

    def __init__(self, incomings, name=None):
        self._init_node(name)
        incomings = list(incomings)
        self._input_layers = [
            None if isinstance(incoming, tuple) else incoming for incoming in incomings
        ]
        self._input_shapes = [
            incoming
            if isinstance(incoming, tuple)
            else _output_shape_of(incoming, self)
            for incoming in incomings
        ]
        for index, shape in enumerate(self._input_shapes):
            check_positive(self, f"shape of input {index}", shape)
        self._epoch = _Wiring.epoch

    @property
    def input_layers(self):
        """The layers below, None where a shape was given."""
        return self._own("_input_layers", "input_layers")

    @input_layers.setter
    def input_layers(self, layers):
        layers = list(layers)
        if len(layers) != len(self._input_shapes):
            raise ValueError(
                f"{describe(self)}: input_layers must have {len(self._input_shapes)} "
                f"elements, got {len(layers)}."
            )
        _check_acyclic(self, "input_layers", layers)
        self._input_layers = layers
        _Wiring.epoch += 1

    @property
    def input_shapes(self):
        """Shapes of the inputs."""
        refresh_shapes(self)
        return self._own("_input_shapes", "input_shapes")

    @input_shapes.setter
    def input_shapes(self, shapes):
        self._input_shapes = list(shapes)
        _Wiring.epoch += 1

    def _capture_shapes(self):
        self._input_shapes = [
            shape if layer is None else layer.output_shape
            for layer, shape in zip(self._input_layers, self._input_shapes, strict=True)
        ]

    @property
    def output_shape(self):
        """Shape of the output, None for unknown sizes."""
        return self._checked_output_shape(self.input_shapes)

    def get_output_shape_for(self, input_shapes):
        """Map the shapes of the inputs to the shape of the output.

        Parameters
        ----------
        input_shapes : list of tuple of int or None
            One shape per input.

        Returns
        -------
        tuple of int or None
            Shape of the output.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define get_output_shape_for(input_shapes)."
        )

    def get_output_for(self, inputs, **kwargs):
        """Map expressions for the inputs to one for the output.

        Parameters
        ----------
        inputs : list of TensorVariable
            One per input.
        **kwargs
            All keywords of :func:`lasagne_next.layers.get_output`.

        Returns
        -------
        TensorVariable
            Of the shape that :meth:`get_output_shape_for` gives.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define get_output_for(inputs, **kwargs)."
        )


def describe(layer):
    """Name a layer in a message: its class and, if it has one, its name."""
    name = getattr(layer, "name", None)
    return type(layer).__name__ + (f" {name!r}" if name is not None else "")


def annotate(error, layer, input_shape):
    """Add to an error which layer it came from."""
    note = f"while handling {describe(layer)} with input shape {input_shape}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def layers_below(layer):
    """Return the input layers of anything that looks like a layer, in order."""
    if hasattr(layer, "input_layers"):
        return [each for each in layer.input_layers if each is not None]
    below = getattr(layer, "input_layer", None)
    return [] if below is None else [below]


def refresh_shapes(layer):
    """Recapture input shapes from the bottom up, if any layer was re-wired."""
    pending = [layer]
    while pending:
        current = pending[-1]
        if not isinstance(current, Layer) or current._epoch == _Wiring.epoch:
            pending.pop()
            continue
        stale = [
            each
            for each in layers_below(current)
            if isinstance(each, Layer) and each._epoch != _Wiring.epoch
        ]
        if stale:
            pending.extend(stale)
        else:
            pending.pop()
            current._capture_shapes()
            current._epoch = _Wiring.epoch  # last: a failure must repeat itself


def _check_acyclic(layer, attribute, below):
    """Raise ValueError if a layer would depend on its own output."""
    pending, seen = [each for each in below if each is not None], set()
    while pending:
        current = pending.pop()
        if current is layer:
            raise ValueError(
                f"{describe(layer)}: {attribute} must not depend on the layer itself, "
                f"got {below!r}."
            )
        if current not in seen:
            seen.add(current)
            pending.extend(layers_below(current))


def check_positive(layer, what, shape):
    """Raise if a known size is no integer (TypeError) or not positive (ValueError)."""
    if not isinstance(shape, tuple | list):
        return  # a stand-in for a layer may not know its shape
    try:
        sizes = [operator.index(size) for size in shape if size is not None]
    except TypeError as error:
        raise TypeError(
            f"{describe(layer)}: {what} must have integers as sizes, or None where the "
            f"size is unknown, got {shape!r}."
        ) from error
    if any(size <= 0 for size in sizes):
        raise ValueError(
            f"{describe(layer)}: {what} must have positive sizes, or None where the "
            f"size is unknown, got {shape!r}."
        )


def _output_shape_of(incoming, layer):
    try:
        return incoming.output_shape
    except AttributeError as error:
        if isinstance(incoming, Layer):
            raise  # a mistake inside its shape map
        raise TypeError(
            f"{describe(layer)}: incoming must be a layer or a shape tuple, got "
            f"{incoming!r} of type {type(incoming).__name__}."
        ) from error
