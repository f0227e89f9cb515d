"""Rules that scale each entry by its past squared gradients."""

import pytensor.tensor as pt

from lasagne_next.updates.base import assemble

__all__ = ["adadelta", "adagrad", "rmsprop"]


def adagrad(loss_or_grads, params, learning_rate=1.0, epsilon=1e-6):
    """Adagrad: divide by the root of the sum of squared gradients.

    Computes ``a = a + g**2`` and ``p = p - learning_rate * g / sqrt(a + epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 1
        Size of the first step of every entry.
    epsilon : number or scalar expression, default 1e-6
        Keeps the root away from zero, as in Lasagne.

    Returns
    -------
    OrderedDict
        New values of the sum and of the parameter for each parameter, of its shape.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    `epsilon` is under the root; PyTorch and Keras add theirs to the root.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer (2011), Adaptive subgradient methods for online
    learning and stochastic optimization, section 1.1 (diagonal form),
    https://jmlr.org/papers/v12/duchi11a.html

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.adagrad((W**2).sum(), [W], learning_rate=0.1)
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.9, -19.9]
    """
    return assemble(
        "adagrad",
        _adagrad,
        loss_or_grads,
        params,
        learning_rate=learning_rate,
        epsilon=epsilon,
    )


def _adagrad(param, gradient, state, learning_rate, epsilon):
    total = state("sum")
    new_total = total + pt.sqr(gradient)
    step = learning_rate * gradient / pt.sqrt(new_total + epsilon)
    return [(total, new_total), (param, param - step)]


def rmsprop(loss_or_grads, params, learning_rate=1.0, rho=0.9, epsilon=1e-6):
    """RMSprop: divide by the root of the running mean of squared gradients.

    Computes ``a = rho * a + (1 - rho) * g**2`` and
    ``p = p - learning_rate * g / sqrt(a + epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 1
        The rate; the default is Lasagne's and too large for most networks, 0.001 is a
        common choice.
    rho : number or scalar expression, default 0.9
        The share of the mean that is kept at each call.
    epsilon : number or scalar expression, default 1e-6
        Keeps the root away from zero, as in Lasagne.

    Returns
    -------
    OrderedDict
        New values of the mean and of the parameter for each parameter, of its shape.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    `epsilon` is under the root; PyTorch adds its own to the root.

    References
    ----------
    T. Tieleman, G. Hinton (2012), Neural networks for machine learning, lecture 6.5,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> list(updates.rmsprop((W**2).sum(), [W], learning_rate=0.001))
    [W.rmsprop.mean, W]
    """
    return assemble(
        "rmsprop",
        _rmsprop,
        loss_or_grads,
        params,
        _rho_scalars,
        learning_rate=learning_rate,
        rho=rho,
        epsilon=epsilon,
    )


def _rho_scalars(learning_rate, rho, epsilon):
    return learning_rate, rho, 1 - rho, epsilon


def _rmsprop(param, gradient, state, learning_rate, rho, fresh, epsilon):
    mean = state("mean")
    new_mean = rho * mean + fresh * pt.sqr(gradient)
    step = learning_rate * gradient / pt.sqrt(new_mean + epsilon)
    return [(mean, new_mean), (param, param - step)]


def adadelta(loss_or_grads, params, learning_rate=1.0, rho=0.95, epsilon=1e-6):
    """Adadelta: scale by the ratio of past steps and past gradients.

    Computes ``a = rho * a + (1 - rho) * g**2``,
    ``u = g * sqrt(d + epsilon) / sqrt(a + epsilon)``, ``p = p - learning_rate * u``
    and ``d = rho * d + (1 - rho) * u**2``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 1
        The paper has none, which is the default.
    rho : number or scalar expression, default 0.95
        The share of the means that is kept at each call, as in the paper.
    epsilon : number or scalar expression, default 1e-6
        Starts the method and keeps the roots away from zero, as in the paper.

    Returns
    -------
    OrderedDict
        New values of the mean squared gradient, the parameter and the mean squared
        step for each parameter, of its shape.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    References
    ----------
    M. D. Zeiler (2012), ADADELTA: An adaptive learning rate method, algorithm 1,
    https://arxiv.org/abs/1212.5701

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> list(updates.adadelta((W**2).sum(), [W]))
    [W.adadelta.gradient, W, W.adadelta.step]
    """
    return assemble(
        "adadelta",
        _adadelta,
        loss_or_grads,
        params,
        _rho_scalars,
        learning_rate=learning_rate,
        rho=rho,
        epsilon=epsilon,
    )


def _adadelta(param, gradient, state, learning_rate, rho, fresh, epsilon):
    squares, steps = state("gradient"), state("step")
    new_squares = rho * squares + fresh * pt.sqr(gradient)
    step = gradient * pt.sqrt(steps + epsilon) / pt.sqrt(new_squares + epsilon)
    return [
        (squares, new_squares),
        (param, param - learning_rate * step),
        (steps, rho * steps + fresh * pt.sqr(step)),
    ]
