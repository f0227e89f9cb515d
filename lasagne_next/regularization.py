"""Penalties on parameters.

A penalty is any function from a tensor to a scalar expression. The functions
``regularize_...`` apply one to the parameters of layers; their result is added to the
loss.

By default a penalty is applied to the leaves: for a weight ``U.dot(V)`` made of two
shared variables, to U and to V. With ``unwrap_shared=False`` it is applied to the
expression ``U.dot(V)`` itself. The first keeps each learnt number small and respects
the tags of single leaves; the second keeps the weights small that the layer computes
with, whatever they are made of.
"""

from __future__ import annotations

import functools
import operator
from types import MappingProxyType

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from lasagne_next.expressions import sum_of_squares
from lasagne_next.layers import get_all_params
from lasagne_next.utils import as_theano_expression, default_norm_axes, match_dtype

__all__ = [
    "apply_penalty",
    "group_lasso",
    "l1",
    "l2",
    "orthogonality",
    "regularize_layer_params",
    "regularize_layer_params_weighted",
    "regularize_network_params",
]

_REGULARIZABLE = MappingProxyType({"regularizable": True})


def l1(x):
    """Compute the sum of absolute values.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable, shape ()
        ``sum(|x|)``.

    Examples
    --------
    >>> from lasagne_next.regularization import l1
    >>> l1([[1.0, -2.0]]).eval(mode="FAST_COMPILE").tolist()
    3.0
    """
    return pt.sum(abs(as_theano_expression(x)))


def l2(x):
    """Compute the sum of squares.

    Parameters
    ----------
    x : expression
        Of any shape.

    Returns
    -------
    TensorVariable, shape ()
        ``sum(x**2)``.

    Notes
    -----
    Without a square root and without a factor of 1/2: with plain gradient descent, a
    coefficient c is a weight decay of 2 * c.

    That of a product of thin matrices, and of other structure, is computed from its
    parts (:func:`lasagne_next.expressions.sum_of_squares`).

    Examples
    --------
    >>> from lasagne_next.regularization import l2
    >>> l2([[1.0, -2.0]]).eval(mode="FAST_COMPILE").tolist()
    5.0
    """
    return sum_of_squares(x)


def group_lasso(x, axes=None):
    """Compute the sum of the norms of groups, which drives whole groups to zero.

    Parameters
    ----------
    x : expression
        A weight.
    axes : int or tuple of int, optional
        Axes that lie inside a group. By default the input axes, so that a unit is a
        group: axis 0 of a matrix, all but axis 0 of filters, none of a vector. With
        ``axes=(1,)`` a group of a matrix is what one input feeds.

    Returns
    -------
    TensorVariable, shape ()
        ``sum(sqrt(sum(x**2, axes)))``; its gradient is 0 for groups that are zero.

    Raises
    ------
    ValueError
        If `axes` is not given and `x` has no or more than 5 axes.

    References
    ----------
    Ming Yuan and Yi Lin (2006): Model selection and estimation in regression with
    grouped variables, equation 2.1. https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Examples
    --------
    >>> from lasagne_next.regularization import group_lasso
    >>> group_lasso([[3.0, 0.0], [4.0, 2.0]]).eval(mode="FAST_COMPILE").tolist()
    7.0
    """
    x = as_theano_expression(x)
    if axes is None and x.ndim == 1:
        return l1(x)
    if axes is None:
        axes = default_norm_axes(x.ndim)
    squares = pt.sqr(x).sum(axis=axes)
    # The root of zero has no derivative; the root of one, minus one, is zero as well.
    zero = match_dtype(pt.eq(squares, match_dtype(0, x.dtype)), x.dtype)
    return pt.sum(pt.sqrt(squares + zero) - zero)


def orthogonality(x):
    """Compute how far a weight is from orthonormal rows, or columns where fewer.

    Parameters
    ----------
    x : expression of two axes or more
        A weight W; all axes but the first are taken together.

    Returns
    -------
    TensorVariable, shape ()
        ``sum((W' W - I)**2)``, or of ``W W'`` where W is known to have fewer rows than
        columns.

    Raises
    ------
    ValueError
        If `x` has fewer than two axes.

    References
    ----------
    Andrew Brock, Theodore Lim, James Ritchie and Nick Weston (2017): Neural photo
    editing with introspective adversarial networks, section 3.3.
    https://arxiv.org/abs/1609.07093

    Examples
    --------
    >>> from lasagne_next.regularization import orthogonality
    >>> orthogonality([[0.0, 2.0, 0.0]]).eval(mode="FAST_COMPILE").tolist()
    9.0
    """
    x = as_theano_expression(x)
    if x.ndim < 2:
        raise ValueError(
            f"orthogonality: x must have at least 2 axes, got {x.ndim} (shape "
            f"{x.type.shape}). Leave vectors out by their tags."
        )
    W = x.flatten(2)
    rows, columns = W.type.shape
    wide = None not in (rows, columns) and rows < columns
    gram = W.dot(W.T) if wide else W.T.dot(W)
    identity = pt.eye(gram.shape[0], dtype=W.dtype)
    return l2(gram - identity)


def apply_penalty(tensor_or_tensors, penalty, **kwargs):
    """Sum the penalties of one tensor or of several.

    Parameters
    ----------
    tensor_or_tensors : expression, or iterable of expressions
        Of any shapes.
    penalty : callable
        Called as ``penalty(tensor, **kwargs)`` for each; returns a scalar expression.
    **kwargs
        Passed to `penalty`.

    Returns
    -------
    TensorVariable, shape (), or 0
        The sum; the number 0 for no tensors.

    Raises
    ------
    TypeError
        If `penalty` cannot be called.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.regularization import apply_penalty, l1, l2
    >>> x = pt.constant([1.0, -2.0])
    >>> apply_penalty([x, x], l2).eval(mode="FAST_COMPILE").tolist()
    10.0
    """
    if not callable(penalty):
        raise TypeError(
            f"apply_penalty: penalty must be a function, got {penalty!r}. Pass l1, l2 "
            "or a function of your own."
        )
    if isinstance(tensor_or_tensors, Variable | np.ndarray):
        return penalty(tensor_or_tensors, **kwargs)
    try:
        tensors = list(tensor_or_tensors)
    except TypeError:
        return penalty(tensor_or_tensors, **kwargs)
    return _total(penalty(tensor, **kwargs) for tensor in tensors)


def _total(penalties):
    penalties = list(penalties)
    return functools.reduce(operator.add, penalties) if penalties else 0


def regularize_layer_params(
    layer, penalty, tags=_REGULARIZABLE, *, unwrap_shared=True, **kwargs
):
    """Penalise the parameters of one layer or of several, not of those below.

    Parameters
    ----------
    layer : Layer or list of Layer
        A parameter that several layers share counts once for each.
    penalty : callable
        Called as ``penalty(parameter, **kwargs)``; returns a scalar expression.
    tags : dict, default {'regularizable': True}
        Which parameters: keywords for ``Layer.get_params``.
    unwrap_shared : bool, default True
        Whether to penalise the leaves (the shared variables inside expressions), or the
        parameters themselves.
    **kwargs
        Passed to `penalty`.

    Returns
    -------
    TensorVariable, shape (), or 0
        The sum of the penalties; the number 0 if there is no parameter.

    Raises
    ------
    TypeError
        If `penalty` cannot be called.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next import init, layers
    >>> from lasagne_next.regularization import l2, regularize_layer_params
    >>> v = layers.DenseLayer((None, 2), 3, W=init.Constant(1)).W
    >>> layer = layers.DenseLayer((None, 2), 3, W=2 * v)
    >>> leaves = regularize_layer_params(layer, l2)
    >>> whole = regularize_layer_params(layer, l2, unwrap_shared=False)
    >>> [int(total.eval(mode="FAST_COMPILE")) for total in (leaves, whole)]
    [6, 24]
    """
    layers = [layer] if hasattr(layer, "get_params") else layer
    chosen = _keywords(tags, unwrap_shared)
    params = [param for each in layers for param in each.get_params(**chosen)]
    return apply_penalty(params, penalty, **kwargs)


def _keywords(tags, unwrap_shared):
    return dict(tags) if unwrap_shared else {**tags, "unwrap_shared": False}


def regularize_layer_params_weighted(
    layers, penalty, tags=_REGULARIZABLE, *, unwrap_shared=True, **kwargs
):
    """Penalise the parameters of layers, each layer with a coefficient of its own.

    Parameters
    ----------
    layers : dict of Layer to number or expression
        The coefficients.
    penalty : callable
        Called as ``penalty(parameter, **kwargs)``; returns a scalar expression.
    tags : dict, default {'regularizable': True}
        Which parameters: keywords for ``Layer.get_params``.
    unwrap_shared : bool, default True
        Whether to penalise the leaves (the shared variables inside expressions), or the
        parameters themselves.
    **kwargs
        Passed to `penalty`.

    Returns
    -------
    TensorVariable, shape (), or 0
        The sum over layers of coefficient times penalty; the number 0 if there is no
        parameter.

    Raises
    ------
    TypeError
        If `penalty` cannot be called.

    Examples
    --------
    >>> from lasagne_next import init, layers
    >>> from lasagne_next.regularization import l2, regularize_layer_params_weighted
    >>> a = layers.DenseLayer((None, 2), 3, W=init.Constant(1))
    >>> b = layers.DenseLayer(a, 5, W=init.Constant(1))
    >>> total = regularize_layer_params_weighted({a: 0.5, b: 0.1}, l2)
    >>> total.eval(mode="FAST_COMPILE").round(3).tolist()
    4.5
    """
    chosen = _keywords(tags, unwrap_shared)
    return _total(
        _scaled(
            coefficient, apply_penalty(layer.get_params(**chosen), penalty, **kwargs)
        )
        for layer, coefficient in layers.items()
    )


def _scaled(coefficient, penalty):
    if isinstance(penalty, Variable) and penalty.dtype.startswith("float"):
        coefficient = match_dtype(coefficient, penalty.dtype)
    return coefficient * penalty


def regularize_network_params(
    layer, penalty, tags=_REGULARIZABLE, *, unwrap_shared=True, **kwargs
):
    """Penalise the parameters of a network.

    Parameters
    ----------
    layer : Layer or list of Layer
        The output layer or layers; all layers below belong to the network. A parameter
        that several layers share counts once.
    penalty : callable
        Called as ``penalty(parameter, **kwargs)``; returns a scalar expression.
    tags : dict, default {'regularizable': True}
        Which parameters: keywords for :func:`lasagne_next.layers.get_all_params`.
    unwrap_shared : bool, default True
        Whether to penalise the leaves (the shared variables inside expressions), or the
        parameters themselves.
    **kwargs
        Passed to `penalty`.

    Returns
    -------
    TensorVariable, shape (), or 0
        The sum of the penalties; the number 0 if there is no parameter.

    Raises
    ------
    TypeError
        If `penalty` cannot be called.

    Examples
    --------
    >>> from lasagne_next import init, layers
    >>> from lasagne_next.regularization import l2, regularize_network_params
    >>> hidden = layers.DenseLayer((None, 2), 3, W=init.Constant(1))
    >>> output = layers.DenseLayer(hidden, 5, W=init.Constant(1))
    >>> regularize_network_params(output, l2).eval(mode="FAST_COMPILE").tolist()
    21.0
    """
    params = get_all_params(layer, **_keywords(tags, unwrap_shared))
    return apply_penalty(params, penalty, **kwargs)
