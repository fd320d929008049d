"""From images to labels on one GPU. For each shape all steps are one CUDA graph, where the network can be part of one; copies of
images and labels that stay on the GPU go around it.

pipeline = GpuPipeline(open_gpu(0), network, "PyTorch (CUDA 0)")
labels = pipeline.labels(images, plan)         # numpy arrays
labels = pipeline.device_labels(images, plan)  # arrays in GPU memory: cupy.asarray(labels), and so on
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ainet.errors import DeviceError, UsageError
from ainet.runtime.cuda.arrays import DeviceLabels, device_images
from ainet.runtime.cuda.chunks import Batch, chunk_limit, chunk_sizes
from ainet.runtime.cuda.context import ContextPool, ExecutionContext
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.cuda.execution import LabelExecution, NetworkExecution
from ainet.runtime.cuda.network import GpuNetwork, tensor_shapes
from ainet.runtime.plan import Plan

if TYPE_CHECKING:
    from cuda.core import Stream

    from ainet.runtime.cuda.gpu import Gpu

Made = TypeVar("Made")


class GpuPipeline:
    """Runs a network with all steps around it: a backend (`LabelBackend`) of that name.

    Calls from several threads at once have execution contexts of their own. A large batch from the host runs in chunks that
    alternate between two contexts: while the GPU works for one chunk, the host copies those before and after it.
    """

    def __init__(self, gpu: "Gpu", network: GpuNetwork, name: str) -> None:
        self.info = network.info
        self.name = name
        self._gpu = gpu
        self._network = network
        self._contexts = ContextPool(gpu)
        self._preparing = threading.Lock()  # one execution at a time: engines compile, and name the reason if one fails
        self._records_stages = False
        self._stage_times: Counter[str] = Counter()

    def labels(self, images: NDArray[np.uint8], plan: Plan) -> NDArray[np.int32]:
        """RGB images (N, H, W, 3) of the plan's size -> labels (N, H, W), each image's 0..K-1.

        Raises:
            UsageError: `images` is no such array.
            ModelError: the network does not take the plan's working size.
            DeviceError: the GPU fails, or has too little memory even for one image.
        """
        _check_shape(images.shape, plan)
        if images.dtype != np.uint8:
            raise UsageError(f"images must be uint8, not {images.dtype}")
        batch = Batch(plan, images, np.empty(images.shape[:3], np.int32), len(images), on_device=False)
        sizes = self._chunk_sizes(batch)
        with self._contexts.borrow(min(2, len(sizes))) as contexts:
            self._run(contexts, batch, sizes)
        return batch.labels

    def device_labels(self, images: Any, plan: Plan) -> DeviceLabels:
        """The same on the GPU: an array (N, H, W, 3) or (H, W, 3) there -> labels (N, H, W) or (H, W) there."""
        with self._contexts.borrow(1) as contexts:
            source = device_images(images, self._gpu, int(contexts[0].stream.handle))
            _check_shape(source.shape, plan)
            shape = source.shape[1:3] if source.single else source.shape[:3]
            size = 4 * int(np.prod(shape))
            labels = DeviceLabels(self._with_freed_memory(contexts, lambda: self._gpu.allocate(size)), shape)
            batch = Batch(plan, source.address, labels.address, source.shape[0], on_device=True)
            self._run(contexts, batch, self._chunk_sizes(batch))
        return labels

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """The network alone, as of any backend."""
        network = self._network
        sizes = image.shape[1:3] if network.input_dtype == "uint8" else image.shape[2:]
        shape = image.shape[0], sizes[0], sizes[1]
        if image.shape != tensor_shapes(network, shape)[0]:
            raise DeviceError(f"the network takes {tensor_shapes(network, shape)[0]}, not {image.shape}")

        def make(stream: "Stream") -> NetworkExecution:
            with self._preparing:
                return NetworkExecution(self._gpu, network, stream, shape)

        with self._contexts.borrow(1) as contexts:
            return self._with_freed_memory(contexts, lambda: contexts[0].execution(shape, make)).run(image)

    def record_stages(self) -> None:
        """Record stage times from now on, by events between the steps of every graph; no call may be running."""
        self._contexts.close_idle()
        self._records_stages = True

    def stage_times(self) -> dict[str, float]:
        """Milliseconds by stage (`stages.STAGES`), summed over all chunks since the last call of this."""
        times, self._stage_times = self._stage_times, Counter()
        return dict(times)

    def close(self) -> None:
        """Wait for the calls that are running, and release all memory; a call that follows is a `UsageError`. Again it does nothing."""
        if self._contexts.close():
            self._network.close()

    def _chunk_sizes(self, batch: Batch, start: int = 0, limit: int | None = None) -> deque[int]:
        """How many images each chunk from image number `start` on has."""
        plan = batch.plan

        def fitting(images: int) -> int:
            return self._network.fitting_batch(images, plan.working_height, plan.working_width)

        return deque(chunk_sizes(batch.count - start, limit or chunk_limit(batch), fitting))

    def _run(self, contexts: list[ExecutionContext], batch: Batch, sizes: deque[int]) -> None:
        """Run all chunks, alternating between the contexts.

        Where memory is short, cached memory is freed and the chunk runs again in one context; if that fails too, in smaller chunks.
        """
        order, start, failed = deque(contexts), 0, 0
        while sizes:
            context = order[0]
            self._finish(context)
            shortage = self._start(context, batch, start, sizes[0])
            if shortage is None:
                start += sizes.popleft()
                order.rotate()
            elif failed != sizes[0]:
                failed = sizes[0]
                self._free_memory(contexts)
                order = deque([context])
            else:
                sizes = self._chunk_sizes(batch, start, max(1, failed // 2))
                if sizes[0] >= failed:
                    raise shortage
        for context in contexts:
            self._finish(context)

    def _start(self, context: ExecutionContext, batch: Batch, start: int, size: int) -> OutOfMemoryError | None:
        """Begin a chunk; if there is too little memory for it, the error."""

        def make(stream: "Stream") -> LabelExecution:
            with self._preparing:
                return LabelExecution(self._gpu, self._network, stream, batch.plan, size, batch.on_device, self._records_stages)

        try:
            execution = context.execution((batch.plan, size, batch.on_device), make)
        except OutOfMemoryError as error:
            return OutOfMemoryError(str(error))  # a new one: the traceback of the other holds memory
        context.start(execution, *batch.part(start, size))
        return None

    def _finish(self, context: ExecutionContext) -> None:
        times = context.finish()
        if times:
            self._stage_times.update(times)

    def _with_freed_memory(self, contexts: list[ExecutionContext], make: Callable[[], Made]) -> Made:
        """What `make` makes; if memory is short, once more after what is cached was freed."""
        with suppress(OutOfMemoryError):  # the next try comes when all that hangs on this error is gone
            return make()
        self._free_memory(contexts)
        return make()

    def _free_memory(self, contexts: list[ExecutionContext]) -> None:
        """Free what is cached: in these contexts, in idle ones, and by the engine."""
        for context in contexts:
            self._finish(context)
            context.evict_all()
        self._contexts.close_idle()
        self._network.free_cache()


def _check_shape(shape: tuple[int, ...], plan: Plan) -> None:
    if len(shape) != 4 or shape[1:] != (plan.height, plan.width, 3) or shape[0] == 0:
        raise UsageError(f"images for this plan must have the shape (N, {plan.height}, {plan.width}, 3), not {shape}")
