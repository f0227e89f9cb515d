"""Adam and its relatives: rules that keep two running moments of the gradient."""

from collections import OrderedDict

import pytensor.tensor as pt

from lasagne_next.updates.base import (
    assemble,
    assemble_counted,
    check_params,
    check_scalar,
    make_counter,
)
from lasagne_next.utils import match_dtype

__all__ = ["adabelief", "adam", "adamax", "amsgrad", "nadam", "radam"]


def adam(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
):
    """Adam: the running mean of gradients over the root of that of their squares.

    Computes ``t = t + 1``, ``m = beta1 * m + (1 - beta1) * g``,
    ``v = beta2 * v + (1 - beta2) * g**2`` and
    ``p = p - learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) +
    epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        The rate, as in the paper.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as in the paper.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero.

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
    This is the form before section 2.1 of the paper, where `epsilon` is added to the
    uncorrected root. PyTorch follows algorithm 1 and adds it to the corrected root.

    References
    ----------
    D. P. Kingma, J. Ba (2015), Adam: A method for stochastic optimization, section 2,
    https://arxiv.org/abs/1412.6980

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.adam((W**2).sum(), [W], learning_rate=0.01)
    >>> list(new), new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    ([W.adam.m, W.adam.v, W, adam.t], [0.99, -19.99])
    """
    return assemble_counted(
        "adam",
        _adam,
        loss_or_grads,
        params,
        _adam_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def _adam_scalars(t, learning_rate, beta1, beta2, epsilon):
    rate = learning_rate * pt.sqrt(1 - beta2**t) / (1 - beta1**t)
    return rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon


def _adam(param, gradient, state, rate, beta1, fresh1, beta2, fresh2, epsilon):
    m, v = state("m"), state("v")
    new_m = beta1 * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    step = rate * new_m / (pt.sqrt(new_v) + epsilon)
    return [(m, new_m), (v, new_v), (param, param - step)]


def adamax(
    loss_or_grads,
    params,
    learning_rate=0.002,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
):
    """Adamax: Adam with the largest recent gradient in place of the root.

    Computes ``t = t + 1``, ``m = beta1 * m + (1 - beta1) * g``,
    ``u = max(beta2 * u, |g|)`` and
    ``p = p - learning_rate / (1 - beta1**t) * m / (u + epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.002
        The rate, as in the paper.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as in the paper.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero where all gradients were; the paper has none.

    Returns
    -------
    OrderedDict
        New values of both moments and of the parameter for each parameter, of its
        shape, then of the counter.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    References
    ----------
    D. P. Kingma, J. Ba (2015), Adam: A method for stochastic optimization, algorithm 2,
    https://arxiv.org/abs/1412.6980

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> list(updates.adamax((W**2).sum(), [W]))
    [W.adamax.m, W.adamax.u, W, adamax.t]
    """
    return assemble_counted(
        "adamax",
        _adamax,
        loss_or_grads,
        params,
        _adamax_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def _adamax_scalars(t, learning_rate, beta1, beta2, epsilon):
    return learning_rate / (1 - beta1**t), beta1, 1 - beta1, beta2, epsilon


def _adamax(param, gradient, state, rate, beta1, fresh1, beta2, epsilon):
    m, u = state("m"), state("u")
    new_m = beta1 * m + fresh1 * gradient
    new_u = pt.maximum(beta2 * u, abs(gradient))
    return [(m, new_m), (u, new_u), (param, param - rate * new_m / (new_u + epsilon))]


def amsgrad(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
):
    """AMSGrad: Adam whose divisor never shrinks.

    Computes the moments m and v as :func:`adam` does, ``w = max(w, v)`` and
    ``p = p - learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(w) +
    epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        The rate, as for Adam.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as for Adam.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero.

    Returns
    -------
    OrderedDict
        New values of both moments, the largest second moment and the parameter for
        each parameter, of its shape, then of the counter.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    The maximum is over uncorrected moments and the correction is Adam's, which the
    paper leaves out.

    References
    ----------
    S. J. Reddi, S. Kale, S. Kumar (2018), On the convergence of Adam and beyond,
    algorithm 2, https://arxiv.org/abs/1904.09237

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> list(updates.amsgrad((W**2).sum(), [W]))
    [W.amsgrad.m, W.amsgrad.v, W.amsgrad.largest, W, amsgrad.t]
    """
    return assemble_counted(
        "amsgrad",
        _amsgrad,
        loss_or_grads,
        params,
        _adam_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def _amsgrad(param, gradient, state, rate, beta1, fresh1, beta2, fresh2, epsilon):
    m, v, largest = state("m"), state("v"), state("largest")
    new_m = beta1 * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    new_largest = pt.maximum(largest, new_v)
    step = rate * new_m / (pt.sqrt(new_largest) + epsilon)
    return [
        (m, new_m),
        (v, new_v),
        (largest, new_largest),
        (param, param - step),
    ]


def nadam(
    loss_or_grads,
    params,
    learning_rate=0.002,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    momentum_decay=0.004,
):
    """Nadam: Adam with Nesterov momentum.

    With ``b(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2)`` and B(t) the product
    of b(1) to b(t), computes ``t = t + 1``, ``m = b(t) * m + (1 - b(t)) * g``,
    ``v = beta2 * v + (1 - beta2) * g**2``,
    ``h = b(t + 1) * m / (1 - B(t + 1)) + (1 - b(t)) * g / (1 - B(t))`` and
    ``p = p - learning_rate * h / (sqrt(v / (1 - beta2**t)) + epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.002
        The rate, as in the paper.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call; that of the mean grows
        from half of `beta1` to `beta1`.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero, as in the paper.
    momentum_decay : number or scalar expression, default 0.004
        Speed of this growth, as in the paper.

    Returns
    -------
    OrderedDict
        New values of both moments and of the parameter for each parameter, of its
        shape, then of the counter and of the product B.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    Notes
    -----
    PyTorch and Keras keep the constant share `beta1` in m, which no longer fits the
    product that m is divided by. The second moment is corrected as in Adam; the paper
    prints another factor beta2, which would leave it biased.

    References
    ----------
    T. Dozat (2016), Incorporating Nesterov momentum into Adam, algorithm 2,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> list(updates.nadam((W**2).sum(), [W]))
    [W.nadam.m, W.nadam.v, W, nadam.t, nadam.product]
    """
    name = "nadam"
    params = check_params(name, params)
    check_scalar(name, "beta1", beta1)
    check_scalar(name, "momentum_decay", momentum_decay)
    count = make_counter("nadam.t", params)
    product = make_counter("nadam.product", params, start=1)
    new_count = count + 1
    share = _nadam_share(new_count, beta1, momentum_decay)
    new_product = product * share
    updates = assemble(
        name,
        _nadam,
        loss_or_grads,
        params,
        _nadam_scalars,
        t=new_count,
        share=share,
        next_share=_nadam_share(new_count + 1, beta1, momentum_decay),
        product=new_product,
        learning_rate=learning_rate,
        beta2=beta2,
        epsilon=epsilon,
    )
    updates.update(OrderedDict([(count, new_count), (product, new_product)]))
    return updates


def _nadam_share(t, beta1, momentum_decay):
    beta1, decay, base, half = (
        match_dtype(value, t.dtype) for value in (beta1, momentum_decay, 0.96, 0.5)
    )
    return beta1 * (1 - half * base ** (t * decay))


def _nadam_scalars(t, share, next_share, product, learning_rate, beta2, epsilon):
    root = pt.sqrt(1 - beta2**t)
    rate_m = learning_rate * root * next_share / (1 - product * next_share)
    rate_g = learning_rate * root * (1 - share) / (1 - product)
    return rate_m, rate_g, share, 1 - share, beta2, 1 - beta2, epsilon * root


def _nadam(
    param, gradient, state, rate_m, rate_g, share, fresh1, beta2, fresh2, epsilon
):
    m, v = state("m"), state("v")
    new_m = share * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    step = (rate_m * new_m + rate_g * gradient) / (pt.sqrt(new_v) + epsilon)
    return [(m, new_m), (v, new_v), (param, param - step)]


def radam(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
):
    """Rectified Adam: plain momentum until the second moment can be trusted.

    With ``R = 2 / (1 - beta2) - 1`` and ``r = R - 2 * t * beta2**t / (1 - beta2**t)``,
    :func:`adam`'s step is multiplied by
    ``sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))`` where r > 4; before, the
    step is ``learning_rate * m / (1 - beta1**t)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        The rate, as for Adam.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as for Adam.
    epsilon : number or scalar expression, default 1e-8
        Keeps the divisor away from zero; the paper has none.

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
    PyTorch switches at r > 5, one call later for the usual `beta2`.

    References
    ----------
    L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao, J. Han (2020), On the variance of
    the adaptive learning rate and beyond, algorithm 2,
    https://arxiv.org/abs/1908.03265

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.radam((W**2).sum(), [W], learning_rate=0.01)
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.98, -19.6]
    """
    return assemble_counted(
        "radam",
        _radam,
        loss_or_grads,
        params,
        _radam_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def _radam_scalars(t, learning_rate, beta1, beta2, epsilon):
    limit = 2 / (1 - beta2) - 1
    # The length is a small difference of two large numbers. With 1 - beta2**t in place
    # of expm1, its error at the first calls in single precision would be larger than
    # its distance from the threshold.
    exponent = t * pt.log(beta2)
    length = limit + 2 * t * pt.exp(exponent) / pt.expm1(exponent)
    # Where the length is below the threshold this makes the factor zero, not NaN.
    bounded = pt.maximum(length, match_dtype(4, t.dtype))
    factor = (bounded - 4) * (bounded - 2) * limit / ((limit - 2) * bounded)
    tiny = match_dtype(1e-6, t.dtype)
    rectification = pt.sqrt(factor / pt.maximum(limit - 4, tiny))
    rate = learning_rate / (1 - beta1**t)
    adaptive = rate * rectification * pt.sqrt(-pt.expm1(exponent))
    plain = pt.switch(length > 4, match_dtype(0, t.dtype), rate)
    return adaptive, plain, beta1, 1 - beta1, beta2, 1 - beta2, epsilon


def _radam(
    param, gradient, state, adaptive, plain, beta1, fresh1, beta2, fresh2, epsilon
):
    m, v = state("m"), state("v")
    new_m = beta1 * m + fresh1 * gradient
    new_v = beta2 * v + fresh2 * pt.sqr(gradient)
    step = new_m * (adaptive / (pt.sqrt(new_v) + epsilon) + plain)
    return [(m, new_m), (v, new_v), (param, param - step)]


def adabelief(
    loss_or_grads,
    params,
    learning_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-16,
):
    """AdaBelief: Adam that divides by how far gradients are from their mean.

    Computes ``t = t + 1``, ``m = beta1 * m + (1 - beta1) * g``,
    ``s = beta2 * s + (1 - beta2) * (g - m)**2 + epsilon`` and ``p = p - learning_rate *
    m / (1 - beta1**t) / (sqrt(s / (1 - beta2**t)) + epsilon)``.

    Parameters
    ----------
    loss_or_grads : scalar expression, or list or tuple of expressions
        A loss to differentiate, or one gradient for each parameter, of its shape.
    params : iterable of shared variables
        What is trained, of any shapes.
    learning_rate : number or scalar expression, default 0.001
        The rate, as in the paper.
    beta1, beta2 : number or scalar expression, default 0.9 and 0.999
        The shares of the moments that are kept at each call, as in the paper.
    epsilon : number or scalar expression, default 1e-16
        Keeps the divisor away from zero; as in the authors' code, where it is also
        inside the second moment and so acts like 1e-8 in Adam.

    Returns
    -------
    OrderedDict
        New values of both moments and of the parameter for each parameter, of its
        shape, then of the counter.

    Raises
    ------
    ValueError, TypeError
        For gradients, parameters or hyper-parameters that do not fit.

    References
    ----------
    J. Zhuang, T. Tang, Y. Ding, S. Tatikonda, N. Dvornek, X. Papademetris, J. Duncan
    (2020), AdaBelief optimizer: Adapting stepsizes by the belief in observed gradients,
    algorithm 2, https://arxiv.org/abs/2010.07468

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor
    >>> from lasagne_next import updates
    >>> W = pytensor.shared(np.array([1.0, -20.0]), name="W")
    >>> new = updates.adabelief((W**2).sum(), [W], learning_rate=0.009)
    >>> new[W].eval(mode="FAST_COMPILE").round(4).tolist()
    [0.99, -19.99]
    """
    return assemble_counted(
        "adabelief",
        _adabelief,
        loss_or_grads,
        params,
        _adabelief_scalars,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
    )


def _adabelief_scalars(t, learning_rate, beta1, beta2, epsilon):
    root = pt.sqrt(1 - beta2**t)
    rate = learning_rate * root / (1 - beta1**t)
    return rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon, epsilon * root


def _adabelief(
    param, gradient, state, rate, beta1, fresh1, beta2, fresh2, inner, outer
):
    m, s = state("m"), state("s")
    new_m = beta1 * m + fresh1 * gradient
    new_s = beta2 * s + fresh2 * pt.sqr(gradient - new_m) + inner
    step = rate * new_m / (pt.sqrt(new_s) + outer)
    return [(m, new_m), (s, new_s), (param, param - step)]
