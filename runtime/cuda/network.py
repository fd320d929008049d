"""What the GPU pipeline asks of an inference engine."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ainet.runtime.cuda.kernels import Shape
from ainet.runtime.model import ModelInfo
from ainet.spec import NEIGHBOURS

Enqueue = Callable[[], None]
Allocate = Callable[[int], int]  # bytes -> the address of new device memory


class Graph(NamedTuple):
    """A captured CUDA graph, as functions to replay it in its stream and to destroy it."""

    replay: Callable[[], None]
    close: Callable[[], None]


class GpuNetwork(Protocol):
    """A model on a GPU that reads and writes memory which it is given.

    input_dtype: "uint8" for RGB (N, h, w, 3); "float32" or "float16" for normalised planes (N, 3, h, w). output_dtype:
    "int32" for cell ids (N, h, w); "float32" or "float16" for scores (N, 9, h, w). capturable: whether its work can be
    part of a CUDA graph. One whose engine has to know of a capture has a method `capture(stream, enqueue)` of its own, in place
    of `Gpu.capture`. Streams and addresses are plain integers.
    """

    info: ModelInfo
    input_dtype: str
    output_dtype: str
    capturable: bool

    def fitting_batch(self, images: int, height: int, width: int) -> int:
        """How many of so many images of height x width it takes at once, at most.

        Raises:
            ModelError: it takes none of that size, or only more.
        """
        ...

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        """Make ready for one shape (N, h, w): a function that puts the network's work into the stream, each time it is called.

        image, output: addresses that it reads and writes. allocate: allocates memory that stays until the function is dropped.

        Raises:
            ModelError: it does not take that shape.
            DeviceError: the engine fails, such as for lack of memory.
        """
        ...

    def free_cache(self) -> None:
        """Free GPU memory that the engine keeps for later; memory is short."""
        ...

    def close(self) -> None:
        """Release the model; nothing that was prepared may run any more."""
        ...


def tensor_shapes(network: GpuNetwork, shape: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the network's input and output for (N, h, w)."""
    count, h, w = shape
    return (
        (count, h, w, 3) if network.input_dtype == "uint8" else (count, 3, h, w),
        shape if network.output_dtype == "int32" else (count, NEIGHBOURS, h, w),
    )
