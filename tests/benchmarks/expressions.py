"""A training step of one dense layer whose weights are an expression.

Forward, gradients and gradient descent, in single precision: the layer with an
expression for W, the same layer as an expert would write it, the product with W
written out, and PyTorch's parametrize.
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.expression_kinds import KINDS, Problem
from tests.benchmarks.workers import table, time_in_turns

# inputs, units, rank, batch
SIZES = ((784, 500, 100, 64), (2048, 2048, 32, 64), (512, 512, 16, 128),
         (1024, 1024, 32, 8192))  # fmt: skip
RATE = 1e-3


def _data(p):
    rng = np.random.default_rng(2)
    return rng.normal(size=(p.batch, p.inputs)).astype("float32")


def ours(kind, form, mode, *sizes):
    """Build a step; `form` is 'expression', 'by hand' or 'written out'."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import expressions, updates
    from lasagne_next.params import set_tags

    pytensor.config.floatX = "float32"
    kind, p = KINDS[kind], Problem(*map(int, sizes))
    parts = [pytensor.shared(each, shape=each.shape) for each in kind.leaves(p)]
    set_tags(parts[: kind.num_frozen], trainable=False)
    x = pt.tensor("x", dtype="float32", shape=(p.batch, p.inputs))
    if form == "by hand":
        y = kind.by_hand(p, x, *parts)
    else:
        W = kind.weight(p, *parts)
        y = expressions.dot(x, W, structured=form == "expression")
    loss = pt.sqr(y).mean()
    rule = updates.sgd(loss, parts[kind.num_frozen :], RATE)
    train = pytensor.function([x], loss, updates=rule, mode=mode)
    data = _data(p)
    return lambda: np.asarray(train(data))


def pytorch_parametrize(kind, *sizes):
    """Build a step with torch.nn.utils.parametrize."""
    import torch
    from torch.nn.utils import parametrize

    kind, p = KINDS[kind], Problem(*map(int, sizes))

    class Weight(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ParameterList(
                torch.nn.Parameter(
                    torch.from_numpy(value), requires_grad=i >= kind.num_frozen
                )
                for i, value in enumerate(kind.leaves(p))
            )

        def forward(self, _):
            return kind.torch(p, *self.parts).T

    layer = torch.nn.Linear(p.inputs, p.units, bias=False)
    layer.weight.requires_grad_(False)
    parametrize.register_parametrization(layer, "weight", Weight())
    learnt = [each for each in layer.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(learnt, lr=RATE)
    x = torch.from_numpy(_data(p))

    def step():
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def pytorch_orthogonal(*sizes):
    """Build a step with PyTorch's own orthogonal weight, which starts elsewhere."""
    import torch

    p = Problem(*map(int, sizes))
    layer = torch.nn.Linear(p.inputs, p.units, bias=False)
    torch.nn.utils.parametrizations.orthogonal(layer)
    optimizer = torch.optim.SGD(layer.parameters(), lr=RATE)
    x = torch.from_numpy(_data(p))

    def step():
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def report_orthogonal(rounds=7):
    """Return a table for an orthogonal weight of 256 inputs and units."""
    size = (256, 256, 16, 64)
    steps = _steps("Cayley", size, ("Numba", "JAX"), ("by hand", "expression"))
    del steps["PyTorch parametrize"]
    steps["PyTorch orthogonal"] = _if_installed(pytorch_orthogonal, *size)
    # The losses cannot be compared: the start is another orthogonal matrix.
    timings = time_in_turns(steps, rounds, rtol=np.inf)
    return f"orthogonal, 256 x 256, batch 64\n{table(timings, 'PyTorch orthogonal')}"


def _steps(kind, size, modes, forms=("by hand", "expression", "written out")):
    steps = {
        f"{form}, {mode}": ours(kind, form, mode.upper(), *size)
        for mode in modes
        for form in forms
    }
    steps["PyTorch parametrize"] = _if_installed(pytorch_parametrize, kind, *size)
    return steps


def _if_installed(build, *arguments):
    try:
        return build(*arguments)
    except ImportError as error:
        return f"not installed ({error.name})"


def report(rounds=7, kinds=tuple(KINDS), sizes=SIZES, modes=("Numba", "JAX")):
    """Return a table for each kind and size, with ratios to the layer by hand."""
    tables = []
    for size in sizes:
        for kind in kinds:
            if KINDS[kind].square and size[0] != size[1]:
                continue
            if size[0] > KINDS[kind].largest:
                continue
            timings = time_in_turns(_steps(kind, size, modes), rounds)
            title = f"{kind}, (inputs, units, rank, batch) = {size}"
            tables.append(f"{title}\n{table(timings, f'by hand, {modes[0]}')}")
            print(tables[-1], flush=True)
    tables.append(report_orthogonal(rounds))
    return "\n\n".join(tables)
