"""How a batch is cut into chunks, the parts that run at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ainet.errors import ModelError
from ainet.runtime.plan import Plan

MAX_CHUNK_PIXELS = 2**23  # working pixels of a chunk: 54 photos of 320 x 480
MAX_CHUNKS = 4  # of a batch from the host: the copies of one chunk run while the GPU works on another
MIN_CHUNK = 8  # images; smaller chunks would cost more than their copies


@dataclass(frozen=True)
class Batch:
    """Images of one plan, and where their labels go: arrays on the host, or addresses on the GPU (`on_device`)."""

    plan: Plan
    images: Any
    labels: Any
    count: int
    on_device: bool

    def part(self, start: int, size: int) -> tuple[Any, Any]:
        """Images and labels from number `start` on."""
        if not self.on_device:
            return self.images[start : start + size], self.labels[start : start + size]
        pixels = start * self.plan.height * self.plan.width
        return self.images + pixels * 3, self.labels + pixels * 4


def chunk_limit(batch: Batch) -> int:
    """The most images that a chunk should have. Images that are on the GPU need no copies, so memory alone is the limit."""
    most = max(1, MAX_CHUNK_PIXELS // (batch.plan.working_height * batch.plan.working_width))
    chunks = 1 if batch.on_device else max(1, min(MAX_CHUNKS, batch.count // MIN_CHUNK))
    return min(most, -(-batch.count // chunks))


def chunk_sizes(count: int, limit: int, fitting: Callable[[int], int]) -> list[int]:
    """Images of each chunk: at most `limit`; where the network takes only larger batches, the smallest that it takes.

    fitting: of so many images, how many the network takes at once.

    Raises:
        ModelError: the network does not take all of the images.
    """
    try:
        return _cut(count, limit, fitting)
    except ModelError:
        return _cut(count, count, fitting)


def _cut(count: int, limit: int, fitting: Callable[[int], int]) -> list[int]:
    sizes = []
    while count > 0:
        sizes.append(fitting(min(limit, count)))
        count -= sizes[-1]
    return sizes
