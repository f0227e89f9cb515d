"""Loops on JAX whose outputs are longer than the loop."""

import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify
from pytensor.scan.op import Scan

__all__ = ["jax_funcify_scan"]

_usual_scan = jax_funcify.dispatch(Scan)


@jax_funcify.register(Scan)
def jax_funcify_scan(op, node, **kwargs):
    """Return the usual function, after which short outputs are filled up with zeros.

    The gradient of a truncated loop takes fewer steps than it has rows to write. The
    other backends leave the rest at zero, where PyTensor's function for JAX (3.0.7 to
    3.3.7) fails.
    """
    usual = _usual_scan(op, node=node, **kwargs)
    number = op.info.n_nit_sot
    if number == 0:
        return usual

    def scan(*inputs):
        steps, inputs = inputs[0], list(inputs)
        sizes = op.outer_nitsot(inputs)
        start = len(inputs) - len(op.outer_non_seqs(inputs)) - number
        inputs[start : start + number] = [min(size, steps) for size in sizes]
        results = usual(*inputs)
        results = list(results) if isinstance(results, list | tuple) else [results]
        for result, size in zip(op.outer_nitsot_outs(results), sizes, strict=True):
            index = next(i for i, each in enumerate(results) if each is result)
            results[index] = _filled(result, size)
        return results if len(results) > 1 else results[0]

    return scan


def _filled(result, size):
    missing = size - result.shape[0]
    if missing <= 0:
        return result
    return jnp.pad(result, [(0, missing), *[(0, 0)] * (result.ndim - 1)])
