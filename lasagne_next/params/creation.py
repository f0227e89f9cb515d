"""The one door through which every parameter comes."""

from __future__ import annotations

import numbers
import operator

import numpy as np
import pytensor
from pytensor.graph.basic import Variable
from pytensor.tensor.type import TensorType, all_dtypes

from lasagne_next.params.shapes import static_shape

__all__ = ["create_param"]

_DTYPES = frozenset(all_dtypes)


def create_param(spec, shape, name=None):
    """Make a parameter from a number, an array, a variable or a callable.

    Parameters
    ----------
    spec : number, numpy.ndarray, SharedVariable, expression or callable
        What the parameter is, or starts from. A callable (an initialiser) is called
        once with the shape and returns one of the others.
    shape : iterable of int
        The shape wanted; () for a scalar.
    name : str, optional
        Given to what is made here, and to a variable that has no name yet.

    Returns
    -------
    SharedVariable or expression
        A variable is returned itself. A number or an array becomes a shared variable of
        static shape `shape`: an array keeps its type, a Python number gets
        ``config.floatX``.

    Raises
    ------
    ValueError
        If a size is not positive, or array, variable or expression has another rank or
        shape, also when the shape of an expression only follows from its leaves.
    TypeError
        If `spec`, or what a callable returned, is none of these kinds, or holds no
        numbers.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import init
    >>> from lasagne_next.params import create_param
    >>> W = create_param(init.GlorotUniform(), (4, 3), name="W")
    >>> W, W.type.shape
    (W, (4, 3))
    >>> create_param(pt.exp(W), (4, 3)).type.shape
    (4, 3)
    """
    label = "create_param: parameter" + (f" {name!r}" if name else "")
    return make_param(spec, shape, name, label)


def make_param(spec, shape, name, label):
    """Do the work of :func:`create_param`; errors begin with `label`."""
    shape = _checked_shape(shape, label)
    made_by = ""
    if callable(spec):
        made_by = f" from {spec!r}"
        spec = _called(spec, shape, name, label)
    if isinstance(spec, Variable):
        _check_variable(spec, shape, label, made_by)
        if spec.name is None:
            spec.name = name
        return spec
    value = _checked_array(spec, shape, label, made_by)
    return pytensor.shared(value, shape=shape, name=name)


def _called(spec, shape, name, label):
    # A class attribute, since stand-ins in tests have every attribute of instances.
    names_its_leaves = getattr(type(spec), "names_its_leaves", False)
    try:
        return spec(shape, name=name) if names_its_leaves else spec(shape)
    except Exception as error:
        error.add_note(f"while making {label.removeprefix('create_param: ')}")
        raise


def _checked_shape(shape, label):
    sizes = shape
    try:
        sizes = tuple(shape)
        sizes = tuple(operator.index(size) for size in sizes)
    except TypeError as error:
        raise TypeError(
            f"{label} must have a shape of positive integers, got {sizes!r}."
        ) from error
    if any(size <= 0 for size in sizes):
        raise ValueError(
            f"{label} must have a shape of positive integers, got {sizes}."
        )
    return sizes


def _checked_array(spec, shape, label, made_by):
    if isinstance(spec, numbers.Number | np.ndarray | np.generic):
        is_python = isinstance(spec, int | float) and not isinstance(spec, np.generic)
        value = np.asarray(spec, dtype=pytensor.config.floatX if is_python else None)
    else:
        value = None
    if value is not None and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if value is None or value.dtype.name not in _DTYPES:
        raise TypeError(
            f"{label} must be a number, a numpy array of numbers, a shared variable, "
            "an expression, or a callable that returns one of these, got "
            f"{spec!r} of type {_kind(spec)}{made_by}."
        )
    if value.shape != shape:
        remedy = " Use init.Constant to fill a shape." if value.ndim == 0 else ""
        raise ValueError(
            f"{label} must have shape {shape}, got an array of shape "
            f"{value.shape}{made_by}.{remedy}"
        )
    return value


def _kind(spec):
    name = type(spec).__name__
    return f"{name} of {spec.dtype}" if isinstance(spec, np.ndarray) else name


def _check_variable(variable, shape, label, made_by):
    if not isinstance(variable.type, TensorType):
        raise TypeError(
            f"{label} must be a tensor of shape {shape}, got {variable!r} of type "
            f"{variable.type}{made_by}."
        )
    if variable.type.ndim != len(shape):
        raise ValueError(
            f"{label} must have {len(shape)} axes, of shape {shape}, got {variable!r} "
            f"with {variable.type.ndim} axes{made_by}."
        )
    try:
        got = static_shape(variable)
    except ValueError as error:
        raise ValueError(
            f"{label} must have shape {shape}, but {variable!r}{made_by} cannot be "
            f"computed: {error}."
        ) from error
    if any(size not in (None, want) for size, want in zip(got, shape, strict=True)):
        raise ValueError(
            f"{label} must have shape {shape}, got {variable!r} of shape "
            f"{got}{made_by}."
        )
