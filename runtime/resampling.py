"""How an image is resized to the working size: for each row and column of the result, which ones of the image it is the sum of.

    rows, columns = resize_tables(321, 481, 320, 480)

Native code and GPU kernels take these tables and add up in one order, in single precision, so that both give the same bytes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ainet.runtime import _native
from ainet.runtime.plan import Plan


@dataclass(frozen=True, eq=False)
class Taps:
    """One axis of a resize. first: (targets,) int32, the first source of each target; weights: (targets, taps) float32, of it and the next.

    Sources before the first and after the last repeat these. The number of taps is a multiple of 4, with weights of 0 at the end.
    """

    first: NDArray[np.int32]
    weights: NDArray[np.float32]

    def part(self, targets: slice) -> "Taps":
        """The table of some of the targets."""
        return Taps(self.first[targets], self.weights[targets])


def plan_tables(plan: Plan) -> tuple[Taps, Taps]:
    """How rows and columns of the plan's working image come from those of the image."""
    return resize_tables(plan.height, plan.width, plan.working_height, plan.working_width, plan.averages)


def resize_tables(height: int, width: int, out_height: int, out_width: int, averages: bool = False) -> tuple[Taps, Taps]:
    """Tables of rows and of columns: bicubic, or where `averages` the mean of what each target covers."""
    return make_taps(height, out_height, averages), make_taps(width, out_width, averages)


@lru_cache(128)
def make_taps(sources: int, targets: int, averages: bool = False) -> Taps:
    """The table of one axis."""
    return Taps(*_native.make_taps(sources, targets, averages))
