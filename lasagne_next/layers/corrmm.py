"""The name of Lasagne's convolution by products of matrices, for old scripts.

>>> from lasagne_next.layers import corrmm
>>> corrmm.Conv2DMMLayer((None, 3, 28, 28), num_filters=8, filter_size=5).flip_filters
False
"""

from lasagne_next.layers.dnn import Conv2DDNNLayer

__all__ = ["Conv2DMMLayer"]

Conv2DMMLayer = Conv2DDNNLayer
