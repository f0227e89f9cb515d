"""The step of a 784-800-800-10 classifier: batch 256, Adam, single precision."""

from __future__ import annotations

import itertools

import numpy as np

from tests.benchmarks.workloads import Workload

SIZES = (784, 800, 800, 10)
BATCH = 256
LEARNING_RATE = 1e-3

WORKLOADS = {
    "classifier": Workload(
        "784-800-800-10 classifier, batch 256, Adam, float32",
        {
            "PyTorch, eager, Adam()": f"{__name__}:pytorch",
            "PyTorch, eager, Adam(fused=True)": f"{__name__}:pytorch_fused",
            "lasagne_next, Numba": f"{__name__}:ours_on_numba",
            "jax.jit by hand, buffers donated": f"{__name__}:jax_by_hand",
            "lasagne_next, jax_mode()": f"{__name__}:ours_donating",
            'lasagne_next, mode="JAX"': f"{__name__}:ours_on_jax",
        },
    ),
}


def data():
    """Return the same batch and start values for everybody."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(BATCH, SIZES[0])).astype("float32")
    y = rng.integers(0, SIZES[-1], size=BATCH).astype("int32")
    weights = [
        (rng.normal(size=shape) * np.sqrt(2 / shape[0])).astype("float32")
        for shape in itertools.pairwise(SIZES)
    ]
    biases = [np.zeros(size, "float32") for size in SIZES[1:]]
    return x, y, weights, biases


def ours(mode):
    """Build the training step with the library, the batch size unknown."""
    import pytensor
    import pytensor.tensor as pt

    import lasagne_next as nn

    pytensor.config.floatX = "float32"
    x, y, weights, biases = data()
    network = nn.layers.InputLayer((None, SIZES[0]))
    for index, (W, b) in enumerate(zip(weights, biases, strict=True)):
        last = index == len(weights) - 1
        network = nn.layers.DenseLayer(
            network,
            num_units=W.shape[1],
            W=W,
            b=b,
            nonlinearity=None if last else nn.nonlinearities.rectify,
        )
    targets = pt.ivector("targets")
    inputs = nn.layers.get_all_layers(network)[0].input_var
    logits = nn.layers.get_output(network)
    loss = nn.objectives.categorical_crossentropy_from_logits(logits, targets).mean()
    params = nn.layers.get_all_params(network, trainable=True)
    updates = nn.updates.adam(loss, params, learning_rate=LEARNING_RATE)
    train = pytensor.function([inputs, targets], loss, updates=updates, mode=mode)
    return lambda: np.asarray(train(x, y))


def ours_on_numba():
    """Train on the default backend."""
    return ours("NUMBA")


def ours_on_jax():
    """Train through PyTensor's JAX backend."""
    import jax  # noqa: F401 (a missing JAX should be reported as such)

    return ours("JAX")


def ours_donating():
    """Train through JAX with the old values overwritten."""
    from lasagne_next import backends

    return ours(backends.jax_mode())


def pytorch(fused=None):
    """Train eagerly with PyTorch's own Adam."""
    import torch

    x, y, weights, biases = data()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y = (torch.from_numpy(each).to(device) for each in (x, y))
    y = y.long()
    weights = [torch.from_numpy(W).to(device).requires_grad_() for W in weights]
    biases = [torch.from_numpy(b).to(device).requires_grad_() for b in biases]
    optimizer = torch.optim.Adam(weights + biases, lr=LEARNING_RATE, fused=fused)

    def step():
        optimizer.zero_grad()
        h = x
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            h = torch.relu(torch.addmm(b, h, W))
        logits = torch.addmm(biases[-1], h, weights[-1])
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def pytorch_fused():
    """Train eagerly with PyTorch's fused Adam."""
    return pytorch(fused=True)


def jax_by_hand():
    """Train as an expert would write it: one jitted step, its state donated."""
    import jax
    import jax.numpy as jnp

    x, y, weights, biases = data()
    params = [jnp.asarray(each) for pair in zip(weights, biases, strict=True)
              for each in pair]  # fmt: skip

    def loss_of(params):
        h = x
        for W, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = jax.nn.relu(h @ W + b)
        logits = h @ params[-2] + params[-1]
        log_p = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def train(params, first, second, t):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        t = t + 1
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        tree_map = jax.tree_util.tree_map
        first = tree_map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        params = tree_map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, first, second
        )
        return params, first, second, t, loss

    train = jax.jit(train, donate_argnums=(0, 1, 2, 3))
    zeros = [jnp.zeros_like(p) for p in params]
    state = [params, zeros, [jnp.zeros_like(p) for p in params], jnp.float32(0)]

    def step():
        *state[:], loss = train(*state)
        return loss.block_until_ready()

    return step
