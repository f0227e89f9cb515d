"""A training step of one dense layer whose weights are an expression.

Forward, gradients and gradient descent, in single precision: the layer with an
expression for W, the same layer as an expert would write it, the product with W
written out, and PyTorch's parametrize.
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.expression_kinds import KINDS, Problem
from tests.benchmarks.workers import table, time_side_by_side

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


def report(rounds=9, kinds=tuple(KINDS), sizes=SIZES, modes=("Numba", "JAX")):
    """Return a table for each kind and size, with ratios to the layer by hand."""
    here = "tests.benchmarks.expressions"
    tables = []
    for kind in kinds:
        for size in sizes:
            if KINDS[kind].square and size[0] != size[1]:
                continue
            if size[0] > KINDS[kind].largest:
                continue
            numbers = ":".join(map(str, size))
            peers = {
                f"{form}, {mode}": f"{here}:ours:{kind}:{form}:{mode.upper()}:{numbers}"
                for mode in modes
                for form in ("by hand", "expression", "written out")
            }
            peers["PyTorch parametrize"] = (
                f"{here}:pytorch_parametrize:{kind}:{numbers}"
            )
            timings = time_side_by_side(peers, rounds=rounds, seconds_per_round=0.1)
            title = f"{kind}, (inputs, units, rank, batch) = {size}"
            tables.append(f"{title}\n{table(timings, f'by hand, {modes[0]}')}")
            print(tables[-1], flush=True)
    return "\n\n".join(tables)
