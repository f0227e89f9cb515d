"""Lambert's W function on Numba."""

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.link.numba.dispatch.scalar import scalar_op_cache_key

from lasagne_next.ops.lambert_w import LambertW, solve

__all__ = ["numba_funcify_lambert_w"]

CACHE_VERSION = 1  # raise when anything below, or `solve`, changes


@register_funcify_and_cache_key(LambertW)
def numba_funcify_lambert_w(op, node, **kwargs):
    """Return a loop that ends when nothing changes, in double precision."""
    kind = np.dtype(node.outputs[0].type.dtype)
    compiled = numba_basic.numba_njit(solve)

    @numba_basic.numba_njit
    def lambert_w(x):
        return numba_basic.direct_cast(compiled(x), kind)

    return lambert_w, scalar_op_cache_key(op, cache_version=CACHE_VERSION, kind=kind)
