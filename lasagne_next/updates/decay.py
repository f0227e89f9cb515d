"""Rules with decoupled weight decay: AdamW, Lion, LAMB."""

from functools import partial

import pytensor.tensor as pt

from lasagne_next.updates.base import assemble, assemble_counted, check_params
from lasagne_next.updates.constraints import joint_norm

__all__ = ["adamw", "lamb", "lion"]


def adamw(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    weight_decay=0.01,
    decay_params=None,
):
    """AdamW: Adam whose weight decay is not part of the gradient.

    With the moments m and v of :func:`adam`, ``p = p - learning_rate * (m / (1 -
    beta1**t) / (sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * p)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        The rate, of the decay too, so that a schedule acts on both.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as for Adam.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero.
    weight_decay : number or scalar expression, default 0.01
        The share of a parameter that decays in a step of rate one; as in PyTorch.
    decay_params : iterable of shared variables, optional
        Those among `params` that decay, all by default. To spare biases pass
        ``get_all_params(network, trainable=True, regularizable=True)``.

    Returns
    -------
    OrderedDict
        New values of both moments and of the parameter for each parameter, of its
        shape, then of the counter.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    `epsilon` is added to the corrected root, as in the paper and PyTorch, other than in
    :func:`adam`.

    References
    ----------
    I. Loshchilov, F. Hutter (2019), Decoupled weight decay regularization, algorithm 2,
    https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.adamw((W**2).sum(), [W], learning_rate=0.01, weight_decay=0.1)
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.989, -19.97]
    """
    params = check_params("adamw", params)
    return assemble_counted(
        "adamw",
        partial(_adamw, _decaying("adamw", decay_params, params)),
        loss_or_grads,
        params,
        _adamw_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


def _decaying(name, decay_params, params):
    """Return the set of parameters that decay."""
    if decay_params is None:
        return set(params)
    decay_params = check_params(name, decay_params, "decay_params")
    for param in decay_params:
        if param not in params:
            raise ValueError(
                f"{name}: decay_params must be among params, got {param!r}. "
                "get_all_params(network, trainable=True, regularizable=True) gives "
                "trained ones only."
            )
    return set(decay_params)


def _adamw_scalars(t, learning_rate, beta1, beta2, epsilon, weight_decay):
    root = pt.sqrt(1 - beta2**t)
    rate = learning_rate * root / (1 - beta1**t)
    decay = learning_rate * weight_decay
    return rate, decay, beta1, 1 - beta1, beta2, 1 - beta2, epsilon * root


def _adamw(
    decaying,
    param,
    gradient,
    state,
    rate,
    decay,
    beta1,
    fresh1,
    beta2,
    fresh2,
    epsilon,
):
    m, v = state("m"), state("v")
    new_m = beta1 * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    step = rate * new_m / (pt.sqrt(new_v) + epsilon)
    if param in decaying:
        step = step + decay * param
    return [(m, new_m), (v, new_v), (param, param - step)]


def lion(
    loss_or_grads,
    params,
    learning_rate=0.0001,
    beta1=0.9,
    beta2=0.99,
    weight_decay=0.0,
    decay_params=None,
):
    """Lion: the sign of a mix of gradient and momentum.

    Computes ``p = p - learning_rate * (sign(beta1 * m + (1 - beta1) * g) +
    weight_decay * p)`` and ``m = beta2 * m + (1 - beta2) * g``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.0001
        Every entry moves by this much; the authors advise a third to a tenth of what
        AdamW gets.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.99
        The shares of the momentum in the direction and in the next momentum, as in the
        paper.
    weight_decay : number or scalar expression, default 0
        The share of a parameter that decays in a step of rate one; the authors advise
        three to ten times what AdamW gets.
    decay_params : iterable of shared variables, optional
        Those among `params` that decay, all by default; see :func:`adamw`.

    Returns
    -------
    OrderedDict
        New values of the momentum and of the parameter for each parameter, of its
        shape.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    References
    ----------
    X. Chen, C. Liang, D. Huang, E. Real, K. Wang, and others (2023), Symbolic discovery
    of optimization algorithms, algorithm 2, https://arxiv.org/abs/2302.06675

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.lion((W**2).sum(), [W], learning_rate=0.01)
    >>> new[W].eval(mode="FAST_COMPILE").tolist()
    [0.99, -19.99]
    """
    params = check_params("lion", params)
    return assemble(
        "lion",
        partial(_lion, _decaying("lion", decay_params, params)),
        loss_or_grads,
        params,
        _lion_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        weight_decay=weight_decay,
    )


def _lion_scalars(learning_rate, beta1, beta2, weight_decay):
    decay = learning_rate * weight_decay
    return learning_rate, decay, beta1, 1 - beta1, beta2, 1 - beta2


def _lion(decaying, param, gradient, state, rate, decay, beta1, fresh1, beta2, fresh2):
    m = state("m")
    step = rate * pt.sign(beta1 * m + fresh1 * gradient)
    if param in decaying:
        step = step + decay * param
    return [(m, beta2 * m + fresh2 * gradient), (param, param - step)]


def lamb(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-6,
    weight_decay=0.01,
    decay_params=None,
):
    """LAMB: AdamW whose step is as large as the parameter, for large batches.

    With r the step of :func:`adamw` without its rate, ``p = p - learning_rate * |p| /
    |r| * r``, where ``|.|`` is the L2 norm of the whole parameter. Where a norm is zero
    the ratio is one.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        Length of a step relative to that of the parameter.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as in the paper.
    epsilon : number or scalar expression, default 1e-6
        Keeps the divisor away from zero, as in the paper.
    weight_decay : number or scalar expression, default 0.01
        The share of a parameter that is added to the direction, as in the paper.
    decay_params : iterable of shared variables, optional
        Those among `params` that decay, all by default; see :func:`adamw`.

    Returns
    -------
    OrderedDict
        New values of both moments and of the parameter for each parameter, of its
        shape, then of the counter.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    The norm of the parameter is not clipped (the function phi of the paper is the
    identity).

    References
    ----------
    Y. You, J. Li, S. Reddi, J. Hseu, S. Kumar, and others (2020), Large batch
    optimization for deep learning: Training BERT in 76 minutes, algorithm 2,
    https://arxiv.org/abs/1904.00962

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([3.0, -4.0]), name="W")
    >>> new = updates.lamb((W**2).sum(), [W], learning_rate=0.1, weight_decay=0)
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [2.6464, -3.6464]
    """
    params = check_params("lamb", params)
    return assemble_counted(
        "lamb",
        partial(_lamb, _decaying("lamb", decay_params, params)),
        loss_or_grads,
        params,
        _lamb_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


def _lamb_scalars(t, learning_rate, beta1, beta2, epsilon, weight_decay):
    root = pt.sqrt(1 - beta2**t)
    correction = root / (1 - beta1**t)
    moments = (beta1, 1 - beta1, beta2, 1 - beta2)
    return learning_rate, correction, weight_decay, *moments, epsilon * root


def _lamb(
    decaying,
    param,
    gradient,
    state,
    rate,
    correction,
    decay,
    beta1,
    fresh1,
    beta2,
    fresh2,
    epsilon,
):
    m, v = state("m"), state("v")
    new_m = beta1 * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    direction = correction * new_m / (pt.sqrt(new_v) + epsilon)
    if param in decaying:
        direction = direction + decay * param
    step = rate * _trust_ratio(param, direction) * direction
    return [(m, new_m), (v, new_v), (param, param - step)]


def _trust_ratio(param, direction):
    """Return |param| / |direction|, one where either is zero; shape ()."""
    wanted, given = joint_norm([param]), joint_norm([direction])
    usable = (wanted > 0) & (given > 0)
    one = pt.ones((), param.dtype)
    return pt.switch(usable, wanted, one) / pt.switch(usable, given, one)
