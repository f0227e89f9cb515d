"""Small tools that the modules share."""

from __future__ import annotations

import difflib
import inspect
import numbers

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.params import collect_shared_vars, create_param

__all__ = [
    "as_theano_expression",
    "as_tuple",
    "collect_shared_vars",
    "compute_norms",
    "create_param",
    "floatX",
    "inspect_kwargs",
    "int_types",
    "match_dtype",
    "nearest",
    "one_hot",
    "shared_empty",
    "unique",
    "unroll_scan",
]

int_types = (numbers.Integral, np.integer)


def floatX(arr):
    """Convert to an array of ``config.floatX``.

    Parameters
    ----------
    arr : array_like
        Numbers of any shape; an array that already has the type is returned as it is.

    Returns
    -------
    numpy.ndarray
        Of the same shape; a number becomes an array of shape ().

    Examples
    --------
    >>> from lasagne_next.utils import floatX
    >>> floatX([1, 2]).shape, floatX(3).shape
    ((2,), ())
    """
    return np.asarray(arr, dtype=pytensor.config.floatX)


def shared_empty(dim=2, dtype=None):
    """Make a shared variable whose value is still to be set.

    Parameters
    ----------
    dim : int, default 2
        Number of axes. No size is fixed, so that any value of this rank can be set.
    dtype : str, optional
        ``config.floatX`` by default.

    Returns
    -------
    TensorSharedVariable
        Zeros of shape ``(1,) * dim``.

    Examples
    --------
    >>> from lasagne_next.utils import shared_empty
    >>> shared_empty(3).get_value().shape
    (1, 1, 1)
    """
    return pytensor.shared(np.zeros((1,) * dim, dtype or pytensor.config.floatX))


def as_theano_expression(input):
    """Return a variable as it is and anything else as a tensor constant.

    Parameters
    ----------
    input : Variable or array_like
        What should take part in an expression.

    Returns
    -------
    Variable
        The very variable given, or a constant of the array's shape and type.

    Raises
    ------
    TypeError
        If `input` is neither a variable nor convertible to an array of numbers.

    Examples
    --------
    >>> from lasagne_next.utils import as_theano_expression
    >>> as_theano_expression([[1.0, 2.0]]).type.shape
    (1, 2)
    """
    if isinstance(input, Variable):
        return input
    try:
        return pt.constant(np.asarray(input))
    except Exception as error:
        raise TypeError(
            "as_theano_expression: input must be a variable or an array of numbers, "
            f"got {input!r} of type {type(input).__name__}."
        ) from error


def match_dtype(value, dtype=None):
    """Give a number or an expression the type of the tensors it will meet.

    PyTensor turns ``x * 0.3`` into double precision when ``x`` is single and
    ``config.floatX`` is double. Hyper-parameters pass through here so that single
    precision stays single.

    Parameters
    ----------
    value : number, array_like or Variable
        Of any shape.
    dtype : str, optional
        ``config.floatX`` by default.

    Returns
    -------
    Variable
        `value` itself where its type is right, else a cast or a constant of its shape.

    Examples
    --------
    >>> from lasagne_next.utils import match_dtype
    >>> match_dtype(0.3, "float32").dtype
    'float32'
    """
    dtype = dtype or pytensor.config.floatX
    if not isinstance(value, Variable):
        return pt.constant(np.asarray(value, dtype=dtype))
    return value if value.dtype == dtype else value.astype(dtype)


def nearest(word, words):
    """Return a hint that names the accepted word which `word` resembles most.

    Parameters
    ----------
    word : str
        What the user wrote.
    words : iterable of str
        What would have been accepted.

    Returns
    -------
    str
        A sentence that starts with a blank, or "" when nothing is close.

    Examples
    --------
    >>> from lasagne_next.utils import nearest
    >>> nearest("meen", ["mean", "sum"])
    " Did you mean 'mean'?"
    """
    close = difflib.get_close_matches(str(word), list(words), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def one_hot(x, m=None):
    """Turn class labels into rows of the identity matrix.

    Parameters
    ----------
    x : vector of integers (expression or array), shape (n,)
        Labels between 0 and m - 1.
    m : int or symbolic integer, optional
        Number of classes, the largest label plus one by default.

    Returns
    -------
    TensorVariable, shape (n, m)
        Of type ``config.floatX``.

    Examples
    --------
    >>> from lasagne_next.utils import one_hot
    >>> one_hot([2, 0], 3).eval(mode="FAST_COMPILE").tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    x = as_theano_expression(x).astype("int32")
    if m is None:
        m = x.max() + 1
    classes = pt.arange(m, dtype="int32")  # (m,)
    return pt.eq(x[..., None], classes).astype(pytensor.config.floatX)


def unique(l):  # noqa: E741 (the name is part of the contract)
    """Remove duplicates, keeping the first of each.

    Parameters
    ----------
    l : iterable
        Hashable elements.

    Returns
    -------
    list
        In the order of first occurrence.

    Examples
    --------
    >>> from lasagne_next.utils import unique
    >>> unique([3, 1, 3, 2, 1])
    [3, 1, 2]
    """
    return list(dict.fromkeys(l))


def as_tuple(x, N, t=None):
    """Coerce a value to a tuple of a given length.

    Parameters
    ----------
    x : value or iterable
        A single value is repeated `N` times; an iterable must have `N` elements.
    N : int
        The length wanted.
    t : type or tuple of types, optional
        What every element must be an instance of.

    Returns
    -------
    tuple
        Of length `N`.

    Raises
    ------
    TypeError
        If an element is of another type.
    ValueError
        If an iterable has another length.

    Examples
    --------
    >>> from lasagne_next.utils import as_tuple
    >>> as_tuple(3, 2), as_tuple([1, 2], 2)
    ((3, 3), (1, 2))
    """
    try:
        X = tuple(x)
    except TypeError:
        X = (x,) * N
    if t is not None and not all(isinstance(element, t) for element in X):
        raise TypeError(
            f"as_tuple: expected a single value or an iterable of {_type_names(t)}, "
            f"got {x!r} instead."
        )
    if len(X) != N:
        raise ValueError(
            f"as_tuple: expected a single value or an iterable with length {N}, "
            f"got {x!r} instead."
        )
    return X


def _type_names(t):
    if t == int_types:
        return "int"
    types = t if isinstance(t, tuple) else (t,)
    return " or ".join(each.__name__ for each in types)


def inspect_kwargs(func):
    """List the arguments of a function that have defaults.

    Parameters
    ----------
    func : callable
        Anything with a signature.

    Returns
    -------
    list of str
        Names in order, without ``**kwargs``.

    Examples
    --------
    >>> from lasagne_next.utils import inspect_kwargs
    >>> inspect_kwargs(lambda x, deterministic=False, **kwargs: x)
    ['deterministic']
    """
    parameters = inspect.signature(func).parameters.values()
    return [p.name for p in parameters if p.default is not p.empty]


def compute_norms(array, norm_axes=None):
    """Compute the L2 norms of the weight vectors in a parameter.

    Parameters
    ----------
    array : numpy.ndarray or TensorVariable
        A bias vector, a weight matrix (inputs, units) or filters (units, ...).
    norm_axes : sequence of int, optional
        Axes to sum the squares over. By default the input axes of each unit: none for
        a vector, axis 0 for a matrix, all but axis 0 for 3 to 5 axes.

    Returns
    -------
    numpy.ndarray or TensorVariable
        Of the kind and type given, with `norm_axes` removed from the shape.

    Raises
    ------
    ValueError
        If the rank has no default axes and none are given.
    RuntimeError
        If `array` is neither a numpy array nor an expression.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.utils import compute_norms
    >>> compute_norms(np.array([[3.0, 0.0], [4.0, 2.0]])).tolist()
    [5.0, 2.0]
    """
    if not isinstance(array, np.ndarray | Variable):
        raise RuntimeError(
            f"Unsupported type {type(array).__name__} in compute_norms: array must be "
            "a numpy array or an expression."
        )
    if norm_axes is None and array.ndim == 1:
        return abs(array)
    axes = default_norm_axes(array.ndim) if norm_axes is None else tuple(norm_axes)
    if isinstance(array, np.ndarray):
        return np.sqrt(np.sum(array**2, axis=axes, dtype=array.dtype))
    return pt.sqrt(pt.sum(pt.sqr(array), axis=axes))


def default_norm_axes(ndim):
    """Return the input axes of a weight of `ndim` axes; ValueError below 2, above 5."""
    if ndim == 2:
        return (0,)
    if ndim in (3, 4, 5):
        return tuple(range(1, ndim))
    raise ValueError(
        f"Unsupported tensor dimensionality {ndim}: norm_axes must be given for "
        "anything but 2 to 5 axes."
    )


def unroll_scan(
    fn, sequences, outputs_info, non_sequences, n_steps, go_backwards=False
):
    """Apply a step function repeatedly with a Python loop instead of a symbolic one.

    Parameters
    ----------
    fn : callable
        Called as ``fn(*sequence_elements, *previous_outputs, *non_sequences)``;
        returns an expression, or a tuple or list of them.
    sequences : expression or list of expressions, each of shape (n_steps, ...)
        What is iterated over, along the first axis.
    outputs_info : list of expressions or numbers
        Start values of the outputs.
    non_sequences : list
        Passed to every step unchanged.
    n_steps : int
        Number of steps, known when the graph is built.
    go_backwards : bool, default False
        Whether to begin with the last element.

    Returns
    -------
    list of TensorVariable
        One per output, of shape (n_steps, ...), in the order of processing.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.utils import unroll_scan
    >>> total, = unroll_scan(lambda x, s: s + x, np.arange(4), [0], [], 4)
    >>> total.eval(mode="FAST_COMPILE").tolist()
    [0, 1, 3, 6]
    """
    if not isinstance(sequences, list | tuple):
        sequences = [sequences]
    steps = range(n_steps)[::-1] if go_backwards else range(n_steps)
    previous = list(outputs_info)
    history = []
    for i in steps:
        outputs = fn(*(seq[i] for seq in sequences), *previous, *non_sequences)
        previous = list(outputs) if isinstance(outputs, tuple | list) else [outputs]
        history.append([pt.as_tensor_variable(output) for output in previous])
    return [pt.stack(series) for series in zip(*history, strict=True)]
