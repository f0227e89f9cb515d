"""Kernels that are compiled once a process, whatever graphs use them.

Numba optimises the code of a function again in each function that calls it. A long
kernel below several wrappers is paid for several times, and once more in each graph. A
native function stands alone: its callers know only its name, as they know BLAS.
"""

from __future__ import annotations

import llvmlite.binding as llvm
import numba
from numba import types
from pytensor import config
from pytensor.link.numba.cache import compile_numba_function_src

__all__ = ["native_function"]

_compiled = {}  # by name; machine code lives as long as what is kept here


def native_function(name, build, arguments, version):
    """Compile a function, or take it from the cache, and return its outside.

    Parameters
    ----------
    name : str
        Unique, also among the names of C libraries.
    build : callable
        Returns the function, made by `numba_njit`. It returns nothing, raises nothing.
    arguments : list of numba.types.Type
        Numbers: sizes, and addresses as ``types.intp``.
    version : int or str
        Another one when the function or what it calls changes.

    Returns
    -------
    numba.types.ExternalFunction
        To be called in functions that Numba compiles.
    """
    signature = types.void(*arguments)
    if name not in _compiled:
        names = ", ".join(f"a{index}" for index in range(len(arguments)))
        source = f"def {name}({names}):\n    inner({names})\n"
        key = f"{name}_{version}_fastmath{int(config.numba__fastmath)}"
        outside = compile_numba_function_src(
            source,
            name,
            # The name is where Numba looks for what is global when it loads the code.
            global_env={"__name__": __name__, "inner": build()},
            cache_key=key,
        )
        compiled = numba.cfunc(signature, cache=True)(outside)
        llvm.add_symbol(name, compiled.address)
        _compiled[name] = compiled
    return types.ExternalFunction(name, signature)
