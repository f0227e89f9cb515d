"""What each ready-made expression costs, beside a plain matrix.

A training step of a dense layer, 512 inputs and units, batch of 128, single precision:
forward, gradients and gradient descent, on Numba. Processor time in one process.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

SIZE, BATCH = 512, 128


def specs():
    """Return the expressions by the title of their row."""
    from lasagne_next import expressions as e
    from lasagne_next import init

    mask = np.kron(np.tri(4).T, np.ones((SIZE // 4, SIZE // 4)))
    return {
        "plain": init.GlorotUniform(),
        "LowRank(16)": e.LowRank(16),
        "LowRankPlus(16)": e.LowRankPlus(16),
        "Kronecker((32, 32))": e.Kronecker((32, 32)),
        "BlockDiagonal(4)": e.BlockDiagonal(4),
        "Monarch(32)": e.Monarch(32),
        "Circulant()": e.Circulant(),
        "Toeplitz()": e.Toeplitz(),
        "Masked(mask)": e.Masked(mask),
        "Symmetric()": e.Symmetric(),
        "SkewSymmetric()": e.SkewSymmetric(),
        "PSD(16)": e.PSD(16),
        "SPDCholesky()": e.SPDCholesky(),
        "Positive()": e.Positive(),
        "Box(-1, 1)": e.Box(-1, 1),
        "Simplex(0)": e.Simplex(0),
        "UnitNorm()": e.UnitNorm(),
        "WeightNorm()": e.WeightNorm(),
        "WeightStandardised()": e.WeightStandardised(),
        "SpectralNorm()": e.SpectralNorm(),
        "Orthogonal('cayley')": e.Orthogonal("cayley"),
        "Orthogonal('householder', reflections=16)": e.Orthogonal(
            "householder", reflections=16
        ),
        "LUInvertible()": e.LUInvertible(),
        "Binary()": e.Binary(),
        "Quantised(4)": e.Quantised(4),
        "Gaussian()": e.Gaussian(),
    }


def step_of(spec):
    """Compile a step, and return it with the number of learnt numbers."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import expressions, layers, updates

    pytensor.config.floatX = "float32"
    x = pt.tensor("x", dtype="float32", shape=(BATCH, SIZE))
    layer = layers.DenseLayer(
        layers.InputLayer((BATCH, SIZE), x), SIZE, W=spec, b=None, nonlinearity=None
    )
    y = layers.get_output(layer)
    loss = pt.sqr(y).mean()
    params = layer.get_params(trainable=True)
    rule = updates.combine(
        updates.sgd(loss, params, 1e-3), expressions.state_updates(y)
    )
    train = pytensor.function([x], loss, updates=rule, mode="NUMBA")
    data = np.random.default_rng(1).normal(size=(BATCH, SIZE)).astype("float32")
    return lambda: train(data), layers.count_params(layer, trainable=True)


def report(rounds=7, seconds_per_round=0.1):
    """Return a table of times, and of ratios to the plain matrix."""
    made = {name: step_of(spec) for name, spec in specs().items()}
    times = {name: [] for name in made}
    for _ in range(rounds):
        for name, (step, _) in made.items():
            step()
            start, count = time.process_time(), 0
            while time.process_time() - start < seconds_per_round:
                step()
                count += 1
            times[name].append((time.process_time() - start) / count)
    plain = statistics.median(times["plain"])
    lines = [f"{'':44}{'learnt':>10}{'ms a step':>12}{'ratio':>8}"]
    for name, (_, learnt) in made.items():
        median = statistics.median(times[name])
        lines.append(f"{name:44}{learnt:10}{1e3 * median:12.2f}{median / plain:8.2f}")
    return "\n".join(lines)
