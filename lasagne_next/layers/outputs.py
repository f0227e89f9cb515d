"""Layers that compute several things at once, and reading one of these."""

from __future__ import annotations

from lasagne_next.layers.base import Layer, describe
from lasagne_next.utils import nearest

__all__ = ["OutputLayer", "SeveralOutputs"]


class SeveralOutputs:
    """What a layer with several outputs is derived from, before its other base.

    Such a layer defines :meth:`get_output_shapes_for` and :meth:`get_outputs_for` in
    place of ``get_output_shape_for`` and ``get_output_for``. Both return a dict by the
    same names. The first output is the main one: what layers above get unless they are
    built on an :class:`OutputLayer`.

    Notes
    -----
    All outputs are made by one call of :meth:`get_outputs_for` in each call of
    :func:`~lasagne_next.layers.get_output`. What nobody reads is not computed.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers import Layer, OutputLayer, SeveralOutputs
    >>> class MomentsLayer(SeveralOutputs, Layer):
    ...     def get_output_shapes_for(self, input_shape):
    ...         return {"mean": input_shape[:1], "deviation": input_shape[:1]}
    ...     def get_outputs_for(self, input, **kwargs):
    ...         return {"mean": input.mean(axis=1), "deviation": input.std(axis=1)}
    >>> layer = MomentsLayer((7, 5))
    >>> layer.output_shape, OutputLayer(layer, "deviation").output_shape
    ((7,), (7,))
    """

    @property
    def output_shapes(self):
        """Shapes of all outputs by name, None for unknown sizes."""
        merges = hasattr(self, "input_layers")
        return self.get_output_shapes_for(
            self.input_shapes if merges else self.input_shape
        )

    def get_output_shapes_for(self, input_shape):
        """Map the shape of the input to the shapes of all outputs.

        Parameters
        ----------
        input_shape : tuple of int or None, or list of these
            As for ``get_output_shape_for``.

        Returns
        -------
        dict
            Of name to tuple; the main output comes first.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define get_output_shapes_for, since it has several "
            "outputs."
        )

    def get_outputs_for(self, input, **kwargs):
        """Map an expression for the input to expressions for all outputs.

        Parameters
        ----------
        input : TensorVariable, or list of these
            As for ``get_output_for``.
        **kwargs
            All keywords of :func:`lasagne_next.layers.get_output`.

        Returns
        -------
        dict
            Of name to TensorVariable, in the order of :meth:`get_output_shapes_for`.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(
            f"{describe(self)} must define get_outputs_for(input, **kwargs), since it "
            "has several outputs."
        )

    def get_output_shape_for(self, input_shape):
        """Return the shape of the main output."""
        return _first(self.get_output_shapes_for(input_shape))

    def get_output_for(self, input, **kwargs):
        """Return the main output."""
        return _first(self.get_outputs_for(input, **kwargs))


class OutputLayer(Layer):
    """One of the outputs of a layer that has several.

    Parameters
    ----------
    incoming : Layer
        A layer with several outputs: :class:`VectorQuantizationLayer`, say, a recurrent
        layer, or one of your own (:class:`SeveralOutputs`).
    output : str
        The name of the output that is wanted; ``incoming.output_shapes`` lists all.
    **kwargs
        `name`.

    Attributes
    ----------
    output
        As given.

    Raises
    ------
    TypeError
        If `incoming` has not several outputs.
    ValueError
        If it has no output of this name; in :func:`get_output`, if its output was
        replaced there, so that nothing is known of the others.

    Notes
    -----
    Several such layers on one layer, and layers above its main output, share one
    evaluation of it, as far as they are asked for in one call of :func:`get_output`.

    Examples
    --------
    >>> from lasagne_next.layers import GRULayer, OutputLayer
    >>> encoder = GRULayer((None, 7, 3), num_units=5)
    >>> list(encoder.output_shapes)
    ['hid', 'final_hid']
    >>> OutputLayer(encoder, "final_hid").output_shape
    (None, 5)
    """

    def __init__(self, incoming, output, **kwargs):
        super().__init__(incoming, **kwargs)
        self.output = output
        self._capture_shapes()

    def _capture_shapes(self):
        self._check_incoming()
        self._input_shape = self.input_layer.output_shapes[self.output]

    def _check_incoming(self):
        below = self.input_layer
        if not has_several_outputs(below):
            raise TypeError(
                f"{describe(self)}: incoming must be a layer with several outputs, got "
                f"{below!r}. Such a layer defines get_outputs_for."
            )
        names = list(below.output_shapes)
        if self.output not in names:
            raise ValueError(
                f"{describe(self)}: output must be one of {', '.join(names)} of "
                f"{describe(below)}, got {self.output!r}.{nearest(self.output, names)}"
            )

    def get_output_for(self, input, **kwargs):
        """Return the output of that name, which is what comes in."""
        return input


def has_several_outputs(layer):
    """Tell whether all outputs of a layer can be had by name."""
    # What replaces get_output_for is to be asked through it, for one output.
    own = getattr(type(layer), "get_output_for", None)
    return isinstance(layer, SeveralOutputs) and own is SeveralOutputs.get_output_for


def all_outputs_of(layer, below, kwargs):
    """Return the main output of a layer, and all by name, None if it has only one."""
    if not has_several_outputs(layer):
        return layer.get_output_for(below, **kwargs), None
    named = layer.get_outputs_for(below, **kwargs)
    return _first(named), named


def pick_output(layer, named):
    """Return what an :class:`OutputLayer` reads among the outputs below, by name."""
    if named is None:
        raise ValueError(
            f"{describe(layer)}: the input must be what {describe(layer.input_layer)} "
            "returned in the same call of get_output, but another expression was given "
            f"in its place. Give one for {describe(layer)}, too."
        )
    return named[layer.output]


def _first(named):
    return next(iter(named.values()))
