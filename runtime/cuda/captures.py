"""CUDA graphs are captured one at a time, and memory that the capturing thread releases meanwhile is freed afterwards.

A thread that captures must not free memory, but Python may collect a result of an earlier run at any moment; other threads may
free theirs. And PyTorch takes one capture at a time in a process.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Captures:
    """The captures of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = threading.local()  # of a thread that captures: `releases`

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Around a capture, and around work that must not run during one; waits until no other thread is in such a block."""
        releases: list[Callable[[], None]] = []
        try:
            with self._lock:
                self._waiting.releases = releases
                try:
                    yield
                finally:
                    del self._waiting.releases
        finally:
            for release in releases:
                release()

    def free(self, release: Callable[[], None]) -> None:
        """Call `release`, now or after the capture of this thread."""
        releases = getattr(self._waiting, "releases", None)
        if releases is None:
            release()
        else:
            releases.append(release)


CAPTURES = Captures()
