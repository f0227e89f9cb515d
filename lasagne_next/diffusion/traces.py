"""The trace of the derivatives of a vector field, exactly and by random directions."""

from __future__ import annotations

import pytensor.tensor as pt

from lasagne_next.utils import match_dtype

__all__ = ["estimated_trace", "jacobian_trace"]


def jacobian_trace(output, input):
    """Express the divergence of a vector field at each point, exactly.

    It is the sum of ``d output[:, i] / d input[:, i]``, which takes one gradient for
    each number of a point. For points of many numbers, see :func:`estimated_trace`.

    Parameters
    ----------
    output : TensorVariable, shape (n, size)
        A field; row i depends on row i of the input only.
    input : TensorVariable, shape (n, size)
        Points. `size` must be known for one of the two.

    Returns
    -------
    TensorVariable, shape (n,)
        The trace of the Jacobian of each row.

    Raises
    ------
    ValueError
        If the arguments are not matrices, or `size` is not known.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.diffusion import jacobian_trace
    >>> x = pt.dmatrix("x", shape=(None, 2))
    >>> trace = jacobian_trace(x**2 + x[:, ::-1], x)
    >>> trace.eval({x: [[1.0, 2.0], [0.0, 3.0]]}, mode="FAST_COMPILE").tolist()
    [6.0, 6.0]
    """
    _check("jacobian_trace", output, input)
    size = output.type.shape[1] or input.type.shape[1]
    if size is None:
        raise ValueError(
            "jacobian_trace: output or input must have a known number of columns, got "
            f"shapes {output.type.shape} and {input.type.shape}. State it, as in "
            "pt.matrix(shape=(None, 3)), or use estimated_trace."
        )
    return sum(pt.grad(output[:, i].sum(), input)[:, i] for i in range(size))


def estimated_trace(output, input, direction):
    """Express an unbiased estimate of the divergence, by one gradient.

    For the Jacobian J of each row and a random direction v it is ``v' J v`` [1]_, which
    makes likelihoods of large points affordable [2]_. Signs have less variance than
    normal directions.

    Parameters
    ----------
    output, input : TensorVariable, shape (n, ...)
        As for :func:`jacobian_trace`, but with any axes behind the first.
    direction : TensorVariable, shape (n, ...)
        Random numbers of mean zero and variance one, independent of each other, such as
        signs.

    Returns
    -------
    TensorVariable, shape (n,)
        The estimates.

    References
    ----------
    .. [1] M. F. Hutchinson (1990): A stochastic estimator of the trace of the influence
       matrix for Laplacian smoothing splines. Communications in Statistics 19(2).
    .. [2] Will Grathwohl and others (2019): FFJORD, section 3.1.
       https://arxiv.org/abs/1810.01367

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> from lasagne_next.diffusion import estimated_trace
    >>> x, v = pt.dmatrices("x", "v")
    >>> trace = estimated_trace(x**2, x, v)
    >>> values = {x: [[1.0, 2.0]], v: [[1.0, -1.0]]}
    >>> trace.eval(values, mode="FAST_COMPILE").tolist()
    [6.0]
    """
    direction = match_dtype(direction, output.dtype)
    along = pt.grad((output * direction).sum(), input) * direction
    return along.sum(axis=tuple(range(1, along.ndim)))


def _check(function, *fields):
    if any(field.type.ndim != 2 for field in fields):
        raise ValueError(
            f"{function}: output and input must be matrices, got "
            f"{' and '.join(f'{each.type.ndim} axes' for each in fields)}. Flatten "
            "them, or use estimated_trace."
        )
