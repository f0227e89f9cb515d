"""Ctrl-C that is not lost in compiled code.

While Numba compiles or computes, Python's KeyboardInterrupt may be swallowed by a
callback, or come out as a SystemError (seen with PyTensor 3.0.7 and 3.3.7). Whoever
waits for it looks here too.
"""

from __future__ import annotations

import contextlib
import signal
import threading

__all__ = ["noting", "raise_if_noted", "was_noted"]

_noted = threading.Event()


@contextlib.contextmanager
def noting():
    """Note every Ctrl-C within a block, and raise KeyboardInterrupt as usual.

    Only for the main thread. Does nothing where the signal is ignored, as it is for
    programs that were started in the background.

    Examples
    --------
    >>> with noting():
    ...     print(was_noted())
    False
    """
    _noted.clear()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


def _note(number, frame):
    _noted.set()
    raise KeyboardInterrupt


def was_noted():
    """Tell whether there was a Ctrl-C since the last :func:`noting` began.

    Returns
    -------
    bool
        Also after the block.
    """
    return _noted.is_set()


def raise_if_noted():
    """Raise the KeyboardInterrupt again that compiled code has swallowed.

    Raises
    ------
    KeyboardInterrupt
        If there was a Ctrl-C.
    """
    if was_noted():
        raise KeyboardInterrupt
