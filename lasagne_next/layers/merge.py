"""Layers that combine several inputs, and cropping them to a common size."""

from __future__ import annotations

import functools
import numbers

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.layers.axes import resolve_axis
from lasagne_next.layers.base import MergeLayer, describe
from lasagne_next.params import declare_unit_axes
from lasagne_next.utils import as_theano_expression, match_dtype, nearest

__all__ = [
    "ConcatLayer",
    "ElemwiseMergeLayer",
    "ElemwiseSumLayer",
    "autocrop",
    "autocrop_array_shapes",
    "concat",
]

_MODES = ("lower", "center", "upper")


def autocrop(inputs, cropping):
    """Cut expressions to the smallest size along each axis.

    Parameters
    ----------
    inputs : list of TensorVariable
        Of the same number of axes.
    cropping : None or list
        None leaves all as it is. A list has one entry per axis: None for an axis to
        leave alone, 'lower' to keep its start, 'upper' its end, 'center' its middle.
        Missing entries are None, further ones are ignored.

    Returns
    -------
    list of TensorVariable
        With equal sizes along the axes that have a mode.

    Raises
    ------
    ValueError
        If the inputs differ in their number of axes, or a mode is unknown.

    Notes
    -----
    JAX compiles the cropping of sizes that the types of the inputs know.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import autocrop
    >>> wide, narrow = autocrop([np.arange(5), np.arange(2)], ["center"])
    >>> wide.eval(mode="FAST_COMPILE").tolist()
    [1, 2]
    """
    if cropping is None:
        return inputs
    inputs = [as_theano_expression(input) for input in inputs]
    known = [input.type.shape for input in inputs]
    modes = _modes("autocrop", known, cropping)
    sizes = [_run_time_sizes(input) for input in inputs]
    smallest = [
        None if mode is None else functools.reduce(_minimum, column)
        for mode, column in zip(modes, zip(*sizes, strict=True), strict=True)
    ]
    return [
        input[tuple(map(_window, modes, own, smallest))]
        for input, own in zip(inputs, sizes, strict=True)
    ]


def _run_time_sizes(input):
    return [
        input.shape[axis] if size is None else size
        for axis, size in enumerate(input.type.shape)
    ]


def _minimum(a, b):
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return pt.minimum(a, b)


def _window(mode, size, smallest):
    if mode is None:
        return slice(None)
    if mode == "lower":
        return slice(None, smallest)
    excess = size - smallest
    start = excess if mode == "upper" else excess // 2
    return slice(start, start + smallest)


def autocrop_array_shapes(input_shapes, cropping):
    """Work out the shapes that :func:`autocrop` leaves.

    Parameters
    ----------
    input_shapes : list of tuple
        Shapes of the inputs, None for unknown sizes.
    cropping : None or list
        As for :func:`autocrop`.

    Returns
    -------
    list of tuple
        Along an axis that has a mode all have the smallest size, or None if any is
        unknown.

    Raises
    ------
    ValueError
        As :func:`autocrop`.

    Examples
    --------
    >>> from lasagne_next.layers import autocrop_array_shapes
    >>> autocrop_array_shapes([(2, 3, 8), (2, 5, 7)], [None, None, "lower"])
    [(2, 3, 7), (2, 5, 7)]
    """
    if cropping is None:
        return input_shapes
    modes = _modes("autocrop_array_shapes", input_shapes, cropping)
    columns = [
        column if mode is None else [_known_minimum(column)] * len(column)
        for mode, column in zip(modes, zip(*input_shapes, strict=True), strict=True)
    ]
    return list(zip(*columns, strict=True))


def _known_minimum(sizes):
    return None if None in sizes else min(sizes)


def _modes(label, shapes, cropping):
    """Return one cropping mode per axis."""
    _check_ranks(label, shapes)
    ndim = len(shapes[0])
    modes = [*cropping, *[None] * (ndim - len(cropping))][:ndim]
    for mode in modes:
        if mode is not None and mode not in _MODES:
            raise ValueError(
                f"{label}: the entries of cropping must be None or one of {_MODES}, "
                f"got {mode!r} in {cropping!r}.{nearest(mode, _MODES)}"
            )
    return modes


def _check_ranks(label, shapes):
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"{label}: all inputs must have the same number of axes, got input shapes "
            f"{list(shapes)}. DimshuffleLayer adds axes."
        )


class _CroppingLayer(MergeLayer):
    """What the layers share: shapes that must fit, apart from one axis perhaps."""

    def _check_shapes(self):
        """Refuse at once what cannot be merged, where the shapes are known."""
        if not self.input_shapes:
            raise ValueError(
                f"{describe(self)}: incomings must have at least one element, got none."
            )
        if all(isinstance(shape, tuple | list) for shape in self.input_shapes):
            self.get_output_shape_for(self.input_shapes)

    def _cropped_shapes(self, input_shapes):
        _check_ranks(describe(self), input_shapes)
        if self.cropping is not None:
            _modes(describe(self), input_shapes, self.cropping)
        return autocrop_array_shapes(input_shapes, self.cropping)

    def _refuse(self, axis, input_shapes):
        raise ValueError(
            f"{describe(self)}: the sizes of the inputs must agree along axis {axis}, "
            f"got input shapes {input_shapes}. Give the axis a mode in cropping to cut "
            "them to the smallest."
        )


class ConcatLayer(_CroppingLayer):
    """Join inputs along an axis.

    Parameters
    ----------
    incomings : list of Layer or tuple
        Their shapes must agree along all other axes, after cropping.
    axis : int, default 1
        The axis to join along, by default features or channels; negative ones count
        from the end.
    cropping : None or list, default None
        How to cut the inputs to a common size, one entry per axis: see
        :func:`autocrop`. The entry of `axis` is ignored.
    **kwargs
        `name`.

    Attributes
    ----------
    axis
        As given.
    cropping : list or None
        A copy, with None for `axis`.

    Raises
    ------
    ValueError
        If there is no such axis, the known shapes do not agree, or a cropping mode is
        unknown.
    TypeError
        If `axis` is no integer.

    Examples
    --------
    >>> from lasagne_next.layers import ConcatLayer
    >>> ConcatLayer([(None, 20), (None, 30)]).output_shape
    (None, 50)
    >>> crop = [None, None, "center", "center"]
    >>> ConcatLayer([(None, 3, 9, 9), (None, 4, 7, 8)], cropping=crop).output_shape
    (None, 7, 7, 8)
    """

    def __init__(self, incomings, axis=1, cropping=None, **kwargs):
        super().__init__(incomings, **kwargs)
        self.axis = axis
        self.cropping = cropping
        if cropping is not None:
            self.cropping = self._spare_axis(list(cropping))
        self._check_shapes()

    def _spare_axis(self, cropping):
        axis = self.axis
        if axis < 0:
            axis = resolve_axis(self, "axis", axis, self.input_shapes[0])
        cropping += [None] * (axis + 1 - len(cropping))
        cropping[axis] = None
        return cropping

    def get_output_shape_for(self, input_shapes):
        """Add the sizes along the axis; the others must agree."""
        shapes = self._cropped_shapes(input_shapes)
        axis = resolve_axis(self, "axis", self.axis, shapes[0])
        merged = []
        for position, sizes in enumerate(zip(*shapes, strict=True)):
            known = {size for size in sizes if size is not None}
            if position == axis:
                merged.append(None if None in sizes else sum(sizes))
            elif len(known) > 1:
                self._refuse(position, input_shapes)
            else:
                merged.append(known.pop() if known else None)
        return tuple(merged)

    def get_output_for(self, inputs, **kwargs):
        """Return the inputs one after the other along the axis."""
        return pt.concatenate(autocrop(inputs, self.cropping), axis=self.axis)


concat = ConcatLayer


class ElemwiseMergeLayer(_CroppingLayer):
    """Combine inputs element by element.

    Parameters
    ----------
    incomings : list of Layer or tuple
        Their shapes must agree after cropping, but axes of size 1 broadcast.
    merge_function : callable
        Of two expressions, such as ``pt.add``, ``pt.mul`` or ``pt.maximum``; called on
        the first two inputs, then on the result and the third, and so on.
    cropping : None or list, default None
        How to cut the inputs to a common size, one entry per axis: see
        :func:`autocrop`.
    **kwargs
        `name`.

    Attributes
    ----------
    merge_function, cropping
        As given.

    Raises
    ------
    ValueError
        If the known shapes do not agree, or a cropping mode is unknown.
    TypeError
        If `merge_function` cannot be called.

    Notes
    -----
    An axis broadcasts if the shape of its layer says that the size is 1. A size that is
    declared as None counts as equal to the others: if it turns out to be 1 at run time,
    PyTensor raises an error.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers import ElemwiseMergeLayer
    >>> gate, features = (None, 1, 5, 7), (None, 3, 5, 7)
    >>> ElemwiseMergeLayer([gate, features], pt.mul).output_shape
    (None, 3, 5, 7)
    """

    def __init__(self, incomings, merge_function, cropping=None, **kwargs):
        super().__init__(incomings, **kwargs)
        self.merge_function = merge_function
        self.cropping = cropping
        if not callable(merge_function):
            raise TypeError(
                f"{describe(self)}: merge_function must be a function of two "
                f"expressions, got {merge_function!r}. pytensor.tensor.mul is one."
            )
        self._check_shapes()

    def get_output_shape_for(self, input_shapes):
        """Return the common shape; sizes of 1 broadcast, None agrees with any size."""
        shapes = self._cropped_shapes(input_shapes)
        merged = []
        for axis, sizes in enumerate(zip(*shapes, strict=True)):
            known = {size for size in sizes if size not in (None, 1)}
            if len(known) > 1:
                self._refuse(axis, input_shapes)
            merged.append(known.pop() if known else None if None in sizes else 1)
        return tuple(merged)

    def get_output_for(self, inputs, **kwargs):
        """Return the inputs folded by the function, from the first to the last."""
        inputs = self._declare_broadcasting(autocrop(inputs, self.cropping))
        return functools.reduce(self.merge_function, inputs)

    def _declare_broadcasting(self, inputs):
        """Tell PyTensor the axes of size 1 that the layers below know of.

        It broadcasts axes whose type has size 1, and refuses others at run time.
        """
        if not all(isinstance(shape, tuple | list) for shape in self.input_shapes):
            return inputs
        merged = self.get_output_shape_for(self.input_shapes)
        shapes = self._cropped_shapes(self.input_shapes)
        return [
            declare_unit_axes(
                input,
                [
                    size if size != common else None
                    for size, common in zip(shape, merged, strict=True)
                ],
            )
            for input, shape in zip(inputs, shapes, strict=True)
        ]


class ElemwiseSumLayer(ElemwiseMergeLayer):
    r"""Add inputs, each times a coefficient: :math:`\sum_i c_i x_i`.

    Parameters
    ----------
    incomings : list of Layer or tuple
        Their shapes must agree after cropping, but axes of size 1 broadcast.
    coeffs : number, expression, list or tuple, default 1
        A list or tuple has one coefficient per input; anything else is the coefficient
        of all. A coefficient is a number, an array or an expression that broadcasts
        against its input.
    cropping : None or list, default None
        See :class:`ElemwiseMergeLayer`.
    **kwargs
        `name`.

    Attributes
    ----------
    coeffs : list
        One per input.
    cropping
        As given.

    Raises
    ------
    ValueError
        If there are not as many coefficients as inputs, or as
        :class:`ElemwiseMergeLayer`.
    TypeError
        If a coefficient is no number, array or expression.

    Notes
    -----
    Residual connections end in this layer. A float input keeps its type whatever the
    type of the coefficient.

    Examples
    --------
    >>> from lasagne_next.layers import ElemwiseSumLayer
    >>> l_sum = ElemwiseSumLayer([(None, 5), (None, 5)], coeffs=(1, -1))
    >>> l_sum.output_shape, l_sum.coeffs
    ((None, 5), [1, -1])
    """

    def __init__(self, incomings, coeffs=1, cropping=None, **kwargs):
        super().__init__(incomings, pt.add, cropping=cropping, **kwargs)
        num_inputs = len(self.input_shapes)
        if isinstance(coeffs, list | tuple):
            if len(coeffs) != num_inputs:
                raise ValueError(
                    f"{describe(self)}: coeffs must have one element for each of the "
                    f"{num_inputs} inputs, got {coeffs!r}. A single number holds for "
                    "all."
                )
            self.coeffs = list(coeffs)
        else:
            self.coeffs = [coeffs] * num_inputs
        for coeff in self.coeffs:
            if not isinstance(coeff, numbers.Number | np.ndarray | Variable):
                raise TypeError(
                    f"{describe(self)}: coeffs must be numbers, arrays or expressions, "
                    f"got {coeff!r} of type {type(coeff).__name__}."
                )

    def get_output_for(self, inputs, **kwargs):
        """Return the weighted sum of the inputs."""
        weighted = [_times(*pair) for pair in zip(inputs, self.coeffs, strict=True)]
        return super().get_output_for(weighted, **kwargs)


def _times(input, coeff):
    if not isinstance(coeff, Variable) and np.ndim(coeff) == 0 and coeff == 1:
        return input
    if input.dtype.startswith("float"):
        coeff = match_dtype(coeff, input.dtype)
    return input * coeff
