"""Neural network layers on PyTensor whose parameters may be any expression."""

from lasagne_next import (
    backends,
    expressions,
    init,
    io,
    layers,
    nonlinearities,
    objectives,
    ops,
    params,
    random,
    regularization,
    rewriting,
    summary,
    testing,
    updates,
    utils,
)

__version__ = "0.1.0.dev0"
__all__ = [
    "backends",
    "expressions",
    "init",
    "io",
    "layers",
    "nonlinearities",
    "objectives",
    "ops",
    "params",
    "random",
    "regularization",
    "rewriting",
    "summary",
    "testing",
    "updates",
    "utils",
]
