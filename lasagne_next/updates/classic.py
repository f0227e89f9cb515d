"""Rules with one rate for all entries, momentum, and resilient propagation."""

from collections import OrderedDict

import pytensor.tensor as pt

from lasagne_next.updates.base import (
    assemble,
    check_params,
    check_scalar,
    new_value,
    zeros_like_param,
)
from lasagne_next.utils import match_dtype

__all__ = [
    "apply_momentum",
    "apply_nesterov_momentum",
    "momentum",
    "nesterov_momentum",
    "rprop",
    "sgd",
]


def sgd(loss_or_grads, params, learning_rate):
    """Stochastic gradient descent.

    Computes ``p - learning_rate * g`` for each parameter p with gradient g.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression
        The rate; there is no default because it depends on the scale of the loss.

    Returns
    -------
    OrderedDict
        The new value of each parameter, of its shape and type.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]))
    >>> new = updates.sgd((W**2).sum(), [W], learning_rate=0.25)
    >>> new[W].eval(mode="FAST_COMPILE").tolist()
    [0.5, 1.0]
    """
    return assemble("sgd", _sgd, loss_or_grads, params, learning_rate=learning_rate)


def _sgd(param, gradient, state, learning_rate):
    return [(param, param - learning_rate * gradient)]


def apply_momentum(updates, params=None, momentum=0.9):
    """Add momentum to any updates.

    With p' the new value in `updates`, the velocity v and the parameter p become
    ``x = momentum * v + p'``, ``v = x - p``, ``p = x``.

    Parameters
    ----------
    updates : dict of shared variable to expression
        What a rule returned; it is copied, not changed.
    params : iterable of shared variables, optional
        Those that get momentum, all keys by default.
    momentum : number or scalar expression, default 0.9
        The share of the velocity that is kept at each call.

    Returns
    -------
    OrderedDict
        All of `updates`, then one velocity for each parameter, of its shape.

    Raises
    ------
    KeyError
        If `updates` has no entry for a parameter.
    ValueError, TypeError
        If a parameter is not of floating type, or `momentum` is no scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> list(updates.apply_momentum(updates.sgd((W**2).sum(), [W], 0.1)))
    [W, W.momentum.velocity]
    """
    return _apply("apply_momentum", _momentum, updates, params, momentum)


def _momentum(param, target, velocity, momentum):
    moved = momentum * velocity + target
    return [(velocity, moved - param), (param, moved)]


def momentum(loss_or_grads, params, learning_rate, momentum=0.9):
    """Stochastic gradient descent with momentum.

    Computes ``v = momentum * v - learning_rate * g`` and ``p = p + v``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression
        The rate; there is no default because it depends on the scale of the loss.
    momentum : number or scalar expression, default 0.9
        The share of the velocity that is kept at each call.

    Returns
    -------
    OrderedDict
        New values of the parameters, then of the velocities, of the same shapes.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    The rate is part of the velocity. PyTorch multiplies by it afterwards, which differs
    where the rate changes during training.

    References
    ----------
    B. T. Polyak (1964), Some methods of speeding up the convergence of iteration
    methods, https://doi.org/10.1016/0041-5553(64)90137-5

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> list(updates.momentum((W**2).sum(), [W], learning_rate=0.1))
    [W, W.momentum.velocity]
    """
    updates = assemble(
        "momentum", _sgd, loss_or_grads, params, learning_rate=learning_rate
    )
    return _apply("momentum", _momentum, updates, None, momentum)


def apply_nesterov_momentum(updates, params=None, momentum=0.9):
    """Add Nesterov momentum to any updates.

    With p' the new value in `updates`, the velocity v and the parameter p become
    ``v = momentum * v + p' - p``, ``p = momentum * v + p'``.

    Parameters
    ----------
    updates : dict of shared variable to expression
        What a rule returned; it is copied, not changed.
    params : iterable of shared variables, optional
        Those that get momentum, all keys by default.
    momentum : number or scalar expression, default 0.9
        The share of the velocity that is kept at each call.

    Returns
    -------
    OrderedDict
        All of `updates`, then one velocity for each parameter, of its shape.

    Raises
    ------
    KeyError
        If `updates` has no entry for a parameter.
    ValueError, TypeError
        If a parameter is not of floating type, or `momentum` is no scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> new = updates.apply_nesterov_momentum(updates.sgd((W**2).sum(), [W], 0.1))
    >>> new[W].eval(mode="FAST_COMPILE").round(2).tolist()
    [0.62, 1.24]
    """
    name = "apply_nesterov_momentum"
    return _apply(name, _nesterov_momentum, updates, params, momentum)


def _nesterov_momentum(param, target, velocity, momentum):
    new_velocity = momentum * velocity + target - param
    return [(velocity, new_velocity), (param, momentum * new_velocity + target)]


def nesterov_momentum(loss_or_grads, params, learning_rate, momentum=0.9):
    """Stochastic gradient descent with Nesterov momentum.

    Computes ``v = momentum * v - learning_rate * g`` and
    ``p = p + momentum * v - learning_rate * g``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression
        The rate; there is no default because it depends on the scale of the loss.
    momentum : number or scalar expression, default 0.9
        The share of the velocity that is kept at each call.

    Returns
    -------
    OrderedDict
        New values of the parameters, then of the velocities, of the same shapes.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    The parameter kept is the point looked ahead to, so that the gradient is taken where
    the parameter is; the two forms are equal for constant hyper-parameters.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl, G. Hinton (2013), On the importance of
    initialization and momentum in deep learning, equations 3 and 4,
    https://proceedings.mlr.press/v28/sutskever13.html

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, 2.0]), name="W")
    >>> new = updates.nesterov_momentum((W**2).sum(), [W], learning_rate=0.1)
    >>> new[W].eval(mode="FAST_COMPILE").round(2).tolist()
    [0.62, 1.24]
    """
    name = "nesterov_momentum"
    updates = assemble(name, _sgd, loss_or_grads, params, learning_rate=learning_rate)
    return _apply(name, _nesterov_momentum, updates, None, momentum)


def _apply(name, rule, updates, params, momentum):
    check_scalar(name, "momentum", momentum)
    updates = OrderedDict(updates)
    params = check_params(name, list(updates) if params is None else params)
    for param in params:
        target = new_value(name, updates, param)
        velocity = zeros_like_param(param, "momentum", "velocity")
        share = match_dtype(momentum, param.dtype)
        updates.update(rule(param, target, velocity, share))
    return updates


def rprop(
    loss_or_grads,
    params,
    learning_rate=0.01,
    eta_minus=0.5,
    eta_plus=1.2,
    min_step=1e-6,
    max_step=50.0,
):
    """Resilient propagation: only the signs of the gradients count.

    Each entry has a step size of its own, multiplied by `eta_plus` while the sign of
    its gradient stays and by `eta_minus` when it changes; after a change the entry
    rests for one call. For whole-batch gradients: the noise of mini-batches spoils
    signs.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.01
        The step size at the first call; later values of it are not looked at. The
        default agrees with PyTorch, the paper has 0.1.
    eta_minus, eta_plus : number or scalar expression, default 0.5 and 1.2
        Factors of the step sizes, as in the paper.
    min_step, max_step : number or scalar expression, default 1e-6 and 50
        Bounds of the step sizes, as in the paper. `min_step` must not be zero.

    Returns
    -------
    OrderedDict
        New values of previous direction, step size and parameter for each parameter,
        of its shape.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    This is the variant without weight backtracking (iRprop-), as in PyTorch.

    References
    ----------
    M. Riedmiller, H. Braun (1993), A direct adaptive method for faster backpropagation
    learning: the RPROP algorithm, https://doi.org/10.1109/ICNN.1993.298623.
    C. Igel, M. Huesken (2003), Empirical evaluation of the improved Rprop learning
    algorithms, iRprop-, https://doi.org/10.1016/S0925-2312(01)00700-7

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.rprop((W**2).sum(), [W])
    >>> new[W].eval(mode="FAST_COMPILE").tolist()
    [0.99, -19.99]
    """
    return assemble(
        "rprop",
        _rprop,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        eta_minus=eta_minus,
        eta_plus=eta_plus,
        min_step=min_step,
        max_step=max_step,
    )


def _rprop(
    param, gradient, state, learning_rate, eta_minus, eta_plus, min_step, max_step
):
    direction, size = state("direction"), state("step")
    sign = pt.sign(gradient)
    agreement = sign * direction
    turned = pt.lt(agreement, 0)
    # A size of zero can only be the one that the state was made with: it marks the
    # first call, whatever the value of learning_rate is then.
    old_size = pt.switch(pt.eq(size, 0), learning_rate, size)
    one = match_dtype(1, param.dtype)
    factor = pt.switch(turned, eta_minus, pt.switch(agreement > 0, eta_plus, one))
    new_size = pt.clip(old_size * factor, min_step, max_step)
    new_direction = pt.switch(turned, match_dtype(0, param.dtype), sign)
    return [
        (direction, new_direction),
        (size, new_size),
        (param, param - new_direction * new_size),
    ]
