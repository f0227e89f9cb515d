"""The loop over epochs and batches."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from recipes.progress import track

__all__ = ["train"]


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
