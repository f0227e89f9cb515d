"""Marks on Numba, where a rewrite does not reach them."""

from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lasagne_next.expressions.markers import _Mark

__all__ = ["numba_funcify_mark"]


@register_funcify_default_op_cache_key(_Mark)
def numba_funcify_mark(op, node, **kwargs):
    """Return a function that passes the value on."""

    @numba_basic.numba_njit
    def mark(value, *notes):
        return value

    return mark, 1
