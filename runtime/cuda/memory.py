"""Memory that is released together."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from numpy.typing import DTypeLike, NDArray

from ainet.runtime.cuda.driver import Gpu


class Memory:
    """Device memory and pinned host memory for work in one stream. A context manager that releases all if its block raises."""

    def __init__(self, gpu: Gpu, stream: int) -> None:
        self._gpu, self._stream = gpu, stream
        self._releases = ExitStack()

    def device(self, size: int) -> int:
        """Address of `size` new bytes on the GPU."""
        address = self._gpu.allocate(size)
        self.on_close(lambda: self._gpu.free(address))
        return address

    def uploaded(self, array: NDArray[Any]) -> int:
        """Address of a copy of the array on the GPU."""
        address = self.device(array.nbytes)
        self._gpu.copy(address, array.ctypes.data, array.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return address

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array in pinned host memory."""
        array = self._gpu.allocate_pinned(shape, dtype)
        self.on_close(lambda: self._gpu.free_pinned(array))
        return array

    def on_close(self, release: Callable[[], None]) -> None:
        """Call `release` before what was made earlier is released."""
        self._releases.callback(release)

    def close(self) -> None:
        self._releases.close()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.close()
