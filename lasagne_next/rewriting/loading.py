"""Make the operations known to a backend when that backend is used.

Numba and JAX are heavy and optional, so that nothing imports them in advance.
"""

import importlib

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import GraphRewriter

__all__ = ["LoadDispatch"]


class LoadDispatch(GraphRewriter):
    """Import how the operations of this library run on a backend; rewrite nothing.

    PyTensor's linkers of Numba and JAX ask for the rewrites of their tag whatever else
    is asked for, so that this is the place where we learn which backend is meant.

    Parameters
    ----------
    backend : {'numba', 'jax'}
        Both the tag and the name of our subpackage.
    """

    def __init__(self, backend):
        super().__init__()
        self.backend = backend

    def apply(self, fgraph):
        """Import the subpackage."""
        importlib.import_module(f"lasagne_next.dispatch.{self.backend}")


for _backend in ("numba", "jax"):
    optdb.register(
        f"lasagne_next_load_{_backend}",
        LoadDispatch(_backend),
        _backend,
        position=-0.03,
    )
