"""Walking through the graph of layers."""

from __future__ import annotations

from lasagne_next.layers.base import layers_below

__all__ = ["get_all_layers"]


def get_all_layers(layer, treat_as_input=None, inner=False):
    """List the layers of a network, each after those it depends on.

    Parameters
    ----------
    layer : Layer or iterable of Layer
        The output layer or layers.
    treat_as_input : Layer or iterable of Layer, optional
        Layers that are listed without those below them, as far as nothing else needs
        these.
    inner : bool, default False
        Whether to list the layers inside of layers too, each group before the layer
        that holds it: the two networks of a
        :class:`~lasagne_next.layers.CustomRecurrentLayer`, say. They are not part of
        the network that :func:`~lasagne_next.layers.get_output` evaluates.

    Returns
    -------
    list of Layer
        Each once, in topological order: depth first, left to right.

    Raises
    ------
    TypeError
        If something is no layer.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_all_layers
    >>> l1 = InputLayer((None, 4), name="l1")
    >>> l2 = DenseLayer(l1, 3, name="l2")
    >>> get_all_layers(l2)
    [<InputLayer 'l1'>, <DenseLayer 'l2'>]
    """
    pending = list(reversed(as_list(layer)))
    cut = set() if treat_as_input is None else set(as_list(treat_as_input))
    opened, placed, order = set(), set(), []
    while pending:
        current = pending[-1]
        if not hasattr(current, "get_output_for"):
            raise TypeError(
                "get_all_layers: layer must be a layer or an iterable of layers, got "
                f"{current!r} of type {type(current).__name__}."
            )
        if current in opened or current in cut:
            pending.pop()
            if current not in placed:
                if inner:
                    held = [
                        each for each in inner_layers(current) if each not in placed
                    ]
                    placed.update(held)
                    order.extend(held)
                placed.add(current)
                order.append(current)
        else:
            opened.add(current)
            pending.extend(
                each for each in reversed(layers_below(current)) if each not in placed
            )
    return order


def inner_layers(layer):
    """List the layers inside of a layer, at any depth."""
    if not hasattr(layer, "get_inner_layers"):
        return []
    return get_all_layers(layer.get_inner_layers(), inner=True)


def as_list(layer_or_layers):
    """Return the layers asked for as a list, whether one was given or many."""
    try:
        return list(layer_or_layers)
    except TypeError:
        return [layer_or_layers]
