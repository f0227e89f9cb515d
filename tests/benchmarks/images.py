"""The step of a small convolution network: batch 64 of 3x32x32, momentum."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workloads import Workload

BATCH, SIZE = 64, 32
CHANNELS = (3, 16, 32)
FILTER = 3
NUM_CLASSES = 10
RATE, MOMENTUM = 0.01, 0.9

WORKLOADS = {
    "images": Workload(
        "two convolutions with pooling and a dense layer, 3x32x32, batch 64, float32",
        {
            "PyTorch, eager": f"{__name__}:pytorch",
            "lasagne_next, Numba": f"{__name__}:ours_on_numba",
            "jax.jit by hand, buffers donated": f"{__name__}:jax_by_hand",
            "lasagne_next, jax_mode()": f"{__name__}:ours_donating",
        },
    ),
}


def data():
    """Return the same batch and start values for everybody."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(BATCH, CHANNELS[0], SIZE, SIZE)).astype("float32")
    y = rng.integers(0, NUM_CLASSES, size=BATCH).astype("int32")
    shapes = [(CHANNELS[i + 1], CHANNELS[i], FILTER, FILTER) for i in range(2)]
    filters = [rng.normal(size=s) * np.sqrt(2 / np.prod(s[1:])) for s in shapes]
    width = CHANNELS[-1] * (SIZE // 4) ** 2
    dense = rng.normal(size=(width, NUM_CLASSES)) * np.sqrt(1 / width)
    return x, y, [each.astype("float32") for each in (*filters, dense)]


def ours(mode):
    """Build the training step with the library."""
    import pytensor
    import pytensor.tensor as pt

    import lasagne_next as nn

    pytensor.config.floatX = "float32"
    x, y, (first, second, dense) = data()
    inputs = nn.layers.InputLayer((None, CHANNELS[0], SIZE, SIZE))
    network = inputs
    for W in (first, second):
        network = nn.layers.Conv2DLayer(
            network,
            num_filters=len(W),
            filter_size=FILTER,
            pad=1,
            W=W,
            flip_filters=False,
        )
        network = nn.layers.MaxPool2DLayer(network, pool_size=2)
    network = nn.layers.DenseLayer(network, NUM_CLASSES, W=dense, nonlinearity=None)
    targets = pt.ivector("targets")
    logits = nn.layers.get_output(network)
    loss = nn.objectives.categorical_crossentropy_from_logits(logits, targets).mean()
    params = nn.layers.get_all_params(network, trainable=True)
    updates = nn.updates.momentum(loss, params, RATE, MOMENTUM)
    train = pytensor.function(
        [inputs.input_var, targets], loss, updates=updates, mode=mode
    )
    return lambda x=x, y=y: np.asarray(train(x, y))


def ours_on_numba():
    """Train on the default backend."""
    return ours("NUMBA")


def ours_donating():
    """Train through JAX with the old values overwritten."""
    from lasagne_next import backends

    return ours(backends.jax_mode())


def pytorch():
    """Train eagerly."""
    import torch
    from torch.nn import functional

    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y, weights = data()
    x, y = torch.from_numpy(x).to(device), torch.from_numpy(y).long().to(device)
    first, second, dense = (torch.from_numpy(W).to(device) for W in weights)
    sizes = (len(first), len(second), NUM_CLASSES)
    biases = [torch.zeros(size, device=device) for size in sizes]
    params = [first, second, dense, *biases]
    for each in params:
        each.requires_grad_()
    optimizer = torch.optim.SGD(params, lr=RATE, momentum=MOMENTUM)

    def step(x=x, y=y):
        optimizer.zero_grad()
        h = x
        for W, b in zip((first, second), biases[:2], strict=True):
            h = functional.relu(functional.conv2d(h, W, b, padding=1))
            h = functional.max_pool2d(h, 2)
        logits = h.flatten(1) @ dense + biases[2]
        loss = functional.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_by_hand():
    """Train as an expert would write it: one jitted step, its state donated."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    x, y, weights = data()
    sizes = (len(weights[0]), len(weights[1]), NUM_CLASSES)
    params = [jnp.asarray(W) for W in weights] + [jnp.zeros(size) for size in sizes]

    def loss_of(params):
        first, second, dense, *biases = params
        h = x
        for W, b in zip((first, second), biases[:2], strict=True):
            h = lax.conv_general_dilated(h, W, (1, 1), "SAME")
            h = jax.nn.relu(h + b[:, None, None])
            h = lax.reduce_window(
                h, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"
            )
        log_p = jax.nn.log_softmax(h.reshape(len(h), -1) @ dense + biases[2])
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    def train(params, velocities):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        tree_map = jax.tree_util.tree_map
        velocities = tree_map(
            lambda v, g: MOMENTUM * v - RATE * g, velocities, gradients
        )
        return tree_map(jnp.add, params, velocities), velocities, loss

    train = jax.jit(train, donate_argnums=(0, 1))
    state = [params, [jnp.zeros_like(p) for p in params]]

    def step():
        *state[:], loss = train(*state)
        return loss.block_until_ready()

    return step
