"""From images to labels on one GPU: all steps between the two copies are one CUDA graph for each shape.

pipeline = GpuPipeline(Gpu(0), network, "PyTorch (CUDA 0)")
labels = pipeline.labels(images, plan)         # a numpy array
labels = pipeline.device_labels(images, plan)  # stays on the GPU: cupy.asarray(labels), and so on
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.runtime.cuda.arrays import DeviceImages, DeviceLabels, device_images, is_device_array
from ainet.runtime.cuda.driver import Gpu, OutOfMemoryError
from ainet.runtime.cuda.network import GpuNetwork
from ainet.runtime.cuda.slots import LabelSlot, NetworkSlot, tensor_shapes
from ainet.runtime.plan import Plan

MAX_SLOTS = 8  # shapes that are kept, for each stream
BATCH_PIXELS = 2**23  # working pixels of a batch that goes through the network at once: 54 photos of 320 x 480
LANES = 4  # for one call: while the GPU works for one share of its images, the host copies those of another
SHARE = 8  # images, at least, that get a lane of their own

Slot = TypeVar("Slot", NetworkSlot, LabelSlot)
Made = TypeVar("Made")


class _Job(NamedTuple):
    """What one call is to do."""

    source: NDArray[np.uint8] | DeviceImages
    plan: Plan
    result: NDArray[np.int32] | DeviceLabels


class GpuPipeline:
    """Runs a network with all steps around it: a backend (`LabelBackend`) of that name.

    Calls from several threads at once have a stream and buffers each, and so have the shares of a large batch.
    """

    def __init__(self, gpu: Gpu, network: GpuNetwork, name: str) -> None:
        self.info = network.info
        self.name = name
        self._gpu = gpu
        self._network = network
        self._idle: list[_Lane] = []
        self._workers = ThreadPoolExecutor(LANES - 1, "ainet-gpu")
        self._making = threading.Lock()  # slots are made one after the other: engines compile, and name the reason if one fails

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
            self._run(lane, _Job(source, plan, result))
            return result

    def device_labels(self, images: Any, plan: Plan) -> DeviceLabels:
        """The same with labels that stay on the GPU; of one image (H, W, 3) there, labels (H, W)."""
        with self._lane() as lane:
            source = self._source(images, plan, lane)
            size = plan.height, plan.width
            shape = size if isinstance(source, DeviceImages) and source.single else (source.shape[0], *size)
            address = lane.with_room(partial(self._gpu.allocate, 4 * source.shape[0] * size[0] * size[1]))
            result = DeviceLabels(address, shape, self._gpu.free)
            self._run(lane, _Job(source, plan, result))
            return result

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """The network alone, as of any backend."""
        network = self._network
        batch, height, width = (image.shape[0], *image.shape[1:3]) if network.input_dtype == "uint8" else (image.shape[0], *image.shape[2:])
        shape = batch, height, width
        if image.shape != tensor_shapes(network, shape)[0]:
            raise DeviceError(f"the network takes {tensor_shapes(network, shape)[0]}, not {image.shape}")
        with self._lane() as lane:
            return lane.slot(shape, lambda: self._make(NetworkSlot, lane, shape)).run(image)

    def close(self) -> None:
        """Release all memory; no call may be running, and none may follow."""
        self._workers.shutdown()
        with suppress(DeviceError):  # a GPU that is lost has nothing left to release
            self._gpu.activate()
            self._close_idle()
        self._network.close()

    @contextmanager
    def _lane(self) -> "Iterator[_Lane]":
        self._gpu.activate()
        try:
            lane = self._idle.pop()
        except IndexError:
            lane = _Lane(self._gpu, self._close_idle, self._network.free_cache)
        try:
            yield lane
        finally:
            self._idle.append(lane)

    def _source(self, images: Any, plan: Plan, lane: "_Lane") -> NDArray[np.uint8] | DeviceImages:
        source: Any = device_images(images, self._gpu.index, lane.stream) if is_device_array(images) else images
        if len(source.shape) != 4 or source.shape[1:] != (plan.height, plan.width, 3) or source.shape[0] == 0:
            raise UsageError(f"images for this plan must have the shape (N, {plan.height}, {plan.width}, 3), not {source.shape}")
        if isinstance(source, DeviceImages):
            self._gpu.check_address(source.address)
            if source.stream is not None:
                self._gpu.wait_for(lane.stream, source.stream)
        elif source.dtype != np.uint8:
            raise UsageError(f"images must be uint8, not {source.dtype}")
        return source

    def _run(self, lane: "_Lane", job: _Job) -> None:
        """All images, in shares at the same time; those that find too little memory beside the others run once more after them."""
        count = job.source.shape[0]
        share = count if isinstance(job.source, DeviceImages) else self._share(count, job.plan)
        shares = [range(n, min(n + share, count)) for n in range(0, count, share)]
        for numbers in self._run_together(lane, job, shares) if len(shares) > 1 else shares:
            self._run_share(lane, job, numbers)

    def _run_together(self, lane: "_Lane", job: _Job, shares: Sequence[range]) -> list[range]:
        """The first share in `lane`, the others in lanes of their own; gives back those for which memory was short."""
        runs = [self._workers.submit(self._run_elsewhere, job, numbers) for numbers in shares[1:]]
        ends: list[Callable[[], None]] = [partial(self._run_share, lane, job, shares[0]), *(run.result for run in runs)]
        short = []
        try:
            for numbers, end in zip(shares, ends, strict=True):
                try:
                    end()
                except OutOfMemoryError:
                    short.append(numbers)
        finally:
            wait(runs)
        return short

    def _share(self, count: int, plan: Plan) -> int:
        """Images of each share but the last: such as leave the network the batches that it takes."""

        def taken(images: int) -> int:
            return self._network.fitting_batch(images, plan.working_height, plan.working_width)

        share = share_of(count)
        if share < count:
            if (most := taken(count)) <= share:
                return -(-share // most) * most
            with suppress(ModelError):
                if all(taken(images) == images for images in (share, count % share) if images):
                    return share
        return count

    def _run_elsewhere(self, job: _Job, numbers: range) -> None:
        with self._lane() as lane:
            self._run_share(lane, job, numbers)

    def _run_share(self, lane: "_Lane", job: _Job, numbers: range) -> None:
        """The images of these numbers, as many at a time as the network takes and memory holds."""
        source, plan, result = job
        limit = max(1, BATCH_PIXELS // (plan.working_height * plan.working_width))
        from_device = isinstance(source, DeviceImages)
        start = numbers.start
        while start < numbers.stop:
            count = self._fitting(limit, numbers.stop - start, plan)
            try:
                slot = lane.slot((plan, count, from_device), partial(self._make, LabelSlot, lane, plan, count, from_device))
            except OutOfMemoryError:
                limit = count // 2
                if limit == 0 or self._fitting(limit, numbers.stop - start, plan) >= count:
                    raise
                continue
            slot.run(source, start, result)
            start += count

    def _fitting(self, limit: int, images: int, plan: Plan) -> int:
        """Of so many images those to run at once: at most `limit`, unless the network takes only more."""
        try:
            return self._network.fitting_batch(min(limit, images), plan.working_height, plan.working_width)
        except ModelError:
            if limit >= images:
                raise
        return self._network.fitting_batch(images, plan.working_height, plan.working_width)

    def _make(self, kind: type[Slot], lane: "_Lane", *shape: Any) -> Slot:
        with self._making:
            return kind(self._gpu, self._network, lane.stream, *shape)

    def _close_idle(self) -> None:
        with suppress(IndexError):  # other threads take lanes too
            while True:
                self._idle.pop().close()


def share_of(count: int) -> int:
    """Images of each share of a batch from host memory, if the network takes any number."""
    shares = max(1, min(LANES, count // SHARE))
    return -(-count // shares)


class _Lane:
    """A stream, and the slots of the shapes that ran in it last."""

    def __init__(self, gpu: Gpu, *make_room: Callable[[], None]) -> None:
        self._gpu, self._make_room = gpu, make_room
        self._slots: OrderedDict[Hashable, Any] = OrderedDict()
        self.stream = gpu.make_stream()

    def slot(self, key: Hashable, make: Callable[[], Slot]) -> Slot:
        """The slot of that key."""
        if key not in self._slots:
            while len(self._slots) >= MAX_SLOTS:
                self._slots.popitem(last=False)[1].close()
            self._slots[key] = self.with_room(make)
        self._slots.move_to_end(key)
        return self._slots[key]

    def with_room(self, make: Callable[[], Made]) -> Made:
        """What `make` makes; if memory is short, the slots make room for it, and what `make_room` gives back."""
        with suppress(OutOfMemoryError):  # the next try comes when all that hangs on this error is gone
            return make()
        self._drop_slots()
        for give_back in self._make_room:
            give_back()
        return make()

    def close(self) -> None:
        self._drop_slots()
        self._gpu.free_stream(self.stream)

    def _drop_slots(self) -> None:
        while self._slots:
            self._slots.popitem()[1].close()
