"""OpenVINO's core, one for the process.

The plugin of each core gives the thread that it starts in another stack for signals, and unmaps it when it goes. Where two come and go, the
thread is left with one that is not there any more, and the next signal with a handler, such as Ctrl-C, ends the process.
"""

import os
from functools import cache

import openvino


def core() -> openvino.Core:
    """The core of this process, which stays until its end; a fork has its own, as its parent's threads are not in it."""
    return _core_of(os.getpid())


@cache
def _core_of(process: int) -> openvino.Core:
    return openvino.Core()
