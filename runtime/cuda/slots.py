"""What is kept for one shape of input: buffers, made once, and the captured graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.cuda import kernels
from ainet.runtime.cuda.arrays import DeviceImages, DeviceLabels
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.memory import Memory
from ainet.runtime.cuda.network import GpuNetwork
from ainet.runtime.plan import Plan
from ainet.spec import NEIGHBOURS

WARM_UPS = 2  # an engine does the last of its preparations in its first runs: they may need memory, and cannot be captured


class NetworkSlot:
    """The network alone, for one shape (N, h, w): a host array in, a host array out."""

    def __init__(self, gpu: Gpu, network: GpuNetwork, stream: int, shape: kernels.Shape) -> None:
        self._gpu, self._stream = gpu, stream
        input_shape, output_shape = tensor_shapes(network, shape)
        with Memory(gpu, stream) as self._memory:
            self._pinned_input = self._memory.pinned(input_shape, network.input_dtype)
            self._pinned_output = self._memory.pinned(output_shape, network.output_dtype)
            self._input = self._memory.device(self._pinned_input.nbytes)
            self._output = self._memory.device(self._pinned_output.nbytes)
            self._enqueue_network = network.prepare(shape, self._input, self._output, stream, self._memory.device)

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        self._pinned_input[...] = image
        self._gpu.copy(self._input, self._pinned_input.ctypes.data, self._pinned_input.nbytes, self._stream)
        self._enqueue_network()
        self._gpu.copy(self._pinned_output.ctypes.data, self._output, self._pinned_output.nbytes, self._stream)
        self._gpu.synchronize(self._stream)
        return self._pinned_output.copy()

    def close(self) -> None:
        self._memory.close()
        del self._enqueue_network


class LabelSlot:
    """All steps, for `count` images of one plan, which come from the host or from the GPU (`from_device`)."""

    def __init__(self, gpu: Gpu, network: GpuNetwork, stream: int, plan: Plan, count: int, from_device: bool) -> None:
        self.count = count
        self._gpu, self._network, self._stream, self._plan = gpu, network, stream, plan
        self._from_device = from_device
        self._launch = gpu.launcher(stream)
        with Memory(gpu, stream) as self._memory:
            self._allocate()
            shape = count, plan.working_height, plan.working_width
            self._enqueue_network = network.prepare(shape, self._input, self._output, stream, self._memory.device)
            self._graph: Callable[[], None] | None = None
            for _ in range(WARM_UPS):
                self._enqueue()
            gpu.synchronize(stream)
            if network.capturable:
                self._graph, destroy = getattr(network, "capture", gpu.capture)(stream, self._enqueue)
                self._memory.on_close(destroy)

    def run(self, images: NDArray[np.uint8] | DeviceImages, start: int, labels: NDArray[np.int32] | DeviceLabels) -> None:
        """Images from number `start` on -> their labels; waits for the result."""
        gpu, stream, pixels = self._gpu, self._stream, self._plan.height * self._plan.width
        if isinstance(images, DeviceImages):
            self._resize(images.address + start * pixels * 3)
        else:
            self._pinned_images[...] = images[start : start + self.count]
            gpu.copy(self._images, self._pinned_images.ctypes.data, self._pinned_images.nbytes, stream)
        if self._graph is None:
            self._enqueue()
        else:
            self._graph()
        target = labels.address + start * pixels * 4 if isinstance(labels, DeviceLabels) else self._pinned_labels.ctypes.data
        gpu.copy(target, self._labels, self._pinned_labels.nbytes, stream)
        gpu.synchronize(stream)
        if not isinstance(labels, DeviceLabels):
            labels[start : start + self.count] = self._pinned_labels

    def close(self) -> None:
        self._memory.close()
        del self._enqueue_network, self._graph  # what the engine made for this slot goes now, and not with the garbage

    def _allocate(self) -> None:
        plan, count, network, memory = self._plan, self.count, self._network, self._memory
        working = plan.working_height, plan.working_width
        input_shape, output_shape = tensor_shapes(network, (count, *working))
        self._input = memory.device(_bytes(input_shape, network.input_dtype))
        self._output = memory.device(_bytes(output_shape, network.output_dtype))
        self._tables = kernels.ResizeTables(*map(memory.uploaded, kernels.resize_tables(plan.height, plan.width, *working)))
        uses_values = network.input_dtype != "uint8"
        self._values = memory.uploaded(kernels.value_table(network.info.mean, network.input_dtype)) if uses_values else 0
        if not self._from_device:
            self._pinned_images = memory.pinned((count, plan.height, plan.width, 3), np.uint8)
            self._images = memory.device(self._pinned_images.nbytes)
        self._pinned_labels = memory.pinned((count, plan.height, plan.width), np.int32)
        self._ids, self._labels = (memory.device(self._pinned_labels.nbytes) for _ in range(2))
        self._scratch = memory.device(count * kernels.scratch_size(plan.height, plan.width) * 4)

    def _enqueue(self) -> None:
        """Everything between the two copies; but images on the GPU are at another address each time, so they are resized before."""
        plan, count = self._plan, self.count
        size, working = (plan.height, plan.width), (plan.working_height, plan.working_width)
        if not self._from_device:
            self._resize(self._images)
        self._enqueue_network()
        kernels.assign(self._launch, self._output, self._network.output_dtype, (count, *working), self._ids, size, plan.public)
        kernels.enforce_connectivity(self._launch, self._ids, self._labels, (count, *size), self._scratch, plan.min_size, plan.max_size)

    def _resize(self, images: int) -> None:
        plan, dtype = self._plan, self._network.input_dtype
        shape, size = (self.count, plan.height, plan.width), (plan.working_height, plan.working_width)
        kernels.resize(self._launch, images, shape, self._input, size, dtype, self._tables, self._values)


def tensor_shapes(network: GpuNetwork, shape: kernels.Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the network's input and output for (N, h, w)."""
    count, h, w = shape
    return (
        (count, h, w, 3) if network.input_dtype == "uint8" else (count, 3, h, w),
        shape if network.output_dtype == "int32" else (count, NEIGHBOURS, h, w),
    )


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
