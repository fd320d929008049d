"""From images to labels on one GPU: all steps between the two copies are one CUDA graph for each shape.

pipeline = GpuPipeline(Gpu(0), network, "PyTorch (CUDA 0)")
labels = pipeline.labels(images, plan)         # a numpy array
labels = pipeline.device_labels(images, plan)  # stays on the GPU: cupy.asarray(labels), and so on
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ainet.errors import DeviceError, UsageError
from ainet.runtime.cuda.arrays import DeviceImages, DeviceLabels, device_images, is_device_array
from ainet.runtime.cuda.driver import Gpu, OutOfMemoryError
from ainet.runtime.cuda.network import GpuNetwork
from ainet.runtime.cuda.slots import LabelSlot, NetworkSlot, tensor_shapes
from ainet.runtime.plan import Plan

MAX_SLOTS = 8  # shapes that are kept, for each stream
BATCH_PIXELS = 2**23  # working pixels of a batch that goes through the network at once: 54 photos of 320 x 480

Slot = TypeVar("Slot", NetworkSlot, LabelSlot)


class GpuPipeline:
    """Runs a network with all steps around it: a backend (`LabelBackend`) of that name.

    Calls from several threads at once have a stream and buffers each.
    """

    def __init__(self, gpu: Gpu, network: GpuNetwork, name: str) -> None:
        self.info = network.info
        self.name = name
        self._gpu = gpu
        self._network = network
        self._idle: list[_Lane] = []

    def labels(self, images: Any, plan: Plan) -> NDArray[np.int32]:
        """RGB uint8 images (N, H, W, 3) of the plan's size -> labels (N, H, W), each image's 0..K-1.

        images: a numpy array, or a GPU array that speaks `__cuda_array_interface__` or DLPack.

        Raises:
            UsageError: `images` is no such array.
            ModelError: the network does not take the plan's working size.
            DeviceError: the GPU fails, or has too little memory even for one image.
        """
        with self._lane() as lane:
            source = self._source(images, plan, lane)
            result = np.empty((source.shape[0], plan.height, plan.width), np.int32)
            self._run(lane, source, plan, result)
            return result

    def device_labels(self, images: Any, plan: Plan) -> DeviceLabels:
        """The same with labels that stay on the GPU; of one image (H, W, 3) there, labels (H, W)."""
        with self._lane() as lane:
            source = self._source(images, plan, lane)
            size = plan.height, plan.width
            shape = size if isinstance(source, DeviceImages) and source.single else (source.shape[0], *size)
            result = DeviceLabels(self._gpu.allocate(4 * source.shape[0] * size[0] * size[1]), shape, self._gpu.free)
            self._run(lane, source, plan, result)
            return result

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """The network alone, as of any backend."""
        network = self._network
        batch, height, width = (image.shape[0], *image.shape[1:3]) if network.input_dtype == "uint8" else (image.shape[0], *image.shape[2:])
        shape = batch, height, width
        if image.shape != tensor_shapes(network, shape)[0]:
            raise DeviceError(f"the network takes {tensor_shapes(network, shape)[0]}, not {image.shape}")
        with self._lane() as lane:
            return lane.slot(shape, lambda: NetworkSlot(self._gpu, network, lane.stream, shape)).run(image)

    def close(self) -> None:
        """Release all memory; no call may be running, and none may follow."""
        self._gpu.activate()
        while self._idle:
            self._idle.pop().close()
        self._network.close()

    @contextmanager
    def _lane(self) -> "Iterator[_Lane]":
        self._gpu.activate()
        try:
            lane = self._idle.pop()
        except IndexError:
            lane = _Lane(self._gpu, self._network)
        try:
            yield lane
        finally:
            self._idle.append(lane)

    def _source(self, images: Any, plan: Plan, lane: "_Lane") -> NDArray[np.uint8] | DeviceImages:
        source: Any = device_images(images, self._gpu.index, lane.stream) if is_device_array(images) else images
        if len(source.shape) != 4 or source.shape[1:] != (plan.height, plan.width, 3) or source.shape[0] == 0:
            raise UsageError(f"images for this plan must have the shape (N, {plan.height}, {plan.width}, 3), not {source.shape}")
        if isinstance(source, DeviceImages):
            if source.stream is not None:
                self._gpu.wait_for(lane.stream, source.stream)
        elif source.dtype != np.uint8:
            raise UsageError(f"images must be uint8, not {source.dtype}")
        return source

    def _run(self, lane: "_Lane", source: NDArray[np.uint8] | DeviceImages, plan: Plan, result: NDArray[np.int32] | DeviceLabels) -> None:
        working = plan.working_height, plan.working_width
        limit = max(1, BATCH_PIXELS // (working[0] * working[1]))
        from_device = isinstance(source, DeviceImages)
        start = 0
        while start < source.shape[0]:
            count = self._network.fitting_batch(min(limit, source.shape[0] - start), *working)
            try:
                slot = lane.slot((plan, count, from_device), self._maker(lane, plan, count, from_device))
            except OutOfMemoryError:
                if count == 1:
                    raise
                limit = count // 2
                continue
            slot.run(source, start, result)
            start += count

    def _maker(self, lane: "_Lane", plan: Plan, count: int, from_device: bool) -> Callable[[], LabelSlot]:
        return lambda: LabelSlot(self._gpu, self._network, lane.stream, plan, count, from_device)


class _Lane:
    """A stream, and the slots of the shapes that ran in it last."""

    def __init__(self, gpu: Gpu, network: GpuNetwork) -> None:
        self._gpu, self._network = gpu, network
        self._slots: OrderedDict[Hashable, Any] = OrderedDict()
        self.stream = gpu.make_stream()

    def slot(self, key: Hashable, make: Callable[[], Slot]) -> Slot:
        """The slot of that key; if memory is short, the others and the engine's reserve make room for it."""
        if key not in self._slots:
            while len(self._slots) >= MAX_SLOTS:
                self._slots.popitem(last=False)[1].close()
            try:
                self._slots[key] = make()
            except OutOfMemoryError:
                self._drop_slots()
                self._network.free_cache()
                self._slots[key] = make()
        self._slots.move_to_end(key)
        return self._slots[key]

    def close(self) -> None:
        self._drop_slots()
        self._gpu.free_stream(self.stream)

    def _drop_slots(self) -> None:
        while self._slots:
            self._slots.popitem()[1].close()
