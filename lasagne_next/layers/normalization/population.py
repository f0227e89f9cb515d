"""The averages of batch normalisation, from a whole data set."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable

from lasagne_next.expressions.standardise import moments
from lasagne_next.layers.axes import drop_axes
from lasagne_next.layers.base import describe
from lasagne_next.layers.helper import get_all_layers, get_output
from lasagne_next.layers.input import InputLayer
from lasagne_next.layers.normalization.batch import BatchNormLayer
from lasagne_next.utils import match_dtype

__all__ = ["reestimate_averages"]


def reestimate_averages(layer_or_layers, batches, mode=None, **kwargs):
    r"""Take the averages of all batch normalisation from a data set.

    The running averages follow the last few batches, through a network that has changed
    meanwhile. This function sets them to the mean and the inverse standard deviation
    that the present network has over all batches together, each example counting alike.

    Parameters
    ----------
    layer_or_layers : Layer or iterable of Layer
        The output of the network. Every :class:`BatchNormLayer` below is set.
    batches : iterable
        Of arrays, one batch each, or of lists of arrays, one for each input layer in
        the order of :func:`get_all_layers`. Batches as large as those of training, or
        larger.
    mode : str or Mode, optional
        For the function that is compiled.
    **kwargs
        For :func:`get_output`, besides ``deterministic=True``, which is the default: no
        dropout.

    Returns
    -------
    list of BatchNormLayer
        The layers that were set.

    Raises
    ------
    ValueError
        If the network has no batch normalisation, there are no batches, or the averages
        of a layer are expressions; then nothing is changed.

    Notes
    -----
    Batches are normalised by their own statistics on the way, as while training; one
    pass over the data does for all layers. Variances are pooled from the means and
    variances of the batches, in double precision.

    References
    ----------
    Yuxin Wu and Justin Johnson (2021): Rethinking "batch" in BatchNorm, section 3.
    https://arxiv.org/abs/2105.07576

    Examples
    --------
    >>> import numpy as np
    >>> from lasagne_next.layers import BatchNormLayer, InputLayer, reestimate_averages
    >>> network = BatchNormLayer(InputLayer((None, 1)))
    >>> batches = [np.array([[1.0], [3.0]]), np.array([[5.0]])]
    >>> _ = reestimate_averages(network, batches, mode="FAST_COMPILE")
    >>> network.mean.get_value().tolist()
    [3.0]
    """
    layers = get_all_layers(layer_or_layers)
    normalising = [each for each in layers if isinstance(each, BatchNormLayer)]
    _check(normalising)
    inputs = [each.input_var for each in layers if isinstance(each, InputLayer)]
    statistics = _statistics(normalising, {"deterministic": True, **kwargs})
    function = pytensor.function(
        inputs, statistics, mode=mode, on_unused_input="ignore"
    )
    pooled = _pool(function, batches)
    for layer, (_, mean, variance, epsilon) in zip(normalising, pooled, strict=True):
        inv_std = 1 / np.sqrt(variance + epsilon)
        layer.mean.set_value(mean.astype(layer.mean.dtype))
        layer.inv_std.set_value(inv_std.astype(layer.inv_std.dtype))
    return normalising


def _check(normalising):
    if not normalising:
        raise ValueError(
            "reestimate_averages: the network must have a BatchNormLayer, got none."
        )
    for layer in normalising:
        if layer.input_layer is None:
            raise ValueError(
                f"{describe(layer)}: the layer must be part of a network to be fed, "
                "got one that was built from a shape. Put an InputLayer below."
            )
        for average in (layer.mean, layer.inv_std):
            if not isinstance(average, SharedVariable):
                raise ValueError(
                    f"{describe(layer)}: mean and inv_std must be shared variables to "
                    f"be set, got {average!r}."
                )


def _statistics(normalising, kwargs):
    """Return count, mean, variance and epsilon of each layer, one after the other."""
    below = [layer.input_layer for layer in normalising]
    flags = {"batch_norm_use_averages": False, "batch_norm_update_averages": False}
    outputs = get_output([*below, *normalising], **{**kwargs, **flags})
    statistics = []
    for layer, input in zip(normalising, outputs, strict=False):
        count = pt.prod([input.shape[axis] for axis in layer.axes], dtype="int64")
        mean, _, variance = moments(input, layer.axes)
        dropped = [drop_axes(each, layer.axes) for each in (mean, variance)]
        statistics += [count, *dropped, match_dtype(layer.epsilon, "float64")]
    return statistics


def _pool(function, batches):
    """Return the statistics of each layer over all batches together."""
    pooled = None
    for batch in batches:
        arrays = batch if isinstance(batch, list | tuple) else [batch]
        results = [np.asarray(each, dtype="float64") for each in function(*arrays)]
        each_layer = list(zip(*[iter(results)] * 4, strict=True))
        if pooled is None:
            pooled = each_layer
        else:
            both = zip(pooled, each_layer, strict=True)
            pooled = [_merge(one, other) for one, other in both]
    if pooled is None:
        raise ValueError("reestimate_averages: batches must not be empty, got none.")
    return pooled


def _merge(one, other):
    """Return the statistics of two sets of numbers together."""
    (n, mean, variance, epsilon), (m, other_mean, other_variance, _) = one, other
    share = m / (n + m)
    step = other_mean - mean
    between = share * (1 - share) * step**2
    within = (1 - share) * variance + share * other_variance
    return n + m, mean + share * step, within + between, epsilon
