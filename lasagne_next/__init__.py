"""Neural network layers on PyTensor whose parameters may be any expression."""

from lasagne_next import (
    backends,
    diffusion,
    expressions,
    init,
    io,
    layers,
    metrics,
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
    "diffusion",
    "expressions",
    "init",
    "io",
    "layers",
    "metrics",
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
