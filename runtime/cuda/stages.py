"""Stage times: CUDA events between the steps of an execution. In a captured graph they are nodes of it, so that no launch from the
host stands between the steps; where a network cannot be captured, the times hold the gaps that the host leaves."""

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cuda.core import Stream

    from ainet.runtime.cuda.gpu import Gpu

STAGES = ("upload", "resize", "network", "assign", "connectivity", "download")


class StageEvents:
    """An event before each of `STAGES`, and one after the last."""

    def __init__(self, gpu: "Gpu", stream: "Stream") -> None:
        self._gpu, self._stream = gpu, stream
        self._events = [gpu.make_event() for _ in range(len(STAGES) + 1)]

    def before(self, stage: str, in_capture: bool) -> None:
        self._gpu.record(self._events[STAGES.index(stage)], self._stream, in_capture)

    def after_last(self, in_capture: bool) -> None:
        self._gpu.record(self._events[-1], self._stream, in_capture)

    def milliseconds(self) -> dict[str, float]:
        """Of the last run, which has to be waited for."""
        return {stage: end - start for stage, (start, end) in zip(STAGES, pairwise(self._events), strict=True)}

    def close(self) -> None:
        for event in self._events:
            event.close()
