"""The association map Q itself, before an arg-max makes superpixels of it.

    found = association(backend, image, plan)

Cells average what their pixels bring, and pixels average what their cells hold (AINet, Eq. 1-2):

    pooled(s)  = sum_p Q(s, p) f(p) / sum_p Q(s, p)     over the pixels p around cell s
    rebuilt(p) = sum_s Q(s, p) pooled(s)                over the 9 cells s around pixel p
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ainet.errors import ModelError, UsageError
from ainet.runtime.backends.base import Backend
from ainet.runtime.pipeline import infer, network_input, tile_input
from ainet.runtime.plan import Plan
from ainet.runtime.quarters import as_planes
from ainet.runtime.tiles import tiles
from ainet.spec import CELL_SIZE, NEIGHBOURS


class Association(NamedTuple):
    """Which of the nine grid cells around it every pixel of the working image belongs to.

    probabilities: Q, (9, h, w) float32 in [0, 1], which sum to 1 over the first axis. h and w are the working size, the image's
        resized to multiples of 16.
    cells: (9, h / 16, w / 16) int32, the nine cells around every cell in raster order, from the upper left to the lower right. Cells are
        numbered row by row; where there is none, beyond the edge of the grid, the nearest one inside stands in its place. So
        `probabilities[k, y, x]` is that of the pixel (y, x) belonging to the cell `cells[k, y // 16, x // 16]`.
    """

    probabilities: NDArray[np.float32]
    cells: NDArray[np.int32]

    @property
    def working_size(self) -> tuple[int, int]:
        """Height and width of the working image."""
        return self.probabilities.shape[1], self.probabilities.shape[2]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.cells.shape[1], self.cells.shape[2]


def association(backend: Backend, image: NDArray[np.uint8], plan: Plan) -> Association:
    """RGB image (H, W, 3) of the plan's size -> its association map.

    Raises:
        ModelError: the model gives cell ids alone.
        UsageError: the map does not fit into memory.
    """
    if backend.info.output == "labels":
        raise ModelError("the model's output is 'labels', which holds no association map; export it again with --output logits")
    try:
        scores = _scores(backend, image, plan)
        if backend.info.output == "logits":
            scores = _softmax(scores)
    except MemoryError as error:
        size = f"{plan.working_height}x{plan.working_width}"
        raise UsageError(f"the association map of {plan.cells} cells is 9x{size}, too large for this machine; ask for fewer") from error
    return Association(scores, _neighbours(plan.working_height // CELL_SIZE, plan.working_width // CELL_SIZE))


def _scores(backend: Backend, image: NDArray[np.uint8], plan: Plan) -> NDArray[np.float32]:
    """Image (H, W, 3) -> the model's scores (9, h, w), float32."""
    if not plan.in_tiles:
        return np.asarray(as_planes(infer(backend, network_input(image[None], plan, backend.info)))[0], np.float32)
    scores = np.empty((NEIGHBOURS, plan.working_height, plan.working_width), np.float32)
    for tile in tiles(plan, backend.info.network):
        found = as_planes(infer(backend, tile_input(image, plan, tile, backend.info)))[0]
        scores[:, *tile.inner] = found[:, *tile.within]
    return scores


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the first axis."""
    scores = logits - logits.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores


def _neighbours(rows: int, columns: int) -> NDArray[np.int32]:
    row, column = np.indices((rows, columns), np.int32)
    shifted = [
        np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1) for down in (-1, 0, 1) for right in (-1, 0, 1)
    ]
    return np.stack(shifted).astype(np.int32)
