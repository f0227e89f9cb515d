"""Linear maps x -> x W, each with the cheapest way that its structure allows.

A map knows the shape (n, m) of its matrix W, how to apply it to rows x of shape
(rows, n), how to write W out, its transpose, and what applying and writing out cost.
"""

from lasagne_next.expressions.linear_maps.base import (
    Dense,
    Evaluated,
    LinearMap,
    Written,
)
from lasagne_next.expressions.linear_maps.blocks import (
    BlockDiagonal,
    Blocks,
    Kronecker,
    Monarch,
)
from lasagne_next.expressions.linear_maps.diagonal import Diagonal
from lasagne_next.expressions.linear_maps.diagonals import Circulant, Toeplitz
from lasagne_next.expressions.linear_maps.inverse import Inverse
from lasagne_next.expressions.linear_maps.masked import Masked
from lasagne_next.expressions.linear_maps.products import Product, multiplied
from lasagne_next.expressions.linear_maps.selection import Scatter, Selection
from lasagne_next.expressions.linear_maps.sums import Sum, added

__all__ = [
    "BlockDiagonal",
    "Blocks",
    "Circulant",
    "Dense",
    "Diagonal",
    "Evaluated",
    "Inverse",
    "Kronecker",
    "LinearMap",
    "Masked",
    "Monarch",
    "Product",
    "Scatter",
    "Selection",
    "Sum",
    "Toeplitz",
    "Written",
    "added",
    "multiplied",
]
