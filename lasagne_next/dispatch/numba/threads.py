"""How many threads an operation takes on Numba, and how rows are shared among them."""

from __future__ import annotations

import os

import numba
from numba import types
from numba.np.ufunc import parallel
from pytensor.link.numba.dispatch.basic import numba_njit

__all__ = ["ensure_threads", "share_rows"]


CACHE_VERSION = 1  # raise when `share_rows` changes

# Numba's own function of this name would keep code that calls it out of the cache.
_get_num_threads = types.ExternalFunction("get_num_threads", types.intc())


def ensure_threads():
    """Make the threads of Numba known to code that is taken from a cache."""
    parallel._launch_threads()


@numba_njit
def share_rows(rows, work, block):
    """Return the number of threads, and of rows for each, in whole blocks of rows.

    A thread is worth its start from about 1e6 multiplications on.
    """
    threads = max(1, min(_get_num_threads(), work // 1_000_000, rows // block))
    share = (rows + threads - 1) // threads
    share = (share + block - 1) // block * block
    return (rows + share - 1) // share, share


def _use_one_thread():
    # GNU OpenMP aborts a forked process that starts threads after its parent did.
    if parallel._is_initialized and parallel.threading_layer() == "omp":
        numba.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
