"""The part of the widget that needs no napari: the regions of an image at a count that changes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.images import read_image
from ainet.merge_tree import Hierarchy

BACKGROUND = 0  # napari's label for what is not labelled


class Regions:
    """Regions of a hierarchy. `labels`: (H, W) int32, from 1."""

    def __init__(self, tree: Hierarchy, count: int) -> None:
        self._tree = tree
        self.most: int = tree.max_segments
        self.cut(count)

    def cut(self, count: int) -> None:
        """Change the count; one that the hierarchy does not have becomes the nearest that it has."""
        self.count = min(max(count, self._tree.min_segments), self.most)
        self.labels = self._tree.cut(self.count) + np.int32(BACKGROUND + 1)

    def pixels_at(self, row: float, column: float) -> tuple[NDArray[np.intp], ...] | None:
        """Rows and columns of the region at a point in pixels, whose centres have whole coordinates; None outside the image."""
        y, x = int(np.floor(row + 0.5)), int(np.floor(column + 0.5))
        height, width = self.labels.shape
        if not (0 <= y < height and 0 <= x < width):
            return None
        return np.nonzero(self.labels == self.labels[y, x])


def slider_counts(most: int) -> list[int]:
    """The counts that a slider goes through, 1 to `most`: each is one more, or 4 % more where that is several."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(most, max(counts[-1] + 1, round(counts[-1] * 1.04))))
    return counts


def shown_colours(data: Any, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """An image (H, W) or (H, W, C) in the range that people see -> RGB uint8 (H, W, 3).

    limits: the values that are shown as black and as white; None: those that napari takes for RGB, which has no contrast limits.

    Raises:
        ImageError: an image of another shape or type.
    """
    pixels = np.asarray(data)
    return read_image(pixels, stretch=_whole_range(pixels) if limits is None else limits)


def _whole_range(pixels: NDArray[Any]) -> tuple[float, float] | None:
    """Values that become black and white where nothing else is said, as in napari; None: of 8 bits as they are."""
    if pixels.dtype.kind == "f":
        return 0, 1
    if pixels.dtype == np.uint8 or pixels.dtype.kind not in "iu":
        return None
    return 0, 255 if pixels.max() < 255 else int(np.iinfo(pixels.dtype).max)
