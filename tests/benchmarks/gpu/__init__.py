"""Networks for a GPU: the library on JAX beside JAX by hand and PyTorch.

``python -m tests.benchmarks gpu`` measures all of them on the GPU where there is one,
and on the CPU otherwise. Steps are forward, gradients and gradient descent; data and
parameters stay on the device. Float32 is computed in TF32 where the GPU can, by
everyone; rows "bfloat16" multiply in bfloat16 and keep all else in float32.
"""

from __future__ import annotations

from tests.benchmarks.gpu.networks import NETWORKS
from tests.benchmarks.workers import table, time_side_by_side

PEERS = {
    "jax.jit by hand, buffers donated": "jax_by_hand:default",
    "lasagne_next, jax_mode()": "ours:default",
    "PyTorch, eager": "pytorch:eager",
    "PyTorch, compiled": "pytorch:compiled",
    "jax.jit by hand, bfloat16": "jax_by_hand:bfloat16",
    "lasagne_next, bfloat16": "ours:bfloat16",
    "PyTorch, compiled, bfloat16": "pytorch:compiled:bfloat16",
}
TOLERANCE = 2e-2  # TF32 and bfloat16 keep 10 and 7 binary digits


def peers(name, device):
    """Return the peers of a network; a CPU computes everything in float32."""
    chosen = {
        peer: target
        for peer, target in PEERS.items()
        if device == "cuda" or "bfloat16" not in peer
    }
    module = f"{__name__}.peers"
    return {
        peer: ":".join([module, *_insert(target, name)])
        for peer, target in chosen.items()
    }


def _insert(target, name):
    function, *options = target.split(":")
    return [function, name, *options]


def report(names=tuple(NETWORKS), rounds=9):
    """Compare step times of the networks."""
    device = "cuda" if _has_gpu() else "cpu"
    tables = [f"on {device}"]
    for name in names:
        timings = time_side_by_side(peers(name, device), rounds=rounds, rtol=TOLERANCE)
        reference = next(each.name for each in timings if not each.problem)
        tables.append(f"{NETWORKS[name].title}\n{table(timings, reference)}")
    return "\n\n".join(tables)


def _has_gpu():
    try:
        import jax
    except ImportError:
        return False
    return jax.default_backend() == "gpu"
