"""How an image is resized to the working size: for each row and column of the result, which ones of the image it is the sum of.

    rows, columns = resize_tables(321, 481, 320, 480)

Native code and GPU kernels take these tables and add up in one order, in single precision, so that both give the same bytes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.plan import Plan


@dataclass(frozen=True, eq=False)
class Taps:
    """One axis of a resize. first: (targets,) int32, the first source of each target; weights: (targets, taps) float32, of it and the next.

    Sources before the first and after the last repeat these. The number of taps is a multiple of 4, with weights of 0 at the end.
    """

    first: NDArray[np.int32]
    weights: NDArray[np.float32]

    def part(self, start: int, end: int) -> "Taps":
        """The table of the targets from `start` to `end`."""
        return Taps(self.first[start:end], self.weights[start:end])


def plan_tables(plan: Plan) -> tuple[Taps, Taps]:
    """How rows and columns of the plan's working image come from those of the image."""
    return resize_tables(plan.height, plan.width, plan.working_height, plan.working_width, plan.averages)


def resize_tables(height: int, width: int, out_height: int, out_width: int, averages: bool = False) -> tuple[Taps, Taps]:
    """Tables of rows and of columns: bicubic, or where `averages` the mean of what each target covers."""
    taps = area_taps if averages else bicubic_taps
    return taps(height, out_height), taps(width, out_width)


@lru_cache(64)
def bicubic_taps(sources: int, targets: int) -> Taps:
    """The cubic of Keys with a = -0.75, pixel centres at halves, no smoothing when reducing: OpenCV's INTER_CUBIC, with exact weights."""
    centre = (np.arange(targets) + 0.5) * (sources / targets) - 0.5
    before = np.floor(centre)
    distance = np.abs((centre - before)[:, None] - np.arange(-1, 3))
    near = (1.25 * distance - 2.25) * distance**2 + 1
    far = -0.75 * (((distance - 5) * distance + 8) * distance - 4)
    return Taps((before - 1).astype(np.int32), np.where(distance <= 1, near, far).astype(np.float32))


@lru_cache(64)
def area_taps(sources: int, targets: int) -> Taps:
    """The mean of what a target covers, when reducing: OpenCV's INTER_AREA, with exact weights."""
    taps = (-(-sources // targets) + 1 + 3) // 4 * 4
    start = np.arange(targets) * sources  # in units of 1 / targets of a source, so that all are integers
    first = start // targets
    source = (first[:, None] + np.arange(taps)) * targets
    covered = np.minimum(source + targets, start[:, None] + sources) - np.maximum(source, start[:, None])
    return Taps(first.astype(np.int32), (np.maximum(covered, 0) / sources).astype(np.float32))
