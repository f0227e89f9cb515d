"""Rewrites of graphs, for one backend each.

They act on every graph that is compiled for their backend, also on those made without
this library, and change no result beyond rounding. Switch one off by its name,
``pytensor.compile.mode.get_mode("NUMBA").excluding("lasagne_next_matrix_product")``.
"""

from lasagne_next.rewriting import (
    assertions,
    elementary,
    loading,
    matrix_product,
    reductions,
    reshape,
    scan,
)

__all__ = [
    "assertions",
    "elementary",
    "loading",
    "matrix_product",
    "reductions",
    "reshape",
    "scan",
]
