"""CUDA graphs are captured one at a time, and memory that is released meanwhile is freed afterwards.

A thread that captures must not free memory, but Python may collect a result of an earlier run in any thread at any moment. And
PyTorch takes one capture at a time in a process.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ainet.errors import DeviceError


class Captures:
    """The captures of a process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # held during a capture and while memory is freed; the collector may come back in the same thread
        self._capturing = False
        self._releases: deque[Callable[[], None]] = deque()

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """A capture of this thread, or what must not meet one; waits until no other one runs."""
        try:
            with self._lock:
                self._capturing = True
                try:
                    yield
                finally:
                    self._capturing = False
        finally:
            self._release()

    def free(self, release: Callable[[], None]) -> None:
        """Call `release` now, or after the capture that is going on; never waits."""
        self._releases.append(release)
        self._release()

    def _release(self) -> None:
        # Whoever finds the lock taken leaves its release to the thread that holds it, which looks once more after giving it back.
        while self._releases and self._lock.acquire(blocking=False):
            try:
                if self._capturing:
                    return
                if self._releases:
                    with suppress(DeviceError):  # a GPU that is lost has nothing left to release; whoever uses it next is told
                        self._releases.popleft()()
            finally:
                self._lock.release()


CAPTURES = Captures()
