"""Shuffling on JAX: with sizes that are known when it traces."""

from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.ops.shuffling import PixelShuffle, PixelUnshuffle

__all__ = ["jax_funcify_shuffling"]


@jax_funcify.register(PixelShuffle)
@jax_funcify.register(PixelUnshuffle)
def jax_funcify_shuffling(op, **kwargs):
    """Return what numpy does, which JAX can do."""

    def shuffling(x):
        storage = [[None]]
        op.perform(None, [x], storage)
        return storage[0][0]

    return shuffling
