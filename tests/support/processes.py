"""What tests run in other processes: a data set, and calls in a fork."""

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Superpixels:
    """A data set of PyTorch: the label maps of an image, rolled."""

    def __init__(self, segmenter: Any, image: NDArray[np.uint8]) -> None:
        self.segmenter, self.image = segmenter, image

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        return self.segmenter(np.roll(self.image, number, 0), 12)


def in_a_fork(call: Callable[[], object]) -> str:
    """The kind of the exception that a call raises in a fork of this process, or nothing."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(60)
        try:
            call()
        except BaseException as error:
            os.write(writer, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        kind = pipe.read()
    assert os.waitpid(process, 0)[1] == 0
    return kind
