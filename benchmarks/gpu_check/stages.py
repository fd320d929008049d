"""Where the GPU's time goes between a photo and its labels: events between the steps of the very pipeline that users run.

    gpu = StageGpu(Gpu(0), DeviceEvents())
    pipeline = GpuPipeline(gpu, StageNetwork(network, gpu), "with events")
    pipeline.labels(images, plan)
    gpu.take()  # {"upload": 0.01, "resize": 0.004, ...}: milliseconds since the last call

In a captured graph the events are nodes of it, so that no launch from the host stands between the steps. Steps of a network that
cannot be captured are launched one by one; their times hold the gaps that the host leaves.
"""

import ctypes
import importlib
from itertools import pairwise
from typing import Any, Protocol

from ainet.errors import DeviceError
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.kernels import Launch, Shape
from ainet.runtime.cuda.network import Allocate, Enqueue, GpuNetwork, Graph

STAGES = ("upload", "resize", "network", "arg-max", "connectivity", "download")
KERNELS = {"resize_to": "resize", "assign": "arg-max", "resize_ids": "arg-max", "connect": "connectivity"}  # by how names start


class Events(Protocol):
    """Marks in a stream, and the time between them."""

    def make(self) -> Any: ...

    def record(self, event: Any, stream: int, captured: bool) -> None:
        """Put a mark behind what is in the stream, or into the graph that is being captured from it."""
        ...

    def milliseconds(self, first: Any, second: Any) -> float: ...


class DeviceEvents:
    """CUDA events."""

    def __init__(self) -> None:
        self._runtime: Any = importlib.import_module("cuda.bindings.runtime")

    def make(self) -> Any:
        return self._call("cudaEventCreate")

    def record(self, event: Any, stream: int, captured: bool) -> None:
        self._call("cudaEventRecordWithFlags", event, stream, self._runtime.cudaEventRecordExternal if captured else 0)

    def milliseconds(self, first: Any, second: Any) -> float:
        return float(self._call("cudaEventElapsedTime", first, second))

    def _call(self, function: str, *arguments: Any) -> Any:
        status, *result = getattr(self._runtime, function)(*arguments)
        if int(status):
            raise DeviceError(f"{function}: {status.name}")
        return result[0] if result else None


class StageGpu:
    """A `Gpu` that puts an event before every new stage of the work it is given."""

    def __init__(self, gpu: Gpu, events: Events) -> None:
        self._gpu, self._events = gpu, events
        self._spare: list[Any] = []
        self._marks: list[tuple[str, Any]] = []  # stage, and the event at its start
        self._captured: list[tuple[str, Any]] | None = None  # the marks of the graph that is being captured
        self._replayed: set[int] = set()  # ids of events that belong to graphs
        self._totals: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gpu, name)

    def take(self) -> dict[str, float]:
        """Milliseconds by stage since the last call."""
        totals, self._totals = self._totals, {}
        return totals

    def enter(self, stage: str, stream: int) -> None:
        """What comes into the stream now belongs to `stage`."""
        marks = self._marks if self._captured is None else self._captured
        if marks and marks[-1][0] == stage:
            return
        event = self._spare.pop() if self._spare and self._captured is None else self._events.make()
        self._events.record(event, stream, self._captured is not None)
        marks.append((stage, event))

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        self.enter("download" if any(stage != "upload" for stage, _ in self._marks) else "upload", stream)
        self._gpu.copy(target, source, size, stream)

    def launcher(self, stream: int) -> Launch:
        launch = self._gpu.launcher(stream)

        def staged(kernel: str, arguments: ctypes.Structure, count: int, images: int) -> None:
            self.enter(next((stage for start, stage in KERNELS.items() if kernel.startswith(start)), kernel), stream)
            launch(kernel, arguments, count, images)

        return staged

    def capture(self, stream: int, enqueue: Enqueue, network: GpuNetwork | None = None) -> Graph:
        """As of `Gpu`, or of the network if it has a way of its own."""
        self._captured = []
        try:
            launch, destroy = getattr(network, "capture", self._gpu.capture)(stream, enqueue)
            marks = self._captured
        finally:
            self._captured = None
        self._replayed |= {id(event) for _, event in marks}

        def replay() -> None:
            self._marks += marks
            launch()

        return replay, destroy

    def synchronize(self, stream: int) -> None:
        """As of `Gpu`; then the times since the last one are summed up."""
        if self._marks:
            self.enter("end", stream)
        self._gpu.synchronize(stream)
        for (stage, start), (_, end) in pairwise(self._marks):
            self._totals[stage] = self._totals.get(stage, 0.0) + self._events.milliseconds(start, end)
        self._spare += [event for _, event in self._marks if id(event) not in self._replayed]
        self._marks = []


class StageNetwork:
    """A network whose work is the stage "network"."""

    def __init__(self, network: GpuNetwork, gpu: StageGpu) -> None:
        self._network, self._gpu = network, gpu

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def capture(self, stream: int, enqueue: Enqueue) -> Graph:
        return self._gpu.capture(stream, enqueue, self._network)

    def prepare(self, shape: Shape, image: int, output: int, stream: int, allocate: Allocate) -> Enqueue:
        enqueue = self._network.prepare(shape, image, output, stream, allocate)

        def staged() -> None:
            self._gpu.enter("network", stream)
            enqueue()

        return staged
