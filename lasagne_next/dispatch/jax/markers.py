"""Marks on JAX, where a rewrite does not reach them."""

from pytensor.link.jax.dispatch.basic import jax_funcify

from lasagne_next.expressions.markers import _Mark

__all__ = ["jax_funcify_mark"]


@jax_funcify.register(_Mark)
def jax_funcify_mark(op, **kwargs):
    """Return a function that passes the value on."""

    def mark(value, *notes):
        return value

    return mark
