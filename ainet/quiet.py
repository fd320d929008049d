"""Warnings of libraries about files, of which our own errors speak: kept off the terminal while a file is read."""

import contextlib
import threading
import warnings
from collections.abc import Iterator


class _Silence:
    """Python's filters of warnings are one list for all threads: the first reader sets them, the last one restores them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._filters = contextlib.ExitStack()

    def begin(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._filters.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")

    def end(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._filters.close()


_silence = _Silence()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings, in all threads, while a block runs."""
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()
