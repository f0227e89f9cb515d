"""How layers read axes: negative ones, shared ones, and the sizes along them."""

from __future__ import annotations

from lasagne_next.layers.base import describe
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import int_types, nearest

__all__ = [
    "draw_size",
    "drop_axes",
    "resolve_axes",
    "resolve_axis",
    "resolve_shared_axes",
    "spread",
    "unshared_sizes",
]


def resolve_axis(layer, argument, axis, shape):
    """Return an axis of an input of the given shape, counted from the front."""
    if not isinstance(axis, int_types):
        raise TypeError(
            f"{describe(layer)}: {argument} must be an integer, got {axis!r} (input "
            f"shape {shape}). Count axes from 0, or from -1 for the last."
        )
    ndim = len(shape)
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"{describe(layer)}: {argument} must be between {-ndim} and {ndim - 1}, "
            f"got {axis!r} (input shape {shape}). Choose an axis that the input has."
        )
    return int(axis) % ndim


def resolve_axes(layer, argument, axes, shape):
    """Return axes as a sorted tuple, counted from the front, each once."""
    axes = (axes,) if isinstance(axes, int_types) else tuple(axes)
    resolved = sorted(resolve_axis(layer, argument, axis, shape) for axis in axes)
    if len(set(resolved)) < len(resolved):
        raise ValueError(
            f"{describe(layer)}: {argument} must name each axis once, got {axes!r} "
            f"(input shape {shape}). Negative axes count from the end."
        )
    return tuple(resolved)


def resolve_shared_axes(layer, shared_axes):
    """Return the axes over which a layer shares its parameter.

    'auto' stands for all axes but the channels on axis 1, 'all' for all axes.
    """
    shape = layer.input_shape
    if shared_axes == "auto":
        return tuple(axis for axis in range(len(shape)) if axis != 1)
    if shared_axes == "all":
        return tuple(range(len(shape)))
    if isinstance(shared_axes, str):
        raise ValueError(
            f"{describe(layer)}: shared_axes must be 'auto', 'all', an integer or a "
            f"tuple of integers, got {shared_axes!r} (input shape {shape})."
            + nearest(shared_axes, ["auto", "all"])
        )
    return resolve_axes(layer, "shared_axes", shared_axes, shape)


def unshared_sizes(layer, shared_axes):
    """Return the sizes of the axes that are not shared: the shape of a parameter."""
    shape = layer.input_shape
    sizes = tuple(size for axis, size in enumerate(shape) if axis not in shared_axes)
    if None in sizes:
        raise ValueError(
            f"{describe(layer)} needs specified input sizes for all axes over which "
            f"its parameters are not shared (all but {shared_axes}), got input shape "
            f"{shape}. Declare the sizes in the InputLayer, or share these axes."
        )
    return sizes


def spread(parameter, sizes, shared_axes):
    """Give a parameter of shape `sizes` the axes of the input, 1 where shared."""
    ndim = len(sizes) + len(shared_axes)
    own = iter(range(len(sizes)))
    pattern = ["x" if axis in shared_axes else next(own) for axis in range(ndim)]
    return declare_unit_axes(parameter, sizes).dimshuffle(*pattern)


def drop_axes(statistic, axes):
    """Take away axes of size 1, those along which a statistic was taken."""
    return statistic.dimshuffle(*(i for i in range(statistic.ndim) if i not in axes))


def draw_size(input, shared_axes=()):
    """Return the shape of a random draw for an input, 1 along shared axes.

    Sizes that the type of the input knows are integers: the draw then knows them too,
    and JAX needs no run-time shape.
    """
    return tuple(
        1 if axis in shared_axes else input.shape[axis] if size is None else size
        for axis, size in enumerate(input.type.shape)
    )
