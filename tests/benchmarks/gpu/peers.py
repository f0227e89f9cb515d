"""The peers: a step of gradient descent on one of the networks."""

from __future__ import annotations

import contextlib

from tests.benchmarks.gpu.functions import JAX, PyTorch
from tests.benchmarks.gpu.networks import NETWORKS

RATE = 0.01


def ours(name, precision="default"):
    """Train through JAX, with the old values overwritten."""
    import jax
    import pytensor

    from lasagne_next import backends, updates

    _set_precision(precision)
    inputs, loss, params, arrays = NETWORKS[name].build()
    step = pytensor.function(
        inputs,
        loss,
        updates=updates.sgd(loss, params, RATE),
        mode=backends.jax_mode(),
        trust_input=True,
    )
    arrays = [jax.device_put(each) for each in arrays]
    return lambda: step(*arrays).block_until_ready()


def jax_by_hand(name, precision="default"):
    """Train as an expert would write it: one jitted step, its state donated."""
    import jax

    _set_precision(precision)
    F, network = JAX(), NETWORKS[name]
    values, arrays = network.start()
    params = {key: jax.numpy.asarray(value) for key, value in values.items()}
    arrays = [jax.device_put(each) for each in arrays]

    def train(params, *arrays):
        loss, gradients = jax.value_and_grad(
            lambda params: network.loss(F, params, *arrays)
        )(params)
        moved = {key: params[key] - RATE * gradients[key] for key in params}
        return moved, loss

    train = jax.jit(train, donate_argnums=(0,))
    state = [params]

    def step():
        state[0], loss = train(state[0], *arrays)
        return loss.block_until_ready()

    return step


def _set_precision(precision):
    import jax

    if precision != "default":
        jax.config.update("jax_default_matmul_precision", precision)


def pytorch(name, kind, precision="default"):
    """Train with PyTorch, its products in TF32 as in JAX."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = NETWORKS[name]
    values, arrays = network.start()
    arrays = [torch.from_numpy(each).to(device) for each in arrays]
    arrays = [each.long() if not each.is_floating_point() else each for each in arrays]
    loss_of, params = _torch_loss(name, network, values, device)
    if kind == "compiled":
        loss_of = torch.compile(loss_of)
    optimizer = torch.optim.SGD(params, lr=RATE)
    context = contextlib.nullcontext()
    if precision == "bfloat16":
        context = torch.autocast(device, torch.bfloat16)

    def step():
        optimizer.zero_grad()
        with context:
            loss = loss_of(*arrays)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _torch_loss(name, network, values, device):
    """Return the loss as a function of the data, and what is trained."""
    import torch

    if name == "lstm":
        return _torch_lstm(values, device)
    params = {
        key: torch.from_numpy(value).to(device).requires_grad_()
        for key, value in values.items()
    }
    F = PyTorch()
    return lambda *arrays: network.loss(F, params, *arrays), list(params.values())


def _torch_lstm(values, device):
    """Return the loss of PyTorch's own layer."""
    import torch

    inputs, width = values["W_in"].shape
    layer = torch.nn.LSTM(inputs, width // 4, batch_first=True)
    layer.bias_hh_l0.requires_grad_(False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(values["W_in"].T.copy()))
        layer.weight_hh_l0.copy_(torch.from_numpy(values["W_hid"].T.copy()))
        layer.bias_ih_l0.copy_(torch.from_numpy(values["b"]))
        layer.bias_hh_l0.zero_()
    layer = layer.to(device)
    params = [each for each in layer.parameters() if each.requires_grad]
    return lambda x: layer(x)[0].square().mean(), params
