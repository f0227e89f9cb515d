"""Slices on JAX that turn out to be the whole."""

import jax.numpy as jnp
from pytensor.link.jax.dispatch.basic import jax_funcify
from pytensor.tensor.subtensor import IncSubtensor, indices_from_subtensor

__all__ = ["jax_funcify_inc_subtensor"]

_usual_inc_subtensor = jax_funcify.dispatch(IncSubtensor)


@jax_funcify.register(IncSubtensor)
def jax_funcify_inc_subtensor(op, node, **kwargs):
    """Return the usual function, but add at once what is added to the whole.

    The gradient of ``x[:n][::-1]`` is such an addition where n is the size of x, as in
    a loop that runs backwards over an unknown number of steps. XLA (of JAX 0.7 to 0.10)
    makes it a "map" and then crashes as it reverses that.
    """
    usual = _usual_inc_subtensor(op, node=node, **kwargs)

    def inc_subtensor(x, y, *indices):
        slices = indices_from_subtensor(indices, op.idx_list)
        if not _are_whole(slices, x.shape):
            return usual(x, y, *indices)
        y = jnp.broadcast_to(y, x.shape).astype(x.dtype)
        return y if op.set_instead_of_inc else x + y

    return inc_subtensor


def _are_whole(slices, shape):
    try:
        return all(
            isinstance(each, slice) and each.indices(size) == (0, size, 1)
            for each, size in zip(slices, shape, strict=False)
        )
    except TypeError:  # a bound that is only known at run time
        return False
