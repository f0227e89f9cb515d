"""The step of multi-head self-attention: batch 16, 256 steps, width 256, 8 heads."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.workloads import Workload

BATCH, STEPS, WIDTH, HEADS = 16, 256, 256, 8
LEARNING_RATE = 0.1
PARTS = ("query", "key", "value", "out")

WORKLOADS = {
    "attention": Workload(
        "self-attention, batch 16, 256 steps, width 256, 8 heads, gradient descent",
        {
            "PyTorch, eager": f"{__name__}:pytorch",
            "lasagne_next, Numba": f"{__name__}:ours_on_numba",
            "jax.jit by hand, buffers donated": f"{__name__}:jax_by_hand",
            "lasagne_next, jax_mode()": f"{__name__}:ours_on_jax",
        },
    ),
}


def data():
    """Return the same batch and start values for everybody."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(BATCH, STEPS, WIDTH)).astype("float32")
    weights = [
        (rng.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)).astype("float32")
        for _ in PARTS
    ]
    return x, weights


def ours(mode):
    """Build the training step with the library, batch and time unknown."""
    import pytensor
    import pytensor.tensor as pt

    from lasagne_next import layers, updates

    pytensor.config.floatX = "float32"
    x, weights = data()
    given = {f"W_{part}": W for part, W in zip(PARTS, weights, strict=True)}
    given |= dict.fromkeys(["b_query", "b_value", "b_out"])
    l_in = layers.InputLayer((None, None, WIDTH))
    layer = layers.MultiHeadAttentionLayer(l_in, HEADS, **given)
    loss = pt.sqr(layers.get_output(layer)).mean()
    params = layers.get_all_params(layer, trainable=True)
    rule = updates.sgd(loss, params, LEARNING_RATE)
    step = pytensor.function([l_in.input_var], loss, updates=rule, mode=mode)
    return lambda: np.asarray(step(x))


def ours_on_numba():
    """Train on the default backend."""
    return ours("NUMBA")


def ours_on_jax():
    """Train through JAX, parameters updated in place."""
    import jax  # noqa: F401 (a missing JAX should be reported as such)

    from lasagne_next import backends

    return ours(backends.jax_mode())


def pytorch():
    """Train with PyTorch's fused attention."""
    import torch

    x, weights = data()
    x = torch.from_numpy(x)
    params = [torch.from_numpy(W).requires_grad_() for W in weights]
    optimizer = torch.optim.SGD(params, lr=LEARNING_RATE)

    def heads(y):
        return y.view(BATCH, STEPS, HEADS, WIDTH // HEADS).transpose(1, 2)

    def step():
        optimizer.zero_grad()
        parts = [heads(x @ W) for W in params[:3]]
        found = torch.nn.functional.scaled_dot_product_attention(*parts)
        joined = found.transpose(1, 2).reshape(BATCH, STEPS, WIDTH)
        loss = (joined @ params[3]).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_by_hand():
    """Train as an expert would write it with JAX."""
    import jax
    import jax.numpy as jnp

    x, weights = data()
    x = jnp.asarray(x)

    def loss_of(params, x):
        query, key, value = (
            (x @ W).reshape(BATCH, STEPS, HEADS, WIDTH // HEADS) for W in params[:3]
        )
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(WIDTH // HEADS)
        found = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), value)
        return jnp.square(found.reshape(BATCH, STEPS, WIDTH) @ params[3]).mean()

    def train(params, x):
        loss, gradients = jax.value_and_grad(loss_of)(params, x)
        pairs = zip(params, gradients, strict=True)
        return [p - LEARNING_RATE * g for p, g in pairs], loss

    train = jax.jit(train, donate_argnums=(0,))
    params = [[jnp.asarray(W) for W in weights]]

    def step():
        params[0], loss = train(params[0], x)
        return loss.block_until_ready()

    return step
