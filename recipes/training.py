"""Loops that train: over epochs and batches, over steps, and down to a minimum."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy import optimize
from threadpoolctl import threadpool_limits

from recipes.interruption import raise_if_noted
from recipes.progress import track

__all__ = ["minimise", "steps", "train"]


def train(step, arrays, num_epochs, batch_size, rng, title="training", threads=1):
    """Show all examples to a training step, in a new order in every epoch.

    Parameters
    ----------
    step : callable
        Takes a batch of each array; returns a list of losses.
    arrays : list of numpy.ndarray
        Examples in the first axis, as many in each. The last ones of an epoch that do
        not fill a batch are left out.
    num_epochs, batch_size : int
        How often all examples are shown, and how many at once.
    rng : numpy.random.Generator
        Chooses the order.
    title : str, default "training"
        In front of the progress bar, which ends with the mean losses.
    threads : int or None, default 1
        For matrix products. As small as they are here, one is fastest.

    Returns
    -------
    numpy.ndarray, SHAPE (num_epochs, losses)
        Mean losses of each epoch.

    Examples
    --------
    >>> step = lambda x, y: [(x * y).mean(), x.size]
    >>> x, rng = np.ones(10), np.random.default_rng(1)
    >>> train(step, [x, 3 * x], num_epochs=2, batch_size=4, rng=rng)
    array([[3., 4.],
           [3., 4.]])
    """
    num_batches = len(arrays[0]) // batch_size
    history = []
    with threadpool_limits(threads, user_api="blas"):
        for _ in (epochs := track(range(num_epochs), title)):
            order = rng.permutation(len(arrays[0]))[: num_batches * batch_size]
            losses = [
                step(*(array[batch] for array in arrays))
                for batch in np.split(order, num_batches)
            ]
            history.append(np.mean(losses, axis=0))
            epochs.set_postfix_str(" ".join(f"{mean:.4f}" for mean in history[-1]))
    return np.array(history)


def steps(
    step, number, title="training", unit="step", remark_every=50, checkpoint=None
):
    """Call a training step again and again; show its losses.

    Parameters
    ----------
    step : callable
        Takes nothing; returns a list of losses.
    number : int
        How often.
    title, unit : str
        For the progress bar.
    remark_every : int, default 50
        After how many steps the losses are shown.
    checkpoint : recipes.checkpoint.Checkpoint, optional
        Written every 500 steps, and continued from if it says so.

    Returns
    -------
    numpy.ndarray, SHAPE (number, losses)
        All losses, without those of an earlier run that is continued.

    Examples
    --------
    >>> losses = iter([[3.0], [2.0], [1.0]])
    >>> steps(lambda: next(losses), 3)[-1]
    array([1.])
    """
    history, first = [], checkpoint.start() if checkpoint else 0
    with threadpool_limits(1, user_api="blas"):
        for index in (bar := track(range(first, number), title, unit)):
            history.append(step())
            if checkpoint and (index + 1) % 500 == 0:
                checkpoint.save(index + 1)
            if index % remark_every == 0:
                bar.set_postfix_str(" ".join(f"{loss:.4g}" for loss in history[-1]))
    if checkpoint:
        checkpoint.remove()
    return np.array(history, dtype="float64")


def minimise(loss, params, givens, mode, num_steps=500):
    """Find the parameters of least loss by L-BFGS, on all examples at once.

    Parameters
    ----------
    loss : TensorVariable
        A scalar.
    params : list of shared variables
        Of which it depends; they get the values found.
    givens : dict of TensorVariable to numpy.ndarray
        Values of the inputs.
    mode : str or Mode
        For :func:`pytensor.function`.
    num_steps : int, default 500
        At most.

    Returns
    -------
    float
        The least loss.

    Examples
    --------
    >>> import pytensor
    >>> w, x = pytensor.shared(0.0), pt.dscalar("x")
    >>> least = minimise((w - x) ** 2 + 1, [w], {x: 3.0}, "FAST_COMPILE")
    >>> round(least, 6), w.get_value().round(6)
    (1.0, np.float64(3.0))
    """
    function = pytensor.function([*givens], [loss, *pt.grad(loss, params)], mode=mode)
    values = [param.get_value() for param in params]
    ends = np.cumsum([np.size(value) for value in values])[:-1]

    def assign(flat):
        for param, value, part in zip(
            params, values, np.split(flat, ends), strict=True
        ):
            param.set_value(part.reshape(np.shape(value)).astype(param.dtype))

    def evaluate(flat):
        raise_if_noted()
        assign(flat)
        total, *slopes = function(*givens.values())
        slopes = np.concatenate([np.ravel(slope) for slope in slopes])
        return float(total), slopes.astype("float64")

    start = np.concatenate([np.ravel(value) for value in values]).astype("float64")
    options = {"maxiter": num_steps, "maxfun": 2 * num_steps}
    with threadpool_limits(1, user_api="blas"):
        found = optimize.minimize(
            evaluate, start, jac=True, method="L-BFGS-B", options=options
        )
    assign(found.x)
    return float(found.fun)
