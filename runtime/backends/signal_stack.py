"""The stack that a thread handles signals on, kept while OpenVINO loads its plugin.

On Linux the plugin of each core gives the thread that loads it a stack of its own, for the large registers of AMX, and unmaps that stack
when it goes. Where two come and go, the thread is left with one that is not there any more, and the next signal with a handler, such as
Ctrl-C, ends the process. A core for all models is no way out: OpenVINO 2026.4 crashes on good models after one that it failed to compile.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator


class _Stack(ctypes.Structure):
    """`stack_t` of signal.h."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextlib.contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give the thread back, at the end of a block, the stack that it had before; also a decorator."""
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
