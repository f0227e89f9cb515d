"""The names of Lasagne's layers for cuDNN, for old scripts: the layers for all devices.

The one difference is that convolutions do not flip their filters by default. Import
this module explicitly, as in Lasagne.

>>> from lasagne_next.layers import dnn
>>> dnn.Conv2DDNNLayer((None, 3, 28, 28), num_filters=8, filter_size=5).flip_filters
False
"""

from __future__ import annotations

from lasagne_next import init, nonlinearities
from lasagne_next.layers.conv import Conv2DLayer, Conv3DLayer
from lasagne_next.layers.normalization import BatchNormLayer, batch_norm
from lasagne_next.layers.pool import (
    MaxPool2DLayer,
    MaxPool3DLayer,
    Pool2DLayer,
    Pool3DLayer,
    SpatialPyramidPoolingLayer,
)

__all__ = [
    "BatchNormDNNLayer",
    "Conv2DDNNLayer",
    "Conv3DDNNLayer",
    "MaxPool2DDNNLayer",
    "MaxPool3DDNNLayer",
    "Pool2DDNNLayer",
    "Pool3DDNNLayer",
    "SpatialPyramidPoolingDNNLayer",
    "batch_norm_dnn",
]

BatchNormDNNLayer = BatchNormLayer
MaxPool2DDNNLayer = MaxPool2DLayer
MaxPool3DDNNLayer = MaxPool3DLayer
Pool2DDNNLayer = Pool2DLayer
Pool3DDNNLayer = Pool3DLayer
SpatialPyramidPoolingDNNLayer = SpatialPyramidPoolingLayer
batch_norm_dnn = batch_norm


class Conv2DDNNLayer(Conv2DLayer):
    """:class:`lasagne_next.layers.Conv2DLayer` with ``flip_filters=False`` by default.

    Parameters
    ----------
    incoming, num_filters, filter_size, stride, pad, untie_biases, W, b, nonlinearity
        See :class:`lasagne_next.layers.Conv2DLayer`.
    flip_filters : bool, default False
        Whether filters are flipped.
    **kwargs
        Further arguments of that layer.

    Examples
    --------
    >>> from lasagne_next.layers.dnn import Conv2DDNNLayer
    >>> Conv2DDNNLayer((None, 3, 28, 28), 8, 5, pad="same").output_shape
    (None, 8, 28, 28)
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1),
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008 (initialisers are stateless)
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        **kwargs,
    ):
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            pad,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            **kwargs,
        )


class Conv3DDNNLayer(Conv3DLayer):
    """:class:`lasagne_next.layers.Conv3DLayer` with ``flip_filters=False`` by default.

    Parameters
    ----------
    incoming, num_filters, filter_size, stride, pad, untie_biases, W, b, nonlinearity
        See :class:`lasagne_next.layers.Conv3DLayer`.
    flip_filters : bool, default False
        Whether filters are flipped.
    **kwargs
        Further arguments of that layer.

    Examples
    --------
    >>> from lasagne_next.layers.dnn import Conv3DDNNLayer
    >>> Conv3DDNNLayer((None, 3, 9, 8, 7), 8, 3).output_shape
    (None, 8, 7, 6, 5)
    """

    def __init__(
        self,
        incoming,
        num_filters,
        filter_size,
        stride=(1, 1, 1),
        pad=0,
        untie_biases=False,
        W=init.GlorotUniform(),  # noqa: B008
        b=init.Constant(0.0),  # noqa: B008
        nonlinearity=nonlinearities.rectify,
        flip_filters=False,
        **kwargs,
    ):
        super().__init__(
            incoming,
            num_filters,
            filter_size,
            stride,
            pad,
            untie_biases,
            W,
            b,
            nonlinearity,
            flip_filters,
            **kwargs,
        )
