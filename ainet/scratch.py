"""Room for large arrays: on disk, mapped into memory, so that the system keeps in memory what is used and no more."""

import math
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ainet.errors import OutputError

LARGE = 2**28  # bytes; smaller ones lie in memory


def allocate(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array whose values are still to be written; a large one in a file without a name in `TMPDIR`, which goes with the array.

    Raises:
        OutputError: there is no room on the disk.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= LARGE:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)  # now: a full disk would end the process later, when it writes
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        room = f"{size / 1e9:.1f} GB in {tempfile.gettempdir()}"
        raise OutputError(f"a large image needs {room} while it is used: {error.strerror}; free it, or name another by TMPDIR") from error
