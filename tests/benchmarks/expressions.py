"""A training step of one dense layer whose weights are an expression.

Forward, gradients and gradient descent, in single precision: the layer with an
expression for W, the same layer as an expert would write it, the product with W
written out, and PyTorch's parametrize.
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workers import table, time_side_by_side

# inputs, units, rank, batch
SIZES = ((784, 500, 100, 64), (2048, 2048, 32, 64), (512, 512, 16, 128),
         (1024, 1024, 32, 8192))  # fmt: skip
KINDS = ("low rank", "adapter", "Kronecker", "gram")
RATE = 1e-3


def leaves(kind, inputs, units, rank):
    """Return start values of the leaves, frozen ones first, and the number of these."""
    rng = np.random.default_rng(1)

    def draw(*shape):
        return (rng.normal(size=shape) / np.sqrt(shape[0])).astype("float32")

    if kind == "low rank":
        return [draw(inputs, rank), draw(rank, units)], 0
    if kind == "adapter":
        return [draw(inputs, units), draw(inputs, rank), draw(rank, units)], 1
    if kind == "gram":
        return [draw(inputs, rank)], 0
    left, right = _kronecker_shapes(inputs, units)
    return [draw(*left), draw(*right)], 0


def _kronecker_shapes(inputs, units):
    n1, m1 = (28, 20) if inputs == 784 else (32, 32)
    return (n1, m1), (inputs // n1, units // m1)


def weight(kind, parts, backend):
    """Write W out from its parts with `pytensor.tensor` or `torch`."""
    if kind == "low rank":
        return parts[0] @ parts[1]
    if kind == "adapter":
        return parts[0] + parts[1] @ parts[2]
    if kind == "gram":
        return parts[0] @ parts[0].T
    return backend(*parts)


def by_hand(kind, x, parts, batch):
    """Return the output as an expert writes it, for PyTensor and PyTorch alike."""
    if kind == "low rank":
        return (x @ parts[0]) @ parts[1]
    if kind == "adapter":
        return x @ parts[0] + (x @ parts[1]) @ parts[2]
    if kind == "gram":
        return (x @ parts[0]) @ parts[0].T
    (n1, m1), (n2, m2) = (part.shape for part in parts)
    if not isinstance(n1, int):  # PyTensor: sizes of the values
        (n1, m1), (n2, m2) = (part.type.shape for part in parts)
    rows = (x.reshape((batch * n1, n2)) @ parts[1]).reshape((batch, n1, m2))
    rows = rows.transpose(0, 2, 1) if hasattr(rows, "owner") else rows.transpose(1, 2)
    rows = (rows.reshape((batch * m2, n1)) @ parts[0]).reshape((batch, m2, m1))
    rows = rows.transpose(0, 2, 1) if hasattr(rows, "owner") else rows.transpose(1, 2)
    return rows.reshape((batch, m1 * m2))


def ours(kind, form, mode, *sizes):
    """Build a step; `form` is 'expression', 'by hand' or 'written out'."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import expressions, updates
    from lasagne_next.params import set_tags

    pytensor.config.floatX = "float32"
    inputs, units, rank, batch = map(int, sizes)
    values, num_frozen = leaves(kind, inputs, units, rank)
    parts = [pytensor.shared(value, shape=value.shape) for value in values]
    set_tags(parts[:num_frozen], trainable=False)
    x = pt.tensor("x", dtype="float32", shape=(batch, inputs))
    if form == "by hand":
        y = by_hand(kind, x, parts, batch)
    else:
        W = weight(kind, parts, pt.linalg.kron)
        y = expressions.dot(x, W, structured=form == "expression")
    loss = pt.sqr(y).mean()
    rule = updates.sgd(loss, parts[num_frozen:], RATE)
    train = pytensor.function([x], loss, updates=rule, mode=mode)
    data = np.random.default_rng(2).normal(size=(batch, inputs)).astype("float32")
    return lambda: np.asarray(train(data))


def pytorch_parametrize(kind, *sizes):
    """Build a step with torch.nn.utils.parametrize."""
    import torch
    from torch.nn.utils import parametrize

    inputs, units, rank, batch = map(int, sizes)
    values, num_frozen = leaves(kind, inputs, units, rank)

    class Weight(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ParameterList(
                torch.nn.Parameter(
                    torch.from_numpy(value), requires_grad=i >= num_frozen
                )
                for i, value in enumerate(values)
            )

        def forward(self, _):
            return weight(kind, list(self.parts), torch.kron).T

    layer = torch.nn.Linear(inputs, units, bias=False)
    layer.weight.requires_grad_(False)
    parametrize.register_parametrization(layer, "weight", Weight())
    learnt = [p for p in layer.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learnt, lr=RATE)
    data = np.random.default_rng(2).normal(size=(batch, inputs)).astype("float32")
    x = torch.from_numpy(data)

    def step():
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def report(rounds=9):
    """Return a table for each kind and size, with ratios to the layer by hand."""
    here = "tests.benchmarks.expressions"
    tables = []
    for kind in KINDS:
        for sizes in SIZES:
            if kind == "gram" and sizes[0] != sizes[1]:
                continue
            size = ":".join(map(str, sizes))
            peers = {
                f"{form}, {mode}": f"{here}:ours:{kind}:{form}:{mode.upper()}:{size}"
                for mode in ("Numba", "JAX")
                for form in ("by hand", "expression", "written out")
            }
            peers["PyTorch parametrize"] = f"{here}:pytorch_parametrize:{kind}:{size}"
            timings = time_side_by_side(peers, rounds=rounds, seconds_per_round=0.1)
            title = f"{kind}, (inputs, units, rank, batch) = {sizes}"
            tables.append(f"{title}\n{table(timings, 'by hand, Numba')}")
    return "\n\n".join(tables)
