"""Warnings are kept off the terminal while files are read, and come back."""

import threading
import warnings

import pytest

from ainet.quiet import quiet


def test_threads_that_begin_and_end_in_any_order() -> None:
    """The last one restores the filters, though the first one's block ends before it."""
    inside, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with quiet():
            inside.set()
            go_on.wait(60)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        other = threading.Thread(target=read)
        with quiet():
            other.start()
            inside.wait(60)
            warnings.warn("within", stacklevel=1)
        warnings.warn("in the other thread", stacklevel=1)
        go_on.set()
        other.join()
        warnings.warn("after", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["after"]


def test_errors_restore_them_too() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(KeyError), quiet():
            raise KeyError
        warnings.warn("after", stacklevel=1)
    assert len(seen) == 1
