"""What an execution context keeps for one shape: buffers, made once, and the captured graph."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.network import Enqueue, GpuNetwork, tensor_shapes
from ainet.runtime.cuda.stages import StageEvents
from ainet.runtime.plan import INTERPOLATED, Plan
from ainet.runtime.resampling import plan_tables

if TYPE_CHECKING:
    from cuda.core import Stream

    from ainet.runtime.cuda.gpu import Gpu

WARM_UPS = 2  # an engine does the last of its preparations in its first runs: they may need memory, and cannot be captured


class Execution:
    """A network made ready for one shape (N, h, w) in one stream, with memory that is released together.

    Raises:
        OutOfMemoryError: there is too little memory for it; what was allocated is released.
    """

    def __init__(self, gpu: "Gpu", network: GpuNetwork, stream: "Stream", shape: kernels.Shape) -> None:
        self._gpu, self._network, self._stream, self._shape = gpu, network, stream, shape
        with ExitStack() as releases:
            self._releases = releases
            self._prepare()
            self._releases = releases.pop_all()

    def close(self) -> None:
        """Release all; what the engine made goes now, and not with the garbage."""
        self._releases.close()
        del self._enqueue_network

    def _prepare(self) -> None:
        network, stream = self._network, int(self._stream.handle)
        input_shape, output_shape = tensor_shapes(network, self._shape)
        self._input = self._device(_bytes(input_shape, network.input_dtype))
        self._output = self._device(_bytes(output_shape, network.output_dtype))
        self._enqueue_network: Enqueue = network.prepare(self._shape, self._input, self._output, stream, self._device)

    def _device(self, size: int) -> int:
        """Address of `size` new bytes on the GPU."""
        buffer = self._gpu.allocate(size)
        self._releases.callback(buffer.close)
        return int(buffer.handle)

    def _uploaded(self, array: NDArray[Any]) -> int:
        """Address of a copy of the array on the GPU."""
        address = self._device(array.nbytes)
        self._gpu.copy(address, array.ctypes.data, array.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return address

    def _pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A new array in pinned host memory."""
        buffer, array = self._gpu.allocate_pinned(shape, dtype)
        self._releases.callback(buffer.close)
        return array


class NetworkExecution(Execution):
    """The network alone: a host array in, a host array out."""

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """An input of the network, such as float32 (N, 3, h, w) -> its output, such as float32 (N, 9, h, w); see `Backend.run`."""
        image = np.ascontiguousarray(image, self._network.input_dtype)
        output = np.empty(tensor_shapes(self._network, self._shape)[1], self._network.output_dtype)
        self._gpu.copy(self._input, image.ctypes.data, image.nbytes, self._stream)
        self._enqueue_network()
        self._gpu.copy(output.ctypes.data, self._output, output.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return output


class LabelExecution(Execution):
    """All steps, for `count` images of one plan. On the host, images and labels are copied inside the graph, from and to pinned
    memory; on the GPU (`on_device`) their addresses differ from call to call, so they are copied around it.

    events: whether stage times are recorded.
    """

    def __init__(
        self, gpu: "Gpu", network: GpuNetwork, stream: "Stream", plan: Plan, count: int, on_device: bool, events: bool = False
    ) -> None:
        self._plan, self._on_device = plan, on_device
        self._events = StageEvents(gpu, stream) if events else None
        self._in_capture = False
        super().__init__(gpu, network, stream, (count, plan.working_height, plan.working_width))

    def start(self, images: Any, labels: Any) -> None:
        """Put the work into the stream. On the host: arrays of images and labels; on the GPU: their addresses."""
        self._target = labels
        if self._on_device:
            self._before("upload")
            self._gpu.copy(self._images, images, self._image_bytes, self._stream)
        else:
            self._pinned_images[...] = images
        self._run()
        if self._on_device:
            self._before("download")
            self._gpu.copy(labels, self._labels, self._label_bytes, self._stream)
            self._after_last()

    def finish(self) -> None:
        """Wait for the labels."""
        self._gpu.synchronize(self._stream)
        if not self._on_device:
            self._target[...] = self._pinned_labels
        self._target = None

    def stage_times(self) -> dict[str, float]:
        """Milliseconds by stage, of the last run; nothing where they are not recorded."""
        return self._events.milliseconds() if self._events else {}

    def close(self) -> None:
        super().close()
        del self._run

    def _prepare(self) -> None:
        if self._events:
            self._releases.callback(self._events.close)
        self._allocate()
        super()._prepare()
        for _ in range(WARM_UPS):
            self._enqueue()
        self._gpu.synchronize(self._stream)
        self._run: Callable[[], None] = self._enqueue
        if self._network.capturable:
            capture = getattr(self._network, "capture", self._gpu.capture)
            self._in_capture = True
            graph = capture(self._stream, self._enqueue)
            self._in_capture = False
            self._releases.callback(graph.close)
            self._run = graph.replay

    def _allocate(self) -> None:
        plan, network = self._plan, self._network
        count, height, width = self._shape[0], plan.height, plan.width
        self._tables = kernels.ResizeTables.of(plan_tables(plan), self._uploaded)
        takes_bytes = network.input_dtype == "uint8"
        self._values = 0 if takes_bytes else self._uploaded(kernels.value_table(network.info.mean, network.input_dtype))
        self._image_bytes, self._label_bytes = count * height * width * 3, count * height * width * 4
        if not self._on_device:
            self._pinned_images = self._pinned((count, height, width, 3), np.uint8)
            self._pinned_labels = self._pinned((count, height, width), np.int32)
        self._images = self._device(self._image_bytes)
        self._ids, self._labels = self._device(self._label_bytes), self._device(self._label_bytes)
        self._scratch = self._device(count * kernels.scratch_size(height, width) * 4)
        self._launch = self._gpu.launcher(self._stream)

    def _enqueue(self) -> None:
        plan, network, launch = self._plan, self._network, self._launch
        count, size, working = self._shape[0], (plan.height, plan.width), (plan.working_height, plan.working_width)
        if not self._on_device:
            self._before("upload")
            self._gpu.copy(self._images, self._pinned_images.ctypes.data, self._image_bytes, self._stream)
        self._before("resize")
        kernels.resize(launch, self._images, (count, *size), self._input, working, network.input_dtype, self._tables, self._values)
        self._before("network")
        self._enqueue_network()
        self._before("assign")
        smoothing = {"interpolates": plan.smoothing == INTERPOLATED, "logits": network.info.output == "logits"}
        kernels.assign(launch, self._output, network.output_dtype, (count, *working), self._ids, size, plan.public, **smoothing)
        self._before("connectivity")
        kernels.enforce_connectivity(launch, self._ids, self._labels, (count, *size), self._scratch, plan.min_size, plan.max_size)
        if not self._on_device:
            self._before("download")
            self._gpu.copy(self._pinned_labels.ctypes.data, self._labels, self._label_bytes, self._stream)
            self._after_last()

    def _before(self, stage: str) -> None:
        if self._events:
            self._events.before(stage, self._in_capture)

    def _after_last(self) -> None:
        if self._events:
            self._events.after_last(self._in_capture)


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
