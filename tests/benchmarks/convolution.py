"""Convolutions, forward and with both gradients, beside PyTorch and JAX."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.benchmarks.workers import time_side_by_side

THREADS = 2


@dataclass(frozen=True)
class Case:
    """One convolution in single precision, without padding or causal."""

    batch: int
    channels: int
    size: int
    filters: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    num_axes: int = 2

    @property
    def pad(self):
        """Zeros before the input."""
        return (self.kernel - 1) * self.dilation if self.num_axes == 1 else 0

    @property
    def shapes(self):
        """Return the shapes of the input, of the filters and of the output."""
        span = (self.kernel - 1) * self.dilation + 1
        count = (self.size + self.pad - span) // self.stride + 1
        axes = self.num_axes
        return (
            (self.batch, self.channels, *(self.size,) * axes),
            (self.filters, self.channels // self.groups, *(self.kernel,) * axes),
            (self.batch, self.filters, *(count,) * axes),
        )

    @property
    def flops(self):
        """Count multiplications and additions of the forward pass."""
        _, W, y = self.shapes
        return 2 * int(np.prod(y)) * int(np.prod(W[1:]))


CASES = {
    "64x1x28, 32 of 5x5": Case(64, 1, 28, 32, 5),
    "64x32x12, 32 of 5x5": Case(64, 32, 12, 32, 5),
    "64x16x32, 16 of 3x3": Case(64, 16, 32, 16, 3),
    "64x64x16, 64 of 3x3": Case(64, 64, 16, 64, 3),
    "32x128x14, 128 of 3x3": Case(32, 128, 14, 128, 3),
    "32x256x14, 64 of 1x1": Case(32, 256, 14, 64, 1),
    "32x64x32, 128 of 3x3, stride 2": Case(32, 64, 32, 128, 3, stride=2),
    "8x64x4096, causal": Case(8, 64, 4096, 64, 2, num_axes=1),
    "8x64x4096, causal, dilation 16": Case(8, 64, 4096, 64, 2, 1, 16, num_axes=1),
    "8x64x4096, causal, dilation 512": Case(8, 64, 4096, 64, 2, 1, 512, num_axes=1),
    "32x128x28, depthwise 3x3": Case(32, 128, 28, 128, 3, groups=128),
}


def draw(case):
    """Return an input, filters, and the gradient of the output."""
    generator = np.random.default_rng(0)
    x, W, y = (generator.normal(size=shape).astype("f4") for shape in case.shapes)
    return x, W / np.float32(np.sqrt(np.prod(W.shape[1:]))), y


def read(*results):
    """Return a number that tells results apart and takes no time to compute."""
    return sum(float(np.abs(np.asarray(each[0, 0])).sum()) for each in results)


def ours(linker, name, gradients):
    """Convolve with this library."""
    import pytensor
    from pytensor.compile.mode import Mode

    from lasagne_next.ops import convolve

    case = CASES[name]
    x, W, given = (pytensor.shared(each, shape=each.shape) for each in draw(case))
    y = convolve(
        x,
        W,
        case.stride,
        ((case.pad, 0),) * case.num_axes,
        case.dilation,
        case.groups,
        flip_filters=False,
    )
    outputs = [y]
    if gradients == "yes":
        outputs += pytensor.grad(None, [x, W], known_grads={y: given})
    outputs = [pytensor.Out(each, borrow=True) for each in outputs]
    function = pytensor.function([], outputs, mode=Mode(linker, "fast_run"))
    return lambda: read(*function())


def pytorch(name, gradients):
    """Convolve with PyTorch."""
    import torch

    torch.set_num_threads(THREADS)
    case, functional = CASES[name], torch.nn.functional
    x, W, given = map(torch.tensor, draw(case))
    convolve = functional.conv1d if case.num_axes == 1 else functional.conv2d
    x.requires_grad = W.requires_grad = gradients == "yes"

    def step():
        x.grad = W.grad = None
        padded = functional.pad(x, (case.pad, 0)) if case.pad else x
        y = convolve(padded, W, None, case.stride, 0, case.dilation, case.groups)
        if gradients == "yes":
            y.backward(given)
            return read(y.detach(), x.grad, W.grad)
        return read(y)

    return step


def jax_by_hand(name, gradients):
    """Convolve with JAX."""
    import jax
    import jax.numpy as jnp

    case, (x, W, given) = CASES[name], map(jnp.asarray, draw(CASES[name]))

    def convolve(x, W):
        return jax.lax.conv_general_dilated(
            x,
            W,
            (case.stride,) * case.num_axes,
            [(case.pad, 0)] * case.num_axes,
            rhs_dilation=(case.dilation,) * case.num_axes,
            feature_group_count=case.groups,
        )

    def both(x, W):
        y, pull = jax.vjp(convolve, x, W)
        return y, *pull(given)

    run = jax.jit(both if gradients == "yes" else lambda x, W: (convolve(x, W),))
    return lambda: read(*jax.block_until_ready(run(x, W)))


PEERS = {
    "PyTorch": "pytorch",
    "Numba": "ours:numba",
    "JAX by hand": "jax_by_hand",
    "JAX": "ours:jax",
}


def measure(gradients, names=CASES, peers=PEERS, rounds=7):
    """Return a table of GFLOP/s, one line a case, and of means of ratios."""
    header = "".join(f"{each:>14}" for each in peers)
    lines = [f"{'GFLOP/s, gradients: ' + gradients:34}{header}"]
    ratios = {each: [] for each in peers}
    for name in names:
        targets = {
            each: f"{__name__}:{target}:{name}:{gradients}"
            for each, target in peers.items()
        }
        timings = time_side_by_side(targets, rounds, 0.1)
        flops = CASES[name].flops * (3 if gradients == "yes" else 1)
        rates = [
            float("nan") if each.problem else flops / each.median / 1e9
            for each in timings
        ]
        for each, rate in zip(peers, rates, strict=True):
            ratios[each].append(rate / rates[0])
        lines.append(f"{name:34}" + "".join(f"{rate:14.0f}" for rate in rates))
    means = "".join(
        f"{np.exp(np.mean(np.log(each))):14.2f}" for each in ratios.values()
    )
    lines.append(f"{'geometric mean of ratios':34}{means}")
    return "\n".join(lines)


def report():
    """Write both tables; ratios are to PyTorch, or to the first that is installed."""
    return "\n\n".join(measure(gradients) for gradients in ("no", "yes"))
