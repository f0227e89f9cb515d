"""Compiled code that is called by its name.

What Numba calls, it links and compiles into each caller again. A large kernel is
compiled once instead, kept in the cache of PyTensor, and made known under a name, so
that compiling its callers stays cheap.
"""

import numba
from llvmlite import binding
from numba import types
from pytensor.configdefaults import config
from pytensor.link.numba.cache import compile_numba_function_src

__all__ = ["by_name"]

_known = {}


def by_name(name, num_arguments, make, key):
    """Return a function of so many integers, which ``make()`` returns for Numba.

    `key` must change whenever the function does. The function must not raise.
    """
    if name not in _known:
        arguments = ", ".join(f"argument_{index}" for index in range(num_arguments))
        wrapper = compile_numba_function_src(
            f"def {name}({arguments}):\n    implementation({arguments})",
            name,
            globals() | {"implementation": make()},
            cache_key=f"{name}-{key}",
        )
        signature = types.void(*[types.intp] * num_arguments)
        compiled = numba.cfunc(signature, cache=config.numba__cache)(wrapper)
        binding.add_symbol(name, compiled.address)
        # The code lives as long as what refers to it.
        external = types.ExternalFunction(name, signature)
        _known[name] = compiled, external
    return _known[name][1]
