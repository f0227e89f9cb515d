"""Bounds on the norms of parameters and gradients."""

from functools import reduce

import numpy as np
import pytensor.tensor as pt

from lasagne_next.updates.base import (
    check_params,
    check_positive,
    check_scalar,
    fit_gradients,
)
from lasagne_next.utils import as_theano_expression, default_norm_axes, match_dtype

__all__ = [
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "norm_constraint",
    "total_norm_constraint",
]


def norm_constraint(tensor_var, max_norm, norm_axes=None, epsilon=1e-7):
    """Rescale the weight vectors of a parameter whose L2 norms are too large.

    Computes ``x * clip(|x|, 0, max_norm) / (epsilon + |x|)`` with the norm ``|x|`` over
    `norm_axes`.

    Parameters
    ----------
    tensor_var : expression or array, 2 to 5 axes (any number with `norm_axes`)
        A parameter, or better its new value in a dictionary of updates.
    max_norm : number or scalar expression
        The largest norm allowed.
    norm_axes : sequence of int, optional
        Axes to sum the squares over. By default the input axes of each unit: axis 0
        for a matrix (inputs, units), all but axis 0 for 3 to 5 axes (units, ...).
    epsilon : number or scalar expression, default 1e-7
        Keeps the divisor away from zero.

    Returns
    -------
    TensorVariable
        Of the shape and type of `tensor_var`.

    Raises
    ------
    ValueError
        If the rank has no default axes and none are given, or a bound is no scalar.
    TypeError
        If a bound is no number.

    References
    ----------
    G. E. Hinton, N. Srivastava, A. Krizhevsky, I. Sutskever, R. R. Salakhutdinov
    (2012), Improving neural networks by preventing co-adaptation of feature detectors,
    https://arxiv.org/abs/1207.0580

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import updates
    >>> x = updates.norm_constraint(np.array([[3.0, 0.3], [4.0, 0.4]]), 1)
    >>> x.eval(mode="FAST_COMPILE").round(4).tolist()
    [[0.6, 0.3], [0.8, 0.4]]
    """
    check_scalar("norm_constraint", "max_norm", max_norm)
    check_scalar("norm_constraint", "epsilon", epsilon)
    x = as_theano_expression(tensor_var)
    axes = default_norm_axes(x.ndim) if norm_axes is None else tuple(norm_axes)
    norm = pt.sqrt(_sum_of_squares(x, axis=axes, keepdims=True))
    return x * _bounding_factor(norm, max_norm, epsilon)


def _bounding_factor(norm, max_norm, epsilon):
    zero, max_norm, epsilon = (
        match_dtype(value, norm.dtype) for value in (0, max_norm, epsilon)
    )
    return pt.clip(norm, zero, max_norm) / (epsilon + norm)


def total_norm_constraint(tensor_vars, max_norm, epsilon=1e-7, return_norm=False):
    """Rescale tensors together if their joint L2 norm is too large.

    Computes ``x * clip(n, 0, max_norm) / (epsilon + n)`` for each tensor x, with n the
    root of the sum of all their squares.

    Parameters
    ----------
    tensor_vars : iterable of expressions, any shapes
        Often gradients, to be handed to a rule.
    max_norm : number or scalar expression
        The largest joint norm allowed.
    epsilon : number or scalar expression, default 1e-7
        Keeps the divisor away from zero.
    return_norm : bool, default False
        Whether to return the norm too.

    Returns
    -------
    list of TensorVariable, or (list, scalar)
        The tensors in their shapes and types; the norm before rescaling.

    Raises
    ------
    ValueError, TypeError
        If a bound is no scalar.

    Notes
    -----
    :func:`clip_by_global_norm` leaves small gradients exactly as they are and takes a
    loss too.

    References
    ----------
    I. Sutskever, O. Vinyals, Q. V. Le (2014), Sequence to sequence learning with neural
    networks, section 3.4, https://arxiv.org/abs/1409.3215

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next import updates
    >>> x, y = updates.total_norm_constraint([np.array([3.0]), np.array(4.0)], 1)
    >>> x.eval(mode="FAST_COMPILE").round(4).tolist()
    [0.6]
    """
    check_scalar("total_norm_constraint", "max_norm", max_norm)
    check_scalar("total_norm_constraint", "epsilon", epsilon)
    tensors = [as_theano_expression(tensor) for tensor in tensor_vars]
    norm = joint_norm(tensors)
    factor = _bounding_factor(norm, max_norm, epsilon)
    scaled = [x * match_dtype(factor, x.dtype) for x in tensors]
    return (scaled, norm) if return_norm else scaled


def _sum_of_squares(x, **axes):
    # PyTensor 3.0.7 to 3.3.7 returns sums on JAX in the type of the accumulator, double
    # precision by default, and single precision parameters would become double by it.
    # Can go when pytensor/link/jax/dispatch/elemwise.py casts to the output's type.
    return pt.sum(pt.sqr(x), acc_dtype=x.dtype, **axes)


def joint_norm(tensors):
    """Return the root of the sum of all squares, in the widest type; shape ()."""
    if not tensors:
        return match_dtype(0)
    dtype = str(np.result_type(*(x.dtype for x in tensors)))
    squares = [match_dtype(_sum_of_squares(x), dtype) for x in tensors]
    return pt.sqrt(reduce(pt.add, squares))


def clip_by_value(loss_or_grads, params, limit):
    """Bound each entry of the gradients.

    Computes ``clip(g, -limit, limit)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    limit : number or scalar expression
        The largest absolute value allowed.

    Returns
    -------
    list of TensorVariable
        Gradients for any rule, in the shapes and types of the parameters.

    Raises
    ------
    ValueError, TypeError
        For gradients and parameters that do not fit, or a limit that is no positive
        scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([3.0, -0.1]))
    >>> gradients = updates.clip_by_value((W**2).sum(), [W], limit=1)
    >>> updates.sgd(gradients, [W], 0.5)[W].eval(mode="FAST_COMPILE").tolist()
    [2.5, 0.0]
    """
    check_positive("clip_by_value", "limit", limit)
    params = check_params("clip_by_value", params)
    clipped = []
    for gradient in fit_gradients("clip_by_value", loss_or_grads, params):
        bound = match_dtype(limit, gradient.dtype)
        clipped.append(pt.clip(gradient, -bound, bound))
    return clipped


def clip_by_norm(loss_or_grads, params, max_norm):
    """Bound the L2 norm of each gradient on its own.

    Computes ``g * max_norm / max(|g|, max_norm)``: a gradient of a smaller norm is
    left exactly as it is.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    max_norm : number or scalar expression
        The largest norm of a whole gradient allowed.

    Returns
    -------
    list of TensorVariable
        Gradients for any rule, in the shapes and types of the parameters.

    Raises
    ------
    ValueError, TypeError
        For gradients and parameters that do not fit, or a bound that is no positive
        scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([3.0, 4.0]))
    >>> clipped, = updates.clip_by_norm((W**2).sum(), [W], max_norm=5)
    >>> clipped.eval(mode="FAST_COMPILE").round(4).tolist()
    [3.0, 4.0]
    """
    check_positive("clip_by_norm", "max_norm", max_norm)
    params = check_params("clip_by_norm", params)
    gradients = fit_gradients("clip_by_norm", loss_or_grads, params)
    return [g * _clipping_factor(joint_norm([g]), max_norm) for g in gradients]


def clip_by_global_norm(loss_or_grads, params, max_norm, return_norm=False):
    """Bound the joint L2 norm of all gradients, keeping their direction.

    Computes ``g * max_norm / max(n, max_norm)`` for each gradient g, with n the root of
    the sum of all their squares: smaller gradients are left exactly as they are.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    max_norm : number or scalar expression
        The largest joint norm allowed.
    return_norm : bool, default False
        Whether to return the norm too, to watch it.

    Returns
    -------
    list of TensorVariable, or (list, scalar)
        Gradients for any rule, in the shapes and types of the parameters; the norm
        before clipping.

    Raises
    ------
    ValueError, TypeError
        For gradients and parameters that do not fit, or a bound that is no positive
        scalar.

    Notes
    -----
    :func:`total_norm_constraint` takes any tensors and adds an epsilon to the divisor.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio (2013), On the difficulty of training recurrent
    neural networks, algorithm 1, https://arxiv.org/abs/1211.5063

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W, b = pytensor.shared(np.array([1.5])), pytensor.shared(2.0)
    >>> clipped, _ = updates.clip_by_global_norm(W[0]**2 + b**2, [W, b], max_norm=1)
    >>> clipped.eval(mode="FAST_COMPILE").round(4).tolist()
    [0.6]
    """
    name = "clip_by_global_norm"
    check_positive(name, "max_norm", max_norm)
    gradients = fit_gradients(name, loss_or_grads, check_params(name, params))
    norm = joint_norm(gradients)
    factor = _clipping_factor(norm, max_norm)
    clipped = [g * match_dtype(factor, g.dtype) for g in gradients]
    return (clipped, norm) if return_norm else clipped


def _clipping_factor(norm, max_norm):
    """Return a factor of at most one, exactly one for a norm within the bound."""
    max_norm = match_dtype(max_norm, norm.dtype)
    return max_norm / pt.maximum(norm, max_norm)
