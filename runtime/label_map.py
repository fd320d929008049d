"""Label maps with any labels, in native code: numbered, summed up by region, and outlined.

values, numbers = number_labels(labels)          # labels (H, W) of any integers
sums = region_sums(numbers, len(values))         # sums.area, sums.places, sums.colours, sums.boxes
rings = outlines(regions)                        # regions (H, W) int32, 0..K-1, each 4-connected
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ainet.runtime import _native


def number_labels(labels: NDArray[np.integer[Any]]) -> tuple[NDArray[np.integer[Any]], NDArray[np.int32]]:
    """Labels (H, W) -> the distinct ones in ascending order (K,), of the same type, and the number 0..K-1 of each pixel's, (H, W)."""
    native = np.ascontiguousarray(labels, dtype=labels.dtype.newbyteorder("="))
    bits, numbers = _native.number_labels(native.view(f"u{native.itemsize}"))  # only equality matters
    values = bits.view(native.dtype)
    order = np.argsort(values)
    if np.array_equal(order, np.arange(len(order))):  # as of superpixels, which are numbered as they appear
        return values, numbers
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return values[order], ranks[numbers]


class RegionSums(NamedTuple):
    """Sums over the pixels of the regions 0..K-1, int64, and where these lie.

    area: (K,). places: (K, 2) of rows and columns. colours: (K, 3) of R, G and B, 0 without an image.
    boxes: (K, 4) int32, first row and column, and one more than the last ones.
    """

    area: NDArray[np.int64]
    places: NDArray[np.int64]
    colours: NDArray[np.int64]
    boxes: NDArray[np.int32]


def region_sums(numbers: NDArray[np.int32], regions: int, image: NDArray[np.uint8] | None = None) -> RegionSums:
    """Of numbers (H, W) in 0..regions-1, all of which occur, and an RGB image (H, W, 3); `ValueError` for others."""
    sums, boxes = _native.region_table(numbers, regions) if image is None else _native.region_table(numbers, regions, image)
    return RegionSums(sums[:, 0], sums[:, 1:3], sums[:, 3:], boxes)


class Ring(NamedTuple):
    """One closed line around a region; `points` (N, 2) int32, x and y of corners of pixels, the last the same as the first."""

    region: int
    points: NDArray[np.int32]


def outlines(regions: NDArray[np.int32]) -> list[Ring]:
    """The rings around regions (H, W), 0..K-1, each 4-connected: of each region the outer one first, then those around its holes.

    By the shoelace formula outer rings have a positive area, holes a negative one. Points are where a ring turns, and where three
    or more regions meet, the outside of the image being one of them; so neighbours have the points of their border in common.
    """
    points, starts, of_region = _native.outlines(regions)
    cuts = starts.tolist()
    order = np.argsort(of_region, kind="stable").tolist()
    return [Ring(int(of_region[i]), points[cuts[i] : cuts[i + 1]]) for i in order]
