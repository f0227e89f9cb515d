"""What the compiled functions run on, and what would make them faster."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass

import pytensor
from pytensor.compile.mode import get_default_mode

__all__ = ["MachineReport", "report"]

# Kernels of OpenBLAS that use vectors of 256 bits at most.
_NARROW_KERNELS = ("Haswell", "Zen", "Excavator", "Steamroller", "Sandybridge")


@dataclass(frozen=True)
class MachineReport:
    """Facts about the machine by name, and pieces of advice. Printing shows both.

    Parameters
    ----------
    facts : dict of str
        What is the case, by name.
    advice : tuple of str
        What would make things faster.

    Examples
    --------
    >>> from lasagne_next.backends import MachineReport
    >>> print(MachineReport({"cores": "2 of 2"}, ("Buy more.",)))
    cores  2 of 2
    * Buy more.
    """

    facts: dict[str, str]
    advice: tuple[str, ...]

    def __str__(self):
        width = max(map(len, self.facts))
        lines = [f"{name:{width}}  {fact}" for name, fact in self.facts.items()]
        return "\n".join([*lines, *(f"* {each}" for each in self.advice)])


def report():
    """Describe the backends on this machine, and what would make them faster.

    Returns
    -------
    MachineReport
        With `facts`, a dictionary of texts: the default mode, the type, the processor
        and the width of its vectors, the libraries that multiply matrices with their
        kernels and threads, the devices of JAX. And with `advice`, sentences that each
        say what to do; empty if nothing is known to be in the way.

    Notes
    -----
    The libraries for matrices are seen if ``threadpoolctl`` is installed. If JAX is
    installed it is started, which on a GPU takes hold of the memory.

    Examples
    --------
    >>> from lasagne_next import backends
    >>> sorted(backends.report().facts)
    ['GPU', 'JAX', 'PyTensor', 'cores', 'matrix products', 'processor', 'type']
    """
    features = _vector_features()
    libraries = _matrix_libraries()
    cores = _usable_cores()
    devices = _jax_devices()
    gpu = shutil.which("nvidia-smi") is not None
    mode = get_default_mode()
    facts = {
        "PyTensor": f"{importlib.metadata.version('pytensor')}, {_describe(mode)}",
        "type": pytensor.config.floatX,
        "processor": f"{platform.machine()}, vectors of {_vector_bits(features)} bits",
        "cores": f"{cores} of {os.cpu_count()} may be used",
        "matrix products": "; ".join(map(_name, libraries or ())) or "not known",
        "JAX": "not installed" if devices is None else ", ".join(devices),
        "GPU": "NVIDIA" if gpu else "none found",
    }
    advice = (
        *_advice_on_settings(mode, pytensor.config.floatX),
        *_advice_on_libraries(libraries, features, cores),
        *_advice_on_gpu(gpu, devices),
    )
    return MachineReport(facts, advice)


def _describe(mode):
    return f"mode {pytensor.config.mode}, {type(mode.linker).__name__}"


def _usable_cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _vector_features():
    """Return what the processor can do, by LLVM's names."""
    from llvmlite import binding  # a part of Numba; slow to import

    return {name for name, there in binding.get_host_cpu_features().items() if there}


def _vector_bits(features):
    if "avx512f" in features:
        return 512
    return 256 if "avx" in features else 128


def _matrix_libraries():
    """Return what threadpoolctl says of loaded libraries, or None without it."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    # Numba multiplies by the library of SciPy, numpy by its own.
    import scipy.linalg  # noqa: F401
    import threadpoolctl

    found = threadpoolctl.threadpool_info()
    return [each for each in found if each.get("user_api") == "blas"]


def _name(library):
    kernel = library.get("architecture")
    return (
        f"{library['internal_api']} {library.get('version')}"
        f"{f' ({kernel})' if kernel else ''}, {library['num_threads']} threads"
    )


def _jax_devices():
    if importlib.util.find_spec("jax") is None:
        return None
    import jax

    return [f"{each.platform} {each.device_kind}" for each in jax.devices()]


def _advice_on_settings(mode, floatX):
    linker = type(mode.linker).__name__
    if not any(name in linker for name in ("Numba", "JAX")):
        yield (
            "The default mode does not compile with Numba or JAX. For long runs, set "
            'pytensor.config.mode = "NUMBA" or give mode= to pytensor.function.'
        )
    if floatX == "float64":
        yield (
            "Double precision takes twice the time and memory of single. If six digits "
            'are enough, set pytensor.config.floatX = "float32" before building.'
        )


def _advice_on_libraries(libraries, features, cores):
    if libraries is None:
        yield (
            "How matrices are multiplied is not known. Run: pip install threadpoolctl"
        )
        return
    openblas = [each for each in libraries if each["internal_api"] == "openblas"]
    narrow = {each.get("architecture") for each in openblas} & set(_NARROW_KERNELS)
    if "avx512f" in features and narrow:
        yield (
            f"OpenBLAS runs its kernels of {', '.join(sorted(narrow))}, vectors of "
            "256 bits, on a processor with 512. Set the environment variable "
            "OPENBLAS_CORETYPE=SkylakeX before Python starts."
        )
    if any(each["num_threads"] > cores for each in libraries):
        yield (
            f"Matrices are multiplied with more threads than the {cores} usable cores. "
            f"Set OMP_NUM_THREADS={cores} before Python starts."
        )
    if any(each["num_threads"] < cores for each in libraries):
        yield (
            f"Matrices are multiplied with fewer threads than the {cores} usable cores."
            " Look at OMP_NUM_THREADS and OPENBLAS_NUM_THREADS."
        )


def _advice_on_gpu(gpu, devices):
    if not gpu or (devices and not all(each.startswith("cpu") for each in devices)):
        return
    yield (
        "There is an NVIDIA GPU that JAX does not use. Run: "
        "pip install 'lasagne_next[cuda]', and compile with "
        "mode=lasagne_next.backends.jax_mode()."
    )
