"""The parameters of a whole network and their values."""

from __future__ import annotations

import numpy as np

from lasagne_next.layers.helper.traversal import get_all_layers
from lasagne_next.utils import unique

__all__ = [
    "count_params",
    "get_all_param_values",
    "get_all_params",
    "set_all_param_values",
]


def get_all_params(layer, unwrap_shared=True, treat_as_input=None, **tags):
    """List the parameters of a network.

    Parameters
    ----------
    layer : Layer or iterable of Layer
        The output layer or layers.
    unwrap_shared : bool, default True
        Whether to give the leaves (the shared variables inside expressions), or the
        parameters themselves.
    treat_as_input : iterable of Layer, optional
        Layers at which to stop: their own parameters are listed, those below are not
        (as far as nothing else needs these layers).
    **tags : bool
        ``tag=True`` keeps what has the tag, ``tag=False`` what has it not; see
        :meth:`Layer.get_params`.

    Returns
    -------
    list of SharedVariable, or of Variable if not `unwrap_shared`
        In the order of the layers from the inputs upwards, each once.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.layers import DenseLayer, InputLayer, get_all_params
    >>> l1 = DenseLayer(InputLayer((None, 4)), num_units=4, name="l1")
    >>> l2 = DenseLayer(l1, num_units=4, W=pt.exp(l1.W), name="l2")
    >>> get_all_params(l2)
    [l1.W, l1.b, l2.b]
    >>> get_all_params(l2, unwrap_shared=False, regularizable=True)
    [l1.W, l2.W]
    """
    return unique(
        param
        for each in get_all_layers(layer, treat_as_input)
        for param in each.get_params(unwrap_shared=unwrap_shared, **tags)
    )


def count_params(layer, **tags):
    """Count the numbers in the parameters of a network.

    Parameters
    ----------
    layer : Layer or iterable of Layer
        The output layer or layers.
    **tags : bool
        As for :func:`get_all_params`.

    Returns
    -------
    int
        The total size of the leaves, each counted once.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, count_params
    >>> count_params(DenseLayer((None, 784), num_units=500))
    392500
    """
    return sum(
        param.get_value(borrow=True).size for param in get_all_params(layer, **tags)
    )


def get_all_param_values(layer, **tags):
    """Copy the values of the parameters of a network.

    Parameters
    ----------
    layer : Layer or iterable of Layer
        The output layer or layers.
    **tags : bool
        As for :func:`get_all_params`.

    Returns
    -------
    list of numpy.ndarray
        In the order of :func:`get_all_params`.

    See Also
    --------
    lasagne_next.io.save : Keeps values by name instead of by order.

    Examples
    --------
    >>> from lasagne_next.layers import DenseLayer, get_all_param_values
    >>> [value.shape for value in get_all_param_values(DenseLayer((None, 4), 3))]
    [(4, 3), (3,)]
    """
    return [param.get_value() for param in get_all_params(layer, **tags)]


def set_all_param_values(layer, values, **tags):
    """Set the values of the parameters of a network, all or none.

    Parameters
    ----------
    layer : Layer or iterable of Layer
        The output layer or layers.
    values : list of numpy.ndarray
        As :func:`get_all_param_values` returns them. Each is cast to the type of its
        parameter.
    **tags : bool
        As for :func:`get_all_params`.

    Raises
    ------
    ValueError
        If the number of values or the shape of one is wrong, or a value does not fit
        the type of its parameter (as fractions, or 300 for an int8, do not).
        Nothing has been set then.

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import DenseLayer, set_all_param_values
    >>> layer = DenseLayer((None, 4), 3)
    >>> set_all_param_values(layer, [np.eye(4, 3), np.zeros(3)])
    >>> layer.W.get_value().sum().item()
    3.0
    """
    params, values = get_all_params(layer, **tags), list(values)
    if len(params) != len(values):
        raise ValueError(
            f"set_all_param_values: values must have {len(params)} elements, one per "
            f"parameter, got {len(values)}."
        )
    set_values_atomically(
        "set_all_param_values",
        [
            (f"parameter {index} ({param})", param, value)
            for index, (param, value) in enumerate(zip(params, values, strict=True))
        ],
    )


def set_values_atomically(function, labelled):
    """Set shared variables to values, after checking all of them.

    `labelled` holds triples of a label for messages, a shared variable and a value.
    """
    fitting = [
        (param, _fit(function, label, param, value)) for label, param, value in labelled
    ]
    for param, value in fitting:
        param.set_value(value, borrow=True)


def _fit(function, label, param, value):
    current = param.get_value(borrow=True)
    value = np.asarray(value)
    if value.shape != current.shape:
        raise ValueError(
            f"{function}: {label} must have shape {current.shape}, got {value.shape}."
        )
    if not np.can_cast(value.dtype, current.dtype, casting="same_kind"):
        raise ValueError(
            f"{function}: {label} is of type {current.dtype}, got {value.dtype}."
        )
    cast = np.array(value, dtype=current.dtype)
    # Unlike rounding of fractions, integers that wrap around are another value.
    if cast.dtype.kind in "iu" and not np.array_equal(cast, value):
        raise ValueError(
            f"{function}: {label} is of type {current.dtype}, which does not hold all "
            f"values, got values from {value.min()} to {value.max()}."
        )
    return cast
